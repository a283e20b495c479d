"""Where a drill happens: a private corner of one installation, on its machine and its server.

The corner has a folder, a repository, a service and a controller of its own, and a database of its
own on the installation's server. Limits are the installation's, so that the drill shows what
*this* installation would do; its data, its repositories and its targets are out of reach.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.scratch import ScratchDatabase
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.contract.errors import SwarmError
from swarm.contract.validate import load_swarms
from swarm.runtime import background
from swarm.runtime.database import server_of
from swarm.runtime.database_named import named
from swarm.runtime.demo import sample
from swarm.runtime.drills import agents, policy
from swarm.runtime.drills.policy import Place
from swarm.runtime.errors import ControllerFailed, DrillUnderWay
from swarm.runtime.home import Home
from swarm.runtime.journal import Journal
from swarm.runtime.settings import load
from swarm.runtime.wiring import stop_local

Seen = Mapping[str, Any]
RATE, TRAFFIC_SECONDS = 60, 300
LOOK_EVERY = 0.05
ANSWER_WITHIN = 2.0
DIES_WITHIN = 10.0
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  #: what a drill may be broken off by


@dataclass(slots=True)
class Sandbox:
    """One corner, with a controller at work in it."""

    home: Home
    database: ScratchDatabase
    place: Place
    first_commit: str
    seen: list[Seen] = field(default_factory=list)  #: every event that was read so far, in order
    _journal: Journal = field(init=False)
    _traffic: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._journal = Journal(self.home.logs / "controller.jsonl")

    # --- what a drill does -------------------------------------------------------------------

    def start(self) -> None:
        """Start the controller, with the sandbox's settings whatever the environment says.

        What the environment says of the installation's limits stands in the sandbox's file by now;
        said again it would undo what is left out or shortened there, and bring in targets.
        """
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith("SWARM_")  # as settings are read: in any case
        }
        environment["SWARM_DATABASE__URL"] = self.database.dsn
        background.start(self.home, environment)

    def kill(self) -> None:
        """End the controller as a power cut would."""
        if (pid := background.running_pid(self.home)) is not None:
            os.kill(pid, signal.SIGKILL)
            self.until(lambda: background.running_pid(self.home) is None, DIES_WITHIN)

    def say(self, rule: str) -> None:
        """Let two sources say that there is a need for what this rule stands for."""
        _, path = agents.BEHAVIOURS[rule]
        for source, words in (("first", "was found"), ("second", "was seen by a second look")):
            line = {
                "id": rule,
                "title": f"{rule} {words}",
                "rule": rule,
                "paths": [str(path)],
                "citation": f"README.md:1@{self.first_commit}",
            }
            with (self.place.folder / f"{source}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def budget(self, name: str) -> None:
        """Bind the Swarm to another of the two budgets, as an owner would who applies a change."""
        text = policy.manifest(self.place, name)
        self.home.manifest.write_text(text, encoding="utf-8")
        swarms = load_swarms(text.encode(), source=str(self.home.manifest))

        async def apply(database: Database) -> None:
            for swarm in swarms:
                await SwarmDesk(database, "drill").apply(swarm)

        self._ask(apply)

    def load(self) -> None:
        """Send bounded traffic to the service: what a canary is judged by."""
        command = [sys.executable, "-P", "-m", "swarm.runtime.demo.traffic", str(self.place.port)]
        limits = ["--rate", str(RATE), "--seconds", str(TRAFFIC_SECONDS)]
        self._traffic = subprocess.Popen([*command, *limits], stdin=subprocess.DEVNULL)

    # --- what a drill sees -------------------------------------------------------------------

    def events(self) -> list[Seen]:
        """Every event so far, in order, up to what the controller wrote just now."""
        self.seen.extend(self._journal.fresh())
        return self.seen

    def count(self, fits: Callable[[Seen], bool]) -> int:
        """How many events so far fit."""
        return sum(fits(event) for event in self.events())

    def wait(self, fits: Callable[[Seen], bool], seconds: float) -> Seen | None:
        """The first event that fits, among all that were seen and come; None in time for none."""
        deadline, looked_at = time.monotonic() + seconds, 0
        while True:
            fresh = self.events()[looked_at:]
            for event in fresh:
                if fits(event):
                    return event
            looked_at += len(fresh)
            if time.monotonic() >= deadline:
                return None
            time.sleep(LOOK_EVERY)

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it holds within that time."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_EVERY)
        return True

    def runs(self, rule: str) -> list[Seen]:
        """What the agent noted of its runs for this rule that had quota."""
        notes = self.place.notes / agents.RUNS
        lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
        found = [json.loads(line) for line in lines]
        return [run for run in found if run["rule"] == rule and run["began"]]

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """What `swarmctl get` would list."""
        found: list[dict[str, Any]] = self._ask(lambda database: Look(database).rows(kind))
        return found

    def condition(self, name: str) -> Mapping[str, Any]:
        """One condition of the Swarm's status; empty while it has none."""
        (swarm, *_) = self.rows("swarms") or [{}]
        conditions = swarm.get("status", {}).get("conditions", [])
        return next((item for item in conditions if item["type"] == name), {})

    def main(self) -> str:
        """Where the private clone's main stands; "" before there is one."""
        return self._git("rev-parse", "main").strip()

    def differs_from_first(self) -> bool:
        """Whether main holds anything that it did not hold at the beginning."""
        return bool(self._git("diff", "--stat", self.first_commit, "main").strip())

    def commits_with(self, words: str) -> int:
        """How many commits of main add or remove a line with these words."""
        return self._git("log", "--format=%H", f"-S{words}", "main").count("\n")

    def serves(self) -> str:
        """The revision that answers clients now; "" when nobody does."""
        url = f"http://127.0.0.1:{self.place.port}/version"
        try:
            return httpx.get(url, timeout=ANSWER_WITHIN, trust_env=False).text.strip()
        except httpx.HTTPError:
            return ""

    def _git(self, *words: str) -> str:
        # Not just any folder: a controller that is killed while it makes the clone leaves another.
        clones = list(self.home.clones.glob("*.git"))
        if not clones:
            return ""
        command = ["git", "-c", "safe.directory=*", "-C", str(clones[0]), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def _ask(self, work: Callable[[Database], Any]) -> Any:
        async def asked() -> Any:
            async with Database(self.database.dsn, size=1) as database:
                return await work(database)

        return asyncio.run(asked())

    def keep_log(self, name: str) -> Path:
        """Keep the controller's log where it outlives the sandbox; returns the file."""
        kept = self.home.folder.parent / f"{name}.jsonl"
        shutil.copyfile(self.home.logs / "controller.jsonl", kept)
        return kept

    def clean(self) -> None:
        """End everything that the drill started, and remove what it made."""
        if self._traffic is not None:
            self._traffic.kill()
            self._traffic.wait()
        _end(self.home)


@contextmanager
def sandbox(installation: Home, *, target: bool) -> Iterator[Sandbox]:
    """A sandbox in this installation, at work; everything of it is gone at the end.

    Raises `DrillUnderWay` when another drill of this installation runs.
    """
    limits = load(installation.file)
    installation.make()
    drills = installation.state / "drills"
    drills.mkdir(mode=0o700, exist_ok=True)
    with (
        _only_one(drills / "lock"),
        _broken_off_once() as clearing_up,
        _server(installation) as dsn,
    ):
        home = Home(drills / "sandbox")
        _forget(home)
        name = f"swarm_drill_{hashlib.sha256(str(home.folder).encode()).hexdigest()[:12]}"
        try:
            with ScratchDatabase(dsn, name) as database:
                place = _place(home, target=target)
                home.file.write_text(policy.settings(place, limits), encoding="utf-8")
                home.manifest.write_text(policy.manifest(place, "ample"), encoding="utf-8")
                commit = sample.repository(place.source, home.folder / "orders.git")
                corner = Sandbox(home, database, place, commit)
                try:
                    corner.start()
                    yield corner
                finally:
                    clearing_up()
                    corner.clean()
        finally:
            clearing_up()
            shutil.rmtree(home.folder, ignore_errors=True)


@contextmanager
def _broken_off_once() -> Iterator[Callable[[], None]]:
    """Whatever asks a drill to end is a Ctrl-C, and waits while things are removed.

    Gives what is called before that: what is asked from then on is heard when all of it is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals are the main thread's
        return
    before = {number: signal.getsignal(number) for number in _ENDS}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    asked: list[int] = []

    def later() -> None:
        for number in heard:
            signal.signal(number, lambda told, _: asked.append(told))

    def broken_off(*_: object) -> None:
        later()
        raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, broken_off)
    try:
        yield later
    finally:
        for number in heard:
            signal.signal(number, before[number] or signal.SIG_DFL)
    if asked:
        raise KeyboardInterrupt


def _place(home: Home, *, target: bool) -> Place:
    folder = home.folder
    folder.mkdir(mode=0o700, parents=True)
    source, notes = folder / "orders", folder / "notes"
    sample.files(source)
    notes.mkdir(mode=0o777)
    for name in policy.SOURCES:
        (folder / f"{name}.jsonl").touch()
    return Place(
        folder=folder, source=source, notes=notes, port=sample.free_port() if target else None
    )


def _forget(home: Home) -> None:
    """Remove what a drill left behind whose process was killed."""
    if home.folder.exists():
        _end(home)


def _end(home: Home) -> None:
    """End what works in a sandbox, at need with -9, and remove its folder."""
    try:
        background.stop(home)
    except ControllerFailed:
        if (pid := background.running_pid(home)) is not None:
            os.kill(pid, signal.SIGKILL)
    with suppress(SwarmError):  # a file that was cut off while it was written started nothing
        stop_local(home)
    shutil.rmtree(home.folder, ignore_errors=True)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DrillUnderWay("another drill of this installation runs") from error
        yield


@contextmanager
def _server(installation: Home) -> Iterator[str]:
    """The installation's server, kept running while the drill lasts."""
    server = server_of(installation)
    if server is None:
        yield named(installation)[0]
        return
    with server:
        yield server.dsn
