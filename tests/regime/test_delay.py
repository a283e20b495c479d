"""How soon a change is seen, at one false alarm in 5,000 ticks: ground truth of delays.

A shift of half a deviation is held to 1.65 times the delay of one who knows both laws, which is
what it takes, and not to the 1.35 that is wished for. What was tried, and that nobody who is not
told what will change meets it, stands in the head of `benchmarks/regime_detectors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from swarm.regime import changepoint, drift
from swarm.regime.changepoint import Params
from swarm.regime.transform import lookup
from swarm.regime.transform.reference import fit_reference

pytestmark = [pytest.mark.slow, pytest.mark.req("REG-1"), pytest.mark.timeout(300)]

CLEAN, WATCHED, LATEST, STREAMS = 500, 2_500, 1_000, 400
#: The share of streams that alarm within 2,500 ticks at one false alarm in 5,000.
ALARMED = 1 - np.exp(-0.5)
NORMAL, FAT = stats.norm(), stats.t(4)


def of_runs(z):
    """The changepoint score as log odds, so that thresholds near 1 are still told apart."""
    params = Params()
    state = changepoint.empty(z.shape[1], params)
    score = np.array([changepoint.advance(state, tick, params).score for tick in z])
    return np.log(np.maximum(score, 1e-300)) - np.log(np.maximum(1 - score, 1e-16))


def of_the_oracle(before, after, x):
    """A CUSUM that knows both laws: nothing sees a change sooner."""
    gain = after(x) - before(x)
    total, found = np.zeros(x.shape[1]), np.empty_like(x)
    for tick in range(len(x)):
        total = np.maximum(total + gain[tick], 0.0)
        found[tick] = total
    return found


def threshold(clean):
    """What the statistic of clean streams crosses once in 5,000 ticks."""
    return np.quantile(clean[CLEAN : CLEAN + WATCHED].max(axis=0), 1 - ALARMED)


def mean_delay(crossed):
    """Ticks from the change to the alarm, of streams that were silent before it."""
    late = crossed[CLEAN:]
    ticks = np.where(late.any(axis=0), late.argmax(axis=0) + 1, LATEST)
    return ticks[~crossed[:CLEAN].any(axis=0)].mean()


def of_windows(u, delta):
    """Whether ADWIN alarms at each tick."""
    params = drift.Params(delta=delta)
    state = drift.empty(u.shape[1], params)
    return np.array([drift.advance(state, tick, params).alarm for tick in u])


def of_rivers(u, delta):
    from river.drift import ADWIN

    found = np.zeros(u.shape, dtype=bool)
    for stream in range(u.shape[1]):
        peer = ADWIN(delta=delta, clock=1)
        for tick, value in enumerate(u[:, stream].tolist()):
            peer.update(value)
            found[tick, stream] = peer.drift_detected
    return found


def delta_of(alarms, u):
    """The delta at which clean streams alarm once in 5,000 ticks."""
    low, high = 0.01, 0.999
    for _ in range(7):
        middle = 0.5 * (low + high)
        share = alarms(u, middle)[CLEAN:].any(axis=0).mean()
        low, high = (middle, high) if share < ALARMED else (low, middle)
    return 0.5 * (low + high)


def told_by(u, scale):
    """What shows a change: ranks one of the mean, their spread one of the scale."""
    return u if scale == 1.0 else drift.spread(u)


@dataclass(frozen=True)
class Clean:
    """Streams of one law without a change; three times as many, as thresholds are what is noisy."""

    law: object
    reference: object
    x: np.ndarray
    u: np.ndarray
    z: np.ndarray

    def changed(self, shift, scale):
        """Streams that change after 500 ticks, their ranks and scores, and the oracle's delay."""
        rng, by = np.random.default_rng(32), shift * self.law.std()
        x = self.law.rvs(size=(CLEAN + LATEST, STREAMS), random_state=rng)
        x[CLEAN:] = x[CLEAN:] * scale + by
        logpdf = self.law.logpdf
        clean, changed = (
            of_the_oracle(logpdf, lambda v: logpdf((v - by) / scale) - np.log(scale), one)
            for one in (self.x, x)
        )
        return *ranked(x, self.reference), mean_delay(changed > threshold(clean))


