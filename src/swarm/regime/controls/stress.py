"""Replaying recorded orders faster than they came: is any control lost under load?

Control 21; RTS 6 Article 10: twice the highest number of messages and trades of six months.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.regime.controls.books import FIRM
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.events import Marked, Sent, StatusSeen
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import TradeOrder
from swarm.regime.controls.pretrade import pretrade
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.instrument import SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class StressResult:
    """asked = accepted + refused, or decisions were lost. peak: most orders within one second.

    lost: each place where a cap or a rate was exceeded although every order went through the gate.
    """

    asked: int
    accepted: int
    refused: int
    peak: int
    lost: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether every order was decided and every control kept."""
        return self.asked == self.accepted + self.refused and not self.lost


def replay(
    orders: Sequence[TradeOrder], limits: LimitsInForce, ledger: Ledger, factor: int = 2
) -> StressResult:
    """Send recorded orders through the gate, `factor` times as fast as they were made.

    ledger: as it stood before the first; it is used up. Prices and sessions are kept fresh from
    what it knows, so that only what load can break is tried.
    """
    begun = orders[0].made_ns if orders else 0
    accepted = refused = peak = 0
    lost: list[str] = []
    within: deque[int] = deque()
    for order in orders:
        now = begun + (order.made_ns - begun) // factor
        _refresh(ledger, now)
        within.append(now)
        while within[0] <= now - SECOND:
            within.popleft()
        peak = max(peak, len(within))
        if pretrade(order, limits, ledger, now).ruling is not Ruling.ACCEPT:
            refused += 1
            continue
        accepted += 1
        ledger.apply(Sent(order=order, at_ns=now))
        if ledger.accounts.totals[FIRM] > limits.limits.firm:
            lost.append(f"{order.id}: the firm's cap")
        rate = limits.instruments[order.symbol].messages
        if ledger.symbol_beats[order.symbol].full(rate.count + 1, now, rate.window_ns):
            lost.append(f"{order.id}: the message rate of {order.symbol}")
    return StressResult(
        asked=len(orders), accepted=accepted, refused=refused, peak=peak, lost=tuple(lost)
    )


def _refresh(ledger: Ledger, now_ns: int) -> None:
    for symbol, price in list(ledger.prices.items()):
        ledger.apply(Marked(symbol=symbol, price=price.ticks, at_ns=now_ns))
    for (venue, symbol), seen in list(ledger.status.items()):
        ledger.apply(
            StatusSeen(
                venue=venue, symbol=symbol, in_session=seen.in_session, halted=seen.halted,
                at_ns=now_ns,
            )
        )  # fmt: skip
