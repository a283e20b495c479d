"""The changepoint detector against the exact recursion, published runs, and every known pitfall."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import gammaln

from swarm.regime import changepoint, saved
from swarm.regime.changepoint import Params, recursion
from swarm.regime.errors import AlteredState, BadObservation, BadParameters, ForeignState

pytestmark = pytest.mark.req("REG-2")
PRIOR = {"mean": 0.0, "kappa": 1.0, "alpha": 1.0, "beta": 1.0}


def filtered(x, hazard, *, mean, kappa, alpha, beta):
    """Adams and MacKay as they write it, in logs: evidence and posterior of each observation."""
    weight, mu, k, a, b = (
        np.zeros(1),
        np.full(1, mean),
        *(np.full(1, v) for v in (kappa, alpha, beta)),
    )
    evidence, posteriors = [], []
    for value in x:
        scale2 = b * (k + 1) / (a * k)
        density = gammaln(a + 0.5) - gammaln(a) - 0.5 * np.log(2 * a * math.pi * scale2)
        density -= (a + 0.5) * np.log1p((value - mu) ** 2 / (2 * a * scale2))
        joint = weight + density
        total = np.logaddexp.reduce(joint)
        evidence.append(total)
        ages = np.arange(1, joint.size + 1)
        chance = np.array([hazard(age) for age in ages])
        ended = np.logaddexp.reduce(joint + np.log(chance)) - total
        weight = np.concatenate([[ended], joint - total + np.log1p(-chance)])
        d = value - mu
        b = np.concatenate([[beta], b + k * d * d / (2 * (k + 1))])
        mu = np.concatenate([[mean], mu + d / (k + 1)])
        k, a = np.concatenate([[kappa], k + 1]), np.concatenate([[alpha], a + 0.5])
        posteriors.append(np.exp(weight))
    return np.array(evidence), posteriors


def run(x, params, since=None, streams=1):
    """What every observation of one series told, as arrays of (T, streams) by field."""
    state = changepoint.empty(streams, params)
    told = [changepoint.advance(state, np.full(streams, one), params, since) for one in x]
    fields = ("evidence", "score", "run_start", "map_age", "map_mass", "ready", "stale")
    return state, {name: np.array([getattr(one, name) for one in told]) for name in fields}


def masses(state, stream=0):
    live = state.counts[stream, recursion.LIVE]
    return np.exp(state.numbers[stream, recursion.LOG_WEIGHT, :live])


@pytest.fixture(scope="module")
def nile():
    """Read as a file: to import the package that brings it takes two seconds, afresh seven."""
    folder = Path(importlib.util.find_spec("statsmodels").origin).parent
    volume = np.loadtxt(folder / "datasets/nile/nile.csv", delimiter=",", skiprows=1, usecols=1)
    return (volume - volume[:20].mean()) / volume[:20].std(ddof=1)


@pytest.mark.fast("1-in-100")
@pytest.mark.parametrize(
    ("hazard", "evidence", "year", "share", "map_mass"),
    [
        pytest.param(1 / 100, -142.6729116743, 1902, 0.6580, 0.684325, id="1-in-100"),
        pytest.param(1 / 250, -143.1234183631, 1904, None, 0.713327, id="1-in-250"),
    ],
)
def test_the_nile_dropped_in_1899(nile, hazard, evidence, year, share, map_mass):
    _, told = run(nile, Params(hazard=hazard, hypotheses=128, cut=0.0, short=10, **PRIOR))
    assert told["evidence"].sum() == pytest.approx(evidence, abs=1e-8)
    crossed = 11 + int(np.argmax(told["score"][11:, 0] > 0.5))
    assert 1871 + crossed == year
    if share is not None:
        assert told["score"][crossed, 0] == pytest.approx(share, abs=5e-5)
    assert told["map_age"][-1, 0] == 72
    assert told["map_mass"][-1, 0] == pytest.approx(map_mass, abs=1e-6)


@pytest.mark.parametrize(
    "hazard",
    [
        pytest.param(1 / 250, id="constant"),
        pytest.param((0.001, 0.002, 0.004, 0.02, 0.005), id="by-age"),
    ],
)
def test_without_merging_the_kernel_is_the_exact_recursion(hazard):
    x = np.random.default_rng(8).normal(0, 1, 300)
    x[120:] += 2.0
    x[200:] *= 3.0
    params = Params(hazard=hazard, hypotheses=400, cut=0.0, short=30, **PRIOR)
    state, told = run(x, params, since=np.array([100]))
    by_age = params.hazards
    exact, posteriors = filtered(x, lambda age: by_age[min(age, len(by_age)) - 1], **PRIOR)
    assert np.max(np.abs(told["evidence"][:, 0] - exact)) < 1e-10
    assert np.max(np.abs(masses(state)[::-1] - posteriors[-1])) < 1e-10
    for seen in (31, 150, 300):
        posterior = posteriors[seen - 1]
        assert told["score"][seen - 1, 0] == pytest.approx(posterior[:30].sum(), abs=1e-10)
        late = posterior[: max(seen - 100, 0)].sum()
        assert told["run_start"][seen - 1, 0] == pytest.approx(late, abs=1e-10)


@pytest.mark.slow
def test_old_runs_beyond_the_table_go_on_exactly():
    """The constants of an age come from a table, and past its end from a series: the same ones."""
    from swarm.regime.changepoint import params as prepared

    x = np.random.default_rng(4).normal(0, 1, 200)
    params = Params(hypotheses=256, cut=0.0, short=30)
    tables = prepared.prepare(params).tables
    told = []
    for size in (tables.shape[1], 16):
        state, row = changepoint.empty(1, params), np.empty((1, recursion.TOLD))
        for value in x:
            recursion.advance_all(
                state.numbers, state.counts, np.array([value]), np.zeros(1, np.int64),
                prepared.prepare(params).settings, np.ascontiguousarray(tables[:, :size]), row,
            )  # fmt: skip
        told.append((state.numbers.tobytes(), row.tobytes()))
    assert told[0] == told[1]


@pytest.mark.slow
def test_merging_costs_little():
    """1,500 points with two changes and 128 hypotheses; above all at the gate's question."""
    off = {"score": [], "run_start": [], "evidence": []}
    for seed in (17, 18, 19):
        rng = np.random.default_rng(seed)
        x = np.concatenate(
            [rng.normal(0, 1, 500), rng.normal(0.7, 1, 500), rng.normal(0.7, 2, 500)]
        )
        since = np.array([480])
        exact_params = Params(hazard=1 / 250, hypotheses=1_600, cut=0.0, short=50)
        _, exact = run(x, exact_params, since)
        _, told = run(x, Params(hazard=1 / 250, hypotheses=128, cut=1e-6, short=50), since)
        off["score"].append(np.mean(np.abs(told["score"] - exact["score"])))
        off["run_start"].append(np.max(np.abs(told["run_start"] - exact["run_start"])))
        off["evidence"].append(abs(told["evidence"].sum() - exact["evidence"].sum()))
    assert max(off["score"]) < 0.0012
    assert max(off["run_start"]) < 0.01
    assert np.mean(off["evidence"]) < 0.02


