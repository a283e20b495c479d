"""The rows of a store on paper, and what each record does to them.

As a real store does it: guarded by the state of the rows, and refused with a reason otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

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
    VoidOrder,
)
from swarm.core.history.journal import Entry, Movement
from swarm.core.ids import approval_id
from swarm.core.nouns import (
    Approval,
    Cited,
    Freeze,
    MissionKind,
    Need,
    NeedState,
    OutcomeKind,
    Risk,
    Settled,
)
from swarm.core.snapshot import Budget, Mission, Snapshot
from swarm.core.trail import EventKind
from swarm.testing.paper_settled import remembered


@dataclass(slots=True)
class PaperOrder:
    """An issued order: when it is due, whether it was begun, and when it was settled.

    fence, tries, owner: of its claims, where a store of several controllers counts them.
    spent: micro-units that it told of before it ended.
    """

    order: Order
    issued_at: datetime
    due_at: datetime
    begun_at: datetime | None = None
    settled: bool = False
    waits_because: str = ""
    in_hand: bool = False
    fence: int = 0
    tries: int = 0
    owner: str = ""
    spent: int = 0

    @property
    def idle(self) -> bool:
        """Begun, without capacity, in nobody's hand, and nothing was spent on it."""
        return bool(self.waits_because) and not (self.owner or self.in_hand or self.spent)


@dataclass(slots=True)
class Question:
    """An approval: open, granted, denied, used, expired or void."""

    answer: Approval
    state: str = "open"


