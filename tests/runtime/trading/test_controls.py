"""Controls where an order really goes by: refused means recorded, and no venue has heard of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from swarm.ports.gate_records import Decided
from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Control, Ruling
from swarm.regime.controls.order import Side, TradeOrder
from swarm.regime.limits.caps import MessageRate, NearDuplicate, Repetition
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.limit_set import LimitSet
from swarm.regime.nouns import LADDER, Regime, Rung
from swarm.testing.trading import (
    CENT,
    NOON,
    in_force,
    instrument,
    limit_set,
    metrics,
    regime_limits,
    rung_caps,
    trade_order,
)

pytestmark = pytest.mark.req("REG-10")

#: One lot of ACME at 10,000 ticks counts with the collar's worst price: 10,050 cents.
LOT = 10_050 * CENT


def acme(**given):
    return limit_set(instruments=(instrument(**given), instrument("CRUDE", sector="oil")))


@dataclass(frozen=True, kw_only=True)
class Case:
    """The plain desk but for limits, or for what it was told, or sent, or is asked."""

    limits: LimitSet = field(default_factory=limit_set)
    told: tuple[happened.LedgerEvent, ...] = ()
    before: TradeOrder | None = None
    order: TradeOrder = field(default_factory=lambda: trade_order("o-2"))


TWIN = Repetition(most=99, window_ns=SECOND, near=NearDuplicate.REFUSE, duplicate_ns=SECOND)
HALTED = happened.StatusSeen(
    venue="paper", symbol="ACME", in_session=True, halted=True, at_ns=NOON + 1
)
TIGHT = {one: 40 * LOT if one is Regime.TREND else 5 * LOT for one in Regime}
CASES = {
    "1-CapitalExceeded": Case(limits=acme(capital=20 * LOT - 1), before=trade_order()),
    "2-PriceOutside": Case(order=trade_order(price=10_051)),
    "2-ReferenceZero": Case(
        told=(happened.Marked(symbol="ACME", price=0, at_ns=NOON + 1),),
        order=trade_order(price=0),
    ),
    "3-NotionalTooLarge": Case(limits=acme(max_notional=10 * 10_000 * CENT - 1)),
    "4-QuantityTooLarge": Case(order=trade_order(quantity=1_001)),
    "4-LimitsNotConfigured": Case(order=trade_order(symbol="OTHER")),
    "7-NearDuplicate": Case(limits=limit_set(repetition=TWIN), before=trade_order()),
    "9-NotPermitted": Case(order=trade_order(trader="bot")),
    "9-Restricted": Case(limits=limit_set(restricted=("ACME",))),
    "10-Halted": Case(told=(HALTED,)),
    "11-ExposureExceeded": Case(
        limits=limit_set(regimes=tuple(regime_limits(one, exposure=TIGHT[one]) for one in Regime)),
        told=(happened.RegimeSeen(regime=Regime.STRESSED_LIQUIDITY, at_ns=NOON + 1),),
    ),
    "11-LimitBreached": Case(
        told=(happened.MetricsSeen(metrics=metrics(drawdown_ppm=15_001, at_ns=NOON + 1)),)
    ),
    "19-OnPaperOnly": Case(
        told=(happened.RungSet(strategy="drift", rung=Rung.SHADOW, at_ns=NOON + 1),)
    ),
    "19-RungExceeded": Case(
        limits=limit_set(rungs=tuple(rung_caps(one, symbols=1) for one in LADDER)),
        before=trade_order(symbol="CRUDE"),
    ),
    "20-ReleaseUnknown": Case(order=trade_order(sha="bad0")),
}


@pytest.mark.parametrize("name", CASES)
async def test_what_a_control_forbids_reaches_no_venue_and_is_recorded(desk, name):
    case, (number, reason) = CASES[name], name.split("-")
    desk.limits = in_force(case.limits)
    path = await desk.opened()
    if case.before:
        assert (await path.submit(case.before)).ruling is Ruling.ACCEPT
    desk.now = NOON + 1
    for event in case.told:
        path.state.see(event)
    refused = await path.submit(case.order)
    assert (Control(int(number)), reason) in {(one.control, one.reason) for one in refused.refusals}
    there = [one.order for one in desk.exchange.books_now().working]
    assert there == ([case.before.id] if case.before else [])
    records = await desk.chain().read()
    assert [one for one in records if isinstance(one, Decided)][-1].decision == refused


async def test_in_a_storm_nothing_is_sent_or_amended_and_everything_can_be_taken_back(desk):
    """Control 5: what only takes risk away, and the kill, have no limit."""
    desk.limits = in_force(acme(messages=MessageRate(count=2, window_ns=60 * SECOND)))
    path = await desk.opened()
    for order in ("o-1", "o-2"):
        assert (await path.submit(trade_order(order))).ruling is Ruling.ACCEPT
    for order in (trade_order("o-3"), trade_order("o-3", replaces="o-1", price=9_990)):
        refused = await path.submit(order)
        assert "TooManyMessages" in {one.reason for one in refused.refusals}
    assert await path.cancel(["o-1"]) == ()
    assert [one.order for one in desk.exchange.books_now().working] == ["o-2"]
    report = await path.kill(scope="*", by="sol", reason="storm")
    assert report.failed == ()
    assert desk.exchange.books_now().working == ()


async def test_limits_that_change_hold_before_the_next_order(desk):
    path = await desk.opened()
    first = trade_order(side=Side.BUY)
    assert (await path.submit(first)).ruling is Ruling.ACCEPT
    path.put_in_force(in_force(acme(capital=10 * LOT)))
    refused = await path.submit(trade_order("o-2"))
    assert "CapitalExceeded" in {one.reason for one in refused.refusals}
