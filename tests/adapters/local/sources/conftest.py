from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.adapters.local.sources.build import source
from swarm.adapters.local.sources.checkout import Checkouts
from swarm.adapters.local.sources.settings import CommandSettings, ResultsSettings
from swarm.core.ids import swarm_id
from swarm.ports.source_settings import Place

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


class Repository:
    """A user's repository on disk, and a forge that follows it."""

    def __init__(self, tmp: Path) -> None:
        self.path = tmp / "app"
        self.path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Owner")
        self.git("config", "user.email", "owner@example.org")
        forge = LocalForge({"app": RepositorySettings(path=self.path)}, tmp / "data")
        self.scratch = tmp / "scratch"
        self.checkouts = Checkouts(forge, self.scratch)

    def git(self, *argv: str) -> str:
        said = subprocess.run(
            ["git", "-C", str(self.path), *argv],
            env={**os.environ, **GIT},
            check=True,
            capture_output=True,
            text=True,
        )
        return said.stdout.strip()

    def commit(self, files: dict[str, str | None], message: str = "work") -> str:
        for name, text in files.items():
            file = self.path / name
            if text is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


class World:
    """Settings to a source, a clock that is set by hand, and what a reading brought."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        self.now = NOON
        self.place = Place(swarm=swarm_id("default", "demo"), now=lambda: self.now)
        self.repository: Repository | None = None

    def command(self, *run: str, **settings) -> object:
        plain = {"kind": "command", "name": "lint", "run": run or ("true",)}
        if "repo" not in settings:
            plain["workdir"] = str(self.tmp)
        checkouts = self.repository.checkouts if self.repository else None
        return source(CommandSettings(**{**plain, **settings}), self.place, checkouts)

    def printing(self, text: str | bytes, *, code: int = 0, err: str = "", **settings) -> object:
        """A command that prints exactly this."""
        data = text.encode() if isinstance(text, str) else text
        (self.tmp / "printed").write_bytes(data)
        program = "import pathlib, sys; _, path, err, code = sys.argv\n"
        program += "sys.stdout.buffer.write(pathlib.Path(path).read_bytes())\n"
        program += "sys.stderr.write(err); sys.exit(int(code))"
        path = str(self.tmp / "printed")
        return self.command("{python}", "-c", program, path, err, str(code), **settings)

    def results(self, *files: str, **settings) -> object:
        plain = {"kind": "junit", "name": "tests", "files": files, "workdir": str(self.tmp)}
        return source(ResultsSettings(**{**plain, **settings}), self.place)

    def later(self, **span) -> None:
        self.now += timedelta(**span)

    async def read(self, from_source, cursor: str = ""):
        """All signals, the refused entries, and the cursor after the reading."""
        signals, refused = [], []
        async for reading in from_source.read(cursor):
            assert len(reading.signals) <= 1_000
            signals += reading.signals
            refused += reading.refused
            cursor = reading.cursor
        return signals, refused, cursor


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.fixture
def repository(world) -> Repository:
    world.repository = Repository(world.tmp)
    return world.repository


@pytest.fixture
def lines():
    """Statements as a command would print them."""

    def make(*entries) -> str:
        return "".join(json.dumps(entry) + "\n" for entry in entries)

    return make


@pytest.fixture
def python() -> str:
    return sys.executable
