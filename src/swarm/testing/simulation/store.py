"""A store for several controllers, on paper: leases, fences, budget windows, intake, a bell.

Keeps the promises of `ports.store` (the same contract suite holds it and Postgres), in memory and
under any clock. Every method here is one transaction: it happens whole, at one instant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from swarm.contract.errors import Refused, Unavailable
from swarm.contract.profiles import profile_of
from swarm.contract.swarm import SwarmSpec
from swarm.core.evidence import Fact
from swarm.core.history.journal import Grip
from swarm.core.ids import SwarmId
from swarm.core.phase import Figures
from swarm.core.snapshot import Budget, Installation, Snapshot
from swarm.ports.reply import Later
from swarm.ports.store import Agenda, BindingOf, BudgetTerms, Claim, Decide, StatusOf, Tick
from swarm.testing.paper import PaperStore
from swarm.testing.paper_rows import PaperOrder
from swarm.testing.simulation.backlog import PaperBacklog

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
NO_FIGURES = Figures(
    discoveries_24h=0,
    missions_24h=0,
    success_24h=None,
    last_production_change=None,
    last_discover_at=None,
)


@dataclass(slots=True, kw_only=True)
class Kept:
    """One swarm in the store."""

    paper: PaperStore
    backlog: PaperBacklog
    namespace: str
    name: str
    status: Mapping[str, Any] = field(default_factory=dict)
    woken_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class TwinStore:
    """All swarms of one simulated database.

    stamp: when a fence was given out last, in microseconds; it only grows.
    fenced, held_back: defence layers that can be switched off, to see whether their absence shows:
    the fence, and the second look at freeze, shadow and policy when an order is begun.
    grips: every fence that was given out or accepted.    on_bell: called with each swarm rung for.
    seen:  how often something rare was met.    on_claim: called when a swarm's order was claimed,
    before anybody else can do anything: the moment at which a freeze is the hardest to heed.
    """

    clock: Callable[[], datetime]
    stamp: int = 0
    swarms: dict[SwarmId, Kept] = field(default_factory=dict)
    down: bool = False
    fenced: bool = True
    held_back: bool = True
    grips: list[Grip] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    on_bell: list[Callable[[str], None]] = field(default_factory=list)
    on_claim: list[Callable[[SwarmId], None]] = field(default_factory=list)

    def add(self, swarm: SwarmId, spec: SwarmSpec, *, namespace: str, name: str) -> Kept:
        """A swarm that was just applied; its binding is filled in at its first tick."""
        snapshot = Snapshot(
            now=self.clock(),
            swarm=swarm,
            generation=1,
            spec=spec,
            installation=Installation(),
            policy_hash="",
            held_to=profile_of(spec.domains, {}).thresholds,
        )
        paper = PaperStore(world=snapshot, now=self.clock(), decide=_never)
        kept = Kept(paper=paper, backlog=PaperBacklog(paper), namespace=namespace, name=name)
        kept.woken_at = self.clock()
        self.swarms[swarm] = kept
        return kept

    def at(self, swarm: SwarmId) -> PaperStore:
        """The rows of one swarm, with the clock set; raises Unavailable."""
        self._reached()
        paper = self.swarms[swarm].paper
        paper.now = self.clock()
        return paper

    def every(self) -> list[tuple[SwarmId, PaperStore]]:
        """All swarms, in the order in which they were added."""
        self._reached()
        now, found = self.clock(), []
        for swarm, kept in self.swarms.items():
            kept.paper.now = now
            found.append((swarm, kept.paper))
        return found

    def _reached(self) -> None:
        if self.down:
            raise Unavailable("the database cannot be reached")

    # --- ticks -----------------------------------------------------------------------------------

    def agenda(self) -> Agenda:
        """What is due, in one read."""
        swarms = orders = False
        self._reached()
        now, ahead = self.clock(), list[datetime]()
        for kept in self.swarms.values():
            paper = kept.paper
            paper.now = now
            swarms = swarms or paper.is_due()
            if paper.due is not None and paper.due > now:
                ahead.append(paper.due)
            for row in paper.orders.values():
                if row.due_at > now:
                    ahead.append(row.due_at)
                elif not orders:
                    orders = paper.may(row)
        wait = min(ahead) - now if ahead else None
        return Agenda(swarms=swarms, orders=orders, wait=wait)

    def tick(
        self, decide: Decide, binding_of: BindingOf, status_of: StatusOf | None = None
    ) -> Tick | None:
        """Decide for the swarm that is due the longest; None if none is."""
        due = [(self._since(swarm), swarm) for swarm, paper in self.every() if paper.is_due()]
        if not due:
            return None
        swarm = min(due)[1]
        kept = self.swarms[swarm]
        paper = kept.paper
        binding = binding_of(swarm, paper.world.spec)
        if paper.world.policy_hash != binding.policy_hash:
            bound = {"installation": binding.installation, "policy_hash": binding.policy_hash}
            paper.world = replace(paper.world, **bound)  # type: ignore[arg-type]
        paper.turn_window(window_of(binding.budget, paper.now))
        paper.decide = decide
        before, voided = len(paper.refused), set(paper.orders)
        try:
            plan = paper.tick()
        except Exception:
            paper.woken = True  # a transaction that fails answers no wake-up
            raise
        kept.woken_at = None
        self.seen.update(reason for _, reason, _ in plan.selected)
        self.seen[f"idle {plan.idle_reason.partition(':')[0]}"] += 1
        self.seen["order voided"] += len(voided - set(paper.orders))
        status = None
        moved = plan.records or plan.orders or plan.standings
        if status_of is not None and paper.seen is not None and moved:
            status = status_of(paper.seen, plan, NO_FIGURES, kept.status)
            kept.status = status
        return Tick(
            swarm=swarm,
            namespace=kept.namespace,
            name=kept.name,
            at=paper.now,
            plan=plan,
            issued=tuple(paper.issued),
            applied=tuple(paper.applied),
            refused=tuple(paper.refused[before:]),
            voided=tuple(sorted(voided - set(paper.orders))),
            due=paper.due,
            status=status,
        )

    def _since(self, swarm: SwarmId) -> datetime:
        kept = self.swarms[swarm]
        times = (kept.woken_at, kept.paper.due)
        return min((at for at in times if at is not None), default=EPOCH)

    # --- orders ----------------------------------------------------------------------------------

    def claim(self, controller: str, limit: int, lease: timedelta) -> tuple[Claim, ...]:
        """Take due orders, the longest waiting first."""
        due = [
            (row.due_at, row.order.key, swarm, row)
            for swarm, paper in self.every()
            for row in paper.claimable()
        ]
        taken = sorted(due, key=lambda one: one[:2])[:limit]
        found = [self._take(controller, swarm, row, lease) for _, _, swarm, row in taken]
        for listener in self.on_claim:
            for swarm in dict.fromkeys(claim.swarm for claim in found):
                listener(swarm)
        return tuple(sorted(found, key=lambda claim: claim.issued_at))

    def _take(self, controller: str, swarm: SwarmId, row: PaperOrder, lease: timedelta) -> Claim:
        self._fence(row)
        row.tries, row.owner, row.due_at = row.tries + 1, controller, self.clock() + lease
        self._grip(row, "claimed", row.fence)
        return Claim(
            order=row.order,
            swarm=swarm,
            fence=row.fence,
            tries=row.tries,
            issued_at=row.issued_at,
            begun=row.begun_at is not None,
            lapsed=self.swarms[swarm].paper.lapsed(row),
        )

    def begin(self, claim: Claim) -> None:
        """Check the preconditions once more. Raises Refused: held back, or taken over."""
        paper, row = self._mine(claim)
        lapsed_since = paper.lapsed(row) and not claim.lapsed
        if self.held_back and (lapsed_since or not paper.may(row)):
            row.due_at, row.owner = paper.now, ""
            self._fence(row)
            self.seen["held back when begun"] += 1
            raise Refused(f"{claim.order.key}: a freeze, shadow mode or another policy holds it")
        self._grip(row, "begun", claim.fence)
        row.begun_at = row.begun_at or paper.now

    def may_begin(self, key: str) -> bool:
        """Whether nothing holds a begun order back by now."""
        for twin in self.swarms.values():
            if (row := twin.paper.orders.get(key)) is not None:
                return not (self.held_back and row.order.forward and twin.paper.held(row))
        return False

    def heartbeat(self, claims: Sequence[Claim], lease: timedelta) -> tuple[Claim, ...]:
        """Extend the leases; the claims that are lost come back."""
        lost = []
        for claim in claims:
            try:
                paper, row = self._mine(claim, writes=False)
            except Refused:
                self.seen["lease lost"] += 1
                lost.append(claim)
            else:
                row.due_at = paper.now + lease
        return tuple(lost)

    def settle(self, claim: Claim, fact: Fact) -> None:
        """Keep the fact and close the order. Raises Refused."""
        paper, row = self._mine(claim)
        self._grip(row, "settled", claim.fence)
        paper.settle(row, fact)
        self._woken(claim.swarm)

    def postpone(self, claim: Claim, later: Later) -> None:
        """Give the order back for later. Raises Refused."""
        paper, row = self._mine(claim)
        before = row.waits_because.partition(": ")[0]
        row.owner, row.spent = "", max(row.spent, later.spent)
        self._fence(row)
        because = f"{later.reason}: {later.detail}" if later.capacity else ""
        if later.capacity and before == later.reason:
            row.waits_because = because  # only another reason is news
        paper.postpone(row, later.delay, because)

    def void(self, claim: Claim) -> None:
        """Take a lapsed order back that did not happen. Raises Refused."""
        paper, row = self._mine(claim)
        paper.void(row)
        self.seen["begun order voided"] += 1
        paper.woken = True
        self._woken(claim.swarm)

    def release(self, claims: Iterable[Claim]) -> None:
        """Give orders back untouched; lost ones are left alone."""
        for claim in claims:
            try:
                paper, row = self._mine(claim, writes=False)
            except Refused:
                continue
            row.due_at, row.owner = paper.now, ""
            self._fence(row)

    def hasten(self, key: str) -> bool:
        """Make a waiting order due at once."""
        for _, paper in self.every():
            row = paper.orders.get(key)
            if row is not None and not row.owner and row.due_at > paper.now:
                row.due_at = paper.now
                return True
        return False

    def _mine(self, claim: Claim, *, writes: bool = True) -> tuple[PaperStore, PaperOrder]:
        paper = self.at(claim.swarm)
        row = paper.orders.get(claim.order.key)
        if row is None or (self.fenced and row.fence != claim.fence):
            self.seen["stale fence refused"] += writes and row is not None
            raise Refused(f"{claim.order.key}: fence {claim.fence} is not the newest any more")
        return paper, row

    def _fence(self, row: PaperOrder) -> None:
        """Let no earlier holder write.

        No two transactions of a real database happen at one microsecond, as instant calls may here:
        an order that was voided and issued again in between has a higher fence there too.
        """
        self.stamp = max(self.stamp + 1, (self.clock() - EPOCH) // _MICROSECOND)
        row.fence = self.stamp

    def _grip(self, row: PaperOrder, what: str, fence: int) -> None:
        self.grips.append(Grip(self.clock(), row.order.key, fence, what))

    # --- wake-ups --------------------------------------------------------------------------------

    def ring(self, swarm: SwarmId) -> None:
        """Make a swarm due at once and tell every controller."""
        self.at(swarm).woken = True
        self._woken(swarm)
        for listener in self.on_bell:
            listener(swarm)

    def _woken(self, swarm: SwarmId) -> None:
        """Note since when. No bell: whoever settles knows it, and others look by themselves."""
        kept = self.swarms[swarm]
        kept.woken_at = kept.woken_at or self.clock()


def window_of(terms: BudgetTerms | None, now: datetime) -> Budget | None:
    """The untouched budget window that holds `now`; None where no budget is bound."""
    if terms is None:
        return None
    start = EPOCH + ((now - EPOCH) // terms.window) * terms.window
    ends = start + terms.window
    return Budget(
        name=terms.name, cap=terms.cap, reserved=0, spent=0, window_ends=ends,
        when_spent=terms.when_spent,
    )  # fmt: skip


def _never(_: Snapshot) -> Any:
    raise AssertionError("a swarm was ticked without a decide")
