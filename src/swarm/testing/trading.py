"""Limits, people and a ledger that let a plain order through, to be changed one field at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from swarm.regime.controls import events as happened
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.order import Side, TradeOrder
from swarm.regime.limits.by_regime import Metrics, RegimeLimits
from swarm.regime.limits.caps import (
    CapitalCap,
    NearDuplicate,
    Permission,
    Release,
    Repetition,
    RungCaps,
    VenueLimits,
)
from swarm.regime.limits.in_force import LimitsInForce, put_in_force
from swarm.regime.limits.instrument import SECOND, Collar, Instrument, MessageRate, ShortSale
from swarm.regime.limits.limit_set import LimitSet, content_hash
from swarm.regime.limits.people import Person, Role, Roster
from swarm.regime.nouns import DEFENSIVENESS, LADDER, Regime, Rung

NOON = 1_790_000_000 * SECOND  #: when every builder's story begins
CENT = 10_000  #: micro-units
LARGE = 10**15

PEOPLE = Roster(
    people=(
        Person(id="ada", roles=frozenset({Role.RISK}), keys=("SHA256:ada",)),
        Person(id="ben", roles=frozenset({Role.RISK}), keys=("SHA256:ben",)),
        Person(id="sol", roles=frozenset({Role.SUPERVISOR}), keys=("SHA256:sol",)),
        Person(id="tom", roles=frozenset({Role.TRADER}), keys=("SHA256:tom",)),
        Person(id="eve", roles=frozenset({Role.ENGINEER}), keys=("SHA256:eve",)),
        Person(id="cas", roles=frozenset({Role.COMPLIANCE}), keys=("SHA256:cas",)),
        Person(id="cho", roles=frozenset({Role.CHIEF}), keys=("SHA256:cho",)),
        Person(id="watch", roles=frozenset({Role.MONITOR}), keys=("SHA256:watch",)),
        Person(id="bot", roles=frozenset({Role.AGENT}), keys=("SHA256:bot",)),
    )
)


def collar(**given: Any) -> Collar:
    """Fifty ticks around the reference, a hundred in a minute, references up to 5 s old."""
    plain = Collar(
        ticks=50, share_ppm=0, window_ticks=100, window_ns=60 * SECOND, max_age_ns=5 * SECOND
    )
    return replace(plain, **given)


def instrument(symbol: str = "ACME", **given: Any) -> Instrument:
    """A share with a tick of one cent, in the sector `tech`."""
    plain = Instrument(
        symbol=symbol,
        sector="tech",
        tick_value=CENT,
        max_quantity=1_000,
        max_notional=LARGE,
        capital=LARGE,
        collar=collar(),
        messages=MessageRate(count=1_000, window_ns=SECOND),
        short_sale=ShortSale.EXEMPT,
        status_max_age_ns=10 * SECOND,
    )
    return replace(plain, **given)


def regime_limits(regime: Regime, **given: Any) -> RegimeLimits:
    """Half the exposure for each degree of caution."""
    plain = RegimeLimits(
        regime=regime,
        drawdown_ppm=15_000,
        exposure=LARGE >> DEFENSIVENESS[regime],
        concentration_ppm=1_000_000,
        slippage_ppm=500,
        impact_ppm=500,
        rejects_ppm=50_000,
        errors_ppm=20_000,
    )
    return replace(plain, **given)


def rung_caps(rung: Rung, **given: Any) -> RungCaps:
    """As wide as the rung's share of the whole."""
    plain = RungCaps(
        rung=rung,
        symbols=int(rung),
        venues=int(rung),
        positions=int(rung),
        capital=LARGE // 100 * int(rung),
    )
    return replace(plain, **given)


