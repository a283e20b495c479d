"""Phase and conditions: derived from snapshot and plan, never stored as an input (API-6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from swarm.contract.conditions import ConditionStatus, ConditionType
from swarm.contract.counted import counted
from swarm.contract.status import Phase
from swarm.contract.status_object import Condition, FreezeStatus, SwarmStatus
from swarm.core.decision import (
    LiftFreeze,
    OpenFreeze,
    OpenMission,
    Plan,
    Settle,
    Standing,
)
from swarm.core.ids import MissionId
from swarm.core.nouns import Freeze, MissionKind, OutcomeKind
from swarm.core.policy import approval, freeze, stages
from swarm.core.reasons import Reason
from swarm.core.saying import lasting
from swarm.core.snapshot import Snapshot

_LATE = {"verify", "deliver", "protect", "learn"}  #: rooms that wait on Gate 2 or later
_NEEDS_HELP = {
    Reason.NO_AGENT,
    Reason.CHECK_NOT_CONFIGURED,
    Reason.TARGET_DRIFTED,
    Reason.TARGET_NOT_BOUND,
    Reason.ROLLBACK_REFUSED,
}
_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts over the last 24 hours and the latest times, as the store knows them."""

    discoveries_24h: int = 0
    missions_24h: int = 0
    success_24h: float | None = None
    last_production_change: str | None = None
    last_discover_at: datetime | None = None
    unavailable: tuple[str, ...] = ()


def report(
    snapshot: Snapshot, plan: Plan, figures: Figures, before: SwarmStatus | None
) -> SwarmStatus:
    """The whole status. Times of transition are kept from `before` where nothing changed."""
    standings = _standings(snapshot, plan)
    conditions = _Conditions(snapshot, plan, figures, standings, before)
    return SwarmStatus(
        phase=_phase(snapshot, plan, figures, standings),
        conditions=tuple(conditions.all()),
        observed_generation=snapshot.generation,
        updated_at=snapshot.now,
        last_discover_at=figures.last_discover_at,
        last_plan_at=_latest(before, "last_plan_at", snapshot.now, moved=bool(_opened(plan))),
        last_implement_at=_latest(
            before, "last_implement_at", snapshot.now, moved=_ordered(plan, "start-run")
        ),
        last_verify_at=_latest(
            before, "last_verify_at", snapshot.now, moved=_ordered(plan, "run-check", "take-look")
        ),
        active_missions=len(standings),
        queued_needs=max(0, snapshot.queued_needs - len(_taken(plan))),
        discoveries_24h=figures.discoveries_24h,
        missions_24h=figures.missions_24h,
        autonomous_success_rate_24h=figures.success_24h,
        last_production_change_ref=figures.last_production_change,
        freeze=conditions.freeze,
    )


def phase(snapshot: Snapshot, plan: Plan, figures: Figures) -> Phase:
    """One word for what the swarm is doing; the most telling one wins.

    Discovering is the time until the sources were read at all: a phase that came and went with
    every reading would be a write with every reading.
    """
    return _phase(snapshot, plan, figures, _standings(snapshot, plan))


def _phase(
    snapshot: Snapshot, plan: Plan, figures: Figures, standings: dict[MissionId, Standing]
) -> Phase:
    if freeze.holding(_freezes(snapshot, plan), freeze.EVERYTHING) is not None:
        return Phase.FROZEN
    if _degraded(snapshot, plan) is not None:
        return Phase.DEGRADED
    rooms = {standing.room for standing in standings.values()}
    if rooms & _LATE:
        return Phase.VERIFYING
    if rooms:
        return Phase.IMPLEMENTING
    if _opened(plan):
        return Phase.PLANNING
    if snapshot.queued_needs and not plan.idle_reason:
        return Phase.PLANNING
    spec = snapshot.spec
    unread = spec.discovery.sources and figures.last_discover_at is None
    return Phase.DISCOVERING if unread and not stages.off(spec, "discover") else Phase.IDLE


def same_meaning(one: SwarmStatus, other: SwarmStatus) -> bool:
    """True when a write would only move `updatedAt` or the latest times (API-7)."""
    return _meaning(one) == _meaning(other)


def _meaning(status: SwarmStatus) -> object:
    times = {
        "updated_at": None,
        "last_discover_at": None,
        "last_plan_at": None,
        "last_implement_at": None,
        "last_verify_at": None,
    }
    return status.model_copy(update=times)


def _latest(
    before: SwarmStatus | None, field: str, now: datetime, *, moved: bool
) -> datetime | None:
    """When a step last did something; it moves only when the step did."""
    if moved or before is None:
        return now if moved else None
    known: datetime | None = getattr(before, field)
    return known


def _ordered(plan: Plan, *kinds: str) -> bool:
    return any(order.kind in kinds for order in plan.orders)


def _opened(plan: Plan) -> list[OpenMission]:
    return [record for record in plan.records if isinstance(record, OpenMission)]


