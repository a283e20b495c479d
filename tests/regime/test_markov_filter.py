"""The runtime filter: against enumeration, against laws it must obey, and against bad ticks."""

from __future__ import annotations

import dataclasses
import json
import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swarm.regime.errors import AlteredState, BadModel, BadObservation, ForeignState
from swarm.regime.markov import filter as kernels
from swarm.regime.markov.chain import ergodic
from swarm.regime.markov.params import MarkovParams, regime_posterior
from swarm.regime.markov.passes import smooth_series
from swarm.regime.markov.predictive import ranks
from swarm.regime.markov.streams import MarkovState, step, step_many
from swarm.regime.nouns import HIDDEN, Regime

pytestmark = pytest.mark.req("REG-2")

STICKY = np.array([[0.95, 0.03, 0.02], [0.04, 0.9, 0.06], [0.1, 0.1, 0.8]])


def model(**given):
    """Three states; the last two rows of the table are fat-tailed where nu is finite."""
    fields = {
        "transition": STICKY,
        "intercept": [0.3, -0.1, 0.0],
        "ar": np.zeros((3, 0)),
        "scale": [0.5, 1.2, 3.0],
        "nu": [np.inf, 5.0, 3.0],
        "labels": (Regime.TREND, Regime.MEAN_REVERT, Regime.HIGH_VOL),
    }
    return MarkovParams(**{**fields, **given})


def log_densities(params, x, lags):
    """log f(x | state), by scipy."""
    errors = (x - params.intercept - params.ar @ lags) / params.scale
    laws = [stats.norm if np.isinf(nu) else stats.t(nu) for nu in params.nu]
    found = [law.logpdf(error) for law, error in zip(laws, errors, strict=True)]
    return np.array(found) - np.log(params.scale)


def by_enumeration(params, series):
    """Pr(s_t | all x) and log f(x), summed over every path of states there is."""
    density = np.zeros((len(series) - params.lags, params.states))
    for t in range(len(density)):
        place = t + params.lags
        back = series[t:place][::-1]
        if np.isfinite(series[place]) and np.isfinite(back).all():
            density[t] = log_densities(params, series[place], back)
    moves, ticks = np.log(params.transition), range(len(density))
    paths = np.array(list(product(range(params.states), repeat=len(density))))
    weights = np.log(params.resting)[paths[:, 0]] + sum(density[t, paths[:, t]] for t in ticks)
    weights += sum(moves[paths[:, t - 1], paths[:, t]] for t in ticks if t)
    most = weights.max()
    total = np.exp(weights - most).sum()
    shares = [
        [np.exp(weights[paths[:, t] == k] - most).sum() / total for k in range(params.states)]
        for t in ticks
    ]
    return np.array(shares), most + np.log(total)


@pytest.mark.parametrize(
    ("lags", "series"),
    [
        pytest.param(0, [0.1, -0.4, 4.0, 0.2, -6.0, 0.3, 0.1], id="no-lags"),
        pytest.param(0, [0.1, np.nan, np.nan, 5.0, np.inf, 0.3], id="missing-ticks"),
        pytest.param(2, [0.2, 0.1, -0.4, 2.0, 0.2, -3.0, 0.4, 0.1], id="two-lags"),
        pytest.param(1, [0.2, 0.1, np.nan, 2.0, 0.2, -3.0, 0.4], id="a-lag-that-is-missing"),
    ],
)
def test_the_filter_is_the_sum_over_every_path(lags, series):
    """The exact posterior of seven ticks, from all 3^7 paths."""
    ar = np.array([[0.4, -0.1], [-0.3, 0.2], [0.0, 0.1]])[:, :lags]
    params, series = model(ar=ar), np.array(series)
    state = MarkovState.empty(1, params)
    # The first lags only fill the memory: the chain rests until then, in both accounts.
    state.lags[:, 0] = series[:lags][::-1]
    after, loglik = step_many(state, series[lags:, None], params)
    shares, total = by_enumeration(params, series)
    assert after.posterior[:, 0] == pytest.approx(shares[-1], abs=1e-12)
    assert loglik.sum() == pytest.approx(total, abs=1e-10)


