"""The vote of the present run, held against the whole sum written out with numpy and scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from swarm.regime import saved
from swarm.regime.changepoint import recursion
from swarm.regime.engine.params import VERSION, EngineParams
from swarm.regime.engine.record import record, return_votes
from swarm.regime.engine.state import EngineState, empty, restore
from swarm.regime.engine.step import Observation, advance
from swarm.regime.ensemble import DISAGREEMENT
from swarm.regime.errors import ForeignState
from swarm.regime.hysteresis.reasons import RegimeReason
from swarm.regime.markov.params import MarkovParams
from swarm.regime.nouns import HIDDEN, Posture, Regime
from swarm.testing.regime_design import params as three_gaussians

pytestmark = pytest.mark.req("REG-1", "REG-4")
GAUSSIANS = three_gaussians()
MOST, LOUDEST = 128, 8.0


def lagged_and_fat():
    """Four states of a Student-t with a lag, of which the first two stand for one regime."""
    markov = MarkovParams(
        transition=np.full((4, 4), 0.02) + 0.92 * np.eye(4),
        intercept=np.array([0.1, -0.1, 0.0, 0.2]),
        ar=np.array([[0.5], [0.4], [-0.4], [0.0]]),
        scale=np.array([0.3, 0.6, 1.2, 3.0]),
        nu=np.array([4.0, 5.0, 6.0, 7.0]),
        labels=(Regime.TREND, Regime.TREND, Regime.HIGH_VOL, Regime.STRESSED_LIQUIDITY),
    )
    return replace(GAUSSIANS, markov=markov, trusted=frozenset({markov.hash()}))


def returns(seed: int, ticks: int, scales=(0.6, 3.0, 1.2, 0.6)):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(ticks) * np.repeat(scales, -(-ticks // len(scales)))[:ticks]
    values[40:44] = np.nan
    values[ticks // 2] = 200.0
    values[ticks // 2 + 9] = -1e200
    return values


def fed(values, params: EngineParams, state: EngineState | None = None) -> EngineState:
    state = state or empty(1, params)
    for value in values:
        advance(state, Observation(at=state.tick + 2, values=np.array([value])), params)
    return state


def said_by_each(values, markov: MarkovParams):
    """What each observation says of each state, (observations, K), and the ticks they came at."""
    seen_at = np.flatnonzero(np.isfinite(values))
    x = np.where(np.abs(values) < 1e150, values, np.nan)
    lags = np.stack([np.concatenate([[np.nan] * n, x])[: len(x)] for n in range(1 + markov.lags)])
    middle = markov.intercept[:, None] + markov.ar @ lags[1:]
    gauss = np.isinf(markov.nu).all()
    more = {} if gauss else {"df": markov.nu[:, None]}
    law = (stats.norm if gauss else stats.t)(loc=middle, scale=markov.scale[:, None], **more)
    logs = np.nan_to_num(np.maximum(law.logpdf(x) - law.logpdf(x).max(axis=0), -LOUDEST))
    return logs[:, seen_at].T, seen_at


def label(said, markov: MarkovParams):
    """The share of each regime, given what each observation of a run says."""
    newest = said[-MOST:].sum(axis=0)
    whole = markov.resting * np.exp(newest - newest.max())
    by_regime = [whole[[label is one for label in markov.labels]].sum() for one in HIDDEN]
    return np.array(by_regime) / whole.sum()


@pytest.mark.parametrize(
    "params", [pytest.param(GAUSSIANS, id="gauss"), pytest.param(lagged_and_fat(), id="lagged")]
)
def test_it_is_the_model_held_still_over_the_likeliest_run_and_half_of_the_posterior(params):
    """At every tick: gaps, outliers, a number beyond numbers, and runs longer than what counts."""
    values, state, ages = returns(3, 700), empty(1, params), set()
    said, seen_at = said_by_each(values, params.markov)
    for t, value in enumerate(values):
        fed([value], params, state)
        told = state.arrays[6][0]
        age, likely = int(told[recursion.MAP_AGE]), told[recursion.MAP_MASS]
        filtered = return_votes(state, 0, params).states
        until = int(np.searchsorted(seen_at, t, side="right"))
        of_run = label(said[until - age : until], params.markov)
        expected = likely * of_run + (1 - likely) * filtered
        assert return_votes(state, 0, params).run == pytest.approx(expected, abs=1e-9)
        assert state.opinions[0, :4] == pytest.approx((expected + filtered) / 2, abs=1e-9)
        ages.add(age)
    assert {0, 1} & ages
    assert max(ages) > MOST + 20, "no run was longer than what counts"


def test_it_moves_to_the_new_run_as_soon_as_the_detector_does():
    """A hundred wild ticks of the old run count for nothing once a new one is the likeliest."""
    rng = np.random.default_rng(5)
    state = fed(rng.standard_normal(150) * 3.0, GAUSSIANS)
    assert return_votes(state, 0, GAUSSIANS).run[HIDDEN.index(Regime.STRESSED_LIQUIDITY)] > 0.9
    for _ in range(80):
        fed(rng.standard_normal(1) * 0.6, GAUSSIANS, state)
        votes = return_votes(state, 0, GAUSSIANS)
        if votes.length < 80 and votes.likely > 0.5:
            break
    assert HIDDEN[votes.run.argmax()] is Regime.TREND


def test_where_filter_and_run_differ_the_opinion_says_that_they_disagree():
    """Two loud ticks turn the filter round; the calm run of two hundred they belong to is calm."""
    rng = np.random.default_rng(6)
    state = fed(rng.standard_normal(200) * 0.6, GAUSSIANS)
    before = state.opinions[0, DISAGREEMENT]
    fed([4.0, -4.0], GAUSSIANS, state)
    votes = return_votes(state, 0, GAUSSIANS)
    assert HIDDEN[votes.states.argmax()] is Regime.STRESSED_LIQUIDITY
    assert votes.run[0] > votes.states[0] + 0.3
    assert state.opinions[0, DISAGREEMENT] > before + 0.1
    assert "the filter holds stressed-liquidity" in votes.sentence


def test_a_print_that_is_absurd_says_no_more_than_one_that_is_large():
    """Else a single one would say what the run is until it leaves the ring, 128 ticks later."""
    votes = []
    for print_ in (1e3, 1e9):
        rng = np.random.default_rng(7)
        values = rng.standard_normal(120) * 0.6
        state = fed([*values[:100], print_, *values[100:]], GAUSSIANS)
        votes.append(return_votes(state, 0, GAUSSIANS).run)
    assert votes[0] == pytest.approx(votes[1], abs=1e-12)
    assert votes[1][HIDDEN.index(Regime.TREND)] > 0.9


def test_when_what_it_remembers_is_lost_we_are_defensive_within_the_tick():
    rng = np.random.default_rng(8)
    state = fed(rng.standard_normal(150) * 0.6, GAUSSIANS)
    assert record(state, 0, GAUSSIANS).posture is Posture.NORMAL
    state.rings[:] = np.nan
    fed([0.1], GAUSSIANS, state)
    told = record(state, 0, GAUSSIANS)
    assert (told.id, told.posture) == (Regime.UNCERTAIN, Posture.DEFENSIVE)
    assert RegimeReason.DETECTOR_BROKEN in told.reasons


def test_what_it_remembers_is_of_one_size_and_comes_back_with_the_state():
    values = returns(9, 400)
    state = fed(values[:200], GAUSSIANS)
    again = restore(state.to_bytes(GAUSSIANS), GAUSSIANS)
    assert state.rings.nbytes == 129 * 3 * 8
    for one in (state, again):
        fed(values[200:], GAUSSIANS, one)
    assert again.to_bytes(GAUSSIANS) == state.to_bytes(GAUSSIANS)


def test_a_state_of_the_release_before_is_refused_by_its_version():
    """It lacks what the present run consists of; a vote from nothing would pass for one."""
    state = fed(returns(1, 50), GAUSSIANS)
    clock = state.settings[[0, 1]]
    held = {name: array for name, array in state._named().items() if name != "rings"}
    old = saved.pack("engine", 1, GAUSSIANS.version, state.tick, {**held, "clock": clock})
    with pytest.raises(ForeignState, match=rf"state\.version is 1; {VERSION} is wanted"):
        restore(old, GAUSSIANS)
    assert VERSION > 1
