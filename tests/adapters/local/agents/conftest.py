"""A real repository, real commands as agents, and a log outside that says what really ran."""

from __future__ import annotations

import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.agents.runner import LocalRuns
from swarm.adapters.local.agents.settings import AgentSettings
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.adapters.local.process import kernel
from swarm.core.decision import StartRun
from swarm.core.ids import MissionId, OrderKey, RunId
from swarm.core.nouns import Brief
from swarm.testing.repository import ScratchRepository

FILES = {"src/value.py": "VALUE = 1\n", "tests/test_value.py": "def test_it():\n    pass\n"}


class World:
    """One repository `app`, and agents that log each start to `log`."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        self.log = tmp / "log"
        self.log.touch()
        self.repo = ScratchRepository(tmp / "app")
        self.base = self.repo.commit(FILES)
        self.agents: dict[str, AgentSettings] = {}
        self.open: list[LocalRuns] = []
        self.define("change", "echo 'VALUE = 2' > src/value.py")
        self.define("nothing", "true")
        self.define("fail", "echo 'VALUE = 3' > src/value.py; echo sorry >&2; exit 3")
        self.define("endless", "(setsid sleep 300 &); sleep 300", timeout=timedelta(seconds=1))
        self.define("busy", "echo come back later; exit 75")
        self.define("hostile", "ln -s /etc/passwd src/link")

    def define(self, name: str, shell: str, **more: object) -> None:
        """An agent that is a few lines of shell and may write to our folder, to tell us."""
        line = f'echo "$0" >>{self.log}; {shell}'
        fields = {"run": ("sh", "-c", line, name), "writable": (self.tmp,), **more}
        self.agents[name] = AgentSettings(**fields)

    def port(self, **more: object) -> LocalRuns:
        repo = RepositorySettings(path=self.repo.path)
        self.forge = LocalForge({"app": repo}, self.tmp / "data")
        made = LocalRuns(self.agents, self.forge, self.tmp / "runs", **more)
        self.open.append(made)
        return made

    def order(self, kind: str, mission: str = "m-1", **more: object) -> StartRun:
        run = RunId(f"{mission}-run-0")
        brief = Brief(
            run=run,
            goal="Make the smallest change that helps.",
            facts=("value is wrong",),
            allowed_paths=("src",),
            checks=("tests",),
            rule="F401",
        )
        told = set(Brief.__dataclass_fields__) - {"run"}
        over = {key: more.pop(key) for key in [*more] if key in told}
        fields = {
            "key": OrderKey(f"{mission}/run/0"),
            "mission": MissionId(mission),
            "mission_class": "tidy",
            "policy_hash": "p",
            "run": run,
            "attempt": 0,
            "agent": kind,
            "repo": "app",
            "base": "",
            "onto": "",
            "brief": brief if not over else Brief(**{**_fields(brief), **over}),
            "deadline": timedelta(seconds=30),
        }
        return StartRun(**{**fields, **more})

    def effects(self, kind: str) -> int:
        return self.log.read_text().split().count(kind)

    def changes(self) -> int:
        clone = next((self.tmp / "data").glob("*.git"), None)
        if clone is None:
            return 0
        said = subprocess.run(
            ["git", "--git-dir", str(clone), "for-each-ref", "refs/heads/swarm/"],
            capture_output=True,
            text=True,
            check=True,
        )
        return len(said.stdout.splitlines())

    def show(self, commit: str, path: str) -> str:
        clone = next((self.tmp / "data").glob("*.git"))
        said = subprocess.run(
            ["git", "--git-dir", str(clone), "show", f"{commit}:{path}"],
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout

    def pids(self) -> list[int]:
        found = []
        for pid in kernel.all_pids():
            try:
                environ = Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            if f"SWARM_JOB={self.tmp}".encode() in environ and kernel.start_time(pid):
                found.append(pid)
        return found

    def alive(self) -> int:
        return len(self.pids())


def _fields(brief: Brief) -> dict[str, object]:
    return {name: getattr(brief, name) for name in Brief.__dataclass_fields__}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    for port in made.open:
        port.close()
    for pid in made.pids():
        kernel.send(pid, signal.SIGKILL)
