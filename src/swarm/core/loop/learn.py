"""Learn: what one ending means for ranking, trust, freezes and repairs (LOOP-10, FRZ-1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from swarm.core.decision import Learn, OpenFreeze, OpenMission, Order, Record, Settle
from swarm.core.findings import Findings
from swarm.core.nouns import Freeze, MissionKind, Outcome, OutcomeKind, Settled
from swarm.core.orders import Orders
from swarm.core.policy import budget, freeze, ranking, remediation
from swarm.core.reasons import Reason
from swarm.core.saying import Ending, Saying, View, held_words, settled
from swarm.core.snapshot import AgentBinding, Mission, Snapshot

ROOM = "learn"
RATE = 0.2  #: weight of one outcome against the past: five outcomes change a class's mind
TRUST_RANGE = (0.25, 1.25)  #: memory may quarter a source's trust, never silence it (T20)
GATE_FAILURES = {
    Reason.RETRIES_SPENT,
    Reason.ARTIFACT_REFUSED,
    Reason.SYNC_FAILED,
    Reason.CANARY_FAILED,
    Reason.CANARY_UNDECIDED,
    Reason.SLO_REGRESSED,
    Reason.ORDER_REFUSED,
    Reason.LIMIT_BREACHED,
}


def delivered(mission: Mission, found: Findings, view: View) -> Saying:
    """No room has anything left to say: the mission is delivered."""
    where = found.landed.commit[:8] if found.landed else "nothing"
    targets = found.targets.values()
    if any(target.promoted for target in targets):
        shown = "is live and proven"
    elif targets:
        shown = "is what the target ran already; nothing was exposed or observed"
    else:
        shown = "is on main; it has no deployment target"
    ending = Ending(kind=OutcomeKind.DELIVERED, reason=Reason.DELIVERED, detail=f"{where} {shown}")
    return settled(ROOM, mission, found, view.now, ending)


def recommended(opened: OpenMission, snapshot: Snapshot) -> tuple[Record, ...]:
    """Shadow mode: the mission is written down and ends at once; nothing is done (VAL-4)."""
    outcome = Outcome(
        kind=OutcomeKind.RECOMMENDED,
        reason=Reason.SHADOW,
        detail=f"{opened.agent} would have been asked, R{opened.risk:d}",
        at=snapshot.now,
        attempts=0,
        cost=0,
        counts_as_failure=False,
    )
    rests = snapshot.now + snapshot.installation.need_cooldown
    ending = Settle(mission=opened.id, outcome=outcome, need_done=False, retry_need_at=rests)
    return (replace(opened, reserve=0), ending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """The settle record, adjusted, and everything else that the ending brings about.

    orders: what the owner must hear of it at once.
    known:  the snapshot with all that in it, for whatever else this tick decides.
    """

    settle: Settle
    records: tuple[Record, ...]
    orders: tuple[Order, ...]
    known: Snapshot


def from_ending(settle: Settle, mission: Mission, snapshot: Snapshot) -> Lesson:
    """What follows from one ending: new ranking numbers, freezes, a repair, and words for them."""
    outcome = settle.outcome
    last = Settled(
        mission=mission.id,
        mission_class=mission.mission_class,
        kind=mission.kind,
        outcome=outcome.kind,
        counts_as_failure=outcome.counts_as_failure,
        at=outcome.at,
        repo=mission.repo,
        reason=outcome.reason,
        detail=outcome.gist,
    )
    records: list[Record] = []
    agent = _agent_of(mission, snapshot)
    if agent is not None:
        settle = replace(settle, run_cost=agent.cost)
    repair = _repair(settle, mission, snapshot)
    if repair is not None:
        # The need passes to the repair in the same transaction.
        settle = replace(settle, retry_need_at=snapshot.now)
        records.append(repair)
    holds = _freezes(last, snapshot)
    records.extend(OpenFreeze(freeze=hold) for hold in holds)
    if mission.kind is not MissionKind.REQUALIFY:
        records.extend(_numbers(last, mission, snapshot))
    known = replace(snapshot, settled=(*snapshot.settled, last))
    for record in records:
        known = after(known, record, mission)
    told = tuple(_told(outcome, holds, mission, snapshot))
    return Lesson(settle=settle, records=tuple(records), orders=told, known=known)


def _told(
    outcome: Outcome, holds: tuple[Freeze, ...], mission: Mission, snapshot: Snapshot
) -> Iterator[Order]:
    """What was live and is not any more, and what is held from now on: at night nobody looks."""
    orders, channel = Orders(mission, snapshot), snapshot.spec.owner.channel
    if outcome.kind is OutcomeKind.ROLLED_BACK:
        text = f"{mission.title}: rolled back: {outcome.reason}: {outcome.detail}"
        yield orders.notify(channel, "rolled-back", text)
    for hold in holds:
        yield orders.notify(channel, f"frozen-{hold.id}", held_words(hold))


def after(known: Snapshot, record: Record, ended: Mission) -> Snapshot:
    """The snapshot as the next ending of the same tick must see it."""
    match record:
        case OpenFreeze():
            return replace(known, freezes=(*known.freezes, record.freeze))
        case Learn():
            return replace(known, class_bias=record.class_bias, source_trust=record.source_trust)
        case OpenMission() if known.budget is not None:
            more = known.budget.reserved + record.reserve - ended.reserved
            return replace(known, budget=replace(known.budget, reserved=more))
        case _:
            return known


def _agent_of(mission: Mission, snapshot: Snapshot) -> AgentBinding | None:
    agents = snapshot.installation.agents
    return next((agent for agent in agents if agent.name == mission.agent), None)


def _repair(settle: Settle, mission: Mission, snapshot: Snapshot) -> OpenMission | None:
    outcome = settle.outcome
    if outcome.reason not in GATE_FAILURES or not outcome.counts_as_failure:
        return None  # what the installation cannot do, a repair cannot do either
    agent = _agent_of(mission, snapshot)
    reserve = budget.reservation(agent) if agent else 0
    if reserve and not budget.carries(snapshot.budget, reserve - mission.reserved):
        return None
    why = f"{outcome.reason}: {outcome.detail}"
    return remediation.of(mission, why, reserve, snapshot.now)


def _freezes(last: Settled, snapshot: Snapshot) -> tuple[Freeze, ...]:
    after, held_to = snapshot.spec.risk.freeze_after_failures, snapshot.held_to
    limits = freeze.Limits(
        # A spec may be stricter than its profile, and never laxer.
        swarm_after=min(after, held_to.failed_missions or after),
        violations_after=held_to.policy_violations,
        class_after=snapshot.installation.class_freeze_after,
        duration=snapshot.spec.risk.freeze_duration,
        needs_token=snapshot.installation.needs_token,
    )
    return freeze.opened_by(last, snapshot.settled, snapshot.swarm, limits)


def _numbers(last: Settled, mission: Mission, snapshot: Snapshot) -> tuple[Learn, ...]:
    good = last.outcome is OutcomeKind.DELIVERED
    if not good and not last.counts_as_failure:
        return ()
    reward = 1.0 if good else -1.0
    bias = dict(snapshot.class_bias)
    before = bias.get(mission.mission_class, 0.0)
    bound = ranking.BIAS_MAX
    after = max(-bound, min(bound, before + RATE * (reward - before)))
    bias[mission.mission_class] = round(after, 6)
    trust = dict(snapshot.source_trust)
    low, high = TRUST_RANGE
    for source in mission.sources:
        known = trust.get(source, 1.0)
        aim = high if good else low
        trust[source] = round(max(low, min(high, known + RATE * (aim - known))), 6)
    return (
        Learn(
            class_bias=tuple(sorted(bias.items())),
            source_trust=tuple(sorted(trust.items())),
            cause=mission.id,
        ),
    )
