"""What the month's desk may do: its people, the limit set that one wrote and another signed."""

from __future__ import annotations

from swarm.regime.limits.by_regime import RegimeLimits
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
from swarm.runtime.month.experts import EXPERTS
from swarm.runtime.month.market import DAY_NS, OPEN_NS, SYMBOL

VENUE, TRADER, REVISION = "paper", "desk", "r1"
CENT = 10_000  #: micro-units; the instrument's tick
AMPLE = 10**15  #: micro-units; what the month does not mean to be stopped by
AUTHOR, SIGNER, APPROVER, WRITER = "ada", "ben", "sol", "eve"
PEOPLE = Roster(
    people=(
        Person(id=AUTHOR, roles=frozenset({Role.RISK}), keys=("month:ada",)),
        Person(id=SIGNER, roles=frozenset({Role.RISK}), keys=("month:ben",)),
        Person(id=APPROVER, roles=frozenset({Role.SUPERVISOR}), keys=("month:sol",)),
        Person(id=WRITER, roles=frozenset({Role.ENGINEER}), keys=("month:eve",)),
        Person(id=TRADER, roles=frozenset({Role.TRADER}), keys=("month:desk",)),
    )
)


def in_force() -> LimitsInForce:
    """The desk's limits, as the risk officer who did not write them signed them."""
    made = _limit_set()
    return put_in_force(made, signed_hash=content_hash(made), signer=SIGNER, roster=PEOPLE)


def _limit_set() -> LimitSet:
    """Three released strategies, an account for each, one instrument."""
    names, rate = [expert.name for expert in EXPERTS], MessageRate(count=10_000, window_ns=SECOND)
    return LimitSet(
        name="month",
        version=1,
        author=AUTHOR,
        issued_ns=OPEN_NS - DAY_NS,
        currency="USD",
        firm=AMPLE,
        accounts=tuple(CapitalCap(name=name, capital=AMPLE) for name in names),
        sectors=(CapitalCap(name="index", capital=AMPLE),),
        instruments=(_instrument(),),
        venues=(VenueLimits(name=VENUE, messages=rate),),
        permissions=tuple(
            Permission(account=name, trader=TRADER, venues=(VENUE,), symbols=(SYMBOL,))
            for name in names
        ),
        restricted=(),
        releases=tuple(
            Release(
                strategy=name, sha=REVISION, author=WRITER, tested_in=VENUE, approved_by=APPROVER,
                approved_ns=OPEN_NS - DAY_NS, nature="first release",
            )
            for name in names
        ),
        repetition=Repetition(
            most=1_000, window_ns=60 * SECOND, near=NearDuplicate.FLAG, duplicate_ns=SECOND
        ),
        regimes=tuple(_regime(one) for one in Regime),
        rungs=tuple(_rung(one) for one in LADDER),
        max_age_ns=60 * SECOND,
    )  # fmt: skip


def _instrument() -> Instrument:
    return Instrument(
        symbol=SYMBOL,
        sector="index",
        tick_value=CENT,
        max_quantity=20_000,
        max_notional=AMPLE,
        capital=AMPLE,
        collar=Collar(
            ticks=50, share_ppm=0, window_ticks=100, window_ns=60 * SECOND, max_age_ns=5 * SECOND
        ),
        messages=MessageRate(count=1_000, window_ns=SECOND),
        short_sale=ShortSale.EXEMPT,
        status_max_age_ns=10 * SECOND,
    )


def _regime(regime: Regime) -> RegimeLimits:
    """Half the exposure for each degree of caution."""
    return RegimeLimits(
        regime=regime,
        drawdown_ppm=15_000,
        exposure=AMPLE >> DEFENSIVENESS[regime],
        concentration_ppm=1_000_000,
        slippage_ppm=500,
        impact_ppm=500,
        rejects_ppm=50_000,
        errors_ppm=20_000,
    )


def _rung(rung: Rung) -> RungCaps:
    """As wide as the rung's share of the whole."""
    wide = int(rung)
    return RungCaps(
        rung=rung, symbols=wide, venues=wide, positions=wide, capital=AMPLE // 100 * wide
    )
