"""An installation made to be killed: real git, real agents, a service, several controllers."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from swarm.adapters.postgres.server import EmbeddedServer
from swarm.runtime.database import server_of
from swarm.runtime.demo import sample
from swarm.runtime.home import Home
from swarm.runtime.seat import FIRST
from swarm.runtime.supervise import main as controller

SWARM, TARGET, SHOP, NOTES = "crash", "orders", "crash/orders", "crash/notes"
SEATS = (FIRST, "second", "third")
WITH_TARGET = 5  #: every fifth mission rolls out to the service
RATE, TRAFFIC_SECONDS = 40, 600

MANIFEST = """\
apiVersion: swarm.proompteng.ai/v1alpha1
kind: Swarm
metadata: {name: crash}
spec:
  owner: {id: crash, channel: "swarm://owner/crash"}
  domains: [crash]
  objectives: [lose nothing and double nothing]
  mode: lights-out
  cadence: {discoverEvery: 1s, planEvery: 1s, implementEvery: 1s, verifyEvery: 1s}
  discovery:
    minCitations: 2
    sources: [{name: orders-one}, {name: orders-two}, {name: notes-one}, {name: notes-two}]
  delivery:
    repoAllowlist: [crash/orders, crash/notes]
    requiredChecks: [unit-tests]
    deploymentTargets: [orders]
    rollout:
      steps: [{setWeight: 50, pause: 0s}, {setWeight: 100, pause: 0s}]
"""

SETTINGS = """\
[repositories."crash/orders"]
path = "{folder}/orders"

[repositories."crash/notes"]
path = "{folder}/notes"

[checks.unit-tests]
run = ["sh", "-c", "test -d notes"]

[agents.writer]
run = ["sh", "{folder}/agent.sh", "{{rule}}", "{folder}/agents.log"]
stdin = "none"
result = "none"
writable = ["{folder}"]
timeout = "1m"
expected_cost = 10

[targets.orders]
repo = "crash/orders"
port = {port}
run = ["{{python}}", "-m", "orders.service", "{{port}}"]
health_path = "/health"
version_path = "/version"

[budgets.default-budget]
cap = "1000.00"

[loop]
max_missions = 12
max_pending = 24
class_freeze_after = 50

# The machine is as loud as it gets: requests that break off count, slow ones do not.
[canary]
error_floor = 0.5
p95_increase = 10.0
p95_floor = "3s"
min_sample = 10
look_every = "1s"
max_hold = "5m"

