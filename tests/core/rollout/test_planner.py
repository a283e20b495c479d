import math
from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.core.rollout.errors import BadThresholds
from swarm.core.rollout.planner import plan_step
from swarm.core.rollout.thresholds import CanaryThresholds

pytestmark = pytest.mark.req("GATE-5")
NO_FLOOR = CanaryThresholds(error_floor=0.0, p95_increase=None, max_hold=timedelta(minutes=10))
FLOOR = CanaryThresholds(error_floor=0.001, p95_increase=None, max_hold=timedelta(minutes=10))


def test_twenty_percent_takes_210_to_340_canary_errors():
    low, high = plan_step(1000, 0.01, 10, NO_FLOOR).needed_errors
    assert low == pytest.approx(209, abs=3)
    assert high == pytest.approx(342, abs=3)


def test_the_documents_template_is_decidable_from_about_1000_requests_per_second():
    assert plan_step(1000, 0.01, 10, NO_FLOOR).decidable
    assert not plan_step(100, 0.01, 10, NO_FLOOR).decidable


def test_the_plan_says_what_it_needs_and_how_long_that_takes():
    plan = plan_step(100, 0.01, 10, NO_FLOOR)
    assert plan.time_needed == timedelta(seconds=3423)
    assert "deciding +20% at 1.000% errors needs ~342 canary errors" in plan.detail
    assert "0:57:03, longer than the longest hold of 0:10:00" in plan.detail


def test_the_floor_makes_few_errors_practical():
    assert not plan_step(1000, 0.001, 10, NO_FLOOR).decidable
    assert plan_step(1000, 0.001, 10, FLOOR).decidable


def test_a_service_without_errors_is_planned_by_requests():
    plan = plan_step(1000, 0.0, 10, FLOOR)
    assert plan.decidable
    assert 3000 < plan.needed_requests < 8000
    assert math.isinf(plan.needed_errors[0])
    assert not plan_step(1000, 0.0, 10, NO_FLOOR).decidable


@pytest.mark.parametrize("limits", [NO_FLOOR, FLOOR])
def test_no_traffic_never_decides(limits):
    plan = plan_step(0, 0.0, 10, limits)
    assert not plan.decidable
    assert plan.time_needed is None
    assert "never" in plan.detail


@pytest.mark.parametrize(
    ("rps", "errors", "percent", "field"),
    [
        (math.nan, 0.01, 10, "requests_per_second"),
        (math.inf, 0.01, 10, "requests_per_second"),
        (-1, 0.01, 10, "requests_per_second"),
        (100, 1.5, 10, "error_share"),
        (100, 0.01, 100, "traffic_percent"),
        (100, 0.01, 0, "traffic_percent"),
    ],
)
def test_impossible_traffic_is_refused_by_name(rps, errors, percent, field):
    with pytest.raises(BadThresholds, match=field):
        plan_step(rps, errors, percent, NO_FLOOR)


@pytest.mark.parametrize(("errors", "percent"), [(1.0, 10), (0.0, 10), (0.01, 1), (0.01, 99)])
def test_the_ends_of_what_is_possible_are_possible(errors, percent):
    assert plan_step(0, errors, percent, NO_FLOOR).time_needed is None


@pytest.mark.parametrize(("seconds", "decidable"), [(10_000, True), (9_999, False)])
def test_a_step_is_decidable_up_to_the_last_second_of_its_hold(seconds, decidable):
    """A million canary requests are wanted, and a hundred a second come."""
    hold = timedelta(seconds=seconds)
    plan = plan_step(1_000, 0.0, 10, replace(FLOOR, min_sample=10**6, max_hold=hold))
    assert plan.decidable is decidable
    assert plan.detail.endswith(
        f"takes 2:46:40, {'within' if decidable else 'longer than'} the longest hold of {hold}"
    )


@pytest.mark.parametrize("share", [0.0, 0.0002, 0.00049])
def test_requests_without_errors_decide_by_relative_entropy(share):
    """ln(1/0.05) and two nats of slack, over KL(share, 0.001) per request."""
    gain = (1 - share) * math.log((1 - share) / 0.999)
    gain += share * math.log(share / 0.001) if share else 0.0
    wanted = (math.log(1 / FLOOR.metric_alpha) + 2) / gain
    plan = plan_step(1_000, share, 10, FLOOR)
    assert plan.needed_requests == pytest.approx(wanted)
    assert f"~{wanted:.0f} canary requests almost without errors" in plan.detail


@pytest.mark.parametrize("limits", [FLOOR, NO_FLOOR])
def test_near_the_floor_only_errors_decide(limits):
    plan = plan_step(1_000, 0.0005, 10, limits)
    assert math.isinf(plan.needed_requests)
    assert "requests" not in plan.detail
