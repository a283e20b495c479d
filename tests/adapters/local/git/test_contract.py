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


@pytest.mark.fast(
    "test_landing_moves_main_from_base_to_head_once",
    "test_of_changes_that_land_at_once_one_lands",
    "test_a_main_that_moved_is_told_and_left_alone",
    "test_what_was_asked_after_lands_under_no_older_fence",
    "test_a_revert_is_one_new_commit_on_main",
    "test_main_is_seen_where_it_stands",
)
class TestLocalForge(ForgeContract):
    @pytest.fixture
    async def world(self, world, run_git):
        await world.forge.clone("app").follow()
        return GitWorld(world, run_git)
