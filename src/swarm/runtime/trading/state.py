"""What the order path holds while it runs: ledger, limits, venues, and records not yet written."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from swarm.contract.errors import Unavailable
from swarm.ports.gate_records import Decided, GateRecord, GateRecords
from swarm.ports.venue import Venue
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.events import (
    Broken,
    Filled,
    Killed,
    LedgerEvent,
    Marked,
    Sent,
    Unanswered,
)
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.measures import Measures
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.people import Roster
from swarm.runtime.trading.counted import CountedVenue
from swarm.runtime.trading.kill_file import KillFile


@dataclass(slots=True, kw_only=True)
class TradingState:
    """One order path. clock: integer nanoseconds UTC.

    horizon_ns: after so long an order that the venue does not know is not on its way any more.
    cursors:    the number of the last report that was taken in, by venue.
    sent_ns:    when each order was dispatched, for those that may still be on their way.
    measures:   what trading costs and loses, from the same events as the ledger.
    unwritten:  records that hold already and are still to be written.
    uncounted:  the venues, for what is asked again: no request of its own.
    insisted_ns: when asking again for what a kill cancels was last counted, by kill.
    """

    limits: LimitsInForce
    roster: Roster
    venues: Mapping[str, Venue]
    records: GateRecords
    kill_file: KillFile
    clock: Callable[[], int]
    horizon_ns: int = 5 * SECOND
    ledger: Ledger = field(default_factory=Ledger)
    measures: Measures = field(default_factory=Measures)
    cursors: dict[str, int] = field(default_factory=dict)
    sent_ns: dict[str, int] = field(default_factory=dict)
    unwritten: list[tuple[int, GateRecord]] = field(default_factory=list)
    insisted_ns: dict[str, int] = field(default_factory=dict)
    uncounted: Mapping[str, Venue] = field(init=False)
    opened: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.uncounted = self.venues
        self.venues = {
            name: CountedVenue(venue, self._asked) for name, venue in self.venues.items()
        }

    def see(self, event: LedgerEvent) -> None:
        """Take in what is recorded already, or is only known for now: prices, sessions."""
        known = isinstance(event, Filled) and self.ledger.has_execution(
            event.order, event.execution
        )
        self.ledger.apply(event)
        if not known:
            self.measures.take_in(event, self.ledger)

    def hold(self, event: LedgerEvent) -> None:
        """Let an event hold at once, and write it as soon as that is possible."""
        self.see(event)
        self.unwritten.append((self.clock(), event))

    def mark(self, event: Marked) -> None:
        """A price. One that shows what a trade left is written: a restart measures it again."""
        (self.hold if self.measures.settles(event) else self.see)(event)

    def _asked(self, venue: str, failed: bool) -> None:  # noqa: FBT001 - what the venue calls
        self.measures.asked(self.clock())
        if failed:
            self.hold(Unanswered(venue=venue, at_ns=self.clock()))

    async def write(self, *records: GateRecord) -> None:
        """Write what is still unwritten and these behind it, all or none. Raises Unavailable."""
        async with self.turn:
            # What comes to be unwritten while we wait stays behind these, in its order.
            held = len(self.unwritten)
            now = self.clock()
            waiting = [*self.unwritten, *((now, record) for record in records)]
            await self.records.append(waiting)
            del self.unwritten[:held]

    async def catch_up(self) -> bool:
        """Write what is still unwritten, if the database lets us. False: it does not."""
        try:
            await self.write()
        except Unavailable:
            return False
        return True

    def replay(self, records: tuple[GateRecord, ...]) -> None:
        """Make ledger and measures from what was recorded; an accepted order counts as sent.

        A cancellation that was answered is not recorded, so the share of unanswered requests is
        never less than it was.
        """
        self.ledger.hold_against(self.limits)
        for record in records:
            if not isinstance(record, Decided):
                self.see(record)
            elif record.decision.ruling is Ruling.ACCEPT and record.order is not None:
                at_ns = record.decision.at_ns
                self.measures.asked(at_ns)
                self.see(Sent(order=record.order, at_ns=at_ns, mid=record.mid))

    def remember_kills(self) -> None:
        """Take in what was written to the kill file, here or by anybody else on this machine."""
        for event in self.kill_file.news():
            known = event.kill in self.ledger.kills
            if isinstance(event, Killed):
                if not known and event.kill not in self.ledger.lifted:
                    self.hold(event)
            elif known:
                self.hold(event)

    def break_books(self, venue: str, detail: str) -> None:
        """Note that our books are not the venue's; a person clears it."""
        name = hashlib.sha256(f"{venue}\0{detail}".encode()).hexdigest()[:20]
        if f"b-{name}" not in self.ledger.breaks:
            now = self.clock()
            self.hold(Broken(broken=f"b-{name}", venue=venue, detail=detail[:500], at_ns=now))
