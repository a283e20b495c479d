"""What a room says about a mission: orders, records, a reason, and when to look again.

Also the `View`: the snapshot plus who holds what, which is all that a room may read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from swarm.contract.verdict import Answer, Verdict
from swarm.core.decision import (
    GiveVerdict,
    Land,
    Order,
    Promote,
    Record,
    Settle,
    SetTraffic,
    StartRun,
)
from swarm.core.findings import Findings
from swarm.core.ids import FreezeId, MissionId
from swarm.core.nouns import Freeze, Outcome, OutcomeKind, Risk
from swarm.core.policy import freeze, overlap, stages
from swarm.core.reasons import Reason
from swarm.core.snapshot import Mission, Snapshot

#: What is only decided on gates that passed.
_REST_ON_GATES = (StartRun, Land, SetTraffic, Promote)
# Shadow mode holds like a freeze that nobody needs to lift: record, do not act.
_SHADOW = Freeze(
    id=FreezeId("shadow"),
    mission_class="*",
    reason="Shadow",
    detail="recommendations only until `swarmctl shadow stop`",
    cause="shadow",
    since=datetime.min.replace(tzinfo=UTC),
    until=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The snapshot and the resources that other missions hold while this one is judged.

    occupied: the paths among them.    elder: whether one mission was opened before another.
    """

    snapshot: Snapshot
    held: Mapping[str, MissionId]
    occupied: overlap.Occupied
    elder: Callable[[MissionId, MissionId], bool]

    @property
    def now(self) -> datetime:
        """The snapshot's instant."""
        return self.snapshot.now

    def holder(self, resource: str, mission: Mission) -> MissionId | None:
        """The other mission that holds a resource, if one does."""
        owner = self.held.get(resource)
        return None if owner == mission.id else owner

    def freeze_over(self, mission: Mission) -> Freeze | None:
        """The freeze, or shadow mode, that holds this mission's forward steps back."""
        if self.snapshot.shadow:
            return _SHADOW
        return freeze.holding(self.snapshot.freezes, mission.mission_class)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One room's word on one mission. Every waiting carries a reason and what comes next.

    next_action: what happens by itself next, as words for people.
    risk:        what the mission is judged as; said of every word, by `decide`.
    """

    room: str
    reason: Reason
    detail: str = ""
    next_action: str = ""
    orders: tuple[Order, ...] = ()
    records: tuple[Record, ...] = ()
    look_again: datetime | None = None
    holds: frozenset[str] = frozenset()
    blocked_on: str | None = None
    risk: Risk | None = None

    def holding(self, *resources: str) -> Saying:
        """The same word, while holding these resources as well."""
        return replace(self, holds=self.holds | frozenset(resources))

    def recording(self, *records: Record) -> Saying:
        """The same word with more records."""
        return replace(self, records=(*records, *self.records)) if records else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A room that is satisfied: the next one speaks. It may still leave verdicts to keep."""

    records: tuple[Record, ...] = ()


Word = Saying | Content


def target_resources(mission: Mission) -> frozenset[str]:
    """What a mission holds from landing until its last target serves it."""
    return frozenset(f"target:{name}" for name in mission.contract.targets)


def soonest(now: datetime, *times: datetime | None) -> datetime | None:
    """The next of these times; what is past already wakes nobody and hides no later one."""
    return min((at for at in times if at is not None and at > now), default=None)


def lane_of(attempt: int) -> str:
    """The resource of agent work: at most one outstanding run per loop step (law 8)."""
    return "run:implement" if attempt == 0 else "run:verify"


def merge_queue(repo: str) -> str:
    """The resource of landing on a repository's main: one mission at a time."""
    return f"queue:{repo}"


def frozen(room: str, hold: Freeze) -> Saying:
    """The word of every room that would begin or promote something under a freeze."""
    if hold is _SHADOW:
        return Saying(
            room=room,
            reason=Reason.SHADOW,
            detail=hold.detail,
            next_action="goes on when shadow mode ends",
        )
    return Saying(
        room=room,
        reason=Reason.FROZEN,
        detail=f"{hold.reason}: {hold.detail}" if hold.detail else hold.reason,
        next_action=f"held {lasting(hold)}, then requalification",
        look_again=hold.until,
    )


