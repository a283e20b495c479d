"""The order itself: can it be read, is it too large, was it said before. Controls 3, 4 and 7."""

from __future__ import annotations

from typing import Any

from swarm.regime.controls.asked import Asked, refuse
from swarm.regime.controls.decision import Control, Refusal
from swarm.regime.controls.ledger import sameness
from swarm.regime.controls.order import Side, TradeOrder
from swarm.regime.limits.caps import NearDuplicate

_NAMED = ("id", "strategy", "sha", "trader", "client", "account", "venue", "symbol")
_NAME_MOST = 128
#: Beyond this no instrument has a price or a volume, and sums might not fit what stores them.
_NUMBER_MOST = 10**15


def malformed(order: Any) -> Refusal | None:
    """Whether every field is of its kind; nothing else may look at an order before this did."""
    if type(order) is not TradeOrder:
        return refuse(Control.MALFORMED, "NoOrder", f"{type(order).__name__} is no order")
    for field in (*_NAMED, "replaces", "locate"):
        value = getattr(order, field)
        if type(value) is not str or len(value) > _NAME_MOST or not value.isprintable():
            return refuse(Control.MALFORMED, "FieldUnreadable", f"{field} is no plain name")
    for field in _NAMED:
        if not getattr(order, field).strip():
            return refuse(Control.MALFORMED, "FieldMissing", f"{field} is empty; name it")
    if type(order.side) is not Side:
        return refuse(Control.MALFORMED, "SideUnknown", f"{order.side!r:.40}; buy or sell")
    return _numbers(order)


def _numbers(order: TradeOrder) -> Refusal | None:
    for field in ("quantity", "price", "made_ns"):
        value = getattr(order, field)
        if type(value) is not int:
            wrong = f"{field} is {value!r:.40}; whole lots, ticks and nanoseconds only"
            return refuse(Control.MALFORMED, "NumberUnreadable", wrong)
    if not 0 < order.quantity <= _NUMBER_MOST:
        wrong = f"{order.quantity} lots; above zero, the side tells the direction"
        return refuse(Control.MALFORMED, "QuantityImpossible", wrong)
    if abs(order.price) > _NUMBER_MOST:
        return refuse(Control.MALFORMED, "PriceImpossible", f"{order.price} ticks")
    return None


def notional(asked: Asked) -> Refusal | None:
    """Control 3: the money of one order, at the worse of its price and the reference."""
    order, instrument = asked.order, asked.instrument
    price = asked.ledger.prices.get(order.symbol)
    ticks = max(abs(order.price), abs(price.ticks) if price else 0)
    value = ticks * instrument.tick_value * order.quantity
    if value > instrument.max_notional:
        detail = f"{value} micro-units, at most {instrument.max_notional}"
        return refuse(Control.NOTIONAL, "NotionalTooLarge", detail)
    return None


def quantity(asked: Asked) -> Refusal | None:
    """Control 4: the lots of one order."""
    if asked.order.quantity > asked.instrument.max_quantity:
        detail = f"{asked.order.quantity} lots, at most {asked.instrument.max_quantity}"
        return refuse(Control.QUANTITY, "QuantityTooLarge", detail)
    return None


def reused(asked: Asked) -> Refusal | None:
    """Control 7: an id that another order has."""
    known = asked.ledger.orders.get(asked.order.id)
    if known is not None and known.hash != asked.digest:
        return refuse(Control.DUPLICATE, "IdReused", f"{asked.order.id} is another order's id")
    return None


def near_duplicate(asked: Asked) -> str | None:
    """Control 7: the id of a recent order that says the same under another id."""
    seen = asked.ledger.recent.get(sameness(asked.order))
    window = asked.limits.limits.repetition.duplicate_ns
    if seen is None or asked.now_ns - seen[0] >= window:
        return None
    return seen[1]


def duplicate(asked: Asked) -> Refusal | None:
    """Control 7: a near duplicate, where the limits refuse one."""
    twin = near_duplicate(asked)
    if twin is None or asked.limits.limits.repetition.near is NearDuplicate.FLAG:
        return None
    return refuse(Control.DUPLICATE, "NearDuplicate", f"says the same as {twin} a moment ago")


def replaced(asked: Asked) -> Refusal | None:
    """Control 7: an order can only take the place of one that works, of its own kind."""
    if not asked.order.replaces:
        return None
    old = asked.ledger.working.get(asked.order.replaces)
    if old is None:
        return refuse(Control.DUPLICATE, "NothingToReplace", f"{asked.order.replaces} works not")
    fields = ("strategy", "account", "venue", "symbol", "side")
    for field in fields:
        if getattr(old.order, field) != getattr(asked.order, field):
            return refuse(Control.DUPLICATE, "ReplacesAnother", f"{field} differs from the old one")
    return None
