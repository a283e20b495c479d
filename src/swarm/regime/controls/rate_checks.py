"""How often: messages in a period, and repeated execution. Controls 5 and 6."""

from __future__ import annotations

from swarm.regime.controls.asked import Asked, refuse
from swarm.regime.controls.decision import Control, Refusal, Trip


def messages(asked: Asked) -> Refusal | None:
    """Control 5. New and changed orders are refused; cancellations count and never are."""
    order, now = asked.order, asked.now_ns
    rate = asked.instrument.messages
    beats = asked.ledger.symbol_beats.get(order.symbol)
    if beats is not None and beats.full(rate.count, now, rate.window_ns):
        detail = f"{order.symbol}: {rate.count} in {rate.window_ns / 1e9:g} s were sent"
        return refuse(Control.MESSAGES, "TooManyMessages", detail)
    venue = asked.limits.venues.get(order.venue)
    beats = asked.ledger.venue_beats.get(order.venue)
    if venue is not None and beats is not None:
        rate = venue.messages
        if beats.full(rate.count, now, rate.window_ns):
            detail = f"{order.venue}: {rate.count} in {rate.window_ns / 1e9:g} s were sent"
            return refuse(Control.MESSAGES, "TooManyMessages", detail)
    return None


def latched(asked: Asked) -> Refusal | None:
    """Control 6: a strategy that was switched off stays off; no timer and no restart helps."""
    latch = asked.ledger.known_latch(asked.order.strategy)
    if latch is None:
        return None
    detail = f"{latch.strategy} is off since {latch.at_ns}: {latch.cause}; token for {latch.latch}"
    return refuse(Control.THROTTLE, "StrategyOff", detail)


def throttle(asked: Asked) -> Trip | None:
    """Control 6: one application too many switches the strategy off."""
    order, rule = asked.order, asked.limits.limits.repetition
    beats = asked.ledger.applications.get((order.strategy, order.symbol, order.side))
    if beats is None or not beats.full(rule.most, asked.now_ns, rule.window_ns):
        return None
    cause = f"{order.side} {order.symbol} {rule.most} times in {rule.window_ns / 1e9:g} s"
    return Trip(strategy=order.strategy, cause=cause)
