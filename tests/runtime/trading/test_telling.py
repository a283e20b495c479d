"""What a running order path is told, and what it shows: nothing invented, nothing forgotten."""

import json
from dataclasses import replace

import pytest

from swarm.adapters.paper.rules import PaperRules
from swarm.adapters.paper.venue import PaperVenue
from swarm.adapters.postgres.store.regime.rungs import RungChange, Rungs
from swarm.adapters.postgres.store.regime.states import RegimeStates, SavedState
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.measures import Measures
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import DAY, SECOND
from swarm.regime.nouns import Regime, Rung
from swarm.runtime.trading import telling
from swarm.runtime.trading.counted import CountedVenue
from swarm.runtime.trading.place import TradingPlace
from swarm.runtime.trading.proving import Proving
from swarm.runtime.trading.watcher import measures_in
from swarm.testing.trading import NOON, metrics, trade_order

pytestmark = pytest.mark.req("REG-10")
CAPITAL = 1_000_000 * 1_000_000


async def keep(database, cycle, regime, posture, at_ns):
    await RegimeStates(database).save(
        SavedState(
            stream="spx", cycle=cycle, tick=at_ns, at_ns=at_ns, model_version="m",
            params_hash="p", state=cycle.encode(), record={"id": regime, "posture": posture},
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("regime", "posture", "counts"),
    [
        pytest.param("trend", "normal", Regime.TREND, id="as-it-is"),
        pytest.param("trend", "defensive", Regime.UNCERTAIN, id="defensive-is-the-strictest"),
        pytest.param("uncertain", "defensive", Regime.UNCERTAIN, id="uncertain"),
        pytest.param("trend", "frozen", None, id="frozen-says-nothing"),
    ],
)
async def test_the_stored_regime_counts_by_its_posture(desk, database, regime, posture, counts):
    path = desk.path()
    await keep(database, "c-1", regime, posture, desk.now)
    await telling.regime(path.state, database, "spx")
    assert path.state.ledger.regime == (None if counts is None else (counts, desk.now))
    await telling.regime(path.state, database, "another")


async def test_a_market_is_told_as_the_venue_sees_it(desk):
    path = desk.path()
    desk.exchange.quote("ACME", Side.BUY, 9_990, 5, desk.now)
    desk.exchange.quote("ACME", Side.SELL, 10_010, 5, desk.now)
    desk.exchange.halt("CRUDE", desk.now)
    assert await telling.market(path.state) == ()
    ledger = path.state.ledger
    assert ledger.prices["ACME"].ticks == 10_000
    assert "CRUDE" not in ledger.prices, "never traded, not quoted: no price"
    assert ledger.status["paper", "CRUDE"].halted
    desk.exchange.rules = PaperRules(outages=((0, 2**62),))
    assert await telling.market(path.state) == ("paper",)


async def test_a_strategy_stands_where_the_store_says(desk, database):
    path = desk.path()
    for seq, rung in enumerate((Rung.ONE, Rung.SHADOW), 1):
        await Rungs(database).append(
            RungChange(strategy="drift", seq=seq, at_ns=desk.now, rung=rung, cause="t", evidence={})
        )
        await telling.rungs(path.state, database)
        assert path.state.ledger.rungs == {"drift": rung}


async def test_measures_reach_gate_and_monitor_and_a_restart_knows_the_day(desk, tmp_path):
    place = TradingPlace(tmp_path)
    path = await desk.opened()
    path.state.measures = Measures(capital=CAPITAL)
    telling.measures(path.state, place)
    assert path.state.ledger.metrics.drawdown_ppm == 0
    regime, seen = measures_in(place.measures)()
    assert (regime.regime, seen.metrics) == (Regime.TREND, path.state.ledger.metrics)
    again = Measures(capital=1)
    telling.resume_day(again, place)
    assert (again.day, again.opening) == (desk.now // DAY, CAPITAL)


DAYS = ["", "{}", "[]", '{"day": "x", "opening": 1}', '{"day": 1, "opening": 1e999}', None]


@pytest.mark.parametrize("text", DAYS)
def test_a_day_that_nobody_knows_is_not_invented(tmp_path, text):
    place = TradingPlace(tmp_path)
    if text is not None:
        place.day.write_text(text)
    measures = Measures(capital=CAPITAL)
    telling.resume_day(measures, place)
    assert (measures.day, measures.opening) == (-1, 0)


async def test_unanswered_orders_and_cancellations_are_counted_and_readings_are_not(desk):
    told = []
    plain = PaperVenue("paper", desk.exchange, desk.clock)
    venue = CountedVenue(plain, lambda name, failed: told.append((name, failed)))
    await venue.submit(trade_order())
    desk.exchange.rules = PaperRules(outages=((0, 2**62),))
    for reading in (venue.books(), venue.market(), venue.reports(0)):
        await reading
    await venue.submit(trade_order("o-2"))
    await venue.cancel(["o-1"])
    await venue.cancel_all()
    assert told == [("paper", one) for one in (False, True, True, True)]


async def words(database, kind="regime-limits"):
    held = await ControlEvidences(database).between(0, 2**62)
    return [(one.subject, one.passed) for one in held if one.kind == kind]


async def test_a_word_on_the_limits_is_true_false_or_not_said(desk, database):
    path = await desk.opened()
    proving, state = Proving(database, "test"), path.state
    await proving.limits(state)
    await proving.limits(state)
    assert sorted(await words(database)) == [("drift", True), ("mean", True)], "not at every look"
    # Nobody knows what was lost: nothing is said, and a gate that hears nothing waits.
    desk.now += SECOND
    state.see(happened.MetricsSeen(metrics=metrics(at_ns=desk.now, drawdown_ppm=None)))
    await proving.limits(state)
    assert len(await words(database)) == 2
    desk.now += SECOND
    broken = metrics(at_ns=desk.now, drawdown_ppm=15_001)
    state.see(happened.MetricsSeen(metrics=broken))
    await proving.limits(state)
    assert ("drift", False) in await words(database), "a breach is said at once"
    # An old regime is none.
    desk.now += 61 * SECOND
    state.see(happened.MetricsSeen(metrics=replace(broken, at_ns=desk.now, drawdown_ppm=0)))
    await proving.limits(state)
    assert len(await words(database)) == 4
    await proving.books(state)
    await proving.books(state)
    assert await words(database, "reconciliation") == [("every venue", True)]
    await proving.killed("k-1", ["paper", "dark"], ["dark"])
    assert sorted(await words(database, "kill-drill")) == [("dark", False), ("paper", True)]


@pytest.mark.req("FRZ-5")
@pytest.mark.parametrize(("fallen", "passed"), [(14_999, True), (15_000, False), (900_000, False)])
async def test_the_profiles_drawdown_is_a_breach_whatever_the_limit_set_allows(
    desk, database, fallen, passed
):
    """At -1.5 % of the day's opening, and also while nobody knows what trading costs."""
    state = (await desk.opened()).state
    lax = {one: replace(held, drawdown_ppm=1_000_000) for one, held in state.limits.regimes.items()}
    state.limits = replace(state.limits, regimes=lax)
    unknown = None if fallen > 15_000 else 0
    seen = metrics(at_ns=desk.now, drawdown_ppm=fallen, slippage_ppm=unknown)
    state.see(happened.MetricsSeen(metrics=seen))
    await Proving(database, "test").limits(state)
    assert sorted(await words(database)) == [("drift", passed), ("mean", passed)]


async def test_a_released_strategy_has_a_word_before_its_first_step_up_the_ladder(desk, database):
    path = await desk.opened()
    state = path.state
    state.ledger.rungs.clear()
    state.see(happened.RungSet(strategy="retired", rung=Rung.SHADOW, at_ns=desk.now))
    await Proving(database, "test").limits(state)
    assert sorted(await words(database)) == [("drift", True), ("mean", True), ("retired", True)]


@pytest.mark.req("REG-7", "REG-8")
async def test_with_each_word_of_a_breach_a_strategy_goes_one_rung_down(desk, database):
    rungs = Rungs(database)
    for strategy, rung in (("drift", Rung.FIVE), ("mean", Rung.SHADOW)):
        await rungs.append(
            RungChange(
                strategy=strategy, seq=1, at_ns=NOON, rung=rung, cause="test",
                evidence={"tested": 300},
            )
        )  # fmt: skip
    path = await desk.opened()
    state = path.state
    for turn, stands in enumerate((Rung.ONE, Rung.SHADOW, Rung.SHADOW), 1):
        desk.now += SECOND
        state.see(happened.RegimeSeen(regime=Regime.TREND, at_ns=desk.now))
        state.see(happened.MetricsSeen(metrics=metrics(at_ns=desk.now, slippage_ppm=501)))
        proving = Proving(database, "test")
        await proving.limits(state)
        await proving.limits(state)
        assert await rungs.now() == {"drift": stands, "mean": Rung.SHADOW}
        assert len(await rungs.history("drift")) == min(turn, 2) + 1, "once for each word"
    newest = (await rungs.history("drift"))[0]
    assert newest.cause == "limit-breached: slippage_ppm is 501; in trend at most 500"
    assert newest.evidence["tested"] == 300, "the look that was used stays used"
    assert (await rungs.history("mean"))[0].cause == "test"


async def test_slippage_of_real_fills_stops_growth(desk):
    """From the venue's reports over the measures to the gate: 50 ticks on 10,000 are 5,000 ppm."""
    path = await desk.opened()
    desk.exchange.quote("ACME", Side.SELL, 10_050, 10, desk.now)
    assert (await path.submit(trade_order(price=10_050))).ruling is Ruling.ACCEPT
    await path.follow()
    path.state.measures.capital = CAPITAL
    telling.measures(path.state, TradingPlace(desk.folder))
    refused = await path.submit(trade_order("o-2", price=10_000))
    assert "slippage_ppm is 5000" in " ".join(one.detail for one in refused.refusals)
    assert json.loads((desk.folder / "measures.json").read_bytes())[1]["metrics"]["slippage_ppm"]