# --- the pitfalls --------------------------------------------------------------------------------


def test_the_mass_at_age_0_is_the_hazard_whatever_the_data():
    """So it is no score, although it is often used as one."""
    rng = np.random.default_rng(1)
    params = Params(hazard=1 / 250)
    state = changepoint.empty(1, params)
    for value in [*rng.normal(0, 1, 50), 9.0, -30.0, *rng.normal(5, 3, 50)]:
        changepoint.advance(state, np.array([value]), params)
        assert masses(state)[-1] == pytest.approx(1 / 250, rel=1e-12)


def test_the_score_is_masked_until_it_means_something():
    params = Params(short=100)
    _, told = run(np.random.default_rng(2).normal(0, 1, 300), params)
    assert (told["score"][:100] == 0.0).all()
    assert not told["ready"][:100].any()
    assert told["ready"][100:].all()
    assert (told["score"][110:] < 0.5).all()


def test_weights_that_no_double_holds_do_not_underflow():
    """5,000 degrees of freedom and 100 standard deviations: a density of some e**-2700."""
    rng = np.random.default_rng(3)
    params = Params(hazard=1e-6, hypotheses=2, cut=0.0)
    state, _ = run(rng.normal(0, 1, 5_000), params)
    told = changepoint.advance(state, np.array([100.0]), params)
    assert -60.0 < told.evidence[0] < -10.0, "the young hypothesis takes it"
    state, _ = run(np.full(3_000, 0.01), Params(hazard=1e-300 + 1e-15, cut=0.0))
    assert np.isfinite(masses(state)).all()
    assert masses(state).sum() == pytest.approx(1.0, abs=1e-12)


