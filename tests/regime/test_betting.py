"""Evidence that may be watched all the time: what it never does, and how soon it does the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.regime.errors import BadInput
from swarm.regime.snooping.betting import Wealth, bet

observations = st.lists(st.floats(-2.0, 2.0), max_size=60)


def after(values):
    wealth = Wealth()
    for value in values:
        wealth = bet(wealth, float(value))
    return wealth


def test_the_first_stake_is_nothing():
    assert Wealth().stake == 0.0
    assert bet(Wealth(), 1.0).log == 0.0


@given(observations)
def test_the_wealth_never_ends_and_the_peak_is_its_greatest(values):
    wealth, seen = Wealth(), [0.0]
    for value in values:
        assert 0.0 <= wealth.stake <= 0.5
        wealth = bet(wealth, value)
        seen.append(wealth.log)
    assert math.isfinite(wealth.log)
    assert wealth.peak == max(seen)


@given(observations, st.floats(-1, 1), st.floats(-1, 1))
def test_a_stake_depends_on_the_past_alone(values, one, other):
    before = after(values)
    gains = [bet(before, y).log - before.log for y in (one, other)]
    for y, gain in zip((one, other), gains, strict=True):
        assert gain == pytest.approx(math.log1p(before.stake * y), abs=1e-12)


@given(observations)
def test_a_fair_bet_is_fair(values):
    """Over the two equally likely outcomes +y and -y the wealth stays as it is, on average."""
    before = after(values)
    mean = sum(math.exp(bet(before, y).log) for y in (0.8, -0.8)) / 2
    assert mean == pytest.approx(math.exp(before.log), rel=1e-9)


def test_what_was_proven_stays_proven():
    wealth = after([0.5] * 100)
    assert wealth.reached(0.05)
    lost = wealth
    for _ in range(200):
        lost = bet(lost, -1.0)
    assert lost.log < wealth.log
    assert lost.reached(0.05)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_observation(value):
    with pytest.raises(BadInput, match="observation"):
        bet(Wealth(), value)


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_an_alpha_that_is_no_error_probability_is_refused(alpha):
    with pytest.raises(BadInput, match="alpha"):
        Wealth().reached(alpha)


@pytest.mark.slow
@pytest.mark.req("REG-6")
def test_watched_all_the_time_it_errs_less_than_once_in_twenty():
    """A null expert over 2,000 observations, looked at after each; 400 of them."""
    rng = np.random.default_rng(3)
    false = sum(after(rng.standard_normal(2_000) / 4).reached(0.05) for _ in range(400))
    assert false / 400 <= 0.05