def limit_set(**given: Any) -> LimitSet:
    """A set that ada wrote, for one account, two instruments of two sectors and two venues."""
    rate = MessageRate(count=10_000, window_ns=SECOND)
    plain = LimitSet(
        name="desk",
        version=1,
        author="ada",
        issued_ns=NOON,
        currency="USD",
        firm=LARGE,
        accounts=(CapitalCap(name="main", capital=LARGE), CapitalCap(name="spare", capital=LARGE)),
        sectors=(CapitalCap(name="tech", capital=LARGE), CapitalCap(name="oil", capital=LARGE)),
        instruments=(instrument(), instrument("CRUDE", sector="oil")),
        venues=(VenueLimits(name="paper", messages=rate), VenueLimits(name="dark", messages=rate)),
        permissions=(
            Permission(account="main", trader="tom", venues=("paper", "dark"), symbols=("*",)),
            Permission(account="spare", trader="tom", venues=("paper",), symbols=("ACME",)),
        ),
        restricted=(),
        releases=tuple(
            Release(
                strategy=strategy, sha="f00d", author="eve", tested_in="paper", approved_by="sol",
                approved_ns=NOON - SECOND, nature="first release",
            )
            for strategy in ("drift", "mean")
        ),
        repetition=Repetition(
            most=1_000, window_ns=60 * SECOND, near=NearDuplicate.FLAG, duplicate_ns=SECOND
        ),
        regimes=tuple(regime_limits(regime) for regime in Regime),
        rungs=tuple(rung_caps(rung) for rung in LADDER),
        max_age_ns=60 * SECOND,
    )  # fmt: skip
    return replace(plain, **given)


def in_force(limits: LimitSet | None = None) -> LimitsInForce:
    """The set as ben signed it."""
    made = limits or limit_set()
    return put_in_force(made, signed_hash=content_hash(made), signer="ben", roster=PEOPLE)


def metrics(**given: Any) -> Metrics:
    """Nothing lost, nothing slow, nothing refused."""
    plain = Metrics(
        at_ns=NOON, drawdown_ppm=0, exposure=0, concentration_ppm=0, slippage_ppm=0, impact_ppm=0,
        rejects_ppm=0, errors_ppm=0,
    )  # fmt: skip
    return replace(plain, **given)


def ledger(limits: LimitsInForce, *more: happened.LedgerEvent) -> Ledger:
    """A quiet market at noon: both instruments at 10,000 ticks, in session, strategies at full."""
    made = Ledger()
    made.hold_against(limits)
    for symbol in limits.instruments:
        made.apply(happened.Marked(symbol=symbol, price=10_000, at_ns=NOON))
        for venue in limits.venues:
            made.apply(
                happened.StatusSeen(
                    venue=venue, symbol=symbol, in_session=True, halted=False, at_ns=NOON
                )
            )
    made.apply(happened.RegimeSeen(regime=Regime.TREND, at_ns=NOON))
    made.apply(happened.MetricsSeen(metrics=metrics()))
    for strategy in ("drift", "mean"):
        made.apply(happened.RungSet(strategy=strategy, rung=Rung.FULL, at_ns=NOON))
    made.replay(more)
    return made


def trade_order(id_: str = "o-1", **given: Any) -> TradeOrder:
    """Ten lots of ACME at the reference."""
    plain = TradeOrder(
        id=id_, strategy="drift", sha="f00d", trader="tom", client="house", account="main",
        venue="paper", symbol="ACME", side=Side.BUY, quantity=10, price=10_000, made_ns=NOON,
    )  # fmt: skip
    return replace(plain, **given)


def sent(order: TradeOrder | None = None, at_ns: int = NOON) -> happened.Sent:
    """The event of an order that passed at the reference."""
    return happened.Sent(order=order or trade_order(), at_ns=at_ns, mid=10_000)


def filled(order: str, quantity: int, execution: str = "x1", **given: Any) -> happened.Filled:
    """A trade at the reference."""
    plain = happened.Filled(
        order=order, execution=execution, quantity=quantity, price=10_000, at_ns=NOON
    )
    return replace(plain, **given)
