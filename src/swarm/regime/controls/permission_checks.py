"""Who, what, where, and whether the market and the law let it. Controls 9, 10 and 20."""

from __future__ import annotations

from swarm.regime.controls.asked import Asked, refuse
from swarm.regime.controls.decision import Control, Refusal
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import ShortSale


def permitted(asked: Asked) -> Refusal | None:
    """Control 9: this trader may trade this on that venue for this account."""
    order, limits = asked.order, asked.limits
    if order.symbol in limits.restricted:
        return refuse(Control.PERMISSION, "Restricted", f"{order.symbol} is on the restricted list")
    permission = limits.permissions.get((order.account, order.trader))
    if permission is None:
        detail = f"{order.trader} may not trade for {order.account}"
        return refuse(Control.PERMISSION, "NotPermitted", detail)
    if order.venue not in limits.venues or not permission.covers(order.venue, order.symbol):
        detail = f"{order.trader} may not trade {order.symbol} on {order.venue}"
        return refuse(Control.PERMISSION, "NotPermitted", detail)
    return None


def released(asked: Asked) -> Refusal | None:
    """Control 20: somebody let this revision of the strategy go."""
    order = asked.order
    release = asked.limits.releases.get((order.strategy, order.sha))
    if release is None:
        detail = f"nobody signed off {order.strategy} at {order.sha}"
        return refuse(Control.RELEASE, "ReleaseUnknown", detail)
    if release.approved_ns > asked.now_ns:
        return refuse(Control.RELEASE, "ReleaseNotYet", f"{order.sha} is approved for later")
    return None


def tradable(asked: Asked) -> Refusal | None:
    """Control 10: the venue said not long ago that the instrument is in session and not halted."""
    order = asked.order
    status = asked.ledger.status.get((order.venue, order.symbol))
    if status is None:
        detail = f"{order.venue} never said whether {order.symbol} trades"
        return refuse(Control.REGULATORY, "StatusMissing", detail)
    if not 0 <= asked.now_ns - status.at_ns <= asked.instrument.status_max_age_ns:
        detail = f"what {order.venue} said of {order.symbol} is too old"
        return refuse(Control.REGULATORY, "StatusStale", detail)
    if status.halted:
        return refuse(Control.REGULATORY, "Halted", f"{order.symbol} is halted on {order.venue}")
    if not status.in_session:
        return refuse(Control.REGULATORY, "OutOfSession", f"{order.venue} is closed")
    return None


def covered(asked: Asked) -> Refusal | None:
    """Control 10: a sale beyond what is held needs what the instrument asks for."""
    order, rule = asked.order, asked.instrument.short_sale
    if order.side is not Side.SELL or rule is ShortSale.EXEMPT:
        return None
    cell = asked.ledger.accounts.cell(order.account, order.symbol)
    short = cell.selling + order.quantity - cell.held
    if short <= 0:
        return None
    if rule is ShortSale.FORBIDDEN:
        detail = f"{short} lots more than {order.account} holds"
        return refuse(Control.REGULATORY, "ShortSale", detail)
    located = asked.ledger.located.get(order.locate) if order.locate else None
    if located is None or (located.account, located.symbol) != (order.account, order.symbol):
        return refuse(Control.REGULATORY, "LocateMissing", f"{short} lots short without a locate")
    if located.until_ns <= asked.now_ns or located.quantity < short:
        detail = f"{located.reference} covers {located.quantity} lots until {located.until_ns}"
        return refuse(Control.REGULATORY, "LocateTooSmall", detail)
    return None
