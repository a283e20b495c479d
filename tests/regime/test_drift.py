"""The drift detector against a plain one, which in turn is held against river's."""

import math

import numpy as np
import pytest
from scipy import stats

from swarm.regime import drift
from swarm.regime.drift import Params, window
from swarm.regime.errors import AlteredState, BadObservation, BadParameters, ForeignState
from swarm.regime.transform import lookup
from swarm.regime.transform.reference import fit_reference

pytestmark = pytest.mark.req("REG-2")


class Plain:
    """ADWIN2 in plain Python: a list of buckets (size, sum, squares), oldest first.

    As river has it when `theirs`: sides count n - 5 + 1 in the bound, and the observation after a
    detection finds an empty window.
    """

    def __init__(self, delta, clock, *, theirs=False):
        self.delta, self.clock, self.theirs = delta, clock, theirs
        self.buckets, self.seen, self.detected = [], 0, False

    def update(self, x):
        if self.theirs and self.detected:
            self.buckets, self.seen = [], 0
        self.seen += 1
        self.buckets.append((1, x, 0.0))
        self._compress()
        self.detected = False
        if self.seen % self.clock == 0:
            while self.width() > 10 and self._cut():
                del self.buckets[0]
                self.detected = True
        return self.detected

    def width(self):
        return sum(size for size, _, _ in self.buckets)

    def _compress(self):
        size = 1
        while sum(one[0] == size for one in self.buckets) > 5:
            at = next(i for i, one in enumerate(self.buckets) if one[0] == size)
            (_, a, s), (_, b, t) = self.buckets[at : at + 2]
            merged = (2 * size, a + b, s + t + size / 2 * (a / size - b / size) ** 2)
            self.buckets[at : at + 2] = [merged]
            size *= 2

    def _variance(self):
        width, total = self.width(), sum(one[1] for one in self.buckets)
        inner = sum(one[2] for one in self.buckets)
        between = sum(n * (a / n - total / width) ** 2 for n, a, _ in self.buckets)
        return (inner + between) / width

    def _cut(self):
        width, total = self.width(), sum(one[1] for one in self.buckets)
        bound, variance = math.log(2 * math.log(width) / self.delta), self._variance()
        n0 = u0 = 0
        for size, part, _ in self.buckets:
            n0, u0 = n0 + size, u0 + part
            n1, u1 = width - n0, total - u0
            if n0 < 5 or n1 < 5:
                continue
            less = 4 if self.theirs else 0
            m = 1 / (n0 - less) + 1 / (n1 - less)
            if abs(u0 / n0 - u1 / n1) > math.sqrt(2 * m * variance * bound) + 2 / 3 * bound * m:
                return True
        return False


def shifted(seed, size=700):
    rng = np.random.default_rng(seed)
    at, by = int(rng.integers(200, 500)), rng.choice([0.0, 0.2, 0.4])
    x = rng.random(size) * 0.6
    x[at:] += by
    return x


def alarms(x, params):
    state = drift.empty(1, params)
    told = [drift.advance(state, np.array([one]), params) for one in x]
    return np.flatnonzero([one.alarm[0] for one in told]), told


@pytest.mark.fast("0.002-1")
@pytest.mark.parametrize("clock", [1, 32])
@pytest.mark.parametrize("delta", [0.002, 0.1])
def test_the_plain_detector_with_rivers_changes_is_rivers(clock, delta):
    """60 first detections in all, to the tick: so we know what it is that we do otherwise."""
    from river.drift import ADWIN

    for seed in range(15):
        theirs = ADWIN(delta=delta, clock=clock, grace_period=10, min_window_length=5)
        plain = Plain(delta, clock, theirs=True)
        for tick, value in enumerate(shifted(seed)):
            theirs.update(float(value))
            assert plain.update(float(value)) == theirs.drift_detected, (seed, tick)
            if theirs.drift_detected:
                break


@pytest.mark.fast("1-0.05")
@pytest.mark.parametrize(("clock", "delta"), [(1, 0.05), (1, 0.3), (32, 0.05), (7, 0.002)])
def test_the_kernel_is_the_plain_detector(clock, delta):
    """Every alarm and every width, without a division or a root in the scan."""
    params = Params(clock=clock, delta=delta)
    for seed in range(8):
        plain, state = Plain(delta, clock), drift.empty(1, params)
        for tick, value in enumerate(shifted(seed)):
            told = drift.advance(state, np.array([value]), params)
            assert told.alarm[0] == plain.update(float(value)), (seed, tick)
            assert told.width[0] == plain.width()
        assert told.variance[0] == pytest.approx(plain._variance(), rel=1e-10)
        mean = sum(one[1] for one in plain.buckets) / plain.width()
        assert told.mean[0] == pytest.approx(mean, rel=1e-12)