def stage_off(room: str, stage: stages.Stage, view: View) -> Saying | None:
    """The word of every room whose stage the spec switched off; None while it is on (API-9)."""
    why = stages.off(view.snapshot.spec, stage)
    if not why:
        return None
    return Saying(
        room=room,
        reason=Reason.STAGE_OFF,
        detail=why,
        next_action=f"goes on when spec.execution.{stage}.enabled is true again",
    )


def degraded(room: str, level: Risk, view: View, then: str) -> Saying | None:
    """The word on what is risky while a source is dark; None for anything else (FAIL-4).

    then: what the mission does once the source answers.
    """
    dark = view.snapshot.dark
    if not dark or level <= Risk.R1:
        return None
    return Saying(
        room=room,
        reason=Reason.DISCOVERY_DEGRADED,
        detail=f"{dark[0].name} is dark and this is R{level:d}",
        next_action=f"{then} when {dark[0].name} answers again",
    )


def lasting(hold: Freeze) -> str:
    """How long a freeze lasts at least, in words."""
    return f"until {hold.until:%Y-%m-%d %H:%M:%S} UTC" if hold.until else "until resumed"


def held_words(hold: Freeze) -> str:
    """What the owner hears of a freeze."""
    every = hold.mission_class == freeze.EVERYTHING
    scope = "everything" if every else f"class {hold.mission_class}"
    return f"{scope} is frozen {lasting(hold)}: {hold.reason}: {hold.detail}"


def verdict_record(
    mission: Mission, gate: str, subject: str, verdict: Verdict, now: datetime
) -> GiveVerdict:
    """The verdict as a record; `news` drops it where it says nothing new."""
    return GiveVerdict(mission=mission.id, gate=gate, subject=subject, verdict=verdict, at=now)


def news(word: Saying, mission: Mission, found: Findings) -> Saying:
    """The word without verdicts that are known already.

    Where a step is decided, the passes that it rests on are told once more: so the trail shows
    that its gates were asked then, and under the policy of that very decision.
    """
    known = {(gate, subject): verdict for gate, subject, verdict in mission.verdicts}
    decides = any(
        isinstance(order, _REST_ON_GATES) and found.is_open(order.key) is None
        for order in word.orders
    )
    kept = tuple(
        record
        for record in word.records
        if not isinstance(record, GiveVerdict)
        or (decides and record.verdict.answer is Answer.PASS)
        or _differs(record.verdict, known.get((record.gate, record.subject)))
    )
    return replace(word, records=kept)


def _differs(verdict: Verdict, known: Verdict | None) -> bool:
    return known is None or (known.answer, known.reason) != (verdict.answer, verdict.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a mission ends and what that means for its need.

    counts:   a failure that counts towards a freeze (law 4: capacity trouble never does).
    retry_at: when the need may be tried again; None keeps it rejected.
    deny:     (target, revision) pairs that may not be deployed there again.
    """

    kind: OutcomeKind
    reason: Reason
    detail: str = ""
    counts: bool = False
    retry_at: datetime | None = None
    deny: tuple[tuple[str, str], ...] = ()


def settled(room: str, mission: Mission, found: Findings, now: datetime, ending: Ending) -> Saying:
    """The last word on a mission: its one outcome."""
    outcome = Outcome(
        kind=ending.kind,
        reason=ending.reason,
        detail=ending.detail,
        at=now,
        attempts=len(found.runs),
        cost=found.cost,
        counts_as_failure=ending.counts,
        landed=found.landed.commit if found.landed else None,
    )
    record = Settle(
        mission=mission.id,
        outcome=outcome,
        need_done=ending.kind is OutcomeKind.DELIVERED,
        retry_need_at=ending.retry_at,
        deny=ending.deny,
    )
    return Saying(room=room, reason=ending.reason, detail=ending.detail, records=(record,))