def test_the_smoother_is_the_sum_over_every_path():
    params = model()
    series = np.array([0.1, -0.4, 4.0, 0.2, -6.0, 0.3, 0.1])
    density = np.stack([log_densities(params, x, np.zeros(0)) for x in series], axis=1)
    found = smooth_series(density, params.transition, params.resting)
    shares, total = by_enumeration(params, series)
    assert pytest.approx(shares, abs=1e-12) == found.smoothed.T
    assert found.loglik == pytest.approx(total, abs=1e-10)
    # What pairs say of one end is what the shares say of it.
    assert found.pairs.sum(axis=1) == pytest.approx(shares[:-1].sum(axis=0), abs=1e-12)
    assert found.pairs.sum(axis=0) == pytest.approx(shares[1:].sum(axis=0), abs=1e-12)


def test_the_runtime_filter_agrees_with_statsmodels(published):
    """The fed funds rate, two means, one variance: the likelihood that its own tests hold."""
    params = two_states([0.9820939, 0.0503587], [3.70877, 9.556793], [2.107562, 2.107562])
    _, loglik = step_many(MarkovState.empty(1, params), published("fedfunds")[:, None], params)
    assert loglik.sum() == pytest.approx(-508.63592, abs=1e-4)


def test_the_runtime_filter_with_a_lag_agrees_with_statsmodels(published):
    """Absolute returns on their lag, everything switching: 520 ticks used of 521."""
    returns = published("areturns")
    params = two_states(
        [0.7530865, 0.6825357],
        [0.7641424, 1.972771],
        [0.5895792, 1.605333],
        ar=[[0.0790744], [0.527953]],
    )
    state, loglik = step_many(MarkovState.empty(1, params), returns[:, None], params)
    assert loglik[0, 0] == 0.0
    assert loglik.sum() == pytest.approx(-745.7977, abs=1e-4)
    assert state.missing[0] == 0


def two_states(stay, intercept, scale, ar=((), ())):
    return MarkovParams(
        transition=[[stay[0], 1 - stay[0]], [stay[1], 1 - stay[1]]],
        intercept=intercept,
        ar=np.array(ar).reshape(2, -1),
        scale=scale,
        nu=[np.inf, np.inf],
        labels=(Regime.TREND, Regime.HIGH_VOL),
    )


# --- laws ----------------------------------------------------------------------------------------


def walk(params, series):
    """Every posterior of one stream, shape (T, K), and its log densities."""
    state, shares, logliks = MarkovState.empty(1, params), [], []
    for x in series:
        state, said = step(state, np.array([x]), params)
        shares.append(said.posterior[:, 0])
        logliks.append(said.loglik[0])
    return np.array(shares), np.array(logliks)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.floats(), st.floats(-1e6, 1e6), st.just(0.0)), min_size=1, max_size=40),
    st.sampled_from([1e-12, 1.0, 1e12]),
    st.integers(0, 1),
)
def test_whatever_comes_the_mass_is_one(series, scale, lags):
    """Any doubles at all: infinities, NaN, denormals, 1e308, on a scale from 1e-12 to 1e12."""
    params = model(scale=scale * np.array([0.5, 1.2, 3.0]), ar=np.full((3, lags), 0.5))
    shares, logliks = walk(params, series)
    assert np.isfinite(shares).all()
    assert np.isfinite(logliks).all()
    assert (shares >= 0).all()
    assert np.abs(shares.sum(axis=1) - 1).max() < 1e-12


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:])
def test_the_names_of_the_states_do_not_matter(order):
    order = list(order)
    params = model()
    other = model(
        transition=params.transition[np.ix_(order, order)],
        intercept=params.intercept[order],
        scale=params.scale[order],
        nu=params.nu[order],
        labels=tuple(params.labels[k] for k in order),
    )
    series = np.random.default_rng(4).standard_t(3, 200)
    first, second = walk(params, series), walk(other, series)
    assert second[0] == pytest.approx(first[0][:, order], abs=1e-12)
    assert second[1] == pytest.approx(first[1], abs=1e-10)
    # And the regimes come out in one order, whatever that of the states.
    assert regime_posterior(other, second[0].T) == pytest.approx(
        regime_posterior(params, first[0].T), abs=1e-12
    )


