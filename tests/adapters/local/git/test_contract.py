"""The promises of a forge, kept by git on disk."""

import pytest

from swarm.testing.contracts.forge import ForgeContract


class GitWorld:
    """A user's repository, its private clone, and changes taken in as an agent's."""

    repo, clashes = "app", True

    def __init__(self, world, run_git):
        self._world, self._git = world, run_git
        self._begun = int(run_git(world.repo.path, "rev-list", "--count", "main"))

    def port(self):
        return type(self._world.forge)({"app": self._world.settings}, self._world.data)

    async def change(self, mission, place):
        taken = await self._world.change({f"{place}.py": f"MADE_BY = {mission!r}\n"}, mission)
        assert not taken.violations
        return taken.change

    def main(self):
        return self._git(self._world.clone, "rev-parse", "main")

    def moves(self):
        return int(self._git(self._world.clone, "rev-list", "--count", "main")) - self._begun


class TestLocalForge(ForgeContract):
    @pytest.fixture
    async def world(self, world, run_git):
        await world.forge.clone("app").follow()
        return GitWorld(world, run_git)