def _taken(plan: Plan) -> list[OpenMission]:
    """Missions that take a need out of the queue; a repair has its parent's."""
    return [record for record in _opened(plan) if record.kind is MissionKind.DELIVER]


def _freezes(snapshot: Snapshot, plan: Plan) -> tuple[Freeze, ...]:
    opened = [record.freeze for record in plan.records if isinstance(record, OpenFreeze)]
    lifted = {record.freeze for record in plan.records if isinstance(record, LiftFreeze)}
    return (*(hold for hold in snapshot.freezes if hold.id not in lifted), *opened)


def _standings(snapshot: Snapshot, plan: Plan) -> dict[MissionId, Standing]:
    ended = {record.mission for record in plan.records if isinstance(record, Settle)}
    known = {m.id: m.standing for m in snapshot.missions if m.standing is not None}
    known.update(dict(plan.standings))
    return {mission: standing for mission, standing in known.items() if mission not in ended}


def _degraded(snapshot: Snapshot, plan: Plan) -> tuple[str, str] | None:
    """Reason and sentence while a mission failed, a source is dark or runs find no room.

    It ends with the next delivery, a passed requalification, the source's return, or room.
    """
    for kind, counts, reason, message in _endings(snapshot, plan):
        if kind is OutcomeKind.DELIVERED:
            break
        if kind is OutcomeKind.FAILED and counts:
            return reason or "MissionFailed", message
    for source in snapshot.dark:
        return "SourceDark", f"{source.name} is dark since {source.dark_since:%Y-%m-%d %H:%M}"
    return _saturated(snapshot)


def _endings(snapshot: Snapshot, plan: Plan) -> Iterator[tuple[OutcomeKind, bool, str, str]]:
    """How missions ended, whether it counts as a failure, why and in words; the newest first."""
    for record in reversed(plan.records):
        if isinstance(record, Settle):
            one = record.outcome
            yield one.kind, one.counts_as_failure, one.reason, _failed(record.mission, one.gist)
    for item in reversed(snapshot.settled):
        message = _failed(item.mission, item.detail)
        yield item.outcome, item.counts_as_failure, item.reason, message


def _failed(mission: MissionId, gist: str) -> str:
    return f"{mission} failed: {gist}".rstrip(": ")


def _saturated(snapshot: Snapshot) -> tuple[str, str] | None:
    """Work that was dispatched and finds no room must not look healthy; None when all has room."""
    blocked = [
        order.waits_because
        for mission in snapshot.missions
        for order in mission.orders
        if order.kind == "start-run" and order.waits_because
    ]
    if not blocked:
        return None
    return Reason.CAPACITY, f"{counted(len(blocked), 'run')} cannot begin: {blocked[0]}"


def _freeze_status(snapshot: Snapshot, plan: Plan) -> FreezeStatus | None:
    """What holds the most for the longest, in full, and a word on whatever else is held (FRZ-4)."""
    holds = _freezes(snapshot, plan)
    whole = [hold for hold in holds if hold.mission_class == freeze.EVERYTHING]
    hold = freeze.longest(whole or holds)
    if hold is None:
        return None
    items = freeze.checklist(hold, snapshot.now, snapshot.resuming)
    said = [
        ": ".join(filter(None, (_held(hold), hold.detail))),
        f"since {hold.since:%Y-%m-%d %H:%M:%S} UTC",
    ]
    said += [item.text for item in items if not item.done]
    others = sorted((item for item in holds if item is not hold), key=lambda item: item.id)
    said += [f"also held: {_held(other)} {lasting(other)}" for other in others]
    return FreezeStatus(reason="; ".join(said)[:4096], until=hold.until)


def _held(hold: Freeze) -> str:
    """Why and what, such as `Drill (tidy)`."""
    whole = hold.mission_class == freeze.EVERYTHING
    return f"{hold.reason} ({'everything' if whole else hold.mission_class})"


@lru_cache(maxsize=4_096)
def _condition(
    kind: ConditionType,
    status: ConditionStatus,
    why: tuple[str, str],
    since: datetime,
    generation: int,
) -> Condition:
    """One condition; remembered, because most are at each tick what they were at the last one.

    why: the reason and the message.
    """
    return Condition(
        type=kind,
        status=status,
        reason=why[0],
        message=why[1],
        last_transition_time=since,
        observed_generation=generation,
    )


