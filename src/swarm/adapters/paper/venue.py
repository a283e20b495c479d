"""`ports.venue.Venue` on a paper exchange in the same process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarm.adapters.paper.exchange import PaperExchange
from swarm.ports.venue import Dispatched, MarketSeen, Report, Unreachable, VenueBooks
from swarm.regime.controls.order import TradeOrder

_SILENT = Unreachable(detail="the venue does not answer")


class PaperVenue:
    """One client of the exchange. clock: integer nanoseconds, the caller's."""

    def __init__(self, name: str, exchange: PaperExchange, clock: Callable[[], int]) -> None:
        self._name = name
        self._exchange = exchange
        self._clock = clock

    @property
    def name(self) -> str:
        """As limits and permissions name it."""
        return self._name

    async def submit(self, order: TradeOrder) -> Dispatched | Unreachable:
        """Send an order under its own id."""
        return Dispatched(count=1) if self._exchange.submit(order, self._clock()) else _SILENT

    async def cancel(self, orders: Sequence[str]) -> Dispatched | Unreachable:
        """Ask for these to be cancelled, one request each."""
        now = self._clock()
        heard = [self._exchange.cancel(order, now) for order in orders]
        return Dispatched(count=len(orders)) if all(heard) else _SILENT

    async def cancel_all(self) -> Dispatched | Unreachable:
        """Ask for everything of ours to be cancelled."""
        return Dispatched(count=1) if self._exchange.cancel_all(self._clock()) else _SILENT

    async def reports(self, after: int) -> tuple[Report, ...] | Unreachable:
        """The reports behind that number."""
        if not self._exchange.reachable(self._clock()):
            return _SILENT
        return tuple(self._exchange.reports[max(0, after) :])

    async def books(self) -> VenueBooks | Unreachable:
        """Working orders and positions."""
        return self._exchange.books_now() if self._exchange.reachable(self._clock()) else _SILENT

    async def market(self) -> tuple[MarketSeen, ...] | Unreachable:
        """Every instrument now."""
        return self._exchange.market() if self._exchange.reachable(self._clock()) else _SILENT
