"""`swarmctl demo`: a sample repository, a real loop, three missions with three endings."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from swarm.adapters.postgres.reach import orphans
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage
from swarm.cli.output import complain, emit, say
from swarm.runtime.background import start, stop
from swarm.runtime.demo import sample
from swarm.runtime.demo.sample import port_of
from swarm.runtime.demo.story import EXPECTED, Story
from swarm.runtime.home import Home
from swarm.runtime.seat import held, taken
from swarm.runtime.wiring import stop_local

PREFIX = "swarm-demo-"
RATE, MOST_SECONDS, PERSON_SECONDS = 150, 240.0, 120.0
TICK_SECONDS = 0.1


def demo(
    *,
    fast: Annotated[bool, Parameter(help="Shorter pauses, for CI.")] = False,
    headless: Annotated[
        bool, Parameter(help="Do not prompt; exit 3 unless every mission ends as promised.")
    ] = False,
    keep: Annotated[bool, Parameter(help="Leave everything running at the end.")] = False,
    folder: Annotated[Path | None, Parameter(help="Where; default: a fresh private one.")] = None,
    clean: Annotated[bool, Parameter(help="Remove what earlier demos left, and stop.")] = False,
) -> int:
    """Create a sample repository and run three real missions on this machine.

    One is delivered; one is bad on purpose, passes its tests, is caught by the canary and rolled
    back; one waits for you. No key, no network, no root, no Docker: real git, real processes, a
    real Postgres, a real canary behind a real proxy. Load is 150 requests a second on loopback.

    Exit status: 0 as promised; 3 it ended otherwise.

    Example: swarmctl demo
    """
    if clean:
        return _clean()
    place = folder or Path(tempfile.mkdtemp(prefix=PREFIX))
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise Usage(f"{folder} is not empty; name a new folder")
    home = Home(place.resolve())
    home.make()
    try:
        with taken(_seat(home), "demo"):
            sample.make(home.folder, fast=fast)
            return _Demo(home, headless=headless).run(keep=keep)
    except KeyboardInterrupt:
        say(f"nothing runs any more; what was made is in {home.folder}")
        say(f"remove it: {_removing(home)}")
        raise


class _Demo:
    """One run of the demo: start, tell, ask, sum up, stop."""

    def __init__(self, home: Home, *, headless: bool) -> None:
        self.home, self.headless = home, headless
        self.story = Story(home.logs / "controller.jsonl", emit)
        self.traffic: subprocess.Popen[bytes] | None = None

    def run(self, *, keep: bool) -> int:
        """The whole demo; returns the exit code. Whatever happens, nothing is left running."""
        self.story.line(f"made a repository, its remote and a Swarm in {self.home.folder}")
        try:
            start(self.home)
            self.story.line("database and controller are up; sources are being read")
            self._load()
            self._follow()
            if not self.headless and sys.stdin.isatty() and self.story.as_expected:
                self._wait_for_a_person()
        finally:
            if self.traffic is not None:
                self.traffic.terminate()
                self.traffic.wait()
            if not keep:
                stop(self.home)
                stop_local(self.home)
        return self._sum_up(keep=keep)

    def _load(self) -> None:
        """The bounded load that the canary is judged by."""
        port = port_of(self.home)
        self.traffic = subprocess.Popen(
            [
                sys.executable, "-P", "-m", "swarm.runtime.demo.traffic", str(port),
                "--rate", str(RATE), "--seconds", str(MOST_SECONDS + PERSON_SECONDS),
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.story.line(f"{RATE} requests a second flow to http://127.0.0.1:{port}/orders")

    def _follow(self) -> None:
        """Tell what happens until every ending was seen, or too much time has passed."""
        deadline = time.monotonic() + MOST_SECONDS
        injected = False
        while time.monotonic() < deadline:
            self.story.follow()
            if not injected and self.story.ended("tidiness"):
                self.story.line("now two sources suggest a bad change (injected, and labelled so)")
                sample.inject(self.home)
                injected = True
            if self.story.finished:
                return
            time.sleep(TICK_SECONDS)
        self.story.line(f"not finished after {MOST_SECONDS:.0f} s")

    def _wait_for_a_person(self) -> None:
        """Never approve by ourselves: a person may, in another terminal, and then it goes on."""
        complain(f"Waiting up to {PERSON_SECONDS:.0f} s for your approval; Ctrl-C ends the demo.")
        complain(f"In another terminal: export SWARM_HOME={self.home.folder}")
        deadline = time.monotonic() + PERSON_SECONDS
        try:
            while time.monotonic() < deadline and not self.story.settled("deprecations"):
                self.story.follow()
                time.sleep(TICK_SECONDS)
        except KeyboardInterrupt:
            say("ending the demo")

    def _sum_up(self, *, keep: bool) -> int:
        emit("")
        emit(f"{'MISSION':<12}{'RISK':<6}{'ENDED AS':<14}{'TITLE'}")
        for chapter in self.story.chapters.values():
            ended = chapter.outcome or "open"
            emit(f"{chapter.mission[:10]:<12}R{chapter.risk:<5}{ended:<14}{chapter.title}")
        good = self.story.as_expected
        emit("")
        emit("as promised" if good else f"NOT as promised: {EXPECTED}")
        say(f"everything is in {self.home.folder}")
        say(f"why did each happen?  swarmctl why MISSION --home {self.home.folder}")
        if keep:
            say(f"it goes on; stop it:  swarmctl down --home {self.home.folder}")
        say("your own repository:  cd your-repository && swarmctl init && swarmctl up")
        say(f"remove the demo:      {_removing(self.home)}")
        return EXIT_DONE if good else EXIT_BAD_OUTCOME


def _seat(home: Home) -> Path:
    """Held while a demo is at work there."""
    return home.state / "demo.lock"


def _removing(home: Home) -> str:
    """The command that removes a demo; only what lies where demos lie by themselves is cleaned."""
    if home.folder.name.startswith(PREFIX):
        return "swarmctl demo --clean"
    return f"rm -r {shlex.quote(str(home.folder))}"


def _clean() -> int:
    for place in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        if not _ours(place):
            emit(f"left alone {place}: you did not make it")
            continue
        home = Home(place)
        if held(_seat(home)):
            emit(f"left alone {place}: a demo is at work there")
            continue
        stop(home)
        stop_local(home)
        asked = place.resolve()
        shutil.rmtree(place, ignore_errors=True)
        for data in orphans(below=asked):  # root's lies elsewhere
            shutil.rmtree(data, ignore_errors=True)
        emit(f"removed {place}")
    return EXIT_DONE


def _ours(place: Path) -> bool:
    """Anybody may make such a folder, and say in it which process to end and what to remove."""
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
