"""What trading costs and loses, measured from its own events. Controls 11 and 15.

The gate holds these against the limits of the regime before each order, and the monitor beside it.
The same events give the same measures: a restart replays what was recorded, so that it hides no
breach. The day's opening equity is told to it.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from swarm.regime.controls.books import FIRM
from swarm.regime.controls.events import (
    Adopted,
    Closed,
    Filled,
    LedgerEvent,
    Marked,
    Sent,
    Unanswered,
)
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import TradeOrder
from swarm.regime.limits.by_regime import Metrics
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.instrument import DAY, PPM, SECOND
from swarm.regime.nouns import Regime

LEAST: Final = 20
"""Shares of orders and requests are of so many at least: one refusal among two says nothing."""
LATEST: Final = 60 * SECOND
"""A price that comes so long after it was due shows what the market did, not what we left."""


@dataclass(frozen=True, slots=True)
class _Trade:
    """A fill whose impact shows later. mid: ticks when the order was decided."""

    due_ns: int
    order: TradeOrder
    quantity: int
    mid: int


@dataclass(slots=True, kw_only=True)
class Measures:
    """Sums over a sliding window, by second, and what positions have cost.

    capital:   money in micro-units that everything began with.
    window_ns: of slippage, impact, refusals and errors.    settle_ns: from a fill to its impact.
    day, opening: the day (since 1970, UTC) and the equity that it opened with, micro-units.
    """

    capital: int = 0
    window_ns: int = 3_600 * SECOND
    settle_ns: int = 5 * SECOND
    day: int = -1
    opening: int = 0
    _mids: dict[str, int] = field(init=False, default_factory=dict)
    _decided: dict[str, int] = field(init=False, default_factory=dict)
    _waiting: deque[_Trade] = field(init=False, default_factory=deque)
    _seconds: deque[tuple[int, Counter[str]]] = field(init=False, default_factory=deque)
    _sums: Counter[str] = field(init=False, default_factory=Counter)
    _held: Counter[str] = field(init=False, default_factory=Counter)
    _spent: Counter[str] = field(init=False, default_factory=Counter)  # ticks times lots

    def take_in(self, event: LedgerEvent, ledger: Ledger) -> None:
        """One event that the ledger has taken in and had not before."""
        if isinstance(event, Marked):
            self._marked(event)
        elif isinstance(event, Sent):
            self._count(event.at_ns, sent=1)
            if event.mid is not None:
                self._decided[event.order.id] = event.mid
        elif isinstance(event, Filled):
            self._filled(event, ledger.orders[event.order].order)
        elif isinstance(event, Closed) and event.reason == "refused":
            self._count(event.at_ns, refused=1)
        elif isinstance(event, Unanswered):
            self._count(event.at_ns, failed=1)
        elif isinstance(event, Adopted):
            cells = ledger.accounts.cells.items()
            held = sum(cell.held for (_, symbol), cell in cells if symbol == event.symbol)
            self._spent[event.symbol] += (held - self._held[event.symbol]) * event.price
            self._held[event.symbol] = held
        if isinstance(event, Filled | Closed) and ledger.orders[event.order].closed:
            self._decided.pop(event.order, None)

    def asked(self, at_ns: int) -> None:
        """One order or cancellation to a venue, answered or not."""
        self._count(at_ns, asked=1)

    def settles(self, event: Marked) -> bool:
        """Whether this price shows what a trade of ours left."""
        return any(
            one.order.symbol == event.symbol and one.due_ns <= event.at_ns <= one.due_ns + LATEST
            for one in self._waiting
        )

    def equity(self, limits: LimitsInForce) -> int | None:
        """Capital and what positions have made since; None while something held has no price."""
        total = self.capital
        for symbol in self._spent.keys() | self._held.keys():
            held, instrument = self._held[symbol], limits.instruments.get(symbol)
            if instrument is None or (held and symbol not in self._mids):
                return None
            total += (held * self._mids.get(symbol, 0) - self._spent[symbol]) * (
                instrument.tick_value
            )
        return total

    def metrics(self, ledger: Ledger, limits: LimitsInForce, regime: Regime, now: int) -> Metrics:
        """Everything as it is now (nanoseconds). A cost below zero is no cost."""
        self._expire(now)
        sums = self._sums
        unvalued = bool(ledger.accounts.unvalued())
        return Metrics(
            at_ns=now,
            drawdown_ppm=self._drawdown(limits, now),
            exposure=None if unvalued else ledger.accounts.totals.get(FIRM, 0),
            concentration_ppm=None if unvalued else concentration(ledger, limits, regime),
            slippage_ppm=_share(sums["cost"], sums["base"]),
            impact_ppm=_share(sums["moved"], sums["moved_base"]),
            rejects_ppm=_share(sums["refused"], max(LEAST, sums["sent"], sums["refused"])),
            errors_ppm=_share(sums["failed"], max(LEAST, sums["asked"], sums["failed"])),
        )

    def _drawdown(self, limits: LimitsInForce, now_ns: int) -> int | None:
        equity = self.equity(limits)
        if equity is None:
            return None
        today = now_ns // DAY
        if today > self.day:
            # Whoever does not know what today opened with may have lost already: no less than
            # the capital counts.
            self.opening = max(equity, self.capital) if self.day < 0 else equity
            self.day = today
        elif today < self.day:
            # A clock that was set back opens no day: what was lost stays lost.
            self.opening = max(equity, self.opening)
        if self.opening <= 0:
            return PPM
        return max(0, self.opening - equity) * PPM // self.opening

    def _marked(self, event: Marked) -> None:
        self._mids[event.symbol] = event.price
        left: deque[_Trade] = deque()
        for trade in self._waiting:
            if trade.order.symbol != event.symbol or trade.due_ns > event.at_ns:
                left.append(trade)
                continue
            if event.at_ns > trade.due_ns + LATEST:
                continue
            moved = trade.order.side.sign * (event.price - trade.mid) * trade.quantity
            self._count(event.at_ns, moved=moved, moved_base=abs(trade.mid) * trade.quantity)
        self._waiting = left

    def _filled(self, event: Filled, order: TradeOrder) -> None:
        signed = order.side.sign * event.quantity
        self._held[order.symbol] += signed
        self._spent[order.symbol] += signed * event.price
        mid = self._decided.get(order.id)
        if mid is None:
            return  # nobody knew the price when it was decided
        self._count(event.at_ns, cost=signed * (event.price - mid), base=abs(mid) * event.quantity)
        due = event.at_ns + self.settle_ns
        self._waiting.append(_Trade(due, order, event.quantity, mid))

    def _count(self, at_ns: int, **more: int) -> None:
        second = at_ns // SECOND
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, Counter()))
            self._expire(at_ns)
        # What comes a little late counts in the newest second: it leaves the window no sooner.
        self._seconds[-1][1].update(more)
        self._sums.update(more)

    def _expire(self, now_ns: int) -> None:
        since = (now_ns - self.window_ns) // SECOND
        while self._seconds and self._seconds[0][0] < since:
            self._sums.subtract(self._seconds.popleft()[1])


def concentration(ledger: Ledger, limits: LimitsInForce, regime: Regime) -> int:
    """The largest instrument as a share of the regime's exposure limit, ppm."""
    totals = ledger.accounts.totals.items()
    largest = max((total for scope, total in totals if scope[0] == "symbol"), default=0)
    allowed = limits.regimes[regime].exposure
    return largest * PPM // allowed if allowed else (PPM + 1 if largest else 0)


def _share(part: int, whole: int) -> int:
    return max(0, part) * PPM // whole if whole else 0
