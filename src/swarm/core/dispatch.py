"""Sending an agent: the one place where a run is ordered, for the first attempt and for fixes."""

from __future__ import annotations

from swarm.core.findings import Findings
from swarm.core.ids import run_id
from swarm.core.nouns import Brief, OutcomeKind
from swarm.core.orders import Orders
from swarm.core.policy import overlap, retries
from swarm.core.reasons import Reason
from swarm.core.saying import Ending, Saying, View, frozen, settled
from swarm.core.snapshot import AgentBinding, Mission

FAILURE_CHARACTERS = 8_000  #: the tail of a failing check that a fix attempt is shown


def send(
    room: str, mission: Mission, found: Findings, view: View, *, failure: str = "", base: str = ""
) -> Saying:
    """Order the next attempt, unless a freeze, a busy lane or a missing agent holds it back.

    failure: what the last attempt did wrong, for a fix.
    base:    start over from this main commit instead of from the failing head.
    """
    hold = view.freeze_over(mission)
    if hold is not None:
        return frozen(room, hold)
    agent = _agent_of(mission, view)
    if agent is None:
        return Saying(
            room=room,
            reason=Reason.NO_AGENT,
            detail=f"no agent is bound that takes {mission.mission_class!r}",
            next_action="starts when swarm.toml binds one",
        )
    lane = lane_of(len(found.runs))
    if (busy := _busy(room, lane, mission, view)) is not None:
        return busy
    change = None if base else found.change
    attempt = len(found.runs)
    order = Orders(mission, view.snapshot).start_run(
        attempt,
        _brief(mission, attempt, failure),
        base=change.head if change else base,
        onto=change.base if change else base,
        deadline=agent.deadline,
    )
    return Saying(
        room=room,
        reason=Reason.RUN_PENDING,
        detail=f"{mission.agent} is asked, attempt {attempt}",
        next_action="the agent starts",
        orders=(order,),
        holds=frozenset({lane}),
    )


def lane_of(attempt: int) -> str:
    """The resource of agent work: at most one outstanding run per loop step (law 8)."""
    return "run:implement" if attempt == 0 else "run:verify"


def fix(
    room: str,
    mission: Mission,
    found: Findings,
    view: View,
    *,
    reason: Reason,
    failure: str,
    base: str = "",
) -> Saying:
    """Another attempt that is shown the failure; after three of them, the mission failed."""
    if retries.may_fix(len(found.runs)):
        return send(room, mission, found, view, failure=f"{reason}: {failure}", base=base)
    return failed(room, mission, found, view, Reason.RETRIES_SPENT, f"{reason}: {failure}")


def failed(
    room: str, mission: Mission, found: Findings, view: View, reason: Reason, detail: str
) -> Saying:
    """The mission failed and counts; its need rests before it may be tried again."""
    ending = Ending(
        kind=OutcomeKind.FAILED,
        reason=reason,
        detail=detail,
        counts=True,
        retry_at=view.now + view.snapshot.installation.need_cooldown,
    )
    return settled(room, mission, found, view.now, ending)


def _agent_of(mission: Mission, view: View) -> AgentBinding | None:
    for agent in view.snapshot.installation.agents:
        if agent.name == mission.agent:
            return agent
    return None


def _busy(room: str, lane: str, mission: Mission, view: View) -> Saying | None:
    other = view.holder(lane, mission)
    reason, resource = Reason.RUN_PENDING, lane
    if other is None:
        occupied = overlap.Occupied(view.held, mission.id)
        met = occupied.meets(mission.repo, mission.contract.allowed_paths)
        if met is None:
            return None
        other, resource = met
        reason = Reason.REPOSITORY_BUSY
    return Saying(
        room=room,
        reason=reason,
        detail=f"{other} is at work",
        next_action=f"starts when {other} is done",
        blocked_on=resource,
    )


def _brief(mission: Mission, attempt: int, failure: str) -> Brief:
    return Brief(
        run=run_id(mission.id, attempt),
        goal="Make the failing check pass." if failure else "Make the smallest change that helps.",
        facts=(mission.title,),
        allowed_paths=mission.contract.allowed_paths,
        checks=mission.contract.checks,
        rule=mission.rule,
        failure=failure[-FAILURE_CHARACTERS:],
        quoted=(mission.body,) if mission.body else (),
    )
