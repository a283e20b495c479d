"""One question to the gate: an order, the limits, the ledger, the time."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.regime.controls.decision import Control, Refusal
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import Side, TradeOrder
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Asked:
    """What every check is handed. The order can be read, and its instrument has limits.

    growth:  by how many lots the order raises the worst position of its account.
    reduces: it can only bring the position nearer to zero, whatever becomes of all other orders.
    digest:  the hash over the order.
    """

    order: TradeOrder
    limits: LimitsInForce
    ledger: Ledger
    now_ns: int
    instrument: Instrument
    growth: int
    reduces: bool
    digest: str


def ask(
    order: TradeOrder, limits: LimitsInForce, ledger: Ledger, now_ns: int, digest: str
) -> Asked | None:
    """The question, or None when nothing limits the instrument."""
    instrument = limits.instruments.get(order.symbol)
    if instrument is None:
        return None
    growth = ledger.accounts.growth(order.account, order.symbol, order.side, order.quantity)
    cell = ledger.accounts.cell(order.account, order.symbol)
    sells = order.side is Side.SELL
    left = cell.held - cell.selling if sells else -cell.held - cell.buying
    reduces = order.quantity <= left
    return Asked(order, limits, ledger, now_ns, instrument, growth, reduces, digest)


def refuse(control: Control, reason: str, detail: str) -> Refusal:
    """Shorter than its class where a check returns."""
    return Refusal(control=control, reason=reason, detail=detail)