def ranked(x, reference):
    """Ranks and normal scores of every tick, (T, S)."""
    usual = lookup.prepare([reference] * x.shape[1])
    pairs = [lookup.scores(tick, usual) for tick in x]
    return np.array([u for u, _ in pairs]), np.array([z for _, z in pairs])


@pytest.fixture(scope="module")
def clean():
    """Clean streams of both laws."""
    found = {}
    for law in (NORMAL, FAT):
        rng = np.random.default_rng(31)
        x = law.rvs(size=(CLEAN + WATCHED, 3 * STREAMS), random_state=rng)
        reference = fit_reference(law.rvs(size=5_000, random_state=rng))
        found[law] = Clean(law, reference, x, *ranked(x, reference))
    return found


@pytest.fixture(scope="module")
def crossing(clean):
    """The threshold of the changepoint score for each law."""
    return {law: threshold(of_runs(of_law.z)) for law, of_law in clean.items()}


@pytest.mark.parametrize(
    ("law", "shift", "scale", "most", "times"),
    [
        pytest.param(NORMAL, 0.5, 1.0, None, 1.65, id="mean-half"),
        pytest.param(NORMAL, 1.0, 1.0, None, 1.35, id="mean-1"),
        pytest.param(NORMAL, 2.0, 1.0, None, 1.35, id="mean-2"),
        pytest.param(NORMAL, 0.0, 1.5, None, 1.6, id="volatility-1.5"),
        pytest.param(NORMAL, 0.0, 2.0, None, 1.6, id="volatility-2"),
        pytest.param(NORMAL, 0.0, 3.0, None, 1.6, id="volatility-3"),
        pytest.param(FAT, 1.0, 1.0, 16.0, None, id="fat-tails-mean-1"),
        pytest.param(FAT, 0.0, 2.0, 33.0, None, id="fat-tails-volatility-2"),
    ],
)
def test_a_change_is_seen_nearly_as_soon_as_by_one_who_knows_both_laws(
    clean, crossing, law, shift, scale, most, times
):
    _, z, oracle = clean[law].changed(shift, scale)
    found = mean_delay(of_runs(z) > crossing[law])
    assert found <= (most or times * oracle), (found, oracle)


@pytest.fixture(scope="module")
def deltas(clean):
    """The delta of ours for each law, for ranks and for their spread."""
    return {
        (law, spread): delta_of(of_windows, told_by(of_law.u, 2.0 if spread else 1.0))
        for law, of_law in clean.items()
        for spread in (False, True)
    }


@pytest.mark.parametrize(
    ("law", "shift", "scale", "ticks"),
    [
        pytest.param(NORMAL, 0.5, 1.0, 58.7, id="mean-half"),
        pytest.param(NORMAL, 1.0, 1.0, 20.8, id="mean-1"),
        pytest.param(NORMAL, 2.0, 1.0, 11.1, id="mean-2"),
        pytest.param(NORMAL, 0.0, 1.5, 63.9, id="volatility-1.5"),
        pytest.param(NORMAL, 0.0, 2.0, 30.6, id="volatility-2"),
        pytest.param(NORMAL, 0.0, 3.0, 18.0, id="volatility-3"),
        pytest.param(FAT, 1.0, 1.0, 18.1, id="fat-tails-mean-1"),
        pytest.param(FAT, 0.0, 2.0, 32.3, id="fat-tails-volatility-2"),
    ],
)
def test_the_drift_windows_see_it_as_late_as_was_measured(clean, deltas, law, shift, scale, ticks):
    """As the ground truth has it, but for half a deviation: 51.0 there, and 53.8 of river's.

    river's own code takes 56 to 60 ticks here, so neither of the two is a figure to be held to.
    """
    u, _, _ = clean[law].changed(shift, scale)
    found = mean_delay(of_windows(told_by(u, scale), deltas[law, scale != 1.0]))
    assert found == pytest.approx(ticks, rel=0.1), deltas


@pytest.mark.parametrize(("shift", "times"), [(1.0, 0.92), (2.0, 0.85)])
def test_the_drift_windows_are_ahead_of_rivers(clean, deltas, shift, times):
    of_law = clean[NORMAL]
    u, _, _ = of_law.changed(shift, 1.0)
    ours = mean_delay(of_windows(u, deltas[NORMAL, False]))
    theirs = mean_delay(of_rivers(u, delta_of(of_rivers, of_law.u[:, :STREAMS])))
    assert ours <= times * theirs
