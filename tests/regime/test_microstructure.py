"""Costs of trades, measures of a bar, percentiles by time of day, stress, and what trips."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from swarm.regime import microstructure
from swarm.regime.errors import AlteredState, BadInput, BadObservation, BadParameters, ForeignState
from swarm.regime.microstructure import Bar, Params, Reading, histogram, measure, stress, trades
from swarm.regime.nouns import HIDDEN, Regime

pytestmark = pytest.mark.req("REG-2")
SECOND = 1_000_000_000
HOUR = 3_600 * SECOND


def bar(quotes, deals=(), ends=60 * SECOND, levels=1):
    """quotes: (second, bid, ask, size) at the touch; deals: (second, price, size)."""
    q = np.array(quotes, dtype=float).reshape(-1, 4)
    d = np.array(deals, dtype=float).reshape(-1, 3)
    away = np.arange(levels) * 0.05
    return Bar(
        begins=0,
        ends=ends,
        quoted_at=(q[:, 0] * SECOND).astype(np.int64),
        bids=q[:, [1]] - away,
        bid_sizes=np.repeat(q[:, [3]], levels, axis=1),
        asks=q[:, [2]] + away,
        ask_sizes=np.repeat(q[:, [3]], levels, axis=1),
        traded_at=(d[:, 0] * SECOND).astype(np.int64),
        prices=d[:, 1],
        sizes=d[:, 2],
    )


# --- trades --------------------------------------------------------------------------------------


def test_a_side_is_told_by_the_mid_and_at_the_mid_by_the_last_move():
    price = np.array([10.0, 10.1, 10.0, 9.9, 10.0, 10.0, 10.0])
    mid = np.full(7, 10.0)
    assert trades.sides(price, mid).tolist() == [0, 1, -1, -1, 1, 1, 1]
    assert trades.sides(np.zeros(0), np.zeros(0)).tolist() == []


def test_effective_is_realised_plus_impact():
    rng = np.random.default_rng(1)
    mid, later = 100 + rng.normal(0, 1, (2, 500))
    found = trades.costs(mid + rng.normal(0, 0.05, 500), mid, later)
    assert np.max(np.abs(found.effective - found.realised - found.impact)) < 1e-15
    assert np.nanmin(found.effective) > 0.0, "a taker pays"


def test_the_quote_at_the_moment_of_the_trade_is_the_one_that_counts():
    """Zero lag: a quote of the same nanosecond stands already, an older one no longer."""
    assert trades.prevailing(np.array([5, 10, 10, 20]), np.array([4, 5, 10, 19, 20])).tolist() == [
        -1, 0, 2, 2, 3,
    ]  # fmt: skip


def test_square_root_impact_gives_its_coefficient_back():
    cost = 0.8 * 0.02 * math.sqrt(5_000 / 1e6)
    assert trades.square_root_impact(cost, 0.02, 5_000, 1e6) == pytest.approx(0.8)
    for given in [
        (0.1, 0.0, 1, 1),
        (0.1, 0.1, -1, 1),
        (0.1, 0.1, 1, math.nan),
        (math.inf, 1, 1, 1),
    ]:
        with pytest.raises(BadInput):
            trades.square_root_impact(*given)


# --- a bar ---------------------------------------------------------------------------------------


def test_a_spread_is_weighted_with_the_time_it_stood():
    found = measure(bar([(0, 99.95, 100.05, 10), (45, 99.9, 100.1, 10)]))
    assert found.spread == pytest.approx(0.75 * 0.001 + 0.25 * 0.002)
    assert found.quote_age == 15 * SECOND
    assert not found.crossed


def test_depth_is_that_of_the_thinner_side_within_reach():
    one = bar([(0, 99.95, 100.05, 10)], levels=3)
    one = dataclasses.replace(one, ask_sizes=np.array([[4.0, 100.0, 100.0]]))
    found = measure(one, within=0.0011)
    assert found.touch == pytest.approx(4 * 100.05)
    assert found.depth == pytest.approx(10 * (99.95 + 99.9))


def test_costs_of_a_bars_trades_use_the_mid_then_and_later():
    quotes = [(1, 99.9, 100.1, 10), (10, 100.0, 100.2, 10)]
    found = measure(
        bar(quotes, [(0, 100.0, 1), (5, 100.1, 2), (50, 100.0, 3)]), horizon=20 * SECOND
    ).costs
    assert found.side.tolist() == [0.0, 1.0, -1.0], "before the first quote nothing is known"
    assert found.effective[1] == pytest.approx(2 * 0.1 / 100.0)
    assert found.impact[1] == pytest.approx(2 * 0.1 / 100.0)
    assert found.realised[1] == pytest.approx(0.0, abs=1e-15)
    assert np.isnan(found.realised[2]), "its horizon lies beyond the bar"
    assert np.isfinite(found.effective[2])


def test_flow_change_and_amihud_are_of_the_whole_bar():
    quotes = [(0, 99.9, 100.1, 10), (30, 100.9, 101.1, 10)]
    found = measure(bar(quotes, [(5, 100.1, 3), (40, 100.9, 1)]))
    assert found.change == pytest.approx(0.01)
    assert found.flow == 2.0
    assert found.amihud == pytest.approx(0.01 / (3 * 100.1 + 100.9))


def test_variances_agree_without_jumps_and_part_with_one():
    rng = np.random.default_rng(2)
    r = rng.normal(0, 1e-4, 5_000)

    def of(returns):
        mid = 100 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
        at = np.arange(mid.size) / 100
        quotes = np.stack([at, mid - 0.01, mid + 0.01, np.ones(mid.size)], axis=1)
        return measure(bar(quotes))

    calm = of(r)
    assert calm.variance == pytest.approx(np.sum(r**2), rel=1e-6)
    assert calm.bipower == pytest.approx(calm.variance, rel=0.05)
    assert calm.median == pytest.approx(calm.variance, rel=0.05)
    r[2_000] = 0.02
    jump = of(r)
    assert jump.variance - calm.variance == pytest.approx(4e-4, rel=0.01)
    assert jump.bipower < calm.bipower + 3e-5
    assert jump.median < calm.median + 1e-7


@pytest.mark.parametrize(
    ("quotes", "crossed"),
    [
        pytest.param([(0, 100.1, 100.0, 1)], True, id="crossed"),
        pytest.param([(0, 100.0, 100.0, 1)], True, id="locked"),
        pytest.param([(0, math.nan, 100.0, 1)], False, id="one-sided"),
        pytest.param([(0, -1.0, 100.0, 1)], False, id="below-zero"),
        pytest.param([], False, id="empty"),
    ],
)
def test_what_has_no_mid_has_no_measures(quotes, crossed):
    found = measure(bar(quotes, [(30, 100.0, 1)]))
    assert found.crossed == crossed
    for name in ("spread", "touch", "depth", "change", "amihud"):
        assert math.isnan(getattr(found, name)), name
    assert np.isnan(found.costs.effective).all()
    assert found.flow == 0.0
    assert found.quote_age == (60 * SECOND if quotes else -1)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"traded_at": np.array([5, 4])}, id="back-in-time"),
        pytest.param({"traded_at": np.array([5, 10**12])}, id="beyond-the-bar"),
        pytest.param({"prices": np.array([1.0, math.nan])}, id="no-price"),
        pytest.param({"sizes": np.array([1.0, 0.0])}, id="no-size"),
        pytest.param({"sizes": np.array([1.0])}, id="a-size-short"),
        pytest.param({"bids": np.ones((3, 1))}, id="a-bid-too-many"),
        pytest.param({"quoted_at": np.array([-1])}, id="before-the-bar"),
    ],
)
def test_a_bar_that_cannot_be_is_refused(changes):
    whole = bar([(1, 99.0, 101.0, 1)], [(1, 100.0, 1), (2, 100.0, 1)])
    with pytest.raises(BadObservation):
        dataclasses.replace(whole, **changes)


@pytest.mark.parametrize("gone", [(20, math.nan, 100.05, 10), (20, 100.1, 100.0, 10)])
def test_a_quote_stands_until_the_next_whole_or_not(gone):
    """A bid that is withdrawn, or crosses: nobody can trade at what stood before."""
    quotes = [(0, 99.95, 100.05, 10), gone, (50, 99.9, 100.1, 30)]
    found = measure(bar(quotes, [(10, 100.05, 1), (30, 99.0, 1)]), horizon=15 * SECOND)
    assert found.spread == pytest.approx((20 * 0.001 + 10 * 0.002) / 30)
    assert found.touch == pytest.approx((20 * 10 * 99.95 + 10 * 30 * 99.9) / 30)
    assert found.costs.side.tolist() == [1.0, 0.0]
    assert np.isnan(found.costs.realised).all()
    assert found.flow == 1.0


def test_the_median_variance_is_that_of_its_formula():
    mids = [100.0, 100.2, 99.9, 99.9, 101.0, 100.5]
    found = measure(bar([(at, mid - 0.1, mid + 0.1, 1) for at, mid in enumerate(mids)]))
    r = [abs(math.log(b / a)) for a, b in itertools.pairwise(mids)]
    squares = sum(sorted(r[i : i + 3])[1] ** 2 for i in range(3))
    scale = math.pi / (6 - 4 * math.sqrt(3) + math.pi) * 5 / 3
    assert found.median == pytest.approx(scale * squares, rel=1e-12)


# --- the histogram -------------------------------------------------------------------------------


def test_a_percentile_is_the_share_of_the_past_below():
    rng = np.random.default_rng(3)
    x = np.exp(rng.normal(-7, 0.5, 20_000))
    bins, per_log = np.zeros(256), 256 / math.log(1e6)
    for value in x:
        histogram.add(bins, histogram.place(value, 1e-6, per_log), 1.0)
    for q in (0.01, 0.25, 0.5, 0.9, 0.995):
        at = histogram.place(float(np.quantile(x, q)), 1e-6, per_log)
        assert histogram.percentile(bins, at) == pytest.approx(q, abs=0.004)
    assert histogram.percentile(np.zeros(256), 3.0) == 0.5
    assert histogram.place(1e-9, 1e-6, per_log) == 0.0
    assert histogram.percentile(bins, histogram.place(1e9, 1e-6, per_log)) == 1.0


def test_two_histograms_add_up():
    rng = np.random.default_rng(4)
    places = rng.integers(0, 256, 500)
    both, one, two = np.zeros((3, 256))
    for number, at in enumerate(places):
        histogram.add(both, at, 1.0)
        histogram.add(one if number % 3 else two, at, 1.0)
    assert (one + two).tobytes() == both.tobytes()


def test_the_past_fades_and_large_weights_lose_no_bit():
    bins, weight = np.zeros((1, 256)), 1.0
    for number in range(3_000):
        histogram.add(bins[0], 10.0 if number < 1_500 else 200.0, weight)
        weight = histogram.faded(bins, weight, 2 ** (1 / 10))
    assert weight < 1.7e60
    assert bins[0, 10] / bins[0, 200] < 1e-40
    share = bins[0, 200] * (1 - 2 ** (-1 / 10)) / weight
    assert share == pytest.approx(2 ** (-1 / 10), rel=1e-9)


# --- the detector --------------------------------------------------------------------------------


def reading(number, **changes):
    """One usual reading of one stream, an hour apart."""
    rng = np.random.default_rng(number)
    spread, depth, variance = np.exp(rng.normal([-8, 11, -16], 0.2))
    flow = rng.normal(0, 100)
    given = {
        "at": number * HOUR,
        "spread": spread,
        "depth": depth,
        "change": 1e-6 * flow + rng.normal(0, 1e-6),
        "flow": flow,
        "variance": variance,
        "quote_age": SECOND,
        "crossed": False,
    } | changes
    return Reading(**{name: np.array([value]) for name, value in given.items()})


@pytest.fixture(scope="module")
def warmed():
    params = Params(times=1, warm=50)
    state = microstructure.empty(1, params)
    for number in range(300):
        told = microstructure.advance(state, reading(number), params)
        assert told.ready[0] == (number >= 50)
        assert math.isnan(told.probability[0]) != told.ready[0]
    return params, state


def test_the_score_is_the_mean_of_four_normal_scores(warmed):
    params, state = warmed
    _, told = microstructure.step(state, reading(1000), params)
    signs = np.array([1.0, -1.0, 1.0, 1.0])
    z = np.clip(stats.norm.ppf(told.percentiles[0]), -4, 4)
    assert told.score[0] == pytest.approx(np.mean(signs * z), abs=1e-10)
    assert told.probability[0] == pytest.approx(1 / (1 + math.exp(-3 * (told.score[0] - 1.5))))


def test_kyles_lambda_is_the_slope_of_the_mid_on_signed_size(warmed):
    params, state = warmed
    _, told = microstructure.step(state, reading(1000), params)
    assert told.impact[0] == pytest.approx(1e-6, rel=0.05)


def test_a_dry_market_is_stressed_and_a_usual_one_is_not(warmed):
    params, state = warmed
    usual = [
        microstructure.step(state, reading(1000 + n), params)[1].probability[0] for n in range(40)
    ]
    assert np.median(usual) < 0.05
    dry = reading(1000, spread=5e-3, depth=1e3, variance=1e-4)
    _, told = microstructure.step(state, dry, params)
    assert told.probability[0] > 0.9
    assert told.trips[0] == 0, "one reading far out trips nothing"


@pytest.mark.slow
def test_what_is_usual_depends_on_the_time_of_day():
    params = Params(times=24, warm=20)
    state = microstructure.empty(1, params)
    for number in range(24 * 60):
        wide = 8.0 if number % 24 == 9 else 1.0
        usual = reading(number)
        microstructure.advance(
            state, dataclasses.replace(usual, spread=usual.spread * wide), params
        )
    for hour, percentile in ((9, 0.5), (10, 1.0)):
        _, told = microstructure.step(
            state, reading(24 * 60 + hour, spread=math.exp(-8) * 8.0), params
        )
        assert told.percentiles[0, 0] == pytest.approx(percentile, abs=0.2)


@pytest.mark.parametrize(
    ("changes", "trips"),
    [
        pytest.param({}, 0, id="usual"),
        pytest.param({"crossed": True}, stress.CROSSED, id="crossed"),
        pytest.param({"quote_age": 6 * SECOND}, stress.STALE, id="stale"),
        pytest.param({"quote_age": -1}, stress.STALE, id="no-quote"),
        pytest.param({"depth": 99.0}, stress.THIN, id="thin"),
        pytest.param({"crossed": True, "quote_age": -1}, stress.CROSSED | stress.STALE, id="both"),
    ],
)
def test_what_is_broken_trips_at_once_warm_or_not(changes, trips):
    params = Params(floor=100.0)
    _, told = microstructure.step(microstructure.empty(1, params), reading(1, **changes), params)
    assert told.trips[0] == trips


@pytest.mark.fast("spread-0.05-4")
@pytest.mark.parametrize(
    ("field", "value", "trip"),
    [("spread", 0.05, stress.WIDE), ("variance", 0.01, stress.VOLATILE)],
)
def test_three_extreme_readings_in_a_row_trip(field, value, trip):
    params = Params(times=1)
    state = microstructure.empty(1, params)
    extremes = {300, 301, 302, 2_000, 2_001, 2_003, 2_004, 2_005}
    for number in range(2_006):
        changes = {field: value} if number in extremes else {}
        told = microstructure.advance(state, reading(number, **changes), params)
        tripped = bool(told.trips[0] & trip)
        assert tripped == (number == 2_005), (number, told.percentiles)


@pytest.mark.parametrize("field", ["spread", "depth", "variance"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_missing_measure_makes_no_score_and_spoils_no_past(warmed, field, value):
    params, state = warmed
    after, told = microstructure.step(state, reading(1000, **{field: value}), params)
    assert not told.ready[0]
    assert math.isnan(told.probability[0])
    assert np.isfinite(after.bins).all()
    after, told = microstructure.step(after, reading(1001), params)
    assert told.ready[0]
    assert np.isfinite(told.score[0])


@pytest.mark.parametrize("value", [0.0, -1.0, 1e308, 5e-324])
def test_no_size_of_number_breaks_it(warmed, value):
    params, state = warmed
    odd = reading(1000, spread=value, depth=abs(value), change=value, variance=abs(value))
    after, told = microstructure.step(state, odd, params)
    assert np.isfinite(told.score).all()
    assert np.isfinite(after.bins).all()


@pytest.mark.parametrize("field", ["change", "flow"])
@pytest.mark.parametrize("value", [1e300, -1e155, math.inf, math.nan])
def test_a_trade_beyond_all_measure_does_not_silence_it_for_ever(warmed, field, value):
    """Its square is no number: added to what fades, impact would never be one again."""
    params, state = warmed
    after, _ = microstructure.step(state, reading(1000, **{field: value}), params)
    assert np.isfinite(after.sums).all()
    _, told = microstructure.step(after, reading(1001), params)
    assert told.ready[0]
    assert told.impact[0] == pytest.approx(1e-6, rel=0.05)


def test_a_reading_that_is_not_later_is_refused_and_nothing_is_taken_in(warmed):
    params, state = warmed
    before = microstructure.save(state, params, 0)
    for number in (299, 10):
        with pytest.raises(BadObservation) as refused:
            microstructure.advance(state, reading(number), params)
        assert refused.value.field == "at"
    assert microstructure.save(state, params, 0) == before


def test_a_reading_of_another_shape_is_refused():
    params = Params()
    with pytest.raises(BadObservation):
        microstructure.step(microstructure.empty(2, params), reading(1), params)


def test_the_vote_leaves_the_rest_as_the_posterior_has_it():
    at = HIDDEN.index(Regime.STRESSED_LIQUIDITY)
    posterior = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0, 0.0]])
    posterior[1, at] = 1.0
    found = microstructure.vote(np.array([0.7, 0.1]), posterior)
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert found[:, at].tolist() == [0.7, 0.1]
    rest = np.delete(posterior[0], at)
    assert np.delete(found[0], at) == pytest.approx(0.3 * rest / rest.sum())
    assert np.delete(found[1], at) == pytest.approx(0.3, abs=1e-15)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("times", 0),
        ("half_life", 0.0),
        ("warm", 0),
        ("extreme", 1.0),
        ("extreme_for", 0),
        ("floor", -1.0),
        ("oldest", 0),
        ("centre", math.nan),
        ("steepness", 0.0),
        ("lows", (1.0, 1.0, 1.0)),
        ("lows", (0.0, 1.0, 1e-16, 1e-14)),
        ("highs", (1.0, math.inf, 1.0, 1.0)),
    ],
)
def test_parameters_out_of_range_are_refused(field, value):
    with pytest.raises(BadParameters):
        Params(**{field: value})


def test_it_is_saved_and_restored_at_every_reading_to_the_bit():
    params = Params(times=3)
    straight, broken = microstructure.empty(1, params), microstructure.empty(1, params)
    for number in range(80):
        given = reading(number)
        one = microstructure.advance(straight, given, params)
        other = microstructure.advance(broken, given, params)
        assert one.score.tobytes() == other.score.tobytes()
        kept = microstructure.save(broken, params, number)
        assert kept == microstructure.save(straight, params, number)
        broken = microstructure.restore(kept, params)
    with pytest.raises(ForeignState):
        microstructure.restore(kept, Params(times=4))
    with pytest.raises(AlteredState):
        microstructure.restore(kept[:-3], params)
