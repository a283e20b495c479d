"""One order: ask the gate, write the answer down, and only then send it.

A crash between writing and sending leaves an order that counts and was not sent (RTS 6 Article
15(2) wants it no other way); the next start finds out what the venue knows.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from swarm.contract.errors import Unavailable
from swarm.ports.gate_records import Decided
from swarm.ports.venue import Unreachable
from swarm.regime.controls import stop_checks
from swarm.regime.controls.asked import refuse
from swarm.regime.controls.decision import Control, GateDecision, Ruling
from swarm.regime.controls.events import (
    Doubted,
    ExceptionUsed,
    LedgerEvent,
    Messaged,
    Sent,
    Tripped,
)
from swarm.regime.controls.order import TradeOrder
from swarm.regime.controls.override import Override
from swarm.regime.controls.pretrade import pretrade
from swarm.runtime.trading.errors import NotOpen
from swarm.runtime.trading.state import TradingState


class Submitting:
    """The way from a strategy to a venue: one order at a time, so that the gate sees each."""

    def __init__(self, state: TradingState) -> None:
        self._state = state
        self._turn = asyncio.Lock()

    async def submit(self, order: TradeOrder, exception: Override | None = None) -> GateDecision:
        """The gate's decision, carried out. An order that was not written down is not sent."""
        state = self._state
        async with self._turn:
            if not state.opened:
                raise NotOpen("the order path is not open")
            state.remember_kills()
            decision = pretrade(order, state.limits, state.ledger, state.clock(), exception)
            if decision.ruling is Ruling.REPEAT:
                return decision
            readable = order if decision.order_hash else None
            mid = _mid(state, readable)
            said = "" if readable is not None else repr(order)[:1_000]
            try:
                await state.write(
                    Decided(decision=decision, order=readable, said=said, mid=mid),
                    *self._trips(decision),
                    *_used(decision, exception),
                )
            except Unavailable as error:
                return _unwritten(decision, error)
            self._take_in(decision, order, exception, mid)
            if decision.ruling is Ruling.ACCEPT:
                await self._send(order)
            return decision

    async def cancel(self, orders: Sequence[str]) -> tuple[str, ...]:
        """Ask the venues to cancel; gives the orders whose venue could not be asked.

        Never refused: a cancellation only reduces. It counts as a message all the same.
        """
        state, by_venue = self._state, defaultdict(list)
        for id_ in orders:
            if (entry := state.ledger.working.get(id_)) is not None:
                by_venue[entry.order.venue].append(entry.order)
        failed: list[str] = []
        for name, wanted in by_venue.items():
            now = state.clock()
            for order in wanted:
                state.see(Messaged(venue=name, symbol=order.symbol, at_ns=now))
            venue = state.venues.get(name)
            ids = [order.id for order in wanted]
            if venue is None or isinstance(await venue.cancel(ids), Unreachable):
                failed += ids
        return tuple(failed)

    def _trips(self, decision: GateDecision) -> tuple[Tripped, ...]:
        made = []
        for trip in decision.trips:
            digest = hashlib.sha256(f"{trip.strategy}\0{decision.at_ns}".encode()).hexdigest()
            made.append(
                Tripped(
                    latch=f"l-{digest[:20]}",
                    strategy=trip.strategy,
                    cause=trip.cause,
                    at_ns=decision.at_ns,
                )
            )
        return tuple(made)

    def _take_in(
        self,
        decision: GateDecision,
        order: TradeOrder,
        exception: Override | None,
        mid: int | None,
    ) -> None:
        events: list[LedgerEvent] = [*self._trips(decision), *_used(decision, exception)]
        if decision.ruling is Ruling.ACCEPT:
            events.append(Sent(order=order, at_ns=decision.at_ns, mid=mid))
        for event in events:
            self._state.see(event)

    async def _send(self, order: TradeOrder) -> None:
        state = self._state
        # While the decision was written, somebody may have pulled the switch, or closed the path.
        # The order counts until the venue's books say that it never came.
        state.remember_kills()
        venue = state.venues.get(order.venue)
        stopped = not state.opened or stop_checks.killed(order, state.ledger) is not None
        if venue is not None and not stopped:
            state.sent_ns[order.id] = state.clock()
            if not isinstance(await venue.submit(order), Unreachable):
                return
        doubted = state.ledger.doubts.get(order.venue, ())
        now = state.clock()
        state.see(Doubted(venue=order.venue, orders=(*doubted, order.id), at_ns=now))


def _mid(state: TradingState, order: TradeOrder | None) -> int | None:
    """The price that what this order costs is held against."""
    known = state.ledger.prices.get(order.symbol) if order is not None else None
    return known.ticks if known is not None else None


def _used(decision: GateDecision, exception: Override | None) -> tuple[ExceptionUsed, ...]:
    if decision.overridden is None or exception is None or decision.ruling is not Ruling.ACCEPT:
        return ()
    return (ExceptionUsed(order=decision.order, nonce=exception.nonce, at_ns=decision.at_ns),)


def _unwritten(decision: GateDecision, error: Unavailable) -> GateDecision:
    """The answer to an order whose decision could not be written down: no."""
    why = refuse(Control.LEDGER, "RecordUnwritten", f"nothing is sent unrecorded: {error}"[:300])
    return replace(
        decision,
        ruling=Ruling.REJECT,
        refusals=(*decision.refusals, why),
        trips=(),
        overridden=None,
    )
