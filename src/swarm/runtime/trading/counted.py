"""A venue whose unanswered orders and cancellations are counted: their share is a limit.

Readings are not: they are asked for many times a second, so that any outage would fill the share
with them for as long as it looks back; a venue that cannot be read is held to the age of its word.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from swarm.ports.venue import Dispatched, MarketSeen, Report, Unreachable, Venue, VenueBooks
from swarm.regime.controls.order import TradeOrder

T = TypeVar("T")


class CountedVenue:
    """Another venue. told: by name, of each order and cancellation; True: nobody answered."""

    def __init__(self, venue: Venue, told: Callable[[str, bool], None]) -> None:
        self._venue = venue
        self._told = told

    @property
    def name(self) -> str:
        """As limits and permissions name it."""
        return self._venue.name

    async def submit(self, order: TradeOrder) -> Dispatched | Unreachable:
        """Send an order under its own id."""
        return await self._counted(self._venue.submit(order))

    async def cancel(self, orders: Sequence[str]) -> Dispatched | Unreachable:
        """Ask for these to be cancelled."""
        return await self._counted(self._venue.cancel(orders))

    async def cancel_all(self) -> Dispatched | Unreachable:
        """Ask for everything of ours to be cancelled."""
        return await self._counted(self._venue.cancel_all())

    async def reports(self, after: int) -> tuple[Report, ...] | Unreachable:
        """The reports behind that number."""
        return await self._venue.reports(after)

    async def books(self) -> VenueBooks | Unreachable:
        """Working orders and positions."""
        return await self._venue.books()

    async def market(self) -> tuple[MarketSeen, ...] | Unreachable:
        """Every instrument now."""
        return await self._venue.market()

    async def _counted(self, request: Awaitable[T]) -> T:
        said = await request
        self._told(self.name, isinstance(said, Unreachable))
        return said