def test_the_unit_does_not_matter():
    """In basis points instead of percent the posterior is the same, the density 100 times less."""
    series = np.random.default_rng(5).standard_t(3, 300)
    params = model()
    other = model(intercept=100 * params.intercept, scale=100 * params.scale)
    first, second = walk(params, series), walk(other, 100 * series)
    assert second[0] == pytest.approx(first[0], abs=1e-11)
    assert second[1] == pytest.approx(first[1] - np.log(100), abs=1e-10)


def test_streams_do_not_see_each_other():
    """300 streams in one call are 300 calls of one stream, to the bit, across block borders."""
    rng = np.random.default_rng(6)
    params = model(ar=[[0.2], [0.1], [-0.1]])
    ticks = rng.standard_t(3, (20, 300))
    ticks[rng.random(ticks.shape) < 0.1] = np.nan
    together, _ = step_many(MarkovState.empty(300, params), ticks, params)
    for stream in (0, 127, 128, 255, 256, 299):
        alone, _ = step_many(MarkovState.empty(1, params), ticks[:, stream : stream + 1], params)
        assert alone.posterior[:, 0].tobytes() == together.posterior[:, stream].tobytes()


# --- missing ticks -------------------------------------------------------------------------------


def test_a_gap_is_so_many_predictions_and_no_evidence():
    params = model()
    state, _ = step(MarkovState.empty(1, params), np.array([4.0]), params)
    wanted = state.posterior[:, 0]
    for missing in range(1, 4):
        state, said = step(state, np.array([np.nan]), params)
        wanted = wanted @ params.transition
        assert said.posterior[:, 0] == pytest.approx(wanted, abs=1e-14)
        assert said.loglik[0] == 0.0
        assert not said.seen[0]
        assert state.missing[0] == missing


def test_a_stream_goes_stale_and_then_knows_nothing():
    params = model(gap_most=8, stale_after=3)
    state, _ = step(MarkovState.empty(2, params), np.array([9.0, 9.0]), params)
    stale = []
    for _ in range(9):
        state, said = step(state, np.array([np.nan, 9.0]), params)
        stale.append(bool(said.stale[0]))
        assert not said.stale[1]
    assert stale == [False] * 3 + [True] * 6
    # The ninth is one more than the gap that predictions are made across.
    assert state.posterior[:, 0].tolist() == params.resting.tolist()
    assert state.posterior[2, 1] > 0.9
    state, said = step(state, np.array([0.0, 0.0]), params)
    assert said.seen.all()
    assert not said.stale.any()


def test_an_observation_of_the_wrong_shape_moves_nothing():
    params = model()
    state = MarkovState.empty(2, params)
    before = state.to_bytes(params, 0)
    with pytest.raises(BadObservation, match="shape"):
        step(state, np.array([1.0]), params)
    assert state.to_bytes(params, 0) == before


def test_a_step_leaves_the_given_state_alone():
    params = model(ar=[[0.2], [0.1], [-0.1]])
    state = MarkovState.empty(3, params)
    before = state.to_bytes(params, 0)
    step(state, np.array([1.0, 2.0, np.nan]), params)
    step_many(state, np.ones((5, 3)), params)
    assert state.to_bytes(params, 0) == before


# --- to the bit ----------------------------------------------------------------------------------


def test_saved_and_restored_at_every_tick_it_ends_the_same():
    params = model(ar=[[0.2, 0.1], [0.1, 0.0], [-0.1, 0.0]])
    ticks = np.random.default_rng(7).standard_t(3, (60, 4))
    ticks[20:24, 1] = np.nan
    whole, _ = step_many(MarkovState.empty(4, params), ticks, params)
    state = MarkovState.empty(4, params)
    for tick, row in enumerate(ticks):
        state, _ = step(state, row, params)
        state = MarkovState.from_bytes(state.to_bytes(params, tick), params)
    assert state.to_bytes(params, 60) == whole.to_bytes(params, 60)


