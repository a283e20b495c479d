from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from swarm.core.rollout.counts import ArmCounts, LatencyHistogram
from swarm.core.rollout.latency import quantile, rule_from, slow_requests
from swarm.testing.rollout_traffic import EDGES

pytestmark = pytest.mark.req("GATE-5")
NO_FLOOR = timedelta(0)


def histogram(median, count=200_000, edges=EDGES):
    exact = stats.lognorm(s=0.5, scale=median).cdf(np.array(edges)) * count
    return LatencyHistogram(
        edges=tuple(edges), cumulative=tuple(np.floor(exact).tolist()), total=float(count)
    )


def test_the_margin_of_a_lognormal_is_the_known_one():
    """F(> b/1.15)/F(> b) is 1.72 at the p95 of a lognormal with sigma 0.5."""
    rule = rule_from(histogram(0.1), 0.15, NO_FLOOR)
    assert 1 + rule.margin.relative == pytest.approx(1.72, rel=0.04)
    assert rule.edge == pytest.approx(0.2276, rel=0.1)


def test_the_p95_is_read_as_prometheus_reads_it():
    coarse = LatencyHistogram(edges=(0.1, 0.2, 0.4), cumulative=(80, 90, 100), total=100)
    assert quantile(coarse, 0.95) == pytest.approx(0.3)
    assert quantile(coarse, 0.40) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "baseline",
    [
        pytest.param(
            LatencyHistogram(edges=(0.1, 0.2), cumulative=(5, 90), total=100), id="p95-beyond-edges"
        ),
        pytest.param(
            LatencyHistogram(edges=(0.1, 10.0), cumulative=(5, 100), total=100), id="no-edge-near"
        ),
        pytest.param(LatencyHistogram(edges=(0.1,), cumulative=(0,), total=0), id="no-requests"),
    ],
)
def test_buckets_too_coarse_for_a_p95_give_no_rule(baseline):
    assert rule_from(baseline, 0.15, NO_FLOOR) is None


def test_the_floor_rules_a_service_that_answers_within_a_millisecond():
    """p95 0.4 ms + 3 ms: 15 % of 0.4 ms is below the noise of a loopback."""
    edges = tuple(np.geomspace(0.0001, 1, 81).tolist())
    rule = rule_from(histogram(0.00018, edges=edges), 0.15, timedelta(milliseconds=3))
    assert rule.p95 == pytest.approx(0.00041, rel=0.1)
    assert 0.0034 <= rule.edge <= 0.004
    assert rule.margin.absolute == pytest.approx(0.05, abs=0.001)


def test_a_floor_beyond_the_last_edge_gives_no_rule():
    edges = tuple(np.geomspace(0.0001, 0.002, 40).tolist())
    assert rule_from(histogram(0.00018, edges=edges), 0.15, timedelta(milliseconds=3)) is None


def test_the_floor_does_not_matter_to_a_slow_service():
    with_floor = rule_from(histogram(0.1), 0.15, timedelta(milliseconds=3))
    assert with_floor == rule_from(histogram(0.1), 0.15, NO_FLOOR)


# --- by hand --------------------------------------------------------------------------------------


def buckets(*pairs, total=1_000):
    edges, cumulative = zip(*pairs, strict=True)
    return LatencyHistogram(edges=edges, cumulative=cumulative, total=total)


def test_one_request_is_enough_for_a_quantile_inside_its_bucket():
    assert quantile(buckets((0.1, 1), total=1), 0.5) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("slow", "found"),
    [(4, None), (5, 0.1), (300, 0.1), (301, None)],
)
def test_an_edge_serves_from_half_a_percent_of_slow_requests_to_thirty(slow, found):
    """The second edge has nothing above it, so the first one serves or none does."""
    rule = rule_from(buckets((0.1, 1_000 - slow), (0.4, 1_000)), 0.15, NO_FLOOR)
    assert (rule and rule.edge) == found


def test_of_two_edges_that_serve_alike_the_lower_one_is_taken():
    same = buckets((0.1, 950), (0.2, 950), (0.4, 1_000))
    assert rule_from(same, 0.15, NO_FLOOR).edge == 0.1


@pytest.mark.parametrize(("floor", "edge"), [(50, 0.1), (51, 0.2)])
def test_the_floor_rules_where_it_is_larger_than_the_rise(floor, edge):
    """p95 is 0.1 s, and half of it 50 ms."""
    rule = rule_from(buckets((0.1, 95), (0.2, 100), total=100), 0.5, timedelta(milliseconds=floor))
    assert rule.edge == edge


@pytest.mark.parametrize(
    ("second", "third", "room", "rise"),
    [
        pytest.param(970, 970, 0.02, 0.15, id="nothing-between-so-no-less-than-the-stretch"),
        pytest.param(950, 980, 0.03, 0.20285, id="a-tail-of-20-is-read"),
        pytest.param(950, 981, 0.031, 0.72, id="a-tail-of-19-is-the-usual-one"),
        pytest.param(950, 952, 0.005, 0.15, id="never-less-room-than-a-tenth-of-the-tail"),
    ],
)
def test_the_margin_above_a_floor_by_hand(second, third, room, rise):
    """p95 is about 1 ms, so that 3 ms more lie at the third edge: 4 ms.

    20 of 1,000 are slower than it and 50 than half of it: at 4 ms / 1.15 these are, on a line
    between their logarithms, 50 * 0.4 ** 0.79837 = 24.06, which is 20 * 1.20285.
    """
    base = buckets((0.001, 950), (0.002, second), (0.004, third), (0.008, 1_000))
    rule = rule_from(base, 0.15, timedelta(milliseconds=3))
    assert (rule.edge, rule.prior) == (0.004, (1_000 - third, 1_000))
    assert rule.margin.absolute == pytest.approx(room)
    assert rule.margin.relative == pytest.approx(rise, abs=1e-4)


def test_below_the_first_edge_requests_are_spread_evenly():
    """1,000 - 950 / 1.15 = 173.9 of 1,000 are slower than 0.1 s / 1.15; 50 are than 0.1 s."""
    rule = rule_from(buckets((0.1, 950), (0.2, 1_000)), 0.15, NO_FLOOR)
    assert rule.margin.relative == pytest.approx(173.913 / 50 - 1, abs=1e-4)


def test_slow_requests_are_counted_where_durations_are_known():
    rule = rule_from(buckets((0.1, 950), (0.2, 1_000)), 0.15, NO_FLOOR)
    known = ArmCounts(total=12, bad=0, latency=buckets((0.1, 7), (0.2, 9), total=10))
    assert slow_requests(known, rule) == (3, 10)
    assert slow_requests(ArmCounts(total=12, bad=0), rule) == (0, 0)
