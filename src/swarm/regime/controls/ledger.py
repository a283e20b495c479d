"""The ledger: all that the gate may know, made from events alone.

Mutable on purpose, and in one way only: `apply`. The same events in the same order give the same
ledger, so a restart replays them. The gate reads it and never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swarm.regime.controls import events as happened
from swarm.regime.controls.books import Books
from swarm.regime.controls.errors import LedgerContradiction
from swarm.regime.controls.order import Side, TradeOrder, order_hash
from swarm.regime.controls.windows import Beats, Extremes
from swarm.regime.limits.by_regime import Metrics
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.instrument import DAY, SECOND, Instrument
from swarm.regime.nouns import Regime, Rung

Sameness = tuple[str, str, Side, int, int]
"""What makes two orders say the same: account, symbol, side, quantity, price."""

_PRUNE_AT = 10_000  #: recent orders that are remembered before old ones are looked for


@dataclass(slots=True)
class Entry:
    """An order that passed the gate: lots that still work, and why it is closed."""

    order: TradeOrder
    hash: str
    remaining: int
    closed: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """A reference price in ticks, and its time."""

    ticks: int
    at_ns: int


def sameness(order: TradeOrder) -> Sameness:
    """What a near duplicate shares."""
    return order.account, order.symbol, order.side, order.quantity, order.price


class Ledger:
    """What is known at this moment. Read by the gate, changed by `apply` and `hold_against`."""

    def __init__(self) -> None:
        self.limits_hash = ""
        self.accounts = Books("account")
        self.strategies = Books("strategy")
        self.orders: dict[str, Entry] = {}
        self.working: dict[str, Entry] = {}
        self.prices: dict[str, Price] = {}
        self.extremes: defaultdict[str, Extremes] = defaultdict(Extremes)
        self.status: dict[tuple[str, str], happened.StatusSeen] = {}
        self.located: dict[str, happened.Located] = {}
        self.regime: tuple[Regime, int] | None = None
        self.metrics: Metrics | None = None
        self.rungs: dict[str, Rung] = {}
        self.strategy_venues: defaultdict[str, set[str]] = defaultdict(set)
        self.latches: dict[str, happened.Tripped] = {}
        self.kills: dict[str, happened.Killed] = {}
        self.lifted: set[str] = set()
        self.breaks: dict[str, happened.Broken] = {}
        self.doubts: dict[str, tuple[str, ...]] = {}
        self.symbol_beats: defaultdict[str, Beats] = defaultdict(Beats)
        self.venue_beats: defaultdict[str, Beats] = defaultdict(Beats)
        self.applications: defaultdict[tuple[str, str, Side], Beats] = defaultdict(Beats)
        self.recent: dict[Sameness, tuple[int, str]] = {}
        self.nonces: set[str] = set()
        self._executions: set[tuple[str, str]] = set()
        self._instruments: dict[str, Instrument] = {}
        self._limits: LimitsInForce | None = None
        self._apply: dict[type, Callable[..., None]] = {
            happened.Sent: self._sent,
            happened.Filled: self._filled,
            happened.Closed: self._closed,
            happened.Messaged: self._messaged,
            happened.Unanswered: self._unanswered,
            happened.Marked: self._marked,
            happened.StatusSeen: self._status_seen,
            happened.Located: self._located,
            happened.RegimeSeen: self._regime_seen,
            happened.MetricsSeen: self._metrics_seen,
            happened.RungSet: self._rung_set,
            happened.Tripped: self._tripped,
            happened.ReEnabled: self._re_enabled,
            happened.Killed: self._killed,
            happened.KillLifted: self._kill_lifted,
            happened.Broken: self._broken,
            happened.BreakCleared: self._break_cleared,
            happened.Doubted: self._doubted,
            happened.Adopted: self._adopted,
            happened.ExceptionUsed: self._exception_used,
        }

    def apply(self, event: happened.LedgerEvent) -> None:
        """Take one event in, whole or not at all. Raises LedgerContradiction.

        What was taken in before (a fill of that execution, a close of a closed order) changes
        nothing.
        """
        self._apply[type(event)](event)

    def replay(self, events: Iterable[happened.LedgerEvent]) -> None:
        """Take many in, in their order."""
        for event in events:
            self.apply(event)

    def hold_against(self, limits: LimitsInForce) -> None:
        """Value everything by these limits from now on; the gate refuses to mix two sets.

        Cost: one pass over the instruments; called when a set comes into force, not for an order.
        """
        self._limits, self.limits_hash = limits, limits.hash
        self._instruments = dict(limits.instruments)
        for symbol in {symbol for _, symbol in self.accounts.cells} | set(self.prices):
            self._value(symbol)

    def has_execution(self, order: str, execution: str) -> bool:
        """Whether this trade was counted."""
        return (order, execution) in self._executions

    def known_latch(self, strategy: str) -> happened.Tripped | None:
        """The latch that holds a strategy."""
        return next((one for one in self.latches.values() if one.strategy == strategy), None)

    # ------------------------------------------------------------------------------------ orders

    def _sent(self, event: happened.Sent) -> None:
        order = event.order
        if order.id in self.orders:
            raise LedgerContradiction(f"{order.id} was sent before")
        entry = Entry(order, order_hash(order), order.quantity)
        self.orders[order.id] = self.working[order.id] = entry
        self._work(order, working=order.quantity, held=0)
        self.strategy_venues[order.strategy].add(order.venue)
        self._beat(order.venue, order.symbol, event.at_ns)
        repetition = self._limits.limits.repetition if self._limits else None
        key = (order.strategy, order.symbol, order.side)
        self.applications[key].add(event.at_ns, repetition.window_ns if repetition else DAY)
        self.recent[sameness(order)] = (event.at_ns, order.id)
        if len(self.recent) > _PRUNE_AT:
            since = event.at_ns - (repetition.duplicate_ns if repetition else DAY)
            self.recent = {key: seen for key, seen in self.recent.items() if seen[0] > since}
        self._extend(order.symbol, order.price, event.at_ns)

    def _filled(self, event: happened.Filled) -> None:
        if (event.order, event.execution) in self._executions:
            return
        entry = self.orders.get(event.order)
        if entry is None:
            raise LedgerContradiction(f"{event.execution} fills {event.order}, which we never sent")
        if event.quantity <= 0 or event.quantity > entry.remaining:
            wrong = f"{event.quantity} lots, {entry.remaining} of {event.order} were working"
            raise LedgerContradiction(f"{event.execution} trades {wrong}")
        self._executions.add((event.order, event.execution))
        entry.remaining -= event.quantity
        held = entry.order.side.sign * event.quantity
        self._work(entry.order, working=-event.quantity, held=held)
        if not entry.remaining:
            entry.closed = "filled"
            self.working.pop(event.order, None)

    def _closed(self, event: happened.Closed) -> None:
        entry = self.orders.get(event.order)
        if entry is None:
            raise LedgerContradiction(f"{event.order} was closed, and we never sent it")
        if entry.closed:
            return
        self._work(entry.order, working=-entry.remaining, held=0)
        entry.remaining, entry.closed = 0, event.reason
        self.working.pop(event.order, None)

    def _work(self, order: TradeOrder, *, working: int, held: int) -> None:
        for books, owner in ((self.accounts, order.account), (self.strategies, order.strategy)):
            books.change(owner, order.symbol, order.side, working=working, held=held)

    def _messaged(self, event: happened.Messaged) -> None:
        self._beat(event.venue, event.symbol, event.at_ns)

    def _unanswered(self, event: happened.Unanswered) -> None:
        """Only its share among all requests counts, and that is measured beside the ledger."""

    def _beat(self, venue: str, symbol: str, at_ns: int) -> None:
        instrument = self._instruments.get(symbol)
        limits = self._limits.venues.get(venue) if self._limits else None
        self.symbol_beats[symbol].add(at_ns, instrument.messages.window_ns if instrument else DAY)
        self.venue_beats[venue].add(at_ns, limits.messages.window_ns if limits else DAY)

    # ------------------------------------------------------------------------------------ market

    def _marked(self, event: happened.Marked) -> None:
        known = self.prices.get(event.symbol)
        if known is not None and event.at_ns < known.at_ns:
            return  # a late price says nothing about now
        self.prices[event.symbol] = Price(event.price, event.at_ns)
        self._extend(event.symbol, event.price, event.at_ns)
        self._value(event.symbol)

    def _extend(self, symbol: str, price: int, at_ns: int) -> None:
        instrument = self._instruments.get(symbol)
        keep = instrument.collar.window_ns if instrument else 60 * SECOND
        self.extremes[symbol].add(at_ns, price, keep)

    def _value(self, symbol: str) -> None:
        """A lot counts with the worst price that the collar lets through."""
        instrument, price = self._instruments.get(symbol), self.prices.get(symbol)
        for books in (self.accounts, self.strategies):
            if instrument is None or price is None or price.ticks == 0:
                books.forget_value(symbol)
            else:
                worst = abs(price.ticks) + instrument.collar.width(price.ticks)
                books.revalue(symbol, worst * instrument.tick_value, instrument.sector)

    def _status_seen(self, event: happened.StatusSeen) -> None:
        known = self.status.get((event.venue, event.symbol))
        if known is None or event.at_ns >= known.at_ns:
            self.status[event.venue, event.symbol] = event

    def _located(self, event: happened.Located) -> None:
        self.located[event.reference] = event

    # ----------------------------------------------------------------------------- what is judged

    def _regime_seen(self, event: happened.RegimeSeen) -> None:
        if self.regime is None or event.at_ns >= self.regime[1]:
            self.regime = (event.regime, event.at_ns)

    def _metrics_seen(self, event: happened.MetricsSeen) -> None:
        if self.metrics is None or event.metrics.at_ns >= self.metrics.at_ns:
            self.metrics = event.metrics

    def _rung_set(self, event: happened.RungSet) -> None:
        self.rungs[event.strategy] = event.rung

    # ---------------------------------------------------------------------------- what is stopped

    def _tripped(self, event: happened.Tripped) -> None:
        self.latches[event.latch] = event

    def _re_enabled(self, event: happened.ReEnabled) -> None:
        self._use(event.nonce)
        latch = self.latches.pop(event.latch, None)
        if latch is not None:
            # Counting starts anew: the person has looked at what was counted.
            for key in [key for key in self.applications if key[0] == latch.strategy]:
                del self.applications[key]

    def _killed(self, event: happened.Killed) -> None:
        self.kills[event.kill] = event

    def _kill_lifted(self, event: happened.KillLifted) -> None:
        self._use(event.nonce)
        self.kills.pop(event.kill, None)
        self.lifted.add(event.kill)

    def _broken(self, event: happened.Broken) -> None:
        self.breaks[event.broken] = event

    def _break_cleared(self, event: happened.BreakCleared) -> None:
        self._use(event.nonce)
        self.breaks.pop(event.broken, None)

    def _exception_used(self, event: happened.ExceptionUsed) -> None:
        self._use(event.nonce)

    def _use(self, nonce: str) -> None:
        if nonce in self.nonces:
            raise LedgerContradiction(f"the token {nonce} was used before")
        self.nonces.add(nonce)

    def _doubted(self, event: happened.Doubted) -> None:
        self.doubts[event.venue] = event.orders
        if not event.orders:
            del self.doubts[event.venue]

    def _adopted(self, event: happened.Adopted) -> None:
        change = event.position - self.accounts.cell(event.account, event.symbol).held
        self.accounts.change(event.account, event.symbol, Side.BUY, working=0, held=change)
        # Whose it was is known only where one strategy alone traded it in that account.
        traded = [one.order for one in self.orders.values() if one.order.symbol == event.symbol]
        mine = {one.strategy for one in traded if one.account == event.account}
        for strategy in mine if len(mine) == 1 else ():
            self.strategies.change(strategy, event.symbol, Side.BUY, working=0, held=change)
