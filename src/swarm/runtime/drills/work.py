"""Drills about agents and their changes: red checks, hostile patches, a full quota, no money."""

from __future__ import annotations

from swarm.runtime.drills import agents
from swarm.runtime.drills.drill import Drill, Protocol, event_is
from swarm.runtime.drills.sandbox import Sandbox
from swarm.runtime.events import Event

DELIVERED = event_is(Event.MISSION_ENDED, outcome="delivered")
RUNS_MOST = 4  #: one attempt and three repairs


def ci_red_loop(corner: Sandbox, protocol: Protocol) -> None:
    """A check that stays red, whatever the agent repairs."""
    protocol.inject("an agent whose change fails its check, and every repair of it too")
    corner.say("DRILL-RED")
    red = event_is(Event.VERDICT_GIVEN, gate="code_quality", verdict="fail")
    if protocol.expect("Gate 2 fails on the exact commit", corner, red, 60):
        protocol.note_detected()
    ended = event_is(Event.MISSION_ENDED, outcome="failed")
    if protocol.expect("the mission ends as failed", corner, ended, 150):
        protocol.note_recovered()
    runs = corner.runs("DRILL-RED")
    protocol.check("one attempt and exactly three repairs", len(runs), good=len(runs) == RUNS_MOST)
    told = [agents.RED_WORDS in str(run["task"]) for run in runs[1:]]
    protocol.check("every repair was given the failing output", told, good=bool(told) and all(told))
    _nothing_merged(corner, protocol)
    degraded = lambda: corner.condition("Degraded").get("status") == "True"  # noqa: E731
    protocol.until("the Swarm says Degraded", corner, degraded, 10)


def hostile_patch(corner: Sandbox, protocol: Protocol) -> None:
    """A patch that changes the rules which guard the repository itself."""
    protocol.inject(f"an agent whose patch writes {agents.GUARDED}")
    corner.say("DRILL-HOSTILE")
    refused = event_is(Event.ORDER_DONE, kind="start-run", fact="run-ended")
    if protocol.expect("the run is judged before anybody executes it", corner, refused, 60):
        protocol.note_detected()
    ended = protocol.expect(
        "the mission ends without being delivered", corner, event_is(Event.MISSION_ENDED), 120
    )
    if ended is not None:
        protocol.note_recovered()
        outcome = ended.get("outcome")
        protocol.check("its outcome is no delivery", outcome, good=outcome != "delivered")
        named = str(agents.GUARDED) in str(ended.get("detail"))
        protocol.check("the guarded path is named", ended.get("detail"), good=named)
    checked = [event for event in corner.events() if event.get("kind") == "run-check"]
    protocol.check("no check ever ran the patch", len(checked), good=not checked)
    _nothing_merged(corner, protocol)


def agent_quota(corner: Sandbox, protocol: Protocol) -> None:
    """The agent's provider has no quota left for a while."""
    sign = corner.place.notes / agents.NO_QUOTA
    sign.touch()
    protocol.inject("an agent that ends with EX_TEMPFAIL, as one without quota does")
    corner.say("DRILL-GOOD")
    waits = event_is(Event.ORDER_POSTPONED, kind="start-run")
    if protocol.expect("the run waits, with the reason", corner, waits, 60):
        protocol.note_detected()
    ended = event_is(Event.MISSION_ENDED)
    protocol.stays("it counts for no failure", corner, lambda: corner.count(ended), 0)
    sign.unlink()
    protocol.inject("its quota is back")
    if protocol.expect("the mission is delivered", corner, DELIVERED, 150):
        protocol.note_recovered()
    runs = len(corner.runs("DRILL-GOOD"))
    asked = {event["order"] for event in corner.events() if event.get("kind") == "start-run"}
    burnt = f"{runs} with quota, {len(asked)} attempts in all"
    protocol.check("one attempt was enough: none was burnt", burnt, good=runs == len(asked) == 1)


def budget_breach(corner: Sandbox, protocol: Protocol) -> None:
    """The budget carries one mission and not a second one."""
    corner.budget("small")
    corner.say("DRILL-GOOD")
    protocol.inject("a budget that is spent by the first mission")
    protocol.expect("the first mission is delivered", corner, DELIVERED, 90)
    corner.say("DRILL-MORE")
    protocol.inject("a second need, and nothing left to spend")
    blocked = lambda: corner.condition("BudgetAvailable").get("status") == "False"  # noqa: E731
    if protocol.until("the condition BudgetAvailable turns False", corner, blocked, 30):
        protocol.note_detected()
    opened = event_is(Event.MISSION_OPENED)
    protocol.stays("no further mission was dispatched", corner, lambda: corner.count(opened), 1)
    corner.budget("ample")
    protocol.inject("the owner binds a larger budget")
    twice = lambda: corner.count(DELIVERED) == 2  # noqa: E731, PLR2004
    if protocol.until("the second mission is delivered", corner, twice, 90):
        protocol.note_recovered()


def _nothing_merged(corner: Sandbox, protocol: Protocol) -> None:
    main = corner.main()
    protocol.check("nothing was merged", main[:10], good=main == corner.first_commit)


DRILLS = (
    Drill(
        name="ci-red-loop",
        breaks="An agent's change and all its repairs fail the check.",
        proves=("FAIL-1", "LOOP-7"),
        run=ci_red_loop,
    ),
    Drill(
        name="hostile-patch",
        breaks="An agent's patch changes a CI file.",
        proves=("GATE-3", "MODE-1"),
        run=hostile_patch,
    ),
    Drill(
        name="agent-quota",
        breaks="The agent has no quota for a while.",
        proves=("FAIL-6",),
        run=agent_quota,
    ),
    Drill(
        name="budget-breach",
        breaks="The budget is spent while needs are open.",
        proves=("FAIL-5",),
        run=budget_breach,
    ),
)
