"""A real repository, real commands, and a log outside that says what really ran."""

from __future__ import annotations

import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.checks.runner import LocalChecks
from swarm.adapters.local.checks.settings import CheckSettings
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.adapters.local.process import kernel
from swarm.core.decision import RunCheck
from swarm.core.ids import MissionId, OrderKey
from swarm.testing.repository import ScratchRepository


class World:
    """One repository `app` with one commit, and checks that log each start to `log`."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        self.log = tmp / "log"
        self.log.touch()
        self.repo = ScratchRepository(tmp / "app")
        self.base = self.repo.commit({"value.txt": "good\n"})
        self.checks: dict[str, CheckSettings] = {}
        self.open: list[LocalChecks] = []
        self.more: dict[str, object] = {}
        tell = f'echo "$0" >>{self.log}'
        self.define("green", f"{tell}; test -f value.txt", reruns=0)
        self.define("red", f"{tell}; echo broken; exit 1", reruns=0)
        self.define("endless", f"{tell}; sleep 300", timeout=timedelta(seconds=1))
        loud = "head -c 3000000 /dev/zero | tr '\\0' x; printf '\\033[31mred\\007\\n'; exit 2"
        self.define("loud", f"{tell}; {loud}", reruns=0)

    def define(self, name: str, shell: str, **more: object) -> None:
        """A check that is one line of shell, confined to nothing so that it can tell us."""
        fields = {"run": ("sh", "-c", shell, name), "writable": (self.tmp,), **more}
        self.checks[name] = CheckSettings(**fields)

    def port(self, **more: object) -> LocalChecks:
        repo = RepositorySettings(path=self.repo.path)
        forge = LocalForge({"app": repo}, self.tmp / "data")
        made = LocalChecks(self.checks, forge, self.tmp / "checks", **{**self.more, **more})
        self.open.append(made)
        return made

    def order(self, kind: str, commit: str = "", key: str = "", **more: object) -> RunCheck:
        commit = commit or self.base
        fields = {
            "key": OrderKey(key or f"m-1/check/{commit}/{kind}"),
            "mission": MissionId("m-1"),
            "mission_class": "tidy",
            "policy_hash": "p",
            "check": kind,
            "repo": "app",
            "commit": commit,
            "base": self.base,
            "deadline": timedelta(seconds=30),
        }
        return RunCheck(**{**fields, **more})

    def effects(self, kind: str) -> int:
        return self.log.read_text().split().count(kind)

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


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    for port in made.open:
        port.close()
    for pid in made.pids():
        kernel.send(pid, signal.SIGKILL)


@pytest.fixture
def python():
    return sys.executable
