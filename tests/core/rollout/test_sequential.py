"""The engine against independent arithmetic: scipy's binomial, exact enumeration, plain sums."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from swarm.core.rollout import sequential
from swarm.core.rollout.sequential import Margin, Window, add, evidence, start

pytestmark = pytest.mark.req("GATE-5")

FAIL_GRID = np.exp(np.linspace(math.log(1.15), math.log(6), 25))
counts = st.tuples(
    st.integers(1, 400), st.integers(1, 3000), st.integers(0, 40), st.integers(0, 60)
)


def window(n_c, n_b, s_c, s_b):
    return Window(
        canary=float(n_c),
        stable=float(n_b),
        canary_bad=float(min(s_c, n_c)),
        stable_bad=float(min(s_b, n_b)),
    )


def oracle(windows, grid, null, phi):
    """log of the mean likelihood ratio, from scipy's binomial and nothing of ours."""
    total = np.zeros(len(grid))
    for w in windows:
        s = w.canary_bad + w.stable_bad
        share = grid * w.canary / (grid * w.canary + w.stable)
        share_null = null * w.canary / (null * w.canary + w.stable)
        total += stats.binom.logpmf(w.canary_bad, s, share)
        total -= stats.binom.logpmf(w.canary_bad, s, share_null)
    return special.logsumexp(total / phi) - math.log(len(grid))


