"""Drills about what the loop stands on: a source, the database, the controller itself."""

from __future__ import annotations

from swarm.runtime.drills.drill import Drill, Protocol, event_is
from swarm.runtime.drills.sandbox import Sandbox
from swarm.runtime.drills.work import DELIVERED
from swarm.runtime.events import Event

DOWN_SECONDS = 12.0  #: longer than a transaction is tried again for
DISPATCH_WITHIN = 5.0


def discovery_outage(corner: Sandbox, protocol: Protocol) -> None:
    """A source that the Swarm names does not answer any more."""
    feed = corner.place.folder / "third.jsonl"
    feed.unlink()
    protocol.inject("one of three sources fails at every reading")
    dark = event_is(Event.SOURCE_DARK, source="third")
    if protocol.expect("the outage is told", corner, dark, 30):
        protocol.note_detected()
    corner.say("DRILL-HIGH")
    corner.say("DRILL-GOOD")
    protocol.expect("a mission of class R0 goes on and is delivered", corner, DELIVERED, 90)
    opened = event_is(Event.MISSION_OPENED, mission_class="drill-high")
    protocol.stays("a mission of class R2 is held back", corner, lambda: corner.count(opened), 0)
    feed.touch()
    protocol.inject("the source answers again")
    back = event_is(Event.SOURCE_BACK, source="third")
    if protocol.expect("its return is told", corner, back, 200):
        protocol.note_recovered()
    protocol.expect("the mission of class R2 begins", corner, opened, 30)


def database_restart(corner: Sandbox, protocol: Protocol) -> None:
    """The database goes away in the middle of a mission and comes back."""
    corner.say("DRILL-GOOD")
    at_work = lambda: bool(corner.runs("DRILL-GOOD"))  # noqa: E731
    protocol.until("an agent is at work", corner, at_work, 60)
    corner.database.cut()
    protocol.inject(f"every connection is cut, and none is let in for {DOWN_SECONDS:.0f} s")
    if protocol.expect("the controller sees it and stops", corner, event_is(Event.STORE_LOST), 15):
        protocol.note_detected()
    corner.until(lambda: protocol.elapsed() >= DOWN_SECONDS, DOWN_SECONDS)
    before = len(corner.events())
    corner.database.mend()
    protocol.inject("the database is back")
    goes_on = lambda seen: seen in corner.seen[before:] and seen.get("event") == Event.ORDER_DONE  # noqa: E731
    if protocol.expect("the mission goes on", corner, goes_on, DISPATCH_WITHIN):
        protocol.note_recovered()
    _ends_once(corner, protocol)


def controller_killed(corner: Sandbox, protocol: Protocol) -> None:
    """The controller is killed with -9 while an agent works for it."""
    corner.say("DRILL-GOOD")
    begun = event_is(Event.ORDER_BEGUN, kind="start-run")
    protocol.expect("an agent is at work", corner, begun, 60)
    corner.kill()
    protocol.inject("kill -9 of the controller")
    before = len(
        corner.events()
    )  # the last words of the one that was killed are no sign of another
    corner.start()
    again = lambda seen: seen in corner.seen[before:] and seen.get("mission")  # noqa: E731
    if protocol.expect("a new one takes the mission up", corner, again, 30):
        protocol.note_detected()
    if _ends_once(corner, protocol):
        protocol.note_recovered()


def _ends_once(corner: Sandbox, protocol: Protocol) -> bool:
    """The mission ends as it would have, and nothing happened twice: asked of git and agent.

    Returns whether it ended.
    """
    delivered = protocol.expect("the mission is delivered", corner, DELIVERED, 90)
    runs = len(corner.runs("DRILL-GOOD"))
    protocol.check("its agent ran once", runs, good=runs == 1)
    merged = corner.commits_with("A drill wrote this line")
    protocol.check("it was merged once", merged, good=merged == 1)
    return delivered is not None


DRILLS = (
    Drill(
        name="discovery-outage",
        breaks="One of the sources fails at every reading.",
        proves=("FAIL-4", "LOOP-2"),
        run=discovery_outage,
    ),
    Drill(
        name="database-restart",
        breaks="The drill's database goes away in the middle of a mission.",
        proves=("FAIL-6", "LOOP-11"),
        run=database_restart,
    ),
    Drill(
        name="controller-killed",
        breaks="The drill's controller is killed while an agent works.",
        proves=("LOOP-11", "OWN-3"),
        run=controller_killed,
    ),
)
