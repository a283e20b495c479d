"""A whole installation whose hands are real: git, agents, checks, a database, a controller."""

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.process import kernel
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.people import People
from swarm.runtime.home import Home
from swarm.runtime.supervise import serve
from swarm.testing.repository import ScratchRepository

FILES = {"src/value.py": "VALUE = 1\n", "tests/test_value.py": "def test_it():\n    pass\n"}
MANIFEST = """\
apiVersion: swarm.proompteng.ai/v1alpha1
kind: Swarm
metadata: {name: shop}
spec:
  owner: {id: alice, channel: "swarm://owner/alice"}
  domains: [platform]
  objectives: [fewer defects]
  mode: lights-out
  cadence: {discoverEvery: 10s, planEvery: 10s, implementEvery: 10s, verifyEvery: 10s}
  discovery:
    sources: [SOURCES]
  delivery:
    repoAllowlist: [acme/shop]
    requiredChecks: [tests]
"""
SETTINGS = """\
[database]
url = "{url}"

[repositories."acme/shop"]
path = "{repo}"

[budgets.default-budget]
cap = "100.00"
"""


class Installation:
    """Two sources that a test speaks through, agents and checks of a few lines of shell.

    log: what agents and checks wrote when they were really started, one name a line.
    """

    def __init__(self, folder, url):
        self.folder = folder
        self._url = url
        self.log = folder / "started.log"
        self.log.touch()
        self.repo = ScratchRepository(folder / "shop")
        self.base = self.repo.commit(FILES)
        home = folder / "home"
        home.mkdir()
        self.home = Home(home)
        self._head = SETTINGS.format(url=url, repo=self.repo.path)
        self._tables = {}
        self.sources = {}
        for name in ("one", "two"):
            (folder / f"{name}.jsonl").touch()
            told = f"echo read-{name} >>{self.log}; cat {folder}/{name}.jsonl"
            self.source(name, ["sh", "-c", told])

    @property
    def url(self):
        """Where the database is; an embedded one's as its controller says."""
        return self._url if self._url != "embedded" else self.home.read_note()["dsn"]

    def table(self, name, **fields):
        """One more table of the installation file."""
        self._tables[name] = fields

    def source(self, name, run, **more):
        """A command as a source that the Swarm listens to."""
        self.sources[name] = self._tables[f"sources.{name}"] = {
            "kind": "command", "run": run, "workdir": str(self.folder), "repo": "acme/shop",
            "mission_class": "tidy", "risk": "R1", "every": "10s", **more,
        }  # fmt: skip

    def write(self):
        """The installation's two files, as they are said by now."""
        named = ", ".join(f"{{name: {name}}}" for name in self.sources)
        self.home.manifest.write_text(MANIFEST.replace("SOURCES", named))
        lines = [self._head]
        for name, fields in self._tables.items():
            lines += [
                f"[{name}]",
                *(f"{key} = {json.dumps(value)}" for key, value in fields.items()),
            ]
        self.home.file.write_text("\n".join([*lines, ""]))

    def agent(self, name, shell, **more):
        """An agent that logs its start and may write to the log's folder."""
        line = f'echo "{name}" >>{self.log}; {shell}'
        fields = {"run": ["sh", "-c", line], "writable": [str(self.folder)], **more}
        self.table(f"agents.{name}", **fields)

    def check(self, name, shell, **more):
        """A required check that logs its start."""
        line = f'echo "{name}" >>{self.log}; {shell}'
        fields = {"run": ["sh", "-c", line], "writable": [str(self.folder)], **more}
        self.table(f"checks.{name}", **fields)

    def say(self, number=1, **over):
        """Let both sources say that one thing is wrong."""
        told = {
            "id": f"finding-{number}", "title": f"the value {number} is wrong", "rule": "F401",
            "paths": ["src/value.py"], "citation": f"src/value.py:1@{self.base}", **over,
        }  # fmt: skip
        for name in ("one", "two"):
            with (self.folder / f"{name}.jsonl").open("a") as file:
                file.write(json.dumps(told) + "\n")

    def started(self, name):
        """How often an agent or a check was really started."""
        return self.log.read_text().split().count(name)

    def alive(self):
        """Pids of jobs of this installation, from their environment."""
        found = []
        for pid in kernel.all_pids():
            try:
                environ = Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            if f"SWARM_JOB={self.folder}".encode() in environ and kernel.start_time(pid):
                found.append(pid)
        return found

    @asynccontextmanager
    async def serving(self):
        """A controller of this installation at work in this process."""
        self.write()
        stop = asyncio.Event()
        task = asyncio.create_task(serve(self.home, stop))
        try:
            yield task
        finally:
            stop.set()
            await task

    async def until(self, kind, ready, seconds=30.0):
        """Rows of a kind once they are as the test waits for."""
        async with Database(self.url, size=1) as database:
            rows = []
            try:
                async with asyncio.timeout(seconds):
                    while True:
                        rows = await Look(database).rows(kind)
                        if ready(rows):
                            return rows
                        await asyncio.sleep(0.05)
            except TimeoutError:
                raise AssertionError(f"{kind} after {seconds} s: {rows}") from None

    async def wait_for(self, true, seconds=20.0):
        """Return once `true()` holds: something outside the store."""
        try:
            async with asyncio.timeout(seconds):
                while not true():  # noqa: ASYNC110 - of other processes
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {timedelta(seconds=seconds)}") from None

    async def cancel(self, mission):
        """What `swarmctl mission cancel` does."""
        async with Database(self.url, size=1) as database:
            await People(database, "alice").say(mission, "cancel", "not needed any more")


@pytest.fixture
def installation(tmp_path, database_dsn):
    """An installation on a database of this test run; what it leaves alive is ended."""
    made = Installation(tmp_path, database_dsn)
    yield made
    for pid in made.alive():
        kernel.send(pid, signal.SIGKILL)


@pytest.fixture
def embedded(tmp_path):
    """The same on an embedded server of its own, started by its controller."""
    made = Installation(tmp_path, "embedded")
    yield made
    for pid in made.alive():
        kernel.send(pid, signal.SIGKILL)
    EmbeddedServer(made.home.database).stop()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in [name for name in os.environ if name.startswith("SWARM_")]:
        monkeypatch.delenv(name)