@pytest.mark.slow
@given(st.lists(counts, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_both_processes_equal_the_binomial_likelihood_ratio(rows):
    windows = [window(*row) for row in rows]
    test = start(Margin(relative=0.2, absolute=0.0), 10.0, 1000.0)
    for w in windows:
        test = add(test, w)
    found = evidence(test)
    fail = oracle(windows, FAIL_GRID, 1.0, found.phi)
    passing = oracle(windows, np.geomspace(0.75, 1.1, 15), 1.2, found.phi)
    assert found.log_fail == pytest.approx(fail, abs=1e-8)
    assert found.log_pass == pytest.approx(passing, abs=1e-8)


def test_an_equal_canary_has_expected_evidence_one():
    """E_fail is a fair bet under equality: summed over every outcome of two windows it is 1."""
    expected = 0.0
    sizes = [(30, 90, 4), (50, 70, 5)]
    for parts in itertools.product(*(range(s + 1) for _, _, s in sizes)):
        test, chance = start(Margin(relative=0.2, absolute=0.0), 0.0, 0.0), 1.0
        for (n_c, n_b, s), s_c in zip(sizes, parts, strict=True):
            test = add(test, window(n_c, n_b, s_c, s - s_c))
            chance *= stats.binom.pmf(s_c, s, n_c / (n_c + n_b))
        expected += chance * np.exp(test.log_ratio[:25]).mean()
    assert expected == pytest.approx(1.0, abs=1e-9)


@pytest.mark.slow
def test_a_canary_at_the_margin_has_expected_pass_evidence_of_one():
    """E_pass is a fair bet at theta = m, also with the margin learnt from the stable arm."""
    margin, p_b, n_c, n_b = Margin(relative=0.2, absolute=0.0), 0.05, 20, 60
    m, expected = 1.2, 0.0
    for s_c, s_b in itertools.product(range(n_c + 1), range(n_b + 1)):
        chance = stats.poisson.pmf(s_c, n_c * p_b * m) * stats.poisson.pmf(s_b, n_b * p_b)
        test = add(start(margin, 5.0, 100.0), window(n_c, n_b, s_c, s_b))
        expected += chance * np.exp(test.log_ratio[25:40]).mean()
    assert expected == pytest.approx(1.0, abs=1e-3)


def test_the_direct_test_has_expected_evidence_of_one_at_the_floor():
    floor, n_c, expected = 0.05, 40, 0.0
    for s_c in range(n_c + 1):
        test = add(start(Margin(relative=0.2, absolute=floor), 0.0, 0.0), window(n_c, 1, s_c, 0))
        direct = np.exp(test.log_ratio[40:]).mean()
        expected += stats.binom.pmf(s_c, n_c, floor) * direct
    assert expected == pytest.approx(1.0, abs=1e-9)


def test_dispersion_of_even_traffic_is_pearsons():
    """With one odds ratio in all windows, recursive residuals sum to the residual sum of squares
    of the shares around their mean, which is Pearson's chi2 up to the variance's estimate."""
    rng = np.random.default_rng(3)
    test, shares = start(Margin(relative=0.2, absolute=0.0), 0.0, 0.0), []
    for _ in range(400):
        bad = int(rng.binomial(500, rng.beta(10, 30)))
        shares.append(bad / 500)
        test = add(test, window(20000, 60000, bad, 500 - bad))
    mean = float(np.mean(shares))
    chi2 = sum(500 * (x - mean) ** 2 / (mean * (1 - mean)) for x in shares)
    assert sequential.dispersion(test) == pytest.approx(chi2 / 399, rel=0.05)


def test_dispersion_never_sharpens_the_evidence():
    test = start(Margin(relative=0.2, absolute=0.0), 0.0, 0.0)
    for _ in range(10):
        test = add(test, window(1000, 9000, 10, 90))
    assert sequential.dispersion(test) == 1.0


@pytest.mark.parametrize(
    "empty",
    [
        pytest.param(window(1, 9, 0, 0), id="no-bad-events"),
        pytest.param(Window(canary=0.0, stable=9.0, canary_bad=0.0, stable_bad=3.0), id="one-arm"),
        pytest.param(Window(canary=0.0, stable=0.0, canary_bad=0.0, stable_bad=0.0), id="nothing"),
    ],
)
def test_a_window_without_information_moves_nothing(empty):
    before = add(start(Margin(relative=0.2, absolute=0.0), 0.0, 0.0), window(100, 900, 3, 9))
    assert evidence(add(before, empty)) == evidence(before)


def test_overwhelming_evidence_stays_finite():
    test = start(Margin(relative=0.2, absolute=0.001), 0.0, 0.0)
    for _ in range(50):
        test = add(test, window(10**6, 10**6, 10**6, 0))
    found = evidence(test)
    assert math.isfinite(found.log_fail)
    assert math.isfinite(found.log_pass)
    assert found.log_fail > 100 > found.log_pass


@given(st.floats(0.01, 2), st.floats(0, 0.3), st.floats(0, 1000), st.floats(1, 1e6))
def test_the_margin_is_at_least_the_relative_one_and_at_most_the_exact_one(rel, floor, bad, extra):
    """Rounding goes to the strict side."""
    margin, total = Margin(relative=rel, absolute=floor), bad + extra
    exact = 1 + max(rel, floor / ((bad + 0.5) / (total + 1)))
    assert 1 + rel <= margin.risk(bad, total) <= exact + 1e-9
    assert margin.risk(bad, total) >= 1 + max(rel, (exact - 1) * 0.979)


# --- by hand --------------------------------------------------------------------------------------


def scattered():
    """Even at first, then the canary had twice the errors of the stable arm."""
    return [window(100, 100, 4, 5), window(100, 100, 20, 10)]


def after(windows, margin=Margin(relative=0.2, absolute=0.0), prior=(10.0, 1_000.0)):  # noqa: B008
    test = start(margin, *prior)
    for one in windows:
        test = add(test, one)
    return test


def test_the_dispersion_of_two_windows_by_hand():
    """Expected 30 * 4.5 / (4.5 + 5.5) = 13.5 of 30 bad ones at the canary, where 20 were.

    Afterwards its part is 24.5 / (24.5 + 15.5) = 0.6125, so that the spread is
    30 * 0.6125 * 0.3875 * (1 + 30 / 9) = 30.855; 6.5 squared over it is 1.3693, of one residual.
    """
    assert sequential.dispersion(after(scattered())) == pytest.approx(1.3693, rel=1e-4)


def test_evidence_is_tempered_by_the_dispersion():
    found = evidence(after(scattered()))
    assert found.phi > 1.3
    assert found.log_fail == pytest.approx(oracle(scattered(), FAIL_GRID, 1.0, found.phi))


@pytest.mark.parametrize(
    ("before", "one"),
    [
        pytest.param(window(100, 100, 0, 0), window(100, 100, 5, 5), id="nothing-bad-before"),
        pytest.param(window(100, 100, 5, 5), window(100, 100, 0, 0), id="nothing-bad"),
        pytest.param(window(100, 100, 5, 5), window(100, 0, 5, 0), id="no-stable-arm"),
        pytest.param(window(100, 100, 5, 5), window(0, 100, 0, 5), id="no-canary"),
        pytest.param(window(0, 100, 0, 5), window(100, 100, 5, 5), id="no-canary-before"),
        pytest.param(window(100, 0, 5, 0), window(100, 100, 5, 5), id="no-stable-arm-before"),
    ],
)
def test_a_window_with_nothing_to_compare_says_nothing_of_the_scatter(before, one):
    found = after([before, one])
    assert (found.scatter, found.freedom) == (0.0, 0)
    assert found.seen.canary == before.canary + one.canary


@pytest.mark.parametrize(
    ("absolute", "prior_bad", "direct"),
    [(0.001, 0.0, 0.5), (0.001, 9.0, 0.05), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)],
)
def test_the_direct_test_weighs_half_where_nothing_was_ever_bad_and_nothing_without_a_floor(
    absolute, prior_bad, direct
):
    test = start(Margin(relative=0.2, absolute=absolute), prior_bad, 1_000.0)
    assert test.weights.sum(axis=1).tolist() == pytest.approx([1.0, 1.0])
    assert test.weights[1, 40:].sum() == pytest.approx(direct)
    found = add(test, window(50, 500, 1, 2)).log_ratio[40:]
    assert bool(found.any()) is (direct > 0)


def test_the_margin_of_a_window_is_learnt_from_all_that_the_stable_arm_did_before_it():
    """What was seen counts as what was known beforehand does."""
    margin = Margin(relative=0.2, absolute=0.05)
    first, second = window(500, 9_000, 5, 90), window(500, 9_000, 9, 95)
    both = after([first, second], margin)
    alone = after([second], margin, prior=(10.0 + 90.0, 1_000.0 + 9_000.0))
    before = after([first], margin)
    assert (both.log_ratio - before.log_ratio) == pytest.approx(alone.log_ratio)


def test_a_window_of_one_request_counts():
    assert after([window(1, 0, 1, 0)]).seen == Window(1.0, 0.0, 1.0, 0.0)
