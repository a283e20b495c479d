from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from swarm.contract.verdict import Answer
from swarm.core.rollout.counts import (
    Absent,
    AbsentWhy,
    ArmCounts,
    LatencyHistogram,
    Reading,
)
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.judgement import CanaryReason
from swarm.core.rollout.slo import judge_slo
from swarm.core.rollout.thresholds import SloThresholds

pytestmark = pytest.mark.req("GATE-6")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
OBJECTIVE = SloThresholds(error_objective=0.01, window=WINDOW, p95_increase=None)
BASELINE_ONLY = SloThresholds(window=WINDOW, p95_increase=None)
EDGES = tuple(np.geomspace(0.01, 1, 41).tolist())


def readings(*windows, start=0):
    """Cumulative readings 30 s apart from windows of (requests, bad)."""
    total = bad = 0
    out = [Reading(observed_at=NOON, counts=ArmCounts(total=0, bad=0))]
    for i, (n, s) in enumerate(windows, start=start + 1):
        total, bad = total + n, bad + s
        at = NOON + timedelta(seconds=30 * i)
        out.append(Reading(observed_at=at, counts=ArmCounts(total=total, bad=bad)))
    return out


def slow(n, median, rng):
    durations = np.sort(rng.lognormal(np.log(median), 0.5, n))
    buckets = np.searchsorted(durations, EDGES, side="right").astype(float)
    return LatencyHistogram(edges=EDGES, cumulative=tuple(buckets.tolist()), total=float(n))


def test_nothing_read_waits():
    assert judge_slo([], OBJECTIVE).answer is Answer.WAIT


def test_the_objective_must_hold_for_the_whole_window():
    early = judge_slo(readings(*[(1000, 1)] * 9), OBJECTIVE)
    late = judge_slo(readings(*[(1000, 1)] * 10), OBJECTIVE)
    assert (early.answer, early.reason) == (Answer.WAIT, CanaryReason.OBSERVING)
    assert (late.answer, late.reason) == (Answer.PASS, CanaryReason.SLO_HELD)


def test_a_broken_objective_fails_at_the_second_look_without_waiting_for_the_window():
    once = judge_slo(readings((1000, 80)), OBJECTIVE)
    twice = judge_slo(readings((1000, 80), (1000, 80)), OBJECTIVE)
    assert (once.answer, once.reason) == (Answer.WAIT, CanaryReason.ONE_FAILED_LOOK)
    assert (twice.answer, twice.reason) == (Answer.FAIL, CanaryReason.SLO_ERRORS)
    assert twice.look_again is None


def test_a_failed_window_is_final():
    healed = readings((1000, 80), (1000, 80), *[(100_000, 1)] * 20)
    assert judge_slo(healed, OBJECTIVE).answer is Answer.FAIL


def test_above_the_objective_by_chance_is_undecided():
    found = judge_slo(readings(*[(100, 1)] * 9, (100, 2)), OBJECTIVE)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.SLO_UNDECIDED)


def test_the_baseline_is_the_limit_where_no_objective_is_set():
    baseline = ArmCounts(total=100_000, bad=1_000)
    good = judge_slo(readings(*[(10_000, 105)] * 10), BASELINE_ONLY, baseline)
    bad = judge_slo(readings(*[(10_000, 200)] * 10), BASELINE_ONLY, baseline)
    assert good.answer is Answer.PASS
    assert (bad.answer, bad.reason) == (Answer.FAIL, CanaryReason.SLO_ERRORS)


def test_objective_and_baseline_must_both_hold():
    """Within the objective of 1 %, and still ten times worse than before."""
    found = judge_slo(readings(*[(10_000, 50)] * 10), OBJECTIVE, ArmCounts(total=100_000, bad=50))
    assert (found.answer, found.reason) == (Answer.FAIL, CanaryReason.SLO_ERRORS)
    assert "against the baseline" in found.detail