def test_a_state_of_other_parameters_or_altered_is_refused():
    params = model()
    saved = MarkovState.empty(2, params).to_bytes(params, 5)
    with pytest.raises(ForeignState):
        MarkovState.from_bytes(saved, model(scale=[0.5, 1.2, 3.0000001]))
    with pytest.raises(AlteredState):
        MarkovState.from_bytes(saved[:-1] + bytes([saved[-1] ^ 1]), params)


def test_the_plain_python_twin_gives_the_same_bits(monkeypatch):
    """The same source, run uncompiled: 300 ticks with gaps and outliers of a million."""
    pytest.importorskip("numba")
    params = model(ar=[[0.2], [0.1], [-0.1]])
    rng = np.random.default_rng(8)
    ticks = rng.standard_t(2, (300, 3))
    ticks[50:53], ticks[100, 0], ticks[120, 1] = np.nan, 1e6, -np.inf
    fast, loglik = step_many(MarkovState.empty(3, params), ticks, params)
    from swarm.regime import elementary

    for module in (elementary, kernels):
        for name, value in vars(module).copy().items():
            if plain := getattr(value, "py_func", None):
                monkeypatch.setattr(module, name, plain)
    for name in ("exp_row", "log_row"):
        monkeypatch.setattr(kernels, name, getattr(elementary, name))
    slow, twin = MarkovState.empty(3, params), np.empty_like(loglik)
    kernels.advance_many(
        ticks, slow.posterior, slow.lags, slow.missing,
        params.transition, params.table, params.gap_most, twin,
    )  # fmt: skip
    assert slow.to_bytes(params, 300) == fast.to_bytes(params, 300)
    assert twin.tobytes() == loglik.tobytes()


# --- the chain -----------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_the_resting_shares_solve_their_equations(states, seed):
    transition = np.random.default_rng(seed).dirichlet(np.ones(states), states)
    found = ergodic(transition)
    system = np.vstack([transition.T - np.eye(states), np.ones(states)])
    right = np.append(np.zeros(states), 1.0)
    solved = np.linalg.lstsq(system, right, rcond=None)[0]
    assert found == pytest.approx(solved, abs=1e-10)
    assert found.sum() == pytest.approx(1, abs=1e-15)


def test_a_state_that_is_left_once_in_a_lifetime_still_rests_exactly():
    """Two rare ways out, 1e-15 and 3e-15: 3/4 and 1/4, where a subtraction says 0/0."""
    found = ergodic(np.array([[1.0, 1e-15], [3e-15, 1.0]]))
    assert found == pytest.approx([0.75, 0.25], rel=1e-14)


# --- ranks ---------------------------------------------------------------------------------------


def test_a_rank_is_the_mixed_distribution_function():
    params = model(ar=[[0.2], [0.1], [-0.1]])
    state, _ = step_many(MarkovState.empty(1, params), np.array([[0.4], [1.0], [-2.0]]), params)
    for x in (-8.0, -1.0, 0.0, 0.3, 2.5, 40.0):
        errors = (x - params.intercept - params.ar[:, 0] * -2.0) / params.scale
        each = [stats.norm.cdf(errors[0]), stats.t(5).cdf(errors[1]), stats.t(3).cdf(errors[2])]
        wanted = (state.posterior[:, 0] @ params.transition) @ each
        assert ranks(state, np.array([x]), params)[0] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("x", "rank"), [(-1e149, 0.0), (1e149, 1.0), (1e151, math.nan)])
def test_a_rank_at_the_end_of_numbers_is_that_of_its_side(x, rank):
    """In scales so small that no square is a number, and in more than one block of streams."""
    params = model(scale=[1e-149, 2e-149, 3e-149])
    found = ranks(MarkovState.empty(600, params), np.full(600, x), params)
    assert found == pytest.approx(np.full(600, rank), nan_ok=True)


