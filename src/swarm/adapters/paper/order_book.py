"""One instrument's order book: price, then time. Matching gives trades, nothing else happens."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from swarm.regime.controls.order import Side


@dataclass(slots=True)
class Resting:
    """An order in the book. ours: it belongs to a client, not to the rest of the market."""

    id: str
    account: str
    side: Side
    price: int
    remaining: int
    ours: bool
    number: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """So many lots of a resting order were taken by one that came in, at the resting price."""

    resting: Resting
    quantity: int
    price: int


@dataclass(slots=True)
class OrderBook:
    """Both sides as heaps; an order that was cancelled stays in its heap with nothing left."""

    symbol: str
    last: int | None = None
    volume: int = 0
    halted: bool = False
    in_session: bool = True
    orders: dict[str, Resting] = field(default_factory=dict)
    _sides: dict[Side, list[tuple[int, int, Resting]]] = field(
        default_factory=lambda: {Side.BUY: [], Side.SELL: []}
    )
    _numbers: int = 0

    @property
    def trades(self) -> bool:
        """Whether anything can be matched now."""
        return self.in_session and not self.halted

    def best(self, side: Side) -> Resting | None:
        """The order of this side that is matched next."""
        heap = self._sides[side]
        while heap and not heap[0][2].remaining:
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def add(self, order: Resting) -> list[Match]:
        """Match what can be matched, and let the rest wait. Matches in the order they happen."""
        matches = list(self._match(order)) if self.trades else []
        if order.remaining:
            self._numbers += 1
            order.number = self._numbers
            self.orders[order.id] = order
            # A bid is better when it is higher, so it goes in with its price turned round.
            key = -order.price if order.side is Side.BUY else order.price
            heapq.heappush(self._sides[order.side], (key, order.number, order))
        return matches

    def cancel(self, order_id: str) -> Resting | None:
        """Take an order off; None when it is not there. Gives it with what was left."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return None
        gone = Resting(
            order.id, order.account, order.side, order.price, order.remaining, order.ours
        )
        order.remaining = 0
        return gone

    def _match(self, order: Resting) -> Iterator[Match]:
        while order.remaining:
            best = self.best(order.side.other)
            if best is None or (best.price - order.price) * order.side.sign > 0:
                return
            quantity = min(order.remaining, best.remaining)
            order.remaining -= quantity
            best.remaining -= quantity
            if not best.remaining:
                self.orders.pop(best.id, None)
            self.last = best.price
            self.volume += quantity
            yield Match(best, quantity, best.price)
