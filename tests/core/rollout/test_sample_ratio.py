import math

import numpy as np
import pytest
from scipy import stats

from swarm.core.rollout.sample_ratio import RatioTest, add, log_evidence, mismatched, silent

pytestmark = pytest.mark.req("GATE-5")


@pytest.mark.parametrize(("canary", "stable"), [(0, 50), (10, 90), (300, 700), (5, 0)])
def test_the_evidence_is_beta_binomial_against_binomial(canary, stable):
    total = canary + stable
    expected = stats.betabinom.logpmf(canary, total, 1, 9) - stats.binom.logpmf(canary, total, 0.1)
    found = log_evidence(RatioTest(weight=0.1, canary=canary, stable=stable))
    assert found == pytest.approx(expected, abs=1e-8)


def test_a_correct_split_is_almost_never_called_wrong():
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(400):
        test = RatioTest(weight=0.1)
        for _ in range(20):
            arrived = rng.poisson(200)
            canary = rng.binomial(arrived, 0.1)
            test = add(test, canary, arrived - canary)
            if mismatched(test, 0.001, 0.0) or silent(test, 0.001):
                wrong += 1
                break
    assert wrong <= 4


def test_a_wrong_split_is_called_wrong():
    test = add(RatioTest(weight=0.1), 300, 700)
    assert mismatched(test, 0.001, 0.2)


def test_a_split_within_the_tolerance_is_never_called_wrong():
    """At a million requests 10.5 % is significant, and still nothing that matters."""
    test = add(RatioTest(weight=0.1), 105_000, 895_000)
    assert log_evidence(test) > math.log(1000)
    assert not mismatched(test, 0.001, 0.2)


@pytest.mark.parametrize(
    ("stable", "is_silent"),
    [pytest.param(65, False, id="could-be-chance"), pytest.param(66, True, id="below-one-in-1000")],
)
def test_silence_is_called_when_chance_cannot_explain_it(stable, is_silent):
    """0.9^65 = 0.00106 and 0.9^66 = 0.00096."""
    assert silent(add(RatioTest(weight=0.1), 0, stable), 0.001) is is_silent


def test_a_canary_that_was_cut_off_is_silent_again():
    test = add(RatioTest(weight=0.1), 1000, 9000)
    test = add(test, 0, 40)
    assert not silent(test, 0.001)
    assert silent(add(test, 0, 40), 0.001)
    assert not silent(add(add(test, 0, 40), 1, 0), 0.001)


def test_a_split_that_is_off_by_exactly_the_tolerance_is_not_wrong():
    test = add(RatioTest(weight=0.5), 3_000, 1_000)
    assert not mismatched(test, 0.001, 0.5)
    assert mismatched(test, 0.001, 0.4999)


def test_evidence_decides_from_its_bound_on():
    """Powers of two, whose logarithms are multiples of each other to the last bit."""
    assert silent(RatioTest(weight=0.5, silence=2), 0.25)
    assert not silent(RatioTest(weight=0.5, silence=1), 0.25)
    test = RatioTest(weight=0.1, canary=300, stable=700)
    found = log_evidence(test)
    at_it = next(
        alpha for n in range(-50, 50)
        if -math.log(alpha := math.exp(-found) * (1 + n * 2.0**-52)) == found
    )  # fmt: skip
    assert mismatched(test, at_it, 0.2)
    assert not mismatched(test, at_it * 0.999, 0.2)