class _Conditions:
    """Makes the conditions of one status."""

    def __init__(
        self,
        snapshot: Snapshot,
        plan: Plan,
        figures: Figures,
        standings: dict[MissionId, Standing],
        before: SwarmStatus | None,
    ) -> None:
        self.snapshot, self.plan, self.figures, self.standings = snapshot, plan, figures, standings
        self.freeze = _freeze_status(snapshot, plan)
        known = before.conditions if before is not None else ()
        self._since = {(one.type, one.status): one.last_transition_time for one in known}

    def all(self) -> list[Condition]:
        """Every condition of the closed list, in its order."""
        return [
            self._ready(),
            self._progressing(),
            self._stalled(),
            self._discovery(),
            self._budget(),
            self._frozen(),
            self._degraded(),
            self._dependencies(),
            self._policy(),
        ]

    def _make(
        self, kind: ConditionType, status: ConditionStatus, reason: str, message: str = ""
    ) -> Condition:
        since = self._since.get((kind, status), self.snapshot.now)
        generation = self.snapshot.generation
        return _condition(kind, status, (str(reason), message[:4096]), since, generation)

    def _ready(self) -> Condition:
        if self.figures.unavailable:
            detail = ", ".join(self.figures.unavailable)
            return self._make(ConditionType.READY, _FALSE, Reason.UNAVAILABLE, detail)
        return self._make(ConditionType.READY, _TRUE, "Observed", "the spec is valid and observed")

    def _progressing(self) -> Condition:
        if self.standings:
            message = counted(len(self.standings), "open mission")
            return self._make(ConditionType.PROGRESSING, _TRUE, "MissionsOpen", message)
        idle = self.plan.idle_reason or "no mission is open"
        message = idle.removeprefix(f"{Reason.NOTHING_TO_DO}: ")
        return self._make(ConditionType.PROGRESSING, _FALSE, Reason.NOTHING_TO_DO, message)

    def _stalled(self) -> Condition:
        for mission, standing in sorted(self.standings.items()):
            if standing.reason in _NEEDS_HELP:
                message = f"{mission}: {standing.detail}"
                return self._make(ConditionType.STALLED, _TRUE, standing.reason, message)
        return self._make(ConditionType.STALLED, _FALSE, "NothingStuck")

    def _discovery(self) -> Condition:
        kind = ConditionType.DISCOVERY_HEALTHY
        if dark := self.snapshot.dark:
            message = "; ".join(f"{source.name}: {source.detail}" for source in dark)
            return self._make(kind, _FALSE, "SourceDark", message)
        if off := stages.off(self.snapshot.spec, "discover"):
            return self._make(kind, _UNKNOWN, Reason.STAGE_OFF, off)
        named = [source.name for source in self.snapshot.spec.discovery.sources]
        if not named:
            return self._make(kind, _UNKNOWN, Reason.NOT_CONFIGURED, "the spec names no source")
        answered = {source.name for source in self.snapshot.sources if source.answered}
        unread = [name for name in named if name not in answered]
        if unread:
            return self._make(kind, _UNKNOWN, "SourceUnread", f"no answer yet: {', '.join(unread)}")
        return self._make(kind, _TRUE, "SourcesAnswer", counted(len(named), "source"))

    def _budget(self) -> Condition:
        kind, window = ConditionType.BUDGET_AVAILABLE, self.snapshot.budget
        if window is None:
            name = self.snapshot.spec.risk.budget_ref
            return self._make(kind, _UNKNOWN, Reason.BUDGET_UNKNOWN, f"{name!r} is not bound")
        if window.left <= 0:
            message = f"{window.name} is spent until {window.window_ends:%Y-%m-%d %H:%M} UTC"
            if window.cap > window.spent:
                left = "what is not spent is reserved by open missions and comes back as they end"
                message = f"{window.name}: {left}"
            return self._make(kind, _FALSE, Reason.BUDGET_EXHAUSTED, message)
        # Something is left and it is too little: nothing is dispatched either, so it is said.
        for need, reason, detail in self.plan.selected:
            if reason == Reason.BUDGET_EXHAUSTED:
                return self._make(kind, _FALSE, reason, f"{window.name}, {need}: {detail}")
        return self._make(kind, _TRUE, "BudgetLeft")

    def _frozen(self) -> Condition:
        if self.freeze is None:
            return self._make(ConditionType.FROZEN, _FALSE, "NotFrozen")
        return self._make(ConditionType.FROZEN, _TRUE, Reason.FROZEN, self.freeze.reason)

    def _degraded(self) -> Condition:
        why = _degraded(self.snapshot, self.plan)
        if why is None:
            return self._make(ConditionType.DEGRADED, _FALSE, "NotDegraded")
        return self._make(ConditionType.DEGRADED, _TRUE, *why)

    def _dependencies(self) -> Condition:
        kind, away = ConditionType.DEPENDENCIES_READY, self.figures.unavailable
        if away:
            return self._make(kind, _FALSE, Reason.UNAVAILABLE, ", ".join(away))
        return self._make(kind, _TRUE, "AllAnswer")

    def _policy(self) -> Condition:
        lacks = approval.missing_policy(self.snapshot)
        if lacks:
            message = f"acts as in assisted mode: {'; '.join(lacks)}"
            return self._make(ConditionType.POLICY_COMPLETE, _FALSE, "PolicyMissing", message)
        return self._make(ConditionType.POLICY_COMPLETE, _TRUE, "PolicyWritten")