def test_a_short_baseline_does_not_roll_back_a_healthy_service():
    """200 requests without an error say less than that there are none."""
    found = judge_slo(readings(*[(1000, 4)] * 10), BASELINE_ONLY, ArmCounts(total=200, bad=0))
    assert found.answer is not Answer.FAIL


@pytest.mark.parametrize(
    "baseline", [pytest.param(None, id="none"), pytest.param(ArmCounts(total=199, bad=0), id="few")]
)
def test_without_objective_and_baseline_nothing_is_held(baseline):
    found = judge_slo(readings(*[(1000, 0)] * 10), BASELINE_ONLY, baseline)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_OBJECTIVE)


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (AbsentWhy.NOT_A_NUMBER, CanaryReason.NO_TRAFFIC),
        (AbsentWhy.NOT_REPORTED, CanaryReason.NO_DATA),
    ],
)
def test_an_absent_reading_is_no_pass(why, reason):
    dark = Reading(observed_at=NOON + timedelta(hours=1), counts=Absent(why=why))
    found = judge_slo([*readings(*[(1000, 1)] * 10), dark], OBJECTIVE)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, reason)


def test_no_traffic_waits_and_then_says_so():
    limits = SloThresholds(
        error_objective=0.01, window=WINDOW, p95_increase=None, max_hold=timedelta(minutes=8)
    )
    waiting = judge_slo(readings(*[(1, 0)] * 12), limits)
    expired = judge_slo(readings(*[(1, 0)] * 16), limits)
    assert (waiting.answer, waiting.reason) == (Answer.WAIT, CanaryReason.COLLECTING_EVIDENCE)
    assert (expired.answer, expired.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_TRAFFIC)


@pytest.mark.parametrize(
    ("factor", "answer", "reason"),
    [
        (1.0, Answer.PASS, CanaryReason.SLO_HELD),
        (1.6, Answer.FAIL, CanaryReason.SLO_LATENCY),
    ],
)
@pytest.mark.parametrize("by", ["baseline", "objective"])
def test_latency_is_held_against_baseline_and_objective(factor, answer, reason, by):
    rng = np.random.default_rng(2)
    objective = timedelta(milliseconds=260) if by == "objective" else None
    limits = SloThresholds(
        error_objective=0.01,
        latency_objective=objective,
        window=WINDOW,
        p95_increase=0.15 if by == "baseline" else None,
    )
    baseline = ArmCounts(total=20_000, bad=0, latency=slow(20_000, 0.1, rng))
    total, buckets, every = 0, np.zeros(41), []
    for i in range(11):
        counts = LatencyHistogram(edges=EDGES, cumulative=tuple(buckets.tolist()), total=total)
        every.append(
            Reading(
                observed_at=NOON + timedelta(seconds=30 * i),
                counts=ArmCounts(total=total, bad=0, latency=counts),
            )
        )
        buckets, total = buckets + slow(500, 0.1 * factor, rng).cumulative, total + 500
    found = judge_slo(every, limits, baseline if by == "baseline" else None)
    assert (found.answer, found.reason) == (answer, reason)


def test_a_latency_objective_without_histogram_is_no_pass():
    limits = SloThresholds(
        error_objective=0.01, latency_objective=timedelta(milliseconds=200), window=WINDOW
    )
    found = judge_slo(readings(*[(1000, 1)] * 10), limits)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_LATENCY_DATA)


def test_a_service_exactly_at_its_objective_is_rarely_rolled_back():
    rng, failed = np.random.default_rng(7), 0
    for _ in range(200):
        windows = [(1000, int(rng.binomial(1000, 0.01))) for _ in range(20)]
        failed += judge_slo(readings(*windows), OBJECTIVE).answer is Answer.FAIL
    assert failed <= 0.05 * 200


def test_readings_out_of_order_are_refused():
    every = readings((1000, 1), (1000, 1))
    with pytest.raises(BadLooks, match="oldest first"):
        judge_slo([every[1], every[0]], OBJECTIVE)
