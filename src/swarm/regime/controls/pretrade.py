"""The gate in front of every order: (order, limits, ledger) -> decision. Pure, and fails closed.

It accepts only when every control said yes. A control that cannot answer says no; a control that
breaks says no; limits that are missing say no.

Source: 17 CFR 240.15c3-5(c); Commission Delegated Regulation (EU) 2017/589 (RTS 6), Article 15.
Cost: some tens of microseconds; no control walks over more than the instruments of one strategy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from swarm.regime.controls import (
    capital_checks,
    order_checks,
    permission_checks,
    price_checks,
    rate_checks,
    stop_checks,
)
from swarm.regime.controls.asked import Asked, ask, refuse
from swarm.regime.controls.decision import Control, GateDecision, Refusal, Ruling, Trip
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import TradeOrder, order_hash
from swarm.regime.controls.override import Override
from swarm.regime.limits.in_force import LimitsInForce

Check = Callable[[Asked], Refusal | None]

CHECKS: Final[tuple[tuple[Control, Check], ...]] = (
    (Control.DUPLICATE, order_checks.reused),
    (Control.THROTTLE, rate_checks.latched),
    (Control.RECONCILIATION, stop_checks.reconciled),
    (Control.PERMISSION, permission_checks.permitted),
    (Control.RELEASE, permission_checks.released),
    (Control.REGULATORY, permission_checks.tradable),
    (Control.REGULATORY, permission_checks.covered),
    (Control.QUANTITY, order_checks.quantity),
    (Control.NOTIONAL, order_checks.notional),
    (Control.COLLAR, price_checks.reference),
    (Control.COLLAR, price_checks.collar),
    (Control.COLLAR, price_checks.drift),
    (Control.DUPLICATE, order_checks.duplicate),
    (Control.DUPLICATE, order_checks.replaced),
    (Control.MESSAGES, rate_checks.messages),
    (Control.RUNG, capital_checks.rung),
    (Control.CAPITAL, capital_checks.capital),
    (Control.RISK, capital_checks.risk),
)
"""Every control that looks at an order, in the order in which their refusals are listed."""

#: What an override sets aside within its control; a missing reference is no exception's business.
_EXCEPTIONS: Final = frozenset(
    {"PriceOutside", "PriceDrifted", "NotionalTooLarge", "QuantityTooLarge", "NearDuplicate"}
)


def pretrade(
    order: TradeOrder,
    limits: LimitsInForce | None,
    ledger: Ledger,
    now_ns: int,
    exception: Override | None = None,
) -> GateDecision:
    """Whether the order may be sent, and why not. Changes nothing.

    now_ns:    integer nanoseconds UTC.
    exception: an override that `override` has found in order for exactly this order.
    """
    if fault := order_checks.malformed(order):
        return _answer("", order, (fault,), limits, ledger, now_ns)
    digest = order_hash(order)
    known = ledger.orders.get(order.id)
    if known is not None and known.hash == digest:
        return _answer(digest, order, (), limits, ledger, now_ns, ruling=Ruling.REPEAT)
    stopped = stop_checks.in_force(limits, ledger) or stop_checks.killed(order, ledger)
    if stopped or limits is None:
        return _answer(digest, order, (stopped,) if stopped else (), limits, ledger, now_ns)
    asked = ask(order, limits, ledger, now_ns, digest)
    if asked is None:
        detail = f"{order.symbol} has no limits, and what has no limits is not traded"
        unset = refuse(Control.QUANTITY, "LimitsNotConfigured", detail)
        return _answer(digest, order, (unset,), limits, ledger, now_ns)
    return _judge(asked, exception)


def _judge(asked: Asked, exception: Override | None) -> GateDecision:
    found = [fault for control, check in CHECKS if (fault := _said(control, check, asked))]
    refusals = [fault for fault in found if not _excepted(fault, exception, asked)]
    used = exception.control if exception is not None and len(refusals) < len(found) else None
    trips: tuple[Trip, ...] = ()
    if not refusals and (trip := rate_checks.throttle(asked)) is not None:
        # Only an order that would otherwise go out is an application of the strategy.
        trips = (trip,)
        refusals.append(refuse(Control.THROTTLE, "RepeatedExecution", trip.cause))
    twin = order_checks.near_duplicate(asked)
    return _answer(
        asked.digest,
        asked.order,
        tuple(refusals),
        asked.limits,
        asked.ledger,
        asked.now_ns,
        flags=(f"near duplicate of {twin}",) if twin else (),
        trips=trips,
        overridden=used,
        ruling=Ruling.REJECT if refusals else Ruling.ACCEPT,
    )


def _said(control: Control, check: Check, asked: Asked) -> Refusal | None:
    try:
        return check(asked)
    except Exception as error:  # noqa: BLE001 - whatever breaks in a control, the answer is no
        return refuse(control, "ControlBroke", f"{type(error).__name__}: {error}"[:200])


def _excepted(fault: Refusal, exception: Override | None, asked: Asked) -> bool:
    return (
        exception is not None
        and fault.control is exception.control
        and fault.reason in _EXCEPTIONS
        and exception.order_hash == asked.digest
        and asked.now_ns < exception.expires_ns
        and exception.nonce not in asked.ledger.nonces
    )


def _answer(
    digest: str,
    order: TradeOrder,
    refusals: tuple[Refusal, ...],
    limits: LimitsInForce | None,
    ledger: Ledger,
    now_ns: int,
    *,
    ruling: Ruling = Ruling.REJECT,
    **rest: object,
) -> GateDecision:
    given: dict[str, object] = {"flags": (), "trips": (), "overridden": None, **rest}
    return GateDecision(
        order=str(getattr(order, "id", ""))[:128],
        order_hash=digest,
        ruling=ruling,
        refusals=refusals,
        limits_hash=limits.hash if type(limits) is LimitsInForce else "",
        regime=ledger.regime[0] if ledger.regime else None,
        rung=ledger.rungs.get(order.strategy) if digest else None,
        at_ns=now_ns,
        **given,  # type: ignore[arg-type]
    )
