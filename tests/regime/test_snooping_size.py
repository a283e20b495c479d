"""How often luck passes for skill, and skill for luck: eight nulls, and one real trial among fifty.

At 5 %, K 50, T 250, B 500; 600 runs, so that a rate is known to about a point.
"""

from __future__ import annotations

import numpy as np
import pytest

from swarm.regime.snooping.against_the_best import superior_predictive_ability
from swarm.regime.snooping.block_length import common_block
from swarm.regime.snooping.draws import Draws
from swarm.regime.snooping.resampling import studentise

pytestmark = [pytest.mark.slow, pytest.mark.req("REG-9"), pytest.mark.timeout(300)]
N, K, RUNS = 250, 50, 600
VOLATILITIES = np.geomspace(0.2, 5, K)


def plain(rng):
    return rng.standard_normal((N, K))


def autoregressive(rng):
    made = rng.standard_normal((N + 50, K))
    for t in range(1, N + 50):
        made[t] += 0.2 * made[t - 1]
    return made[50:]


def clustered(rng):
    """Volatility that comes in clusters, the same for all."""
    level = np.zeros(N)
    for t in range(1, N):
        level[t] = 0.95 * level[t - 1] + 0.3 * rng.standard_normal()
    return plain(rng) * np.exp(level[:, None] / 2)


NULLS = {
    "plain": plain,
    "autoregressive": autoregressive,
    "fat-tails-with-a-common-factor": lambda rng: (
        rng.standard_t(4, (N, 1)) + rng.standard_t(4, (N, K))
    ),
    "half-of-them-poor": lambda rng: plain(rng) - np.where(np.arange(K) % 2, 0.25, 0.0),
    "clustered-volatility": clustered,
    "skewed": lambda rng: 2.0 - rng.chisquare(2, (N, K)),
    "unequal-volatilities": lambda rng: plain(rng) * VOLATILITIES,
    "correlated": lambda rng: 2 * rng.standard_normal((N, 1)) + plain(rng),
}


def rate(name, made, gain=0.0):
    """How often the best of fifty passes. gain: of trial 10, in its own deviations."""
    hits = 0
    for run in range(RUNS):
        excess = made(np.random.default_rng(1_000 + run))
        excess[:, 10] += gain * excess[:, 10].std()
        found = studentise(excess, common_block(excess), 500, Draws(name, run))
        hits += superior_predictive_ability(found, N).consistent <= 0.05
    return hits / RUNS


@pytest.mark.parametrize("name", NULLS)
def test_luck_passes_as_often_as_is_said(name):
    assert 0.035 <= rate(name, NULLS[name]) <= 0.070


@pytest.mark.parametrize("name", ["plain", "unequal-volatilities"])
def test_skill_is_found_whatever_its_volatility(name):
    assert rate(name, NULLS[name], gain=0.25) >= 0.70