def test_an_outlier_in_normal_scores_starts_no_run_for_ever():
    """Clipped at 4, as `transform` hands it over; at 40 it would never come back."""
    rng = np.random.default_rng(6)
    x = np.clip(rng.normal(0, 1, 1_200), -4, 4)
    x[600] = 4.0
    _, told = run(x, Params(), since=np.array([590]))
    assert told["run_start"][700:, 0].max() < 0.3
    x[600] = 40.0
    _, raw = run(x, Params(), since=np.array([590]))
    assert raw["run_start"][-1, 0] > 0.99


@pytest.mark.slow
def test_a_broad_prior_of_the_precision_sees_a_change_of_volatility_sooner():
    x = np.random.default_rng(0).normal(0, 1, (900, 200))
    x[500:] *= 1.5

    def delay(alpha):
        params = Params(alpha=alpha, beta=alpha)
        _, told = changepoint.step_many(
            changepoint.empty(200, params), x, params, np.full(200, 480, dtype=np.int64)
        )
        return np.argmax(np.array([one.run_start for one in told])[500:] > 0.9, axis=0).mean()

    assert 1.10 < delay(10.0) / delay(2.0) < 1.30


def test_memory_and_mass_stay_bounded():
    params = Params(hypotheses=64)
    state = changepoint.empty(3, params)
    size = len(changepoint.save(state, params, 0))
    for value in np.random.default_rng(9).normal(0, 1, 3_000):
        changepoint.advance(state, np.array([value, -value, 2 * value]), params)
    assert len(changepoint.save(state, params, 3_000)) <= size + 8
    for stream in range(3):
        assert masses(state, stream).sum() == pytest.approx(1.0, abs=1e-9)


def test_a_constant_input_stays_finite():
    state, told = run(np.zeros(5_000), Params())
    assert np.isfinite(state.numbers).all()
    assert np.isfinite(told["evidence"]).all()
    assert told["map_age"][-1, 0] == 5_000


def test_the_first_observation_counts():
    params = Params(hypotheses=8, cut=0.0)
    state, told = run([3.0], params)
    assert state.numbers[0, recursion.MEAN, 0] == pytest.approx(3.0 / 1.1)
    assert told["map_age"][0, 0] == 1
    assert told["evidence"][0, 0] < -2.0


# --- what may come -------------------------------------------------------------------------------


def test_what_is_missing_changes_no_weight_and_is_counted():
    params = Params(stale=3, short=20)
    state, told = run(np.random.default_rng(5).normal(0, 1, 50), params)
    before = state.numbers.copy()
    for number, value in enumerate([math.nan, math.inf, -math.inf], start=1):
        gap = changepoint.advance(state, np.array([value]), params)
        assert gap.evidence[0] == 0.0
        assert gap.seen[0] == 50
        assert gap.stale[0] == (number >= 3)
        assert gap.score[0] == pytest.approx(told["score"][-1, 0], abs=1e-12)
    assert state.numbers.tobytes() == before.tobytes()
    assert not changepoint.advance(state, np.array([0.1]), params).stale[0]


