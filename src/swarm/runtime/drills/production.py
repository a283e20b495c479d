"""Drills about production: a bad canary, and a target that runs what Git does not say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

from swarm.runtime.drills.drill import Drill, Protocol, event_is
from swarm.runtime.drills.sandbox import Sandbox, Seen
from swarm.runtime.events import Event
from swarm.runtime.wiring import serving

WRONG = "0" * 40
BINDS_WITHIN = 5.0
ROUNDS_MOST = 6  #: in which the keeper may be faster
#: The service, which ends by itself should the drill be killed: nobody else knows its process.
IMPOSTOR = """\
import runpy, signal
signal.alarm(180)
runpy.run_module("orders.service", run_name="__main__", alter_sys=True)
"""


def canary_fail(corner: Sandbox, protocol: Protocol) -> None:
    """A change that passes every check and breaks off every answer in production."""
    _serving_at_first(corner, protocol)
    corner.load()
    protocol.inject("a change that is green everywhere and breaks half of the requests when live")
    corner.say("DRILL-BROKEN")
    exposed = event_is(Event.ORDER_DONE, kind="set-traffic")
    if protocol.expect("the canary takes traffic", corner, exposed, 90):
        protocol.inject("the canary is exposed")
    failed = event_is(Event.VERDICT_GIVEN, gate="progressive_rollout", verdict="fail")
    if protocol.expect("Gate 5 fails", corner, failed, 90):
        protocol.note_detected()
    ended = event_is(Event.MISSION_ENDED, outcome="rolled-back")
    if protocol.expect("the mission ends as rolled back", corner, ended, 60):
        protocol.note_recovered()
    old = corner.until(lambda: corner.serves() == corner.first_commit, 10)
    protocol.check("the version from before answers clients", corner.serves()[:10], good=old)
    same = not corner.differs_from_first()
    protocol.check("main holds nothing of the change", "reverted" if same else "it does", good=same)
    taken_back = corner.commits_with("break  # drill")
    protocol.check(
        "it was merged once and reverted once",
        f"{taken_back} commits",
        good=taken_back == 2,  # noqa: PLR2004
    )
    repair = event_is(Event.MISSION_OPENED, kind="remediate")
    protocol.expect("a remediation mission is opened", corner, repair, 20)


def sync_drift(corner: Sandbox, protocol: Protocol) -> None:
    """Somebody restarts the service by hand, at the wrong revision."""
    _serving_at_first(corner, protocol)
    protocol.inject("somebody ends the service and starts another revision in its place")
    impostor, before = _impostor(corner)
    try:
        wrong = corner.serves()
        protocol.check("clients meet the wrong revision", wrong[:10], good=wrong == WRONG)
        # Main that was put in place at the start is told in the same words.
        told = lambda event: _told(event) and event in corner.seen[before:]  # noqa: E731
        seen = protocol.expect("the drift is seen, put right and told", corner, told, 60)
        if seen is not None:
            protocol.note_detected()
        right = "clients get what Git says again, by itself"
        if protocol.until(right, corner, lambda: corner.serves() == corner.first_commit, 60):
            protocol.note_recovered()
    finally:
        impostor.kill()
        impostor.wait()


def _told(event: Seen) -> bool:
    return event.get("event") in {Event.TARGET_HEALED, Event.TARGET_DRIFTED}


def _serving_at_first(corner: Sandbox, protocol: Protocol) -> None:
    protocol.until(
        "the service serves main", corner, lambda: corner.serves() == corner.first_commit, 30
    )


def _impostor(corner: Sandbox) -> tuple[subprocess.Popen[bytes], int]:
    """The service at a revision that nobody deployed, in the place of the one that was.

    Gives how many events there were before it, too.
    """
    environment = {**os.environ, "SWARM_REVISION": WRONG}
    rounds = 0
    while True:
        rounds += 1
        pid, port = serving(corner.home, "orders")
        before = len(corner.events())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        process = subprocess.Popen(
            [sys.executable, "-c", IMPOSTOR, str(port)],
            cwd=corner.place.source, env=environment, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        stays = False
        try:
            serves = corner.until(lambda: corner.serves() == WRONG, BINDS_WITHIN)
            if stays := serves or rounds == ROUNDS_MOST:
                return process, before
        finally:
            if not stays:  # the keeper was faster, or the drill is broken off
                process.kill()
                process.wait()


DRILLS = (
    Drill(
        name="canary-fail",
        breaks="A change passes its checks and breaks requests once it is live.",
        proves=("FAIL-2", "GATE-5", "LOOP-9"),
        run=canary_fail,
        target=True,
    ),
    Drill(
        name="sync-drift",
        breaks="The service is restarted by hand at the wrong revision.",
        proves=("FAIL-7", "LOOP-8"),
        run=sync_drift,
        target=True,
    ),
)
