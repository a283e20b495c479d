"""Control 2: the price of an order against the reference and against its own recent past."""

from __future__ import annotations

from swarm.regime.controls.asked import Asked, refuse
from swarm.regime.controls.decision import Control, Refusal


def reference(asked: Asked) -> Refusal | None:
    """There is a reference, it is recent, and it is a price."""
    price = asked.ledger.prices.get(asked.order.symbol)
    if price is None:
        return refuse(Control.COLLAR, "ReferenceMissing", "no reference price was ever seen")
    age = asked.now_ns - price.at_ns
    if not 0 <= age <= asked.instrument.collar.max_age_ns:
        detail = f"{age / 1e9:.3f} s old, at most {asked.instrument.collar.max_age_ns / 1e9:g} s"
        return refuse(Control.COLLAR, "ReferenceStale", detail)
    if price.ticks == 0:
        detail = "a reference of 0 is what a broken feed says; a true one is at least one tick off"
        return refuse(Control.COLLAR, "ReferenceZero", detail)
    return None


def collar(asked: Asked) -> Refusal | None:
    """Order by order: not further from the reference than the collar is wide, on either side."""
    price = asked.ledger.prices.get(asked.order.symbol)
    if price is None or price.ticks == 0:
        return None  # refused already, as a missing reference
    width = asked.instrument.collar.width(price.ticks)
    if abs(asked.order.price - price.ticks) > width:
        detail = f"{asked.order.price} is more than {width} ticks from {price.ticks}"
        return refuse(Control.COLLAR, "PriceOutside", detail)
    return None


def drift(asked: Asked) -> Refusal | None:
    """Over a period: not further from any reference or own price of the window."""
    rule = asked.instrument.collar
    seen = asked.ledger.extremes.get(asked.order.symbol)
    span = seen.range(asked.now_ns, rule.window_ns) if seen else None
    if span is None:
        return None
    least, greatest = span
    if asked.order.price - least > rule.window_ticks or greatest - asked.order.price > (
        rule.window_ticks
    ):
        detail = (
            f"{asked.order.price}: prices of the last {rule.window_ns / 1e9:g} s lie from {least} "
            f"to {greatest}, at most {rule.window_ticks} ticks away is allowed"
        )
        return refuse(Control.COLLAR, "PriceDrifted", detail)
    return None
