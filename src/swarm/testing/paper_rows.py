"""The rows of a store on paper, and what each record does to them.

As a real store does it: guarded by the state of the rows, and refused with a reason otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from swarm.core.decision import (
    AskApproval,
    GiveVerdict,
    Learn,
    LiftFreeze,
    MarkRequalified,
    OpenFreeze,
    OpenMission,
    Order,
    Record,
    RejectNeed,
    Settle,
    UseApproval,
)
from swarm.core.ids import approval_id
from swarm.core.nouns import Approval, Freeze, MissionKind, Need, NeedState, OutcomeKind, Settled
from swarm.core.snapshot import Mission, Snapshot

_SETTLED_KEPT = 64


@dataclass(slots=True)
class PaperOrder:
    """An issued order: when it is due, whether it was begun, and when it was settled."""

    order: Order
    issued_at: datetime
    due_at: datetime
    begun_at: datetime | None = None
    settled: bool = False
    waits_because: str = ""
    in_hand: bool = False


@dataclass(slots=True)
class Question:
    """An approval: open, granted, denied, used, expired or void."""

    answer: Approval
    state: str = "open"


@dataclass(slots=True)
class PaperRows:
    """One swarm's rows. `world` holds everything that people and settings decide.

    orders: those that are open.    keys: of all orders ever; a voided one may come back.
    """

    world: Snapshot
    now: datetime
    needs: dict[str, Need] = field(default_factory=dict)
    missions: dict[str, Mission] = field(default_factory=dict)
    ended: dict[str, Settle] = field(default_factory=dict)
    orders: dict[str, PaperOrder] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    questions: dict[str, Question] = field(default_factory=dict)

    def alter(self, mission: str, **over: object) -> None:
        """Change fields of an open mission."""
        self.missions[mission] = replace(self.missions[mission], **over)  # type: ignore[arg-type]

    def advance(self, mission: str) -> None:
        """Count the version up, so that decide has to think about it; that wakes nobody."""
        if mission in self.missions:
            self.alter(mission, version=self.missions[mission].version + 1)

    def apply(self, record: Record) -> str:  # noqa: C901 - one arm per kind of record
        """Write one record; why the state of the rows does not allow it, or an empty text."""
        match record:
            case GiveVerdict():
                known = self.missions[record.mission].verdicts
                rest = tuple(v for v in known if v[:2] != (record.gate, record.subject))
                kept = (*rest, (record.gate, record.subject, record.verdict))
                self.alter(record.mission, verdicts=kept)
            case UseApproval():
                return self._use(record)
            case Settle():
                self._settle(record)
            case RejectNeed():
                self._move_need(record.need, NeedState.REJECTED, None)
            case MarkRequalified():
                self._freezes(
                    replace(hold, requalified=hold.requalified or record.mission)
                    if hold.id == record.freeze
                    else hold
                    for hold in self.world.freezes
                )
            case LiftFreeze():
                self._freezes(hold for hold in self.world.freezes if hold.id != record.freeze)
            case OpenFreeze():
                self.open_freeze(record)
            case Learn():
                self.world = replace(
                    self.world, class_bias=record.class_bias, source_trust=record.source_trust
                )
            case AskApproval():
                self._ask(record)
            case OpenMission():
                return self._open(record)
        return ""

    def _freezes(self, holds: Iterable[Freeze]) -> None:
        self.world = replace(self.world, freezes=tuple(holds))

    def open_freeze(self, record: OpenFreeze) -> None:
        """One open freeze per scope: the same scope again is an extension that asks for proof."""
        new = record.freeze
        for hold in self.world.freezes:
            if hold.mission_class == new.mission_class:
                endless = hold.until is None or new.until is None
                until = None if endless else max(hold.until, new.until)  # type: ignore[type-var]
                grown = replace(
                    new, id=hold.id, since=hold.since, until=until, requalified=None,
                    needs_token=hold.needs_token or new.needs_token,
                )  # fmt: skip
                self._freezes(grown if one is hold else one for one in self.world.freezes)
                return
        self._freezes((*self.world.freezes, new))

    def _use(self, record: UseApproval) -> str:
        asked = self.questions[record.approval.id]
        if asked.state == "used":
            return ""
        if asked.state != "granted" or asked.answer.expires_at <= self.now:
            return f"ApprovalNot{asked.state.capitalize()}"
        asked.state = "used"
        return ""

    def _ask(self, record: AskApproval) -> None:
        id_ = approval_id(record.mission, record.commit, record.policy_hash)
        known = self.questions.get(id_)
        if known is not None and known.state not in {"expired", "void"}:
            return
        answer = Approval(
            id=id_, mission=record.mission, commit=record.commit, policy_hash=record.policy_hash,
            approver="", reason="", granted=False, at=record.at, expires_at=record.expires_at,
        )  # fmt: skip
        self.questions[id_] = Question(answer)
        self.advance(record.mission)

    def _settle(self, record: Settle) -> None:
        mission = self.missions.pop(record.mission)
        self.ended[record.mission] = record
        for key, row in list(self.orders.items()):
            if row.order.mission == mission.id and row.order.forward:
                self.keys.discard(key)
                del self.orders[key]
        if mission.need is not None:
            retry = NeedState.OPEN if record.retry_need_at else NeedState.REJECTED
            state = NeedState.DONE if record.need_done else retry
            self._move_need(mission.need, state, record.retry_need_at)
        item = Settled(
            mission=mission.id, mission_class=mission.mission_class, kind=mission.kind,
            outcome=OutcomeKind(record.outcome.kind), at=record.outcome.at, repo=mission.repo,
            counts_as_failure=record.outcome.counts_as_failure,
        )  # fmt: skip
        window = self.world.budget
        if window is not None:
            window = replace(window, reserved=window.reserved - mission.reserved)
        self.world = replace(
            self.world,
            budget=window,
            settled=(*self.world.settled, item)[-_SETTLED_KEPT:],
            denied=self.world.denied | set(record.deny),
        )

    def _move_need(self, need: str, state: NeedState, not_before: datetime | None) -> None:
        if need in self.needs:
            self.needs[need] = replace(self.needs[need], state=state, not_before=not_before)

    def _open(self, record: OpenMission) -> str:
        need = self.needs.get(record.need or "")
        if record.id in self.missions or record.id in self.ended:
            return "AlreadyOpen"
        if record.kind is MissionKind.DELIVER and (
            need is None or need.state is not NeedState.OPEN
        ):
            return "NeedNotOpen"
        window = self.world.budget
        if record.reserve:
            if window is None or window.left < record.reserve:
                return "BudgetExhausted"
            window = replace(window, reserved=window.reserved + record.reserve)
            self.world = replace(self.world, budget=window)
        if need is not None:
            rounds = need.rounds + (record.kind is MissionKind.DELIVER)
            self.needs[need.id] = replace(need, state=NeedState.TAKEN, rounds=rounds)
        self.missions[record.id] = Mission(
            id=record.id, need=record.need, kind=record.kind, parent=record.parent,
            depth=record.depth, mission_class=record.mission_class, risk=record.risk,
            repo=record.repo, title=record.title, agent=record.agent, rule="", body="",
            contract=record.contract, opened_at=record.at, version=0, reserved=record.reserve,
            freeze=record.freeze, sources=need.origins if need else (),
        )  # fmt: skip
        return ""
