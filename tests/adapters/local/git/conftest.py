"""Real repositories made by real git, and orders as the core makes them."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.core.decision import Land, Restage, Revert, SeeMain, StartRun
from swarm.core.ids import MissionId, RunId, order_key, run_id
from swarm.core.nouns import Brief

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MISSION = MissionId("m-0123456789abcdef0123")


class Repo:
    """A user's repository on disk, driven by the git program."""

    def __init__(self, path: Path, *init: str) -> None:
        self.path = path
        path.mkdir(parents=True)
        self("init", "-q", "-b", "main", *init)
        self("config", "user.name", "Owner")
        self("config", "user.email", "owner@example.org")

    def __call__(self, *argv: str) -> str:
        return git(self.path, *argv)

    def commit(self, files: dict[str, str | bytes | None], title: str = "work") -> str:
        for name, data in files.items():
            file = self.path / name
            if data is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data.encode() if isinstance(data, str) else data)
        self("add", "-A", "-f")
        self("commit", "-q", "--allow-empty", "-m", title)
        return self("rev-parse", "HEAD")


def git(folder: Path, *argv: str) -> str:
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    said = subprocess.run(
        ["git", "-C", str(folder), "-c", "protocol.file.allow=always", *argv],
        env=env,
        check=True,
        capture_output=True,
        text=True,
        errors="surrogateescape",
    )
    return said.stdout.rstrip("\n")


class World:
    """One user repository, a forge on it, and orders for one mission."""

    def __init__(self, tmp: Path, repo: Repo, **settings: object) -> None:
        self.tmp = tmp
        self.repo = repo
        self.data = tmp / "data"
        self.settings = RepositorySettings(path=repo.path, **settings)
        self.forge = LocalForge({"app": self.settings}, self.data, now=lambda: NOON)
        self.mission = MISSION
        self._folders = 0

    @property
    def clone(self) -> Path:
        return self.forge.clone("app").folder

    def start(
        self, attempt=0, allowed=(), base="", onto="", goal="Tidy up", mission=None
    ) -> StartRun:
        mission = mission or self.mission
        run: RunId = run_id(mission, attempt)
        return StartRun(
            key=order_key(mission, "start-run", str(attempt)),
            mission=mission,
            mission_class="tidy",
            policy_hash="p",
            run=run,
            attempt=attempt,
            agent="a",
            repo="app",
            base=base,
            onto=onto,
            deadline=timedelta(minutes=5),
            brief=Brief(
                run=run, goal=goal, facts=(), allowed_paths=tuple(allowed), checks=(), rule=""
            ),
        )

    async def agent(self, order: StartRun, *, history=True) -> tuple[str, Path]:
        """What an agent gets: a clean clone of the base."""
        base = await self.forge.base(order)
        self._folders += 1
        folder = self.tmp / f"agent-{self._folders}"
        await self.forge.export("app", base, folder, with_history=history)
        return base, folder

    async def change(self, files, mission=None, attempt=0, base="", onto="", **intake):
        """Have an 'agent' write these files and take its work."""
        order = self.start(attempt=attempt, base=base, onto=onto, mission=mission, **intake)
        base, folder = await self.agent(order)
        for name, data in files.items():
            file = folder / name
            if data is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data.encode() if isinstance(data, str) else data)
        return await self.forge.take_change(order, folder, base=base, at=NOON)

    def _about(self, verb, *parts, mission=None):
        mission = mission or self.mission
        return {
            "key": order_key(mission, verb, *parts),
            "mission": mission,
            "mission_class": "tidy",
            "policy_hash": "p",
            "repo": "app",
        }

    def land(self, change, mission=None) -> Land:
        return Land(
            **self._about("land", change.head, mission=mission), head=change.head, base=change.base
        )

    def restage(self, change, onto) -> Restage:
        return Restage(**self._about("restage", change.head, onto), change=change, onto=onto)

    def revert(self, commit) -> Revert:
        return Revert(**self._about("revert", commit), commit=commit)

    def see(self) -> SeeMain:
        return SeeMain(**self._about("see-main"))


@pytest.fixture
def repo(tmp_path) -> Repo:
    made = Repo(tmp_path / "user repo")
    made.commit(
        {
            "app.py": "import os\nprint('hello')\n",
            "tests/test_app.py": "def test_a():\n    assert 1\n",
        }
    )
    return made


@pytest.fixture
def world(tmp_path, repo) -> World:
    return World(tmp_path, repo)


@pytest.fixture
def make_world(tmp_path):
    def make(repo: Repo, **settings) -> World:
        return World(tmp_path, repo, **settings)

    return make


@pytest.fixture
def make_repo(tmp_path):
    def make(name: str, *init: str) -> Repo:
        return Repo(tmp_path / name, *init)

    return make


@pytest.fixture
def run_git():
    return git
