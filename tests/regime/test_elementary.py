"""Accuracy against numpy's extended precision, and the same bits whatever runs them."""

import math

import numpy as np
import pytest
from scipy import special

from swarm.regime import elementary

pytestmark = pytest.mark.req("REG-2")
RNG = np.random.default_rng(20_240_301)


def ulps_off(found, exact):
    """The largest error in units of the last place of the exact value, rounded to a double."""
    unit = np.spacing(np.abs(exact.astype(np.float64)))
    return float(np.max(np.abs((found - exact) / unit)))


def each(function, values):
    return np.array([function(value) for value in values])


@pytest.fixture(autouse=True)
def _extended():
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("no extended precision on this machine to compare with")


def test_exp_is_as_exact_as_promised():
    x = np.concatenate([RNG.uniform(-707, 709.7, 20_000), RNG.normal(0, 1, 20_000)])
    assert ulps_off(each(elementary.dexp, x), np.exp(x.astype(np.longdouble))) < 1.1


def test_log_is_as_exact_as_promised():
    x = np.concatenate(
        [
            np.exp(RNG.uniform(-700, 700, 10_000)),
            RNG.uniform(0.5, 2, 20_000),
            1 + RNG.normal(0, 1e-6, 5_000),
            10.0 ** RNG.uniform(-322, -300, 5_000),
        ]
    )
    assert ulps_off(each(elementary.dlog, x), np.log(x.astype(np.longdouble))) < 1.0


def test_log1p_keeps_its_digits_near_zero():
    x = np.concatenate(
        [10.0 ** RNG.uniform(-18, 3, 10_000), -(10.0 ** RNG.uniform(-18, -0.01, 10_000))]
    )
    assert ulps_off(each(elementary.dlog1p, x), np.log1p(x.astype(np.longdouble))) < 3.0


def test_the_gamma_function_is_as_exact_as_promised():
    x = np.geomspace(1e-8, 1e7, 20_000)
    exact = special.gammaln(x)
    assert (
        np.max(np.abs(each(elementary.dlgamma, x) - exact) / np.maximum(1, np.abs(exact))) < 1e-14
    )


@pytest.mark.parametrize(
    ("x", "exp", "log"),
    [
        pytest.param(0.0, 1.0, -math.inf, id="zero"),
        pytest.param(-0.0, 1.0, -math.inf, id="minus-zero"),
        pytest.param(1.0, math.e, 0.0, id="one"),
        pytest.param(-1.0, 1 / math.e, math.nan, id="below-zero"),
        pytest.param(math.inf, math.inf, math.inf, id="infinity"),
        pytest.param(-math.inf, 0.0, math.nan, id="minus-infinity"),
        pytest.param(math.nan, math.nan, math.nan, id="nan"),
        pytest.param(5e-324, 1.0, -744.4400719213812, id="least-number"),
        pytest.param(709.79, math.inf, math.log(709.79), id="just-too-large"),
        pytest.param(-707.01, 0.0, math.nan, id="just-too-small"),
    ],
)
def test_the_edges_are_as_promised(x, exp, log):
    assert elementary.dexp(x) == pytest.approx(exp, rel=2e-16, nan_ok=True)
    assert elementary.dlog(x) == pytest.approx(log, rel=2e-16, nan_ok=True)


def test_the_largest_exponent_is_no_overflow():
    assert elementary.dexp(709.782) == pytest.approx(math.exp(709.782), rel=1e-15)


@pytest.mark.parametrize("x", [-1e308, -800.0, -1.0, 0.0, 1.0, 36.0, 800.0, 1e308])
def test_logistic_stays_between_0_and_1(x):
    assert elementary.logistic(x) == pytest.approx(special.expit(x), rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 100])
def test_a_lane_sum_is_a_sum(count):
    values = RNG.normal(0, 1, 100)
    assert elementary.lane_sum(values, count) == pytest.approx(math.fsum(values[:count]), abs=1e-13)
