"""What stops everything: limits not in force, a kill, books that differ. Controls 8, 13, 16, 25."""

from __future__ import annotations

from swarm.regime.controls.asked import Asked, refuse
from swarm.regime.controls.decision import Control, Refusal
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import TradeOrder
from swarm.regime.limits.in_force import LimitsInForce

WHOLE = "*"  #: the scope of a kill that stops all


def scopes(order: TradeOrder) -> tuple[str, ...]:
    """Every scope of a kill that would stop this order."""
    return (
        WHOLE,
        f"account:{order.account}",
        f"strategy:{order.strategy}",
        f"venue:{order.venue}",
        f"trader:{order.trader}",
    )


def in_force(limits: LimitsInForce | None, ledger: Ledger) -> Refusal | None:
    """Control 25: there are limits, signed, and the ledger counts by the same ones."""
    if type(limits) is not LimitsInForce:
        return refuse(Control.CONTROL, "LimitsMissing", "no signed LimitSet is in force")
    if ledger.limits_hash != limits.hash:
        return refuse(Control.CONTROL, "LimitsDiffer", "the ledger counts by another LimitSet")
    return None


def killed(order: TradeOrder, ledger: Ledger) -> Refusal | None:
    """Control 13: a kill stops everything in its scope, and reducing as well."""
    if not ledger.kills:
        return None
    hit = scopes(order)
    for kill in ledger.kills.values():
        if kill.scope in hit:
            detail = f"{kill.kill} ({kill.scope}) by {kill.by}: {kill.reason}"
            return refuse(Control.KILL, "Killed", detail)
    return None


def reconciled(asked: Asked) -> Refusal | None:
    """Controls 8 and 16: while it is not known what is out there, nothing may grow."""
    if asked.reduces:
        return None
    ledger = asked.ledger
    for broken in ledger.breaks.values():
        return refuse(Control.RECONCILIATION, "BooksDiffer", f"{broken.broken}: {broken.detail}")
    for venue, orders in ledger.doubts.items():
        detail = f"nobody knows whether {venue} has {', '.join(orders[:3])}"
        return refuse(Control.LEDGER, "OrdersInDoubt", detail)
    return None
