"""The paper venue itself: requests arrive late, are matched, and are reported under numbers.

It has no clock: every call says what time it is, and time never goes back. Everything that is
chance is keyed by the seed, so that a run can be had again to the bit.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from swarm.adapters.paper.order_book import OrderBook, Resting
from swarm.adapters.paper.rules import PaperRules
from swarm.ports.venue import (
    MarketSeen,
    PositionAtVenue,
    Report,
    ReportKind,
    VenueBooks,
    WorkingAtVenue,
)
from swarm.regime.controls.order import Side, TradeOrder


@dataclass(order=True, slots=True)
class _Arrival:
    at_ns: int
    number: int
    act: Callable[[int], None] = field(compare=False)


class PaperExchange:
    """One venue. Everything that a client may ask is a method; so is what the market does."""

    def __init__(self, symbols: Iterable[str], rules: PaperRules | None = None) -> None:
        self.rules = rules or PaperRules()
        self.books = {symbol: OrderBook(symbol) for symbol in symbols}
        self.reports: list[Report] = []
        self.now_ns = 0
        self._taken: dict[str, TradeOrder] = {}
        self._positions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._coming: list[_Arrival] = []
        self._numbers = itertools.count(1)
        self._trades = itertools.count(1)
        self._asked = itertools.count(1)

    # ------------------------------------------------------------------------------- for a client

    def submit(self, order: TradeOrder, now_ns: int) -> bool:
        """Send an order; False when the sender hears nothing back."""
        return self._send(f"submit\0{order.id}", now_ns, lambda at: self._take(order, at))

    def cancel(self, order_id: str, now_ns: int) -> bool:
        """Ask for a cancellation; False when the sender hears nothing back."""
        key = f"cancel\0{order_id}\0{next(self._asked)}"
        return self._send(key, now_ns, lambda at: self._cancel(order_id, at))

    def cancel_all(self, now_ns: int) -> bool:
        """Ask for everything to be cancelled; False when the sender hears nothing back."""
        return self._send(f"all\0{next(self._asked)}", now_ns, self._cancel_all)

    def reachable(self, now_ns: int) -> bool:
        """Whether reading is possible now."""
        self.advance(now_ns)
        return not self.rules.out(self.now_ns)

    def books_now(self) -> VenueBooks:
        """Every working order and position of clients."""
        working = [
            WorkingAtVenue(
                order=order.id, account=order.account, symbol=book.symbol, side=order.side,
                remaining=order.remaining,
            )
            for book in self.books.values()
            for order in book.orders.values()
            if order.ours
        ]  # fmt: skip
        positions = [
            PositionAtVenue(account=account, symbol=symbol, position=lots)
            for (account, symbol), lots in sorted(self._positions.items())
            if lots
        ]
        return VenueBooks(
            at_ns=self.now_ns,
            seq=len(self.reports),
            working=tuple(sorted(working, key=lambda one: one.order)),
            positions=tuple(positions),
        )

    def market(self) -> tuple[MarketSeen, ...]:
        """Every instrument now."""
        seen = []
        for book in self.books.values():
            bid, ask = book.best(Side.BUY), book.best(Side.SELL)
            seen.append(
                MarketSeen(
                    symbol=book.symbol,
                    bid=bid.price if bid else None,
                    ask=ask.price if ask else None,
                    last=book.last,
                    volume=book.volume,
                    in_session=book.in_session,
                    halted=book.halted,
                    at_ns=self.now_ns,
                )
            )
        return tuple(seen)

    # ----------------------------------------------------------------------------- for the market

    def quote(self, symbol: str, side: Side, price: int, quantity: int, now_ns: int) -> str:
        """Somebody else's order; gives its id. It arrives at once, and may trade with ours."""
        self.advance(now_ns)
        id_ = f"market-{next(self._asked)}"
        self._match(symbol, Resting(id_, "", side, price, quantity, ours=False), self.now_ns)
        return id_

    def withdraw(self, symbol: str, quote: str, now_ns: int) -> None:
        """Somebody else's order is gone."""
        self.advance(now_ns)
        self.books[symbol].cancel(quote)

    def halt(self, symbol: str, now_ns: int, *, halted: bool = True) -> None:
        """Stop matching an instrument, or go on; orders stay, new ones are rejected."""
        self.advance(now_ns)
        self.books[symbol].halted = halted

    def session(self, now_ns: int, *, is_open: bool) -> None:
        """Open or close every instrument."""
        self.advance(now_ns)
        for book in self.books.values():
            book.in_session = is_open

    def advance(self, now_ns: int) -> None:
        """Let everything arrive that is due by then, in the order in which it arrives."""
        while self._coming and self._coming[0].at_ns <= now_ns:
            arrival = heapq.heappop(self._coming)
            self.now_ns = max(self.now_ns, arrival.at_ns)
            arrival.act(self.now_ns)
        self.now_ns = max(self.now_ns, now_ns)

    # ------------------------------------------------------------------------------------- inside

    def _send(self, key: str, now_ns: int, act: Callable[[int], None]) -> bool:
        self.advance(now_ns)
        if self.rules.out(self.now_ns) or self.rules.chance("lost", key) < self.rules.lost_ppm:
            return False
        due = self.rules.arrival(key, self.now_ns)
        heapq.heappush(self._coming, _Arrival(due, next(self._numbers), act))
        self.advance(now_ns)
        return self.rules.chance("unheard", key) >= self.rules.unheard_ppm

    def _take(self, order: TradeOrder, at_ns: int) -> None:
        if order.id in self._taken:
            return  # the id was taken before: whoever sends it again gets no second order
        self._taken[order.id] = order
        if (why := self._why_not(order)) is not None:
            self._report(ReportKind.REJECTED, order, 0, at_ns, detail=why)
            return
        if order.replaces:
            old = self.books[order.symbol].cancel(order.replaces)
            if old is None:
                self._report(ReportKind.REJECTED, order, 0, at_ns, detail="nothing to replace")
                return
            self._report(ReportKind.REPLACED, self._taken[old.id], 0, at_ns)
        self._report(ReportKind.ACCEPTED, order, order.quantity, at_ns)
        resting = Resting(
            order.id, order.account, order.side, order.price, order.quantity, ours=True
        )
        self._match(order.symbol, resting, at_ns)

    def _why_not(self, order: TradeOrder) -> str | None:
        book = self.books.get(order.symbol)
        if book is None:
            return f"{order.symbol} is not traded here"
        if not book.in_session:
            return "out of session"
        if book.halted:
            return f"{order.symbol} is halted"
        if order.quantity <= 0:
            return "no quantity"
        if self.rules.chance("reject", order.id) < self.rules.reject_ppm:
            return "rejected by the venue"
        return None

    def _match(self, symbol: str, coming: Resting, at_ns: int) -> None:
        before = coming.remaining
        for match in self.books[symbol].add(coming):
            before -= match.quantity
            trade = f"t-{next(self._trades)}"
            for one, left in ((match.resting, match.resting.remaining), (coming, before)):
                if one.ours:
                    self._positions[one.account, symbol] += one.side.sign * match.quantity
                    self._report(
                        ReportKind.FILLED, self._taken[one.id], left, at_ns,
                        execution=trade, quantity=match.quantity, price=match.price,
                    )  # fmt: skip

    def _cancel(self, order_id: str, at_ns: int) -> None:
        order = self._taken.get(order_id)
        if order is None or (book := self.books.get(order.symbol)) is None:
            return  # an id that never came: there is nobody to tell
        gone = book.cancel(order_id)
        kind = ReportKind.CANCELLED if gone else ReportKind.CANCEL_REJECTED
        self._report(kind, order, 0, at_ns, detail="" if gone else "it works no more")

    def _cancel_all(self, at_ns: int) -> None:
        for book in self.books.values():
            for order in [one for one in book.orders.values() if one.ours]:
                self._cancel(order.id, at_ns)

    def _report(
        self, kind: ReportKind, order: TradeOrder, remaining: int, at_ns: int, **more: object
    ) -> None:
        self.reports.append(
            Report(
                seq=len(self.reports) + 1,
                kind=kind,
                order=order.id,
                account=order.account,
                symbol=order.symbol,
                side=order.side,
                remaining=remaining,
                at_ns=at_ns,
                **more,  # type: ignore[arg-type]
            )
        )
