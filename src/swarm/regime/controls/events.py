"""Everything that changes the ledger, as values: applying the same ones gives the same ledger."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.regime.controls.order import TradeOrder
from swarm.regime.limits.by_regime import Metrics
from swarm.regime.nouns import Regime, Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An order passed the gate. It counts from here on, sent or not (RTS 6 Article 15(2)).

    mid: the price in ticks at the decision, which its cost is held against; None when unknown.
    """

    order: TradeOrder
    at_ns: int
    mid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """So many lots were traded. execution: the venue's id, which is counted once."""

    order: str
    execution: str
    quantity: int
    price: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Nothing of the order works any more: cancelled, refused, replaced, expired or never there.

    reason: `cancelled`, `refused`, `replaced`, `expired`, `never-arrived`.
    """

    order: str
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Messaged:
    """A message other than a new order went out: a cancellation."""

    venue: str
    symbol: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A venue did not answer an order or a cancellation."""

    venue: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """The reference price of an instrument, in ticks."""

    symbol: str
    price: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSeen:
    """What the venue says about an instrument: in session or not, halted or not."""

    venue: str
    symbol: str
    in_session: bool
    halted: bool
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """So many lots may be borrowed for short sales until then."""

    reference: str
    account: str
    symbol: str
    quantity: int
    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeSeen:
    """The active regime."""

    regime: Regime
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSeen:
    """What was measured."""

    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class RungSet:
    """The rung on which a strategy stands."""

    strategy: str
    rung: Rung
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """A strategy was switched off. latch: the id that a token to switch it on must name."""

    latch: str
    strategy: str
    cause: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReEnabled:
    """A person switched it on again, with a token that is used up by it."""

    latch: str
    nonce: str
    by: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """The kill switch. scope: `*`, or `account:`, `strategy:`, `venue:`, `trader:` and a name."""

    kill: str
    scope: str
    by: str
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KillLifted:
    """A person lifted a kill, with a token that is used up by it."""

    kill: str
    nonce: str
    by: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Our books and the venue's differ: nothing but reducing until a person clears it."""

    broken: str
    venue: str
    detail: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakCleared:
    """A person cleared a break, with a token that is used up by it."""

    broken: str
    nonce: str
    by: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """Nobody can say whether the venue has these orders: only reducing until it is known.

    An empty tuple says that all is known again.
    """

    venue: str
    orders: tuple[str, ...]
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A position in lots that a person accepted from the venues' books.

    price: in ticks; what came or went was worth it then, so that accepting neither wins nor loses.
    """

    account: str
    symbol: str
    position: int
    price: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionUsed:
    """An override let this order out, and is used up by it."""

    order: str
    nonce: str
    at_ns: int


LedgerEvent = (
    Sent | Filled | Closed | Messaged | Unanswered | Marked | StatusSeen | Located | RegimeSeen
    | MetricsSeen | RungSet | Tripped | ReEnabled | Killed | KillLifted | Broken | BreakCleared
    | Doubted | Adopted | ExceptionUsed
)  # fmt: skip
