"""A trading venue: where orders go, and whose books are the truth.

Promises, tested by `swarm.testing.contracts` against every adapter: an order id is taken once,
whoever sends it how often; reports are numbered from 1 without a gap, and asking again gives the
same ones; what was dispatched may be late or lost, so only reports and books say what happened;
`Unreachable` says nothing about whether the request arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from swarm.regime.controls.order import Side, TradeOrder


class ReportKind(StrEnum):
    """What a report says."""

    ACCEPTED = "accepted"  #: the order works
    REJECTED = "rejected"  #: the order will never work
    FILLED = "filled"  #: so many lots were traded
    CANCELLED = "cancelled"  #: the rest of the order works no more
    REPLACED = "replaced"  #: another order took its place
    CANCEL_REJECTED = "cancel-rejected"  #: there was nothing to cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One execution report, also sent as a drop copy to whoever else asks.

    seq:       from 1 without a gap.      execution: the venue's id of a trade, else empty.
    quantity, price: lots and ticks of a trade, else 0.
    remaining: lots that still work after it.
    """

    seq: int
    kind: ReportKind
    order: str
    account: str
    symbol: str
    side: Side
    remaining: int
    at_ns: int
    execution: str = ""
    quantity: int = 0
    price: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """So many requests went out. What came of them stands in the reports."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """We could not ask, or heard no answer. Whether a request arrived is not known."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingAtVenue:
    """An order that works there: lots left, and whose it is."""

    order: str
    account: str
    symbol: str
    side: Side
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAtVenue:
    """Lots that an account holds there; negative is short."""

    account: str
    symbol: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueBooks:
    """What the venue says is so, after the report with this number; 0 before the first."""

    at_ns: int
    seq: int
    working: tuple[WorkingAtVenue, ...]
    positions: tuple[PositionAtVenue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSeen:
    """One instrument as it is traded: best prices and the last one in ticks, None where none is."""

    symbol: str
    bid: int | None
    ask: int | None
    last: int | None
    volume: int
    in_session: bool
    halted: bool
    at_ns: int


class Venue(Protocol):
    """One venue. Needed by: the order path, the kill switch, the monitor, reconciliation."""

    @property
    def name(self) -> str:
        """As limits and permissions name it."""

    async def submit(self, order: TradeOrder) -> Dispatched | Unreachable:
        """Send an order under its own id, or in the place of the one it replaces."""

    async def cancel(self, orders: Sequence[str]) -> Dispatched | Unreachable:
        """Ask for these to be cancelled; one report for each follows."""

    async def cancel_all(self) -> Dispatched | Unreachable:
        """Ask for everything of ours to be cancelled, whether we know of it or not."""

    async def reports(self, after: int) -> tuple[Report, ...] | Unreachable:
        """The reports behind that number, in their order; a reader of its own cursor."""

    async def books(self) -> VenueBooks | Unreachable:
        """Every working order and position of ours, at one instant."""

    async def market(self) -> tuple[MarketSeen, ...] | Unreachable:
        """Every instrument as it is traded now."""
