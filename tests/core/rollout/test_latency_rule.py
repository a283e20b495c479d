from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from swarm.core.rollout.counts import LatencyHistogram
from swarm.core.rollout.latency import quantile, rule_from
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
