"""The independent monitor: own process, own connection, own books. Control 15; RTS 6 Article 16.

It is told nothing by whoever trades. What works and what was filled it hears from the venues'
drop copies, prices from their markets, and it asks the gate's questions of its own ledger. It needs
no database. It may stop trading and can do nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from swarm.ports.venue import Report, ReportKind, Unreachable, Venue
from swarm.regime.controls.errors import LedgerContradiction
from swarm.regime.controls.events import (
    Closed,
    Filled,
    Killed,
    LedgerEvent,
    Marked,
    MetricsSeen,
    Sent,
)
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import TradeOrder
from swarm.regime.controls.watch import Alert, alerts
from swarm.regime.limits.in_force import LimitsInForce
from swarm.runtime.trading.kill_file import KillFile

#: What the monitor does not hear in a drop copy, and does not need.
_UNHEARD = "unheard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An alert at the moment it was raised, or (`over`) when it was over.

    event_ns: when the newest thing happened that this look took in.
    """

    alert: Alert
    event_ns: int
    at_ns: int
    over: bool = False

    @property
    def lag_ns(self) -> int:
        """From the event to the alert. RTS 6 allows five seconds; we want one."""
        return self.at_ns - self.event_ns


@dataclass(slots=True, kw_only=True)
class Monitor:
    """One look at a time; whoever runs it says how often. clock: integer nanoseconds UTC.

    measures: the newest regime and metrics, as events; what is missing is loud, never fine.
    stops:    subjects of alerts, by prefix, that stop everything at once.
    """

    limits: LimitsInForce
    venues: Mapping[str, Venue]
    clock: Callable[[], int]
    measures: Callable[[], tuple[LedgerEvent, ...]]
    kill_file: KillFile
    stops: tuple[str, ...] = ("capital:",)
    me: str = "monitor"
    ledger: Ledger = field(default_factory=Ledger)
    standing: dict[str, Raised] = field(default_factory=dict)
    _cursors: dict[str, int] = field(default_factory=dict)
    _wrong: dict[str, str] = field(default_factory=dict)  # what a venue first contradicted
    _newest_ns: int = 0

    async def look(self) -> tuple[Raised, ...]:
        """Take in what is new, and give the alerts that begin or end with it."""
        if self.ledger.limits_hash != self.limits.hash:
            self.ledger.hold_against(self.limits)
        self._newest_ns = 0
        found: dict[str, Alert] = {}
        for name, venue in self.venues.items():
            if (deaf := await self._hear(venue)) is not None:
                subject = f"venue:{name}"
                found[subject] = Alert(subject=subject, detail=deaf)
        for event in self.measures():
            if isinstance(event, MetricsSeen) and event.metrics != self.ledger.metrics:
                self._newest_ns = max(self._newest_ns, event.metrics.at_ns)
            self.ledger.apply(event)
        now = self.clock()
        found |= {one.subject: one for one in alerts(self.ledger, self.limits, now)}
        said = self._compare(found, now)
        for raised in said:
            if not raised.over and raised.alert.subject.startswith(self.stops):
                await self._stop(raised)
        return said

    def _compare(self, found: Mapping[str, Alert], now_ns: int) -> tuple[Raised, ...]:
        event_ns = self._newest_ns or now_ns
        begun = [
            Raised(alert=alert, event_ns=event_ns, at_ns=now_ns)
            for subject, alert in found.items()
            if subject not in self.standing
        ]
        ended = [
            Raised(alert=raised.alert, event_ns=event_ns, at_ns=now_ns, over=True)
            for subject, raised in self.standing.items()
            if subject not in found
        ]
        for raised in ended:
            del self.standing[raised.alert.subject]
        self.standing.update({raised.alert.subject: raised for raised in begun})
        return (*begun, *ended)

    async def _hear(self, venue: Venue) -> str | None:
        """Take in a venue's news; why it could not be asked, or not be believed, or None.

        What is wrong once stays said, and hides nothing of what comes behind it.
        """
        while True:
            after = self._cursors.get(venue.name, 0)
            reports = await venue.reports(after)
            if isinstance(reports, Unreachable):
                return reports.detail
            if not reports:
                break
            for report in reports:
                if report.seq != after + 1:
                    missing = self._wrong.setdefault(venue.name, f"report {after + 1} is missing")
                    if report.seq <= after:
                        return missing  # asked again, it would say so again
                after = self._cursors[venue.name] = report.seq
                if (wrong := self._take_in(venue.name, report)) is not None:
                    self._wrong.setdefault(venue.name, wrong)
        return await self._prices(venue) or self._wrong.get(venue.name)

    async def _prices(self, venue: Venue) -> str | None:
        market = await venue.market()
        if isinstance(market, Unreachable):
            return market.detail
        for seen in market:
            price = seen.last
            if seen.bid is not None and seen.ask is not None:
                price = (seen.bid + seen.ask) // 2
            known = self.ledger.prices.get(seen.symbol)
            if price is not None and (known is None or known.ticks != price):
                self.ledger.apply(Marked(symbol=seen.symbol, price=price, at_ns=seen.at_ns))
                self._newest_ns = max(self._newest_ns, seen.at_ns)
        return None

    def _take_in(self, venue: str, report: Report) -> str | None:
        event: LedgerEvent
        if report.kind is ReportKind.ACCEPTED:
            order = TradeOrder(
                id=report.order, strategy=_UNHEARD, sha=_UNHEARD, trader=_UNHEARD,
                client=_UNHEARD, account=report.account, venue=venue, symbol=report.symbol,
                side=report.side, quantity=report.remaining, price=0, made_ns=report.at_ns,
            )  # fmt: skip
            event = Sent(order=order, at_ns=report.at_ns)
        elif report.kind is ReportKind.FILLED:
            event = Filled(
                order=report.order, execution=report.execution, quantity=report.quantity,
                price=report.price, at_ns=report.at_ns,
            )  # fmt: skip
        elif report.kind in {ReportKind.CANCELLED, ReportKind.REPLACED}:
            event = Closed(order=report.order, reason=report.kind.value, at_ns=report.at_ns)
        else:
            return None
        self._newest_ns = max(self._newest_ns, report.at_ns)
        try:
            self.ledger.apply(event)
        except LedgerContradiction as error:
            return str(error)
        return None

    async def _stop(self, raised: Raised) -> None:
        """Halt first: the order path sees the file before its next order. Then cancel all."""
        name = f"{raised.alert.subject}\0{raised.at_ns}"
        kill = Killed(
            kill=f"k-{hashlib.sha256(name.encode()).hexdigest()[:20]}",
            scope="*",
            by=self.me,
            reason=raised.alert.detail[:500],
            at_ns=raised.at_ns,
        )
        self.kill_file.add(kill)
        for venue in self.venues.values():
            await venue.cancel_all()