[slo]
error_objective = 0.5
latency_objective = "30s"
p95_floor = "3s"
min_sample = 10
look_every = "1s"
window = "1s"
max_hold = "5m"
"""

SOURCE = """
[sources.{name}]
kind = "command"
run = ["cat", "{name}.jsonl"]
ok_exit_codes = [0]
workdir = "{folder}"
repo = "{repo}"
mission_class = "{name_of_class}"
risk = "{risk}"
value = 5.0
every = "1s"
"""

#: Says that it runs, in one write, before it does anything; then does it.
AGENT = """\
printf '%s %s %s\\n' "$1" "$SWARM_JOB" "$(date +%s.%N)" >>"$2"
mkdir -p notes
printf 'written for %s\\n' "$1" >"notes/$1.md"
"""


@dataclass(slots=True)
class Site:
    """One such installation. said: the rules of the needs that were told so far, in order."""

    folder: Path
    home: Home
    commits: dict[str, str]
    said: list[str] = field(default_factory=list)
    lives: int = 0
    _running: dict[str, multiprocessing.process.BaseProcess] = field(default_factory=dict)
    _traffic: subprocess.Popen[bytes] | None = None

    # --- controllers -------------------------------------------------------------------------

    def keep_up(self) -> None:
        """Start a controller in every seat whose holder is dead, and the load when it has ended.

        They are forked from one process that has imported everything: real processes that share
        nothing afterwards, at a hundredth of what an import costs.
        """
        for seat in SEATS:
            known = self._running.get(seat)
            if known is None or not known.is_alive():
                context = multiprocessing.get_context("forkserver")
                process = context.Process(target=controller, args=(str(self.folder), seat))
                process.start()
                self._running[seat], self.lives = process, self.lives + 1
        if self._traffic is None or self._traffic.poll() is not None:
            load = [sys.executable, "-m", "swarm.runtime.demo.traffic"]
            limits = ["--rate", str(RATE), "--seconds", str(TRAFFIC_SECONDS)]
            self._traffic = subprocess.Popen(
                [*load, str(sample.port_of(self.home)), *limits], stdin=subprocess.DEVNULL
            )

    def send(self, seat: str, number: signal.Signals) -> bool:
        """Send a signal to the controller in a seat; False when none is there."""
        process = self._running.get(seat)
        if process is None or process.pid is None or not process.is_alive():
            return False
        os.kill(process.pid, number)
        return True

    def stop(self) -> None:
        """End everything that this site started."""
        for seat, process in self._running.items():
            if self.send(seat, signal.SIGCONT):
                process.terminate()
        for process in self._running.values():
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join()
        if self._traffic is not None:
            self._traffic.kill()
            self._traffic.wait()

    # --- the database --------------------------------------------------------------------------

    def postmaster(self) -> int | None:
        """The pid of this installation's own server; None while it is down."""
        cluster = self._server.layout.cluster
        try:
            lines = (cluster / "postmaster.pid").read_text().split()
            pid = int(lines[0])
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return None
        # Never anybody else's: the number in a stale file may be a stranger's by now.
        return pid if str(cluster).encode() in words else None

    @property
    def dsn(self) -> str:
        """How to reach the database."""
        return self._server.dsn

    @property
    def data(self) -> Path:
        """Where the server keeps its data."""
        return self._server.layout.data

    @property
    def _server(self) -> EmbeddedServer:
        server = server_of(self.home)
        if server is None:
            raise TypeError("SWARM_DATABASE__URL names another database; this one would be killed")
        return server

    # --- needs ---------------------------------------------------------------------------------

    def say(self) -> None:
        """Tell one more need by two sources; each wants a file of its own."""
        number = len(self.said)
        rule, repo = f"C-{number}", SHOP if number % WITH_TARGET == 0 else NOTES
        name = repo.rpartition("/")[2]
        told = {
            "id": rule,
            "title": f"{rule} wants a note about the matter with number {number}",
            "rule": rule,
            "paths": [f"notes/{rule}.md"],
            "citation": f"README.md:1@{self.commits[repo]}",
        }
        for one in ("one", "two"):
            with (self.folder / f"{name}-{one}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(told) + "\n")
        self.said.append(rule)


def make(folder: Path) -> Site:
    """Everything but the controllers, in an empty folder."""
    commits = {}
    for repo in (SHOP, NOTES):
        name = repo.rpartition("/")[2]
        sample.files(folder / name)
        (folder / name / "notes").mkdir()
        (folder / name / "notes" / "first.md").write_text("The first note.\n", encoding="utf-8")
        commits[repo] = sample.repository(folder / name, folder / f"{name}.git")
    (folder / "agent.sh").write_text(AGENT, encoding="utf-8")
    (folder / "agents.log").touch()
    home = Home(folder)
    text = SETTINGS.format(folder=folder, port=sample.free_port())
    for repo, risk in ((SHOP, "R1"), (NOTES, "R0")):
        name = repo.rpartition("/")[2]
        for one in ("one", "two"):
            (folder / f"{name}-{one}.jsonl").touch()
            text += SOURCE.format(
                name=f"{name}-{one}", folder=folder, repo=repo, name_of_class=name, risk=risk
            )
    home.file.write_text(text, encoding="utf-8")
    home.manifest.write_text(MANIFEST, encoding="utf-8")
    multiprocessing.get_context("forkserver").set_forkserver_preload(["swarm.runtime.supervise"])
    return Site(folder=folder, home=home, commits=commits)