RESTLESS = {
    "noise": lambda rng, n: rng.random(n),
    "yes-or-no": lambda rng, n: (rng.random(n) < np.repeat(rng.random(n // 250), 250)) * 1.0,
    "steps": lambda rng, n: np.repeat(rng.random(n // 50), 50),
    "slope": lambda rng, n: np.clip(np.linspace(0, 1, n) + rng.normal(0, 0.02, n), 0, 1),
    "almost-constant": lambda rng, n: 0.1 + 1e-9 * rng.random(n) + 0.3 * (np.arange(n) >= n - 40),
}


@pytest.mark.fast("noise")
@pytest.mark.parametrize("delta", [0.002, 0.05, 0.9])
@pytest.mark.parametrize("kind", RESTLESS)
def test_no_cut_is_missed_at_a_tick_that_was_not_looked_at(kind, delta):
    """Beside one that looks at every tick: the same alarms and windows, for fewer looks."""
    params = Params(delta=delta)
    x = RESTLESS[kind](np.random.default_rng(31), 2_000)
    state, looking, looks = drift.empty(1, params), drift.empty(1, params), 0
    for value in x:
        before = state.totals[0, window.SLACK]
        looking.totals[0, window.SLACK] = 0.0
        told = [drift.advance(one, np.array([value]), params) for one in (state, looking)]
        assert told[0].alarm[0] == told[1].alarm[0]
        assert state.buckets.tobytes() == looking.buckets.tobytes()
        looks += state.totals[0, window.SLACK] >= before
    assert looks < len(x) / 2, "it looked at most ticks all the same"


@pytest.mark.slow
def test_alarms_do_not_depend_on_the_unit(closes):
    """river's gave 10 alarms on percent, none on decimals and 18 on basis points."""
    returns = np.diff(np.log(closes("sp500")))
    found = []
    for unit in (1.0, 100.0, 10_000.0):
        reference = fit_reference(returns[:1000] * unit)
        prepared = lookup.prepare([reference] * returns.size)
        u, _ = lookup.scores(returns * unit, prepared)
        by_mean, _ = alarms(u, Params())
        by_scale, _ = alarms(drift.spread(u), Params())
        found.append((by_mean.tolist(), by_scale.tolist()))
    assert found[0] == found[1] == found[2]
    assert len(found[0][1]) > 10, "twenty years of prices without one change of volatility"


@pytest.mark.fast("0.2-0.4-82")
@pytest.mark.parametrize(("before", "after", "ticks"), [(0.2, 0.4, 82), (0.2, 0.6, 28)])
def test_an_abrupt_change_is_seen_as_soon_as_promised(before, after, ticks):
    rng = np.random.default_rng(21)
    x = (rng.random((2_000, 200)) < before).astype(float)
    x[1_000:] = rng.random((1_000, 200)) < after
    _, told = drift.step_many(drift.empty(200, Params()), x, Params())
    delays = np.argmax([one.alarm for one in told[1_000:]], axis=0) + 1
    assert delays.mean() == pytest.approx(ticks, rel=0.1)


@pytest.mark.slow
def test_without_a_change_it_is_almost_silent():
    """At delta 0.05, 1.1e-5 to 2.0e-5 episodes a step were measured on Bernoulli streams."""
    x = np.random.default_rng(22).random((2_000, 200)) < 0.5
    _, told = drift.step_many(drift.empty(200, Params()), x.astype(float), Params())
    assert told[-1].episodes.sum() / x.size < 6e-5


def test_a_change_of_scale_shows_in_the_spread_of_ranks_and_not_in_ranks():
    rng = np.random.default_rng(23)
    u = stats.norm.cdf(np.concatenate([rng.normal(0, 1, 1_000), rng.normal(0, 3, 400)]))
    assert alarms(u, Params())[0].size == 0
    first = alarms(drift.spread(u), Params())[0][0]
    assert 1_000 < first < 1_090


def test_a_gradual_change_is_one_episode():
    rng = np.random.default_rng(24)
    x = np.clip(rng.normal(np.linspace(0.3, 0.7, 1_500), 0.1), 0, 1)
    x = np.concatenate([x, rng.normal(0.7, 0.1, 900).clip(0, 1)])
    ticks, told = alarms(x, Params(refractory=200))
    assert ticks.size > 10
    assert told[-1].episodes[0] == 1
    begun = next(one for one in told if one.alarm[0])
    assert begun.started[0] == ticks[0] + 1
    assert begun.episode[0]
    assert not told[-1].episode[0], "it ends when it was quiet for long enough"


# --- what may come -------------------------------------------------------------------------------


def test_what_is_missing_is_counted_and_changes_nothing():
    params = Params(stale=2)
    state = drift.empty(1, params)
    drift.step_many(state, np.full((20, 1), 0.5), params)
    before = state.buckets.tobytes(), state.totals.tobytes()
    for number, value in enumerate([np.nan, np.inf, -np.inf], start=1):
        told = drift.advance(state, np.array([value]), params)
        assert not told.alarm[0]
        assert told.stale[0] == (number >= 2)
    assert (state.buckets.tobytes(), state.totals.tobytes()) == before


@pytest.mark.parametrize("x", [-0.001, 1.001, 1e308, -5e-324])
def test_a_value_outside_the_bound_is_refused_and_nothing_is_taken_in(x):
    state = drift.empty(2, Params())
    with pytest.raises(BadObservation):
        drift.advance(state, np.array([0.5, x]), Params())
    assert not state.marks.any()


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 1), ()])
def test_an_observation_of_another_shape_is_refused(shape):
    with pytest.raises(BadObservation):
        drift.step(drift.empty(2, Params()), np.zeros(shape), Params())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("delta", 0.0),
        ("delta", 1.0),
        ("delta", math.nan),
        ("clock", 0),
        ("buckets", 1),
        ("rows", 1),
        ("rows", 64),
        ("least", 0),
        ("grace", 0),
        ("refractory", 0),
        ("stale", 0),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(BadParameters) as refused:
        Params(**{field: value})
    assert refused.value.field == field


def test_a_full_window_forgets_its_oldest():
    """Four rows of at most five: bounded, and its totals stay those of what is in it."""
    params = Params(rows=4)
    state = drift.empty(1, params)
    for value in np.random.default_rng(25).random(2_000):
        told = drift.advance(state, np.array([value]), params)
        assert told.width[0] <= 6 * (1 + 2 + 4 + 8)
    taken = state.buckets[0, window.SUM][np.arange(6) < state.rows[0][:, None]]
    assert told.mean[0] * told.width[0] == pytest.approx(taken.sum(), rel=1e-12)
    assert 0.3 < told.mean[0] < 0.7
    assert 0.05 < told.variance[0] < 0.12


def test_a_constant_has_no_variance_below_zero():
    _, told = alarms(np.concatenate([np.zeros(500), np.full(3_000, 0.1)]), Params())
    assert min(one.variance[0] for one in told) >= 0.0
    assert told[-1].variance[0] == pytest.approx(0.0, abs=1e-12)


def test_it_is_saved_and_restored_at_every_tick_to_the_bit():
    params = Params(rows=6)
    x = np.random.default_rng(26).random((400, 2))
    x[200:, 0] *= 0.2
    x[50:60, 1] = np.nan
    straight, broken = drift.empty(2, params), drift.empty(2, params)
    for tick, row in enumerate(x):
        one, other = drift.advance(straight, row, params), drift.advance(broken, row, params)
        assert one.alarm.tobytes() == other.alarm.tobytes()
        saved = drift.save(broken, params, tick)
        assert saved == drift.save(straight, params, tick)
        broken = drift.restore(saved, params)


def test_a_step_leaves_what_it_was_given_alone():
    state = drift.empty(1, Params())
    before = drift.save(state, Params(), 0)
    drift.step(state, np.array([0.5]), Params())
    assert drift.save(state, Params(), 0) == before


def test_a_state_of_other_parameters_is_refused():
    state = drift.save(drift.empty(1, Params()), Params(), 0)
    with pytest.raises(ForeignState):
        drift.restore(state, Params(delta=0.1))
    with pytest.raises(AlteredState):
        drift.restore(state + b"x", Params())
