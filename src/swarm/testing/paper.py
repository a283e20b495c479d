"""A store on paper: what a real store promises about one swarm, in memory and under a turned clock.

Keys are unique for ever, a tick is serial, forward orders wait under a freeze, shadow mode and
another policy, and facts, answers and settled orders count a mission's version up. For tests that
walk far: thousands of ticks a second, and every invariant can be looked at between two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from swarm.core.decision import (
    AskApproval,
    GiveVerdict,
    Land,
    Learn,
    LiftFreeze,
    MarkRequalified,
    OpenFreeze,
    OpenMission,
    Order,
    Plan,
    Promote,
    Record,
    RejectNeed,
    RunCheck,
    Settle,
    SetTraffic,
    StartRun,
    UseApproval,
    VoidOrder,
)
from swarm.core.evidence import Fact, PersonSaid, RunEnded
from swarm.core.history import terms
from swarm.core.ids import EvidenceId
from swarm.core.nouns import Freeze, NeedState
from swarm.core.snapshot import Mission, OpenOrder, Snapshot
from swarm.core.trail import EventKind
from swarm.testing.paper_rows import PaperOrder, PaperRows, Question

_ORDER = (
    GiveVerdict, UseApproval, Settle, VoidOrder, RejectNeed, MarkRequalified, LiftFreeze,
    OpenFreeze, Learn, AskApproval, OpenMission,
)  # fmt: skip
_AFTER_REFUSAL = timedelta(seconds=1)
UNASKED = timedelta(minutes=1)


@dataclass(slots=True, kw_only=True)
class PaperStore(PaperRows):
    """The rows with a clock: ticks, orders, facts, and what people do.

    refused: records that the state of the store did not allow, with the reason, for all ticks.
    issued, applied: what the last tick wrote.    seen: the snapshot that it decided on.
    """

    decide: Callable[[Snapshot], Plan]
    refused: list[tuple[Record, str]] = field(default_factory=list)
    issued: list[Order] = field(default_factory=list)
    applied: list[Record] = field(default_factory=list)
    seen: Snapshot | None = None
    due: datetime | None = None
    woken: bool = True
    ticks: int = 0
    _policy: str = ""

    def snapshot(self) -> Snapshot:
        """Everything as a tick would read it now."""
        resting = (n for n in self.needs.values() if n.state is NeedState.OPEN)
        needs = tuple(n for n in resting if n.not_before is None or n.not_before <= self.now)
        rows: dict[str, list[PaperOrder]] = {}
        for row in self.orders.values():
            rows.setdefault(row.order.mission, []).append(row)
        missions = tuple(
            self._with_orders(mission, rows.get(id_, []), self.asked_of.get(id_, []))
            for id_, mission in self.missions.items()
        )
        return replace(
            self.world, now=self.now, needs=needs, queued_needs=len(needs), missions=missions
        )

    def is_due(self) -> bool:
        """Whether a tick would do anything now."""
        return self.woken or (self.due is not None and self.due <= self.now)

    def tick(self) -> Plan:
        """Decide once and write it all down."""
        self.ticks += 1
        self.woken = False
        self._excuse()
        self._lapse()
        self.seen = self.snapshot()
        plan = self.decide(self.seen)
        opened = {record.id for record in plan.records if isinstance(record, OpenMission)}
        refused = []
        self.applied.clear()
        for record in sorted(plan.records, key=lambda record: _place(record, opened)):
            if why := self.apply(record):
                refused.append((record, why))
            else:
                self.applied.append(record)
        self._issue(plan, refused, opened)
        failed: set[str] = {_owner(record) for record, _ in refused}
        for id_, standing in plan.standings:
            if id_ in self.missions and id_ not in failed:
                self.alter(id_, standing=standing)
        for owner in failed & self.missions.keys():
            self.advance(owner)
        self.refused += refused
        self.due = self._next_due(plan, bool(refused))
        return plan

    def claimable(self) -> list[PaperOrder]:
        """Orders that a controller may take now, the longest waiting first."""
        return [
            row
            for row in self.orders.values()
            if not row.in_hand and row.due_at <= self.now and self.may(row)
        ]

    def may(self, row: PaperOrder) -> bool:
        """Whether an order may be taken: to carry it out, or to ask whether that has happened."""
        if not row.order.forward:
            return True
        if row.order.policy_hash != self.world.policy_hash and not _followed(row):
            return False
        return _unheard_of(row) or not self.held(row)

    def lapsed(self, row: PaperOrder) -> bool:
        """Whether what holds by now would not let it begin; who takes it can only ask."""
        if not row.order.forward:
            return False
        other = row.order.policy_hash != self.world.policy_hash
        return other or (_unheard_of(row) and self.held(row))

    def held(self, row: PaperOrder) -> bool:
        """Whether a freeze or shadow mode holds what goes forward."""
        frozen = (hold.covers(row.order.mission_class) for hold in self.world.freezes)
        return self.world.shadow or any(frozen)

    def begin(self, row: PaperOrder) -> bool:
        """Take an order in hand; False when it may not be begun any more."""
        if self.orders.get(row.order.key) is not row or not self.may(row):
            return False
        row.begun_at, row.in_hand = row.begun_at or self.now, True
        return True

    def settle(self, row: PaperOrder, fact: Fact) -> bool:
        """Keep the fact; False when the order is gone."""
        if self.orders.get(row.order.key) is not row:
            return False
        row.settled = True
        del self.orders[row.order.key]  # its key stays taken
        self._see(row.order.mission, fact)
        return True

    def postpone(self, row: PaperOrder, delay: timedelta, because: str = "") -> None:
        """Give it back for later; `because` names lacking capacity."""
        row.in_hand, row.due_at = False, self.now + delay
        if because != row.waits_because:
            row.waits_because, self.woken = because, True
            body = {"order": row.order.key, "capacity": bool(because)}
            reason = because.partition(": ")[0]
            self.tell(EventKind.ORDER_WAITS, {**body, "reason": reason}, row.order.mission)
            self.advance(row.order.mission)

    def say(self, mission: str, fact: PersonSaid) -> None:
        """A person's word on an open mission."""
        if mission in self.missions:
            self._see(mission, fact)

    def answer(self, question: str, *, granted: bool) -> None:
        """Answer an open question."""
        asked = self.questions[question]
        if asked.state == "open":
            asked.state = "granted" if granted else "denied"
            body = {"approval": question, "commit": asked.answer.commit, "granted": granted}
            self.tell(EventKind.APPROVAL_ANSWERED, body, asked.answer.mission)
            asked.answer = replace(asked.answer, granted=granted, approver="alice", at=self.now)
            self.woken = True
            self.advance(asked.answer.mission)

    def change(self, **over: object) -> None:
        """Another shadow, policy, set of sources...: whatever people and settings decide."""
        before = self.world.shadow
        self.world = replace(self.world, **over)  # type: ignore[arg-type]
        self.woken = True
        if self.world.shadow is not before:
            self.tell(EventKind.SHADOW_SET, {"shadow": self.world.shadow})

    def move_need(self, need: str, state: NeedState, reason: str) -> None:
        """A person rejects an open need, opens a closed one, or carried one out."""
        kinds = {NeedState.REJECTED: EventKind.NEED_REJECTED, NeedState.DONE: EventKind.NEED_DONE}
        known = self.needs[need]
        self.moved_at[need] = self.now
        self.needs[need] = replace(known, state=state, not_before=None)
        body = {"need": need, "class": known.mission_class, "reason": reason}
        self.tell(kinds.get(state, EventKind.NEED_REOPENED), body)
        self.woken = True

    def freeze(self, hold: Freeze) -> None:
        """Hold a scope; an open freeze of the scope is extended."""
        self.open_freeze(OpenFreeze(freeze=hold))
        self.woken = True

    def _with_orders(
        self, mission: Mission, rows: list[PaperOrder], mine: list[Question]
    ) -> Mission:
        if not (rows or mine or mission.orders):
            return mission
        orders = tuple(
            OpenOrder(
                key=row.order.key,
                kind=row.order.kind,
                issued_at=row.issued_at,
                begun=row.begun_at is not None,
                begun_at=row.begun_at,
                waits_because=row.waits_because,
                next_try=row.due_at if row.waits_because else None,
                spent=row.spent,
            )
            for row in rows
        )
        known = [q for q in mine if q.state in {"granted", "denied", "used"}]
        asked = {
            (q.answer.commit, q.answer.policy_hash)
            for q in mine
            if q.state in {"open", "granted", "denied", "used"}
        }
        return replace(
            mission,
            orders=orders,
            approvals=tuple(q.answer for q in known),
            asked=frozenset(asked),
        )

    def _see(self, mission: str, fact: Fact) -> None:
        self.woken = True
        body = {"evidence": fact.id, "kind": fact.kind}
        said = {"said": fact.said} if isinstance(fact, PersonSaid) else {}
        self.tell(EventKind.EVIDENCE_SEEN, {**body, **said}, mission)
        if isinstance(fact, RunEnded):
            self.move_money(mission, "spend", fact.cost)
        if (open_ := self.missions.get(mission)) is not None:
            self.alter(mission, facts=(*open_.facts, fact), version=open_.version + 1)

    def _excuse(self) -> None:
        """Count the silence of checks from now that are due, and that nobody was awake to ask."""
        long_ago = self.now - UNASKED
        for row in self.orders.values():
            asking = row.in_hand or row.due_at >= long_ago or not isinstance(row.order, RunCheck)
            if not asking and row.begun_at is not None and row.begun_at < long_ago:
                row.begun_at = self.now

    def _lapse(self) -> None:
        """Void what another policy decided, and questions that ran out or fell with it."""
        policy = self.world.policy_hash
        if policy != self._policy:
            self._policy = policy
            world, budget = self.world, self.world.budget is not None
            body = terms.told(policy, world.spec, world.installation, budget=budget)
            self.tell(EventKind.POLICY_BOUND, body)
            for row in [*self.orders.values()]:
                other = row.order.policy_hash != policy
                if row.order.forward and other and not _followed(row):
                    self.void(row, "another policy")
        self.pending = [asked for asked in self.pending if asked.state in {"open", "granted"}]
        for asked in self.pending:
            other = asked.answer.policy_hash != policy
            if other or asked.answer.expires_at <= self.now:
                asked.state = "void" if other else "expired"
                body = {"approval": asked.answer.id, "state": asked.state}
                self.tell(EventKind.APPROVAL_LAPSED, body, asked.answer.mission)
                self.advance(asked.answer.mission)

    def _issue(
        self, plan: Plan, refused: list[tuple[Record, str]], opened: Collection[str]
    ) -> None:
        denied = {r.approval.mission for r, _ in refused if isinstance(r, UseApproval)}
        self.issued.clear()
        for order in plan.orders:
            gone = order.mission in denied | self.ended.keys()
            never = order.mission in opened and order.mission not in self.missions
            if order.key not in self.keys and not never and not (order.forward and gone):
                self.keys.add(order.key)
                self.orders[order.key] = PaperOrder(order, self.now, self.now)
                self.issued.append(order)
                body = {
                    "order": order.key, "kind": order.kind, "forward": order.forward,
                    "policy_hash": order.policy_hash,
                }  # fmt: skip
                self.tell(EventKind.ORDER_ISSUED, body, order.mission)

    def _next_due(self, plan: Plan, refused: bool) -> datetime | None:  # noqa: FBT001
        rests = [n.not_before for n in self.needs.values() if n.state is NeedState.OPEN]
        times = [at for at in rests if at is not None and at > self.now]
        times += [
            asked.answer.expires_at for asked in self.pending if asked.state in {"open", "granted"}
        ]
        if plan.look_again is not None:
            times.append(plan.look_again)
        if refused:
            later = self.now + _AFTER_REFUSAL
            return max(later, min(times)) if times else later
        return min(times, default=None)


def said(mission: str, word: str, at: datetime) -> PersonSaid:
    """A person's word as a fact."""
    return PersonSaid(
        id=EvidenceId(f"e-{mission}-{word}-{at.isoformat()}"),
        at=at,
        said=word,  # type: ignore[arg-type]
        by="alice",
        reason="said so",
    )


def _place(record: Record, opened: Collection[str]) -> tuple[bool, int]:
    return getattr(record, "mission", None) in opened, _ORDER.index(type(record))


def _owner(record: Record) -> str:
    if isinstance(record, GiveVerdict | AskApproval | Settle | VoidOrder):
        return record.mission
    return record.approval.mission if isinstance(record, UseApproval) else ""


def _unheard_of(row: PaperOrder) -> bool:
    """Whether main may have moved to it, or its agent be at work, and nobody else would know."""
    return row.begun_at is not None and isinstance(row.order, Land | StartRun)


def _followed(row: PaperOrder) -> bool:
    """Whether it is asked about under another policy: it may have happened, unwatched."""
    return row.begun_at is not None and not isinstance(row.order, SetTraffic | Promote)