@pytest.mark.parametrize("value", [1e308, -1e308, 1e-308, 5e-324])
def test_no_size_of_number_breaks_it(value):
    params = Params()
    state, told = run([0.1, -0.2, value, 0.3, -0.1], params)
    assert np.isfinite(state.numbers).all()
    assert np.isfinite(told["evidence"]).all()
    assert masses(state).sum() == pytest.approx(1.0, abs=1e-9)


def test_a_step_leaves_what_it_was_given_alone():
    params = Params()
    state = changepoint.empty(2, params)
    before = state.numbers.tobytes(), state.counts.tobytes()
    first, told = changepoint.step(state, np.array([0.5, np.nan]), params)
    again, same = changepoint.step(state, np.array([0.5, np.nan]), params)
    assert (state.numbers.tobytes(), state.counts.tobytes()) == before
    assert first.numbers.tobytes() == again.numbers.tobytes()
    assert told.evidence.tobytes() == same.evidence.tobytes()


def test_many_steps_are_the_same_as_one_after_the_other():
    params = Params(hypotheses=16)
    x = np.random.default_rng(12).normal(0, 1, (80, 3))
    many, told = changepoint.step_many(changepoint.empty(3, params), x, params)
    one = changepoint.empty(3, params)
    for row, seen in zip(x, told, strict=True):
        one, out = changepoint.step(one, row, params)
        assert out.run_start.tobytes() == seen.run_start.tobytes()
    assert many.numbers.tobytes() == one.numbers.tobytes()


def test_streams_do_not_touch_each_other():
    params = Params(hypotheses=16)
    x = np.random.default_rng(13).normal(0, 1, 60)
    alone, _ = run(x, params)
    state = changepoint.empty(3, params)
    for value in x:
        changepoint.advance(state, np.array([100.0, value, np.nan]), params)
    assert state.numbers[1].tobytes() == alone.numbers[0].tobytes()


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 1), ()])
def test_an_observation_of_another_shape_is_refused(shape):
    params = Params()
    with pytest.raises(BadObservation):
        changepoint.step(changepoint.empty(2, params), np.zeros(shape), params)
    with pytest.raises(BadObservation):
        changepoint.step(changepoint.empty(2, params), np.zeros(2), params, np.zeros(5, np.int64))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hazard", 0.0),
        ("hazard", 1.0),
        ("hazard", math.nan),
        ("hazard", ()),
        ("hazard", (0.1, -0.1)),
        ("mean", math.inf),
        ("kappa", 0.0),
        ("alpha", math.nan),
        ("beta", -1.0),
        ("hypotheses", 1),
        ("hypotheses", 10**9),
        ("cut", 0.5),
        ("short", 0),
        ("stale", 0),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(BadParameters) as refused:
        Params(**{field: value})
    assert refused.value.field == field


def test_it_is_saved_and_restored_at_every_tick_to_the_bit():
    params = Params(hypotheses=16)
    x = np.random.default_rng(14).normal(0, 1, (120, 2))
    x[30:40, 0] = np.nan
    straight, broken = changepoint.empty(2, params), changepoint.empty(2, params)
    for tick, row in enumerate(x):
        changepoint.advance(straight, row, params)
        changepoint.advance(broken, row, params)
        broken = changepoint.restore(changepoint.save(broken, params, tick), params)
        assert broken.numbers.tobytes() == straight.numbers.tobytes()
        assert broken.counts.tobytes() == straight.counts.tobytes()


def test_a_state_of_other_parameters_is_refused():
    state = changepoint.save(changepoint.empty(1, Params()), Params(), 0)
    with pytest.raises(ForeignState):
        changepoint.restore(state, Params(hazard=1 / 100))
    with pytest.raises(AlteredState):
        changepoint.restore(state[:-1], Params())
    assert saved.tick_of(state) == 0