@pytest.mark.slow
def test_ranks_of_a_true_model_are_uniform_and_a_missing_tick_has_none():
    params, rng = model(), np.random.default_rng(9)
    hidden, state, found = 0, MarkovState.empty(1, params), []
    for _ in range(3000):
        hidden = rng.choice(3, p=params.transition[hidden])
        noise = rng.standard_normal() if hidden == 0 else rng.standard_t(params.nu[hidden])
        x = np.array([params.intercept[hidden] + params.scale[hidden] * noise])
        found.append(ranks(state, x, params)[0])
        state, _ = step(state, x, params)
    # A false model, with every scale doubled, fails this by a factor of 1e30.
    assert stats.kstest(found, "uniform").pvalue > 0.001
    assert np.isnan(ranks(state, np.array([np.nan]), params)[0])


# --- the artefact --------------------------------------------------------------------------------


def test_a_model_survives_its_text_to_the_bit():
    params = model(scale=[0.1 + 0.2, 1 / 3, 2 / 3], ar=[[0.1], [1 / 7], [-1e-17]])
    again = MarkovParams.from_json(params.to_json())
    assert again.hash() == params.hash()
    assert again.table.tobytes() == params.table.tobytes()
    assert again.labels == params.labels


def test_every_parameter_is_in_the_hash():
    params = model()
    others = [
        model(scale=[0.5, 1.2, 3.0000000000000004]),
        model(nu=[np.inf, 5.0, 4.0]),
        model(labels=(Regime.TREND, Regime.TREND, Regime.HIGH_VOL)),
        model(gap_most=99),
        model(stale_after=6),
        model(intercept=[0.3, -0.1, -0.0001]),
    ]
    assert len({one.hash() for one in [params, *others]}) == 7


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"transition": np.eye(3)}, "transition", id="never-leaves"),
        pytest.param({"transition": STICKY * 1.001}, "transition", id="sums-to-more"),
        pytest.param({"transition": STICKY - 0.04}, "transition", id="negative"),
        pytest.param({"transition": STICKY[:2]}, "transition", id="not-square"),
        pytest.param({"scale": [0.0, 1, 2]}, "scale", id="no-scale"),
        pytest.param({"scale": [np.nan, 1, 2]}, "scale", id="scale-not-a-number"),
        pytest.param({"nu": [1.5, 3, 3]}, "nu", id="no-variance"),
        pytest.param({"intercept": [np.inf, 0, 0]}, "intercept", id="infinite"),
        pytest.param({"intercept": []}, "intercept", id="no-states"),
        pytest.param({"ar": np.zeros(3)}, "ar", id="lags-without-shape"),
        pytest.param({"labels": (Regime.UNCERTAIN,) * 3}, "labels", id="uncertain-is-no-state"),
        pytest.param({"stale_after": 0}, "stale_after", id="stale-at-once"),
    ],
)
def test_what_is_no_model_is_refused_by_name(change, field):
    with pytest.raises(BadModel, match=field):
        model(**change)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[1]", id="a-list"),
        pytest.param('{"kind": "markov"}', id="half"),
        pytest.param("{" * 100_000, id="deep"),
        pytest.param(json.dumps({**json.loads(model().to_json()), "version": 2}), id="newer"),
        pytest.param(json.dumps({**json.loads(model().to_json()), "scale": [1, 2, 3]}), id="edit"),
        pytest.param(json.dumps({**json.loads(model().to_json()), "extra": 1}), id="unknown-field"),
    ],
)
def test_a_text_that_is_no_model_is_refused(text):
    with pytest.raises(BadModel):
        MarkovParams.from_json(text)


def test_a_model_cannot_be_changed_behind_its_hash():
    scale = np.array([0.5, 1.2, 3.0])
    params = model(scale=scale)
    scale[0] = 9.0
    assert params.scale[0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        params.scale[0] = 9.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        params.gap_most = 3


def test_states_that_share_a_name_add_up():
    params = model(labels=(Regime.MEAN_REVERT, Regime.MEAN_REVERT, Regime.HIGH_VOL))
    found = regime_posterior(params, np.array([[0.2], [0.5], [0.3]]))
    assert dict(zip(HIDDEN, found[:, 0].tolist(), strict=True)) == pytest.approx(
        {
            Regime.TREND: 0.0,
            Regime.MEAN_REVERT: 0.7,
            Regime.HIGH_VOL: 0.3,
            Regime.STRESSED_LIQUIDITY: 0.0,
        }
    )
