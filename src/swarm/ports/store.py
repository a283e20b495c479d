"""What the shell needs from a store: serial ticks, orders with a fence, intake, a bell.

The store's clock is the only clock: leases, windows and the snapshot's `now` are its. Every method
may raise `Unavailable`: nothing was decided, and the same call may be made again. Every write is
idempotent, so a caller that never heard the answer repeats the call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from swarm.contract.swarm import SwarmSpec
from swarm.core.decision import Order, Plan, Record
from swarm.core.evidence import Fact
from swarm.core.ids import MissionId, NeedId, SwarmId
from swarm.core.phase import Figures
from swarm.core.snapshot import Installation, Snapshot, WhenSpent
from swarm.ports.reply import Later
from swarm.ports.sources import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetTerms:
    """What an installation binds a budget's name to.

    cap:        micro-units per window.    window: its length; it begins at multiples of it (UTC).
    when_spent: what becomes of agents that are at work when the window is overdrawn.
    """

    name: str
    cap: int
    window: timedelta = timedelta(days=1)
    when_spent: WhenSpent = "finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What one spec's names mean in this installation, and the hash of the policy it makes."""

    installation: Installation
    policy_hash: str
    budget: BudgetTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one tick did, after its commit.

    issued:  orders that are new; one that was issued before is not in it.
    applied: records that were written; one that changed nothing is not in it.
    refused: records that the state of the store did not allow, each with the reason.
    due:     when the swarm is due again by itself; None waits for a wake-up.
    """

    swarm: SwarmId
    namespace: str
    name: str
    at: datetime
    plan: Plan
    issued: tuple[Order, ...] = ()
    applied: tuple[Record, ...] = ()
    refused: tuple[tuple[Record, str], ...] = ()
    voided: tuple[str, ...] = ()
    due: datetime | None = None
    status: Mapping[str, Any] | None = None  #: set when a changed status was written


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """What waits for a controller.

    swarms, orders: whether any is due now.
    wait:           until something is due by itself; None when nothing ever is.
    """

    swarms: bool
    orders: bool
    wait: timedelta | None


BindingOf = Callable[[SwarmId, SwarmSpec], Binding]
Decide = Callable[[Snapshot], Plan]
StatusOf = Callable[[Snapshot, Plan, Figures, Mapping[str, Any]], Mapping[str, Any]]
"""The status after a plan; the last argument is the one that is stored, {} before the first."""


class Ticks(Protocol):
    """One swarm is serial, many run in parallel. Needed by: tick."""

    async def agenda(self, kinds: Sequence[str] | None = None) -> Agenda:
        """What is due, in one read. The poll behind the bell: at most every 15 s when idle."""

    async def tick(
        self,
        decide: Decide,
        binding_of: BindingOf,
        controller: str,
        status_of: StatusOf | None = None,
    ) -> Tick | None:
        """Decide for the swarm that is due the longest and nobody else holds; None if none is.

        `decide` runs inside the transaction and may run again: it must be pure. Call until None:
        a wake-up that arrived meanwhile is due at once.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One order that this controller may carry out until its lease ends.

    fence: grows with every claim of any order; a write with an older one is refused.
    tries: claims so far, this one included; for backing off.
    begun: an earlier claim began it already, here or elsewhere.
    lapsed: it was begun, and could not be begun by now: the swarm's policy is another one, or it is
            a landing, and a freeze or shadow mode came. It may be followed, and pass no gate.
    """

    order: Order
    swarm: SwarmId
    fence: int
    tries: int
    issued_at: datetime
    begun: bool
    lapsed: bool = False


class Orders(Protocol):
    """Orders under lease and fence. Needed by: act."""

    async def claim(
        self, controller: str, limit: int, lease: timedelta, kinds: Sequence[str] | None = None
    ) -> tuple[Claim, ...]:
        """Take due orders, the longest waiting first, of the kinds that this program knows.

        A forward order is never handed out while a freeze covers its class or while its swarm is in
        shadow or deleted; nor when it was decided under another policy than the swarm's present
        one. What was begun may have happened, and somebody must learn it: under another policy it
        is handed out as lapsed, and a landing under a freeze and in shadow too, because nobody
        watches what landed unknown. A share of traffic is never: its mission is watched anyway.
        """

    async def begin(self, claim: Claim) -> None:
        """Check the claim's preconditions once more and mark it begun, right before the port.

        Raises StaleFence, or OrderHeld when a freeze, shadow or another policy came meanwhile; the
        order is then given back.
        """

    async def heartbeat(self, claims: Sequence[Claim], lease: timedelta) -> tuple[Claim, ...]:
        """Extend the leases. Returns the claims that are lost: stop working on them."""

    async def settle(self, claim: Claim, fact: Fact) -> None:
        """Keep the fact, close the order, advance mission and trail, wake the swarm; or nothing.

        Raises StaleFence when somebody else holds the order, or it is settled or voided.
        """

    async def settle_all(self, facts: Sequence[tuple[Claim, Fact]]) -> tuple[Claim, ...]:
        """The same for many in one transaction. Returns the claims whose fence was stale."""

    async def postpone(self, claim: Claim, later: Later) -> None:
        """Give the order back for later, with the reason. Raises StaleFence."""

    async def void(self, claim: Claim) -> None:
        """Take a lapsed order back that did not happen; its key is free again. Wakes the swarm.

        Raises StaleFence.
        """

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give orders back untouched, due at once: this controller is stopping."""

    async def hasten(self, key: str) -> bool:
        """Make a waiting order due at once: its port has news. False when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What one reading brought.

    new:      signals not seen before.     repeated: signals that were known already.
    opened:   needs that are new or open again because of new evidence.
    merged:   signals that joined a need by likeness, not by an equal text.
    """

    new: int = 0
    repeated: int = 0
    opened: tuple[NeedId, ...] = ()
    merged: int = 0
    cited: int = 0  #: citations that are new


class Intake(Protocol):
    """Signals in, needs out. Needed by: discover, normalize."""

    async def cursor(self, swarm: SwarmId, source: str) -> str:
        """Where the next reading of this source begins; "" is the beginning."""

    async def ingest(
        self, swarm: SwarmId, source: str, reading: Reading, after: str | None = None
    ) -> IngestReport:
        """Keep signals, needs and the cursor in one transaction; wake the swarm once.

        after: the cursor the reading began at. When the stored one is another by now, somebody
        else has read on: nothing is written and StaleCursor raised. None does not check.
        """

    async def source_failed(self, swarm: SwarmId, source: str, detail: str) -> bool:
        """Note that a source is dark. True when it was not before (the only case that writes)."""

    async def source_answered(self, swarm: SwarmId, source: str) -> bool:
        """Note that a source answers. True when it was dark before (the only case that writes)."""

    async def saw_drift(self, swarm: SwarmId, drifted: Mapping[str, str]) -> bool:
        """Note what targets run that Git does not say, by target. True when that changed."""


class Missions(Protocol):
    """Which promises still stand. Needed by: the keeper of jobs."""

    async def open_among(self, missions: Sequence[MissionId]) -> frozenset[MissionId]:
        """Those of `missions` that are open and whose swarm is not deleted. Reads only."""


class Bell(Protocol):
    """Hints that something may be due. Needed by: wake."""

    async def ring(self, swarm: SwarmId) -> None:
        """Make a swarm due at once and tell every controller."""

    def listen(self) -> AsyncIterator[str]:
        """Swarm ids that were rung for, as hints; "" means that hints may have been missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying a manifest did."""

    swarm: SwarmId
    created: bool
    changed: bool  #: the meaning of the spec changed
    generation: int
    shadow: bool = False