@dataclass(slots=True)
class PaperRows:
    """One swarm's rows. `world` holds everything that people and settings decide.

    orders: those that are open.    keys: of all orders ever; a voided one may come back.
    asked_of: all questions by their mission.    pending: those that may still lapse, and a few.
    trail, movements: what a real store keeps of every change, for whoever judges it later.
    cited: what each need counts, where somebody keeps it.
    windows: earlier budget windows by their end.    paid_from: the window of a reservation.
    frozen: every freeze that was ever opened, open or lifted, by its id.
    """

    world: Snapshot
    now: datetime
    needs: dict[str, Need] = field(default_factory=dict)
    missions: dict[str, Mission] = field(default_factory=dict)
    ended: dict[str, Settle] = field(default_factory=dict)
    orders: dict[str, PaperOrder] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    questions: dict[str, Question] = field(default_factory=dict)
    asked_of: dict[str, list[Question]] = field(default_factory=dict)
    pending: list[Question] = field(default_factory=list)
    cited: dict[str, tuple[Cited, ...]] = field(default_factory=dict)
    trail: list[Entry] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    windows: dict[datetime, Budget] = field(default_factory=dict)
    paid_from: dict[str, datetime] = field(default_factory=dict)
    moved_at: dict[str, datetime] = field(default_factory=dict)  #: when a need's state changed
    frozen: dict[str, Freeze] = field(default_factory=dict)

    def tell(self, kind: EventKind, body: dict[str, Any], chain: str = "") -> None:
        """Append one event to a mission's chain, or to the swarm's."""
        swarm = str(self.world.swarm)
        self.trail.append(Entry(self.now, swarm, chain or swarm, kind, body))

    def move_money(self, mission: str, what: str, amount: int) -> None:
        """Reserve, spend or release in the window that the mission's reservation is from."""
        ends, now = self.paid_from.get(mission), self.world.budget
        if ends is None or not amount:
            return
        open_ = self.missions.get(mission)
        held = amount if what != "spend" else min(amount, open_.reserved if open_ else 0)
        window = now if now is not None and now.window_ends == ends else self.windows[ends]
        window = replace(
            window,
            reserved=window.reserved + (held if what == "reserve" else -held),
            spent=window.spent + (amount if what == "spend" else 0),
        )
        if now is not None and now.window_ends == ends:
            self.world = replace(self.world, budget=window)
        else:
            self.windows[ends] = window
        if open_ is not None and what == "spend":
            self.alter(mission, reserved=open_.reserved - held)
        named = f"{self.world.swarm}@{ends.isoformat()}"
        self.movements.append(Movement(self.now, named, mission, what, amount))

    def turn_window(self, window: Budget | None) -> None:
        """Begin another budget window, or go on with the present one under other terms."""
        before = self.world.budget
        if window is None or before is None:
            kept = window
        elif before.window_ends == window.window_ends:
            kept = replace(before, cap=window.cap, when_spent=window.when_spent)
        else:
            self.windows[before.window_ends] = before
            kept = self.windows.pop(window.window_ends, window)
        if kept != before:
            self.world = replace(self.world, budget=kept)

    def alter(self, mission: str, **over: object) -> None:
        """Change fields of an open mission."""
        self.missions[mission] = replace(self.missions[mission], **over)  # type: ignore[arg-type]

    def advance(self, mission: str) -> None:
        """Count the version up, so that decide has to think about it; that wakes nobody."""
        if mission in self.missions:
            self.alter(mission, version=self.missions[mission].version + 1)

    def void(self, row: PaperOrder, reason: str = "it had not happened") -> None:
        """Take it back; its key is free again."""
        order = row.order
        self.keys.discard(order.key)
        del self.orders[order.key]
        self.tell(EventKind.ORDER_VOIDED, {"order": order.key, "reason": reason}, order.mission)
        self.advance(order.mission)

    def apply(self, record: Record) -> str:  # noqa: C901 - one arm per kind of record
        """Write one record; why the state of the rows does not allow it, or an empty text."""
        match record:
            case GiveVerdict() if record.mission not in self.missions:
                return "NoSuchMission"
            case GiveVerdict():
                known = self.missions[record.mission].verdicts
                rest = tuple(v for v in known if v[:2] != (record.gate, record.subject))
                kept = (*rest, (record.gate, record.subject, record.verdict))
                self.alter(record.mission, verdicts=kept)
                self._tell_verdict(record)
            case UseApproval():
                return self._use(record)
            case Settle():
                self._settle(record)
            case VoidOrder():
                return self._void_order(record)
            case RejectNeed():
                self._move_need(record.need, NeedState.REJECTED, None)
            case MarkRequalified():
                self._requalify(record)
            case LiftFreeze() if self._proven(record.freeze):
                self.lift(record.freeze, record.by)
            case OpenFreeze():
                return self.open_freeze(record)
            case Learn():
                self.world = replace(
                    self.world, class_bias=record.class_bias, source_trust=record.source_trust
                )
            case AskApproval():
                self._ask(record)
            case OpenMission():
                return self._open(record)
        return ""

    def _void_order(self, record: VoidOrder) -> str:
        row = self.orders.get(record.order)
        if row is None or (row.begun_at is not None and not row.idle):
            return "OrderInHand"
        self.void(row, record.reason)
        return ""

    def _freezes(self, holds: Iterable[Freeze]) -> None:
        self.world = replace(self.world, freezes=tuple(holds))

    def _tell_verdict(self, record: GiveVerdict) -> None:
        verdict = record.verdict
        body = {
            "gate": record.gate, "subject": record.subject, "answer": int(verdict.answer),
            "reason": str(verdict.reason), "detail": verdict.detail,
            "evidence": list(verdict.evidence), "configured": verdict.configured,
            "policy_hash": self.world.policy_hash, "generation": self.world.generation,
        }  # fmt: skip
        self.tell(EventKind.VERDICT_GIVEN, body, record.mission)

    def _requalify(self, record: MarkRequalified) -> None:
        for hold in self.world.freezes:
            outdated = hold.extended is not None and hold.extended >= record.began
            if hold.id == record.freeze and hold.requalified is None and not outdated:
                proven = replace(hold, requalified=record.mission)
                self._freezes(proven if one is hold else one for one in self.world.freezes)
                body = {"freeze": hold.id, "class": hold.mission_class, "mission": record.mission}
                self.tell(EventKind.FREEZE_REQUALIFIED, body)

    def _proven(self, freeze: str) -> bool:  # whoever extends one takes its proof away
        return any(hold.id == freeze and hold.requalified for hold in self.world.freezes)

    def lift(self, freeze: str, by: str) -> None:
        """End a hold; nothing where it has ended."""
        for hold in self.world.freezes:
            if hold.id == freeze:
                self._freezes(one for one in self.world.freezes if one is not hold)
                body = {"freeze": hold.id, "class": hold.mission_class, "by": by}
                self.tell(EventKind.FREEZE_LIFTED, body)

    def open_freeze(self, record: OpenFreeze) -> str:
        """One open freeze per scope: the same scope again is an extension that asks for proof.

        An id is used once for ever: the same cause freezes a scope once.
        """
        new = record.freeze
        if (used := self.frozen.get(new.id)) is not None:
            said = ((one.mission_class, one.reason, one.cause) for one in (used, new))
            return "" if next(said) == next(said) else "FreezeIdTaken"
        for hold in self.world.freezes:
            if hold.mission_class == new.mission_class:
                endless = hold.until is None or new.until is None
                until = None if endless else max(hold.until, new.until)  # type: ignore[type-var]
                grown = replace(
                    new, id=hold.id, since=hold.since, until=until, requalified=None,
                    needs_token=hold.needs_token or new.needs_token, extended=self.now,
                )  # fmt: skip
                self.frozen[hold.id] = grown
                self._freezes(grown if one is hold else one for one in self.world.freezes)
                self._tell_freeze(EventKind.FREEZE_EXTENDED, grown)
                return ""
        self.frozen[new.id] = new
        self._freezes((*self.world.freezes, new))
        self._tell_freeze(EventKind.FREEZE_OPENED, new)
        return ""

    def _tell_freeze(self, kind: EventKind, hold: Freeze) -> None:
        body = {
            "freeze": hold.id, "class": hold.mission_class, "reason": hold.reason,
            "detail": hold.detail, "cause": hold.cause,
            "until": hold.until.isoformat() if hold.until else None,
        }  # fmt: skip
        self.tell(kind, body)

    def _use(self, record: UseApproval) -> str:
        asked = self.questions[record.approval.id]
        if asked.state == "used":
            return ""
        if asked.state != "granted" or asked.answer.expires_at <= self.now:
            return f"ApprovalNot{asked.state.capitalize()}"
        asked.state = "used"
        answer = record.approval
        body = {"approval": answer.id, "commit": answer.commit, "by": answer.approver}
        self.tell(EventKind.APPROVAL_USED, body, answer.mission)
        return ""

    def _ask(self, record: AskApproval) -> None:
        id_ = approval_id(record.mission, record.commit, record.policy_hash)
        known = self.questions.get(id_)
        if known is not None and known.state not in {"expired", "void"}:
            spent = known.state == "used" and known.answer.expires_at <= record.at
            if not spent:
                return
        answer = Approval(
            id=id_, mission=record.mission, commit=record.commit, policy_hash=record.policy_hash,
            approver="", reason="", granted=False, at=record.at, expires_at=record.expires_at,
        )  # fmt: skip
        asked = self.questions[id_] = Question(answer)
        self.asked_of.setdefault(record.mission, []).append(asked)
        self.pending.append(asked)
        self.advance(record.mission)
        body = {
            "approval": id_, "commit": record.commit, "policy_hash": record.policy_hash,
            "risk": int(record.risk), "question": record.question,
        }  # fmt: skip
        self.tell(EventKind.APPROVAL_ASKED, body, record.mission)

    def _charge_unheard(self, record: Settle) -> Settle:
        """Charge the runs that this ending cuts off, and add them to the outcome."""
        charged = 0
        for row in self.orders.values():
            mine = row.order.mission == record.mission and row.order.kind == "start-run"
            if mine and row.begun_at is not None:
                amount = row.spent if row.waits_because else max(row.spent, record.run_cost)
                self.move_money(record.mission, "spend", amount)
                charged += amount
        outcome = replace(record.outcome, cost=record.outcome.cost + charged)
        return replace(record, outcome=outcome)

    def _settle(self, record: Settle) -> None:
        record = self._charge_unheard(record)
        mission = self.missions.pop(record.mission)
        self.ended[record.mission] = record
        body = {
            "outcome": str(record.outcome.kind), "reason": str(record.outcome.reason),
            "detail": record.outcome.detail, "attempts": record.outcome.attempts,
            "cost": record.outcome.cost, "landed": record.outcome.landed,
            "counts_as_failure": record.outcome.counts_as_failure,
        }  # fmt: skip
        self.tell(EventKind.MISSION_SETTLED, body, mission.id)
        for key, row in list(self.orders.items()):
            if row.order.mission == mission.id and row.order.forward:
                self.keys.discard(key)
                del self.orders[key]
                gone = {"order": key, "reason": "the mission ended"}
                self.tell(EventKind.ORDER_VOIDED, gone, mission.id)
        if mission.need is not None:
            retry = NeedState.OPEN if record.retry_need_at else NeedState.REJECTED
            state = NeedState.DONE if record.need_done else retry
            self._move_need(mission.need, state, record.retry_need_at)
        item = Settled(
            mission=mission.id, mission_class=mission.mission_class, kind=mission.kind,
            outcome=OutcomeKind(record.outcome.kind), at=record.outcome.at, repo=mission.repo,
            counts_as_failure=record.outcome.counts_as_failure, reason=record.outcome.reason,
            detail=record.outcome.gist,
        )  # fmt: skip
        self.move_money(mission.id, "release", mission.reserved)
        self.world = replace(
            self.world,
            settled=remembered(
                (*self.world.settled, item), self.world.installation.class_freeze_after
            ),
            denied=self.world.denied | set(record.deny),
        )

    def _move_need(self, need: str, state: NeedState, not_before: datetime | None) -> None:
        if need in self.needs:
            self.moved_at[need] = self.now
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
            self.paid_from[record.id] = window.window_ends
            self.move_money(record.id, "reserve", record.reserve)
        if need is not None:
            self.moved_at[need.id] = self.now
            rounds = need.rounds + (record.kind is MissionKind.DELIVER)
            self.needs[need.id] = replace(need, state=NeedState.TAKEN, rounds=rounds)
        self.missions[record.id] = Mission(
            id=record.id, need=record.need, kind=record.kind, parent=record.parent,
            depth=record.depth, mission_class=record.mission_class, risk=record.risk,
            repo=record.repo, title=record.title, agent=record.agent, rule="", body="",
            contract=record.contract, opened_at=record.at, version=0, reserved=record.reserve,
            freeze=record.freeze, sources=need.origins if need else (), cause=record.cause,
            cited=self.cited.get(record.need or "", ()) if record.risk >= Risk.R2 else (),
        )  # fmt: skip
        self._tell_opened(record)
        return ""

    def _tell_opened(self, record: OpenMission) -> None:
        body = {
            "need": record.need, "kind": str(record.kind), "parent": record.parent,
            "cause": record.cause, "class": record.mission_class, "risk": int(record.risk),
            "repo": record.repo, "title": record.title, "agent": record.agent,
            "contract": asdict(record.contract), "reserve": record.reserve,
            "rank": record.rank_terms, "generation": self.world.generation,
            "policy_hash": self.world.policy_hash, "shadow": self.world.shadow,
        }  # fmt: skip
        self.tell(EventKind.MISSION_OPENED, body, record.id)
