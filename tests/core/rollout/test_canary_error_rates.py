"""The simulation table of the method, small: false rollbacks, detection, false passes.

The full table (2,000 runs per cell, 60 minutes) is `python benchmarks/canary.py`. Bounds here are
the method's figures plus four standard errors of these smaller runs.
"""

from datetime import timedelta

import numpy as np
import pytest

from swarm.contract.verdict import Answer
from swarm.core.rollout.canary import CanaryState, observe
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.testing.rollout_traffic import START, Traffic, looks

pytestmark = pytest.mark.req("GATE-5")
NO_FLOOR = CanaryThresholds(error_floor=0.0, p95_increase=None, max_hold=timedelta(hours=2))
FLOOR = CanaryThresholds(error_floor=0.001, p95_increase=None, max_hold=timedelta(hours=2))
LATENCY = CanaryThresholds(error_floor=0.05, max_hold=timedelta(hours=2))


def simulate(traffic, limits, runs=150, minutes=10, seed=11):
    """Shares of runs that end in FAIL, PASS, neither; and the median minutes to the verdict."""
    rng = np.random.default_rng(seed)
    ends, minutes_to = {Answer.FAIL: 0, Answer.PASS: 0, None: 0}, []
    for _ in range(runs):
        state, end = CanaryState(thresholds=limits), None
        for look in looks(traffic, minutes * 60, rng):
            state = observe(state, look)
            if state.judgement.answer in (Answer.FAIL, Answer.PASS):
                end = state.judgement.answer
                minutes_to.append((look.observed_at - START).total_seconds() / 60)
                break
        ends[end] += 1
    shares = {key: count / runs for key, count in ends.items()}
    return shares[Answer.FAIL], shares[Answer.PASS], float(np.median(minutes_to or [np.inf]))


@pytest.mark.fast("20-rps", "100-rps")
@pytest.mark.parametrize(
    ("rps", "errors", "limits"),
    [
        pytest.param(20, 0.01, NO_FLOOR, id="20-rps"),
        pytest.param(100, 0.01, NO_FLOOR, id="100-rps"),
        pytest.param(1000, 0.001, NO_FLOOR, id="1000-rps-few-errors"),
        pytest.param(1000, 0.001, FLOOR, id="1000-rps-few-errors-floor"),
        pytest.param(1000, 0.0, FLOOR, id="no-errors-at-all"),
    ],
)
def test_an_equal_canary_is_almost_never_rolled_back(rps, errors, limits):
    """A bare +20 % rule rolls back 32 to 99 % of these."""
    failed, _, _ = simulate(Traffic(requests_per_second=rps, error_share=errors), limits)
    assert failed <= 0.04


@pytest.mark.parametrize(
    ("risk", "within"),
    [pytest.param(2.0, 4.0, id="twice-the-errors"), pytest.param(5.0, 1.0, id="five-times")],
)
def test_a_bad_canary_is_rolled_back_in_time(risk, within):
    traffic = Traffic(requests_per_second=100, relative_risk=risk)
    failed, passed, median = simulate(traffic, NO_FLOOR)
    assert failed >= 0.96
    assert passed == 0
    assert median <= within


def test_a_good_canary_passes_where_there_is_traffic():
    _, passed, median = simulate(Traffic(requests_per_second=1000), NO_FLOOR)
    assert passed >= 0.86
    assert median <= 5


@pytest.mark.slow
def test_the_floor_lets_a_service_with_few_errors_pass_in_minutes():
    _, without, _ = simulate(Traffic(requests_per_second=1000, error_share=0.001), NO_FLOOR)
    _, passed, median = simulate(Traffic(requests_per_second=1000, error_share=0.001), FLOOR)
    assert without < 0.35
    assert passed >= 0.96
    assert median <= 3


@pytest.mark.fast("relative-margin")
@pytest.mark.parametrize(
    ("errors", "risk", "limits"),
    [
        pytest.param(0.01, 1.2, NO_FLOOR, id="relative-margin"),
        pytest.param(0.001, 2.0, FLOOR, id="floor-as-large-as-the-errors"),
        pytest.param(0.00001, 101.0, FLOOR, id="floor-a-hundred-times-the-errors"),
    ],
)
def test_a_canary_exactly_at_the_margin_rarely_passes(errors, risk, limits):
    traffic = Traffic(requests_per_second=1000, error_share=errors, relative_risk=risk)
    _, passed, _ = simulate(traffic, limits, runs=250)
    assert passed <= 0.05 + 0.055  # alpha, and four standard errors of 250 runs


@pytest.mark.slow
def test_bursty_arms_are_tempered():
    """Arm noise of cv 0.6: an untempered test rolls back a third of them."""
    traffic = Traffic(requests_per_second=100, arm_noise=0.6)
    failed, _, _ = simulate(traffic, NO_FLOOR)
    assert failed <= 0.035 + 0.06


@pytest.mark.slow
def test_a_slow_hour_that_hits_both_arms_cancels():
    traffic = Traffic(requests_per_second=100, common_noise=0.6)
    failed, _, _ = simulate(traffic, NO_FLOOR)
    assert failed <= 0.04


@pytest.mark.fast("equal-20-rps", "equal-100-rps")
@pytest.mark.parametrize(
    ("rps", "factor", "failed_from", "passed_from", "passed_to", "within"),
    [
        pytest.param(20, 1.0, 0.0, 0.85, 1.0, 5.0, id="equal-20-rps"),
        pytest.param(100, 1.0, 0.0, 0.97, 1.0, 2.0, id="equal-100-rps"),
        pytest.param(20, 1.3, 0.97, 0.0, 0.0, 2.0, id="30-percent-slower-20-rps"),
        pytest.param(100, 1.3, 0.97, 0.0, 0.0, 1.0, id="30-percent-slower-100-rps"),
        pytest.param(100, 1.15, 0.0, 0.0, 0.12, 10.0, id="exactly-15-percent-slower"),
    ],
)
def test_latency_is_judged_by_the_same_engine(
    rps, factor, failed_from, passed_from, passed_to, within
):
    traffic = Traffic(requests_per_second=rps, error_share=0.0, p95_factor=factor)
    failed, passed, median = simulate(traffic, LATENCY, runs=60)
    assert failed >= failed_from
    assert passed_from <= passed <= passed_to
    assert median <= within
