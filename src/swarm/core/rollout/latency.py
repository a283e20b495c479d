"""Turns "p95 may rise by 15 %" into a bad event that can be counted.

A bad event is a request slower than one bucket edge, fixed before the test from the stable arm's
preceding window. Two cases:

- The relative rise is larger than the floor. The edge lies at the baseline's p95; if every
  duration grew by 15 %, the share above the edge would grow by `F(> edge/1.15) / F(> edge)`,
  read from the baseline histogram (1.72 for a lognormal with sigma 0.5). That is the margin.
- The floor (3 ms) is larger, as at a service that answers within a millisecond. The edge lies
  at p95 + floor, and the canary's p95 has crossed it exactly when more than 5 % of its requests
  are slower. That share is the margin.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import timedelta

from swarm.core.rollout.counts import ArmCounts, LatencyHistogram
from swarm.core.rollout.sequential import Margin

TAIL = 0.05
"""Share of requests above a p95, by definition."""
_TAIL_LOWEST, _TAIL_HIGHEST = 0.005, 0.30
# Fewer slow requests than this do not tell the shape of the tail; then the margin falls back to
# the ratio of a lognormal with sigma 0.5, which is what request durations usually look like.
_EVENTS_FOR_SHAPE = 20.0
_USUAL_RATIO = 1.72


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRule:
    """What counts as slow, in seconds, and how much more of it is tolerated.

    edge:    a request slower than this is a bad event, seconds.
    p95:     the baseline's p95, interpolated, seconds.
    margin:  tolerated rise of the share of slow requests.
    prior:   (slow, all) requests of the baseline.
    """

    edge: float
    p95: float
    margin: Margin
    prior: tuple[float, float]


def rule_from(baseline: LatencyHistogram, increase: float, floor: timedelta) -> LatencyRule | None:
    """The rule for a baseline; None when its buckets are too coarse to place a p95.

    increase: tolerated relative rise of p95; floor: tolerated absolute rise.
    """
    p95 = quantile(baseline, 1.0 - TAIL)
    if p95 is None:
        return None
    if floor.total_seconds() > increase * p95:
        return _absolute(baseline, p95, floor.total_seconds(), increase)
    edge = _edge_at_p95(baseline)
    if edge is None:
        return None
    relative = _stretch_ratio(baseline, edge, 1.0 + increase) - 1.0
    slow = baseline.slower_than(edge)
    margin = Margin(relative=relative, absolute=0.0)
    return LatencyRule(edge=edge, p95=p95, margin=margin, prior=(slow, baseline.total))


def slow_requests(counts: ArmCounts, rule: LatencyRule) -> tuple[float, float]:
    """(slow, all) requests of one arm's window under the rule; (0, 0) without a histogram."""
    if counts.latency is None:
        return 0.0, 0.0
    return counts.latency.slower_than(rule.edge), counts.latency.total


def quantile(histogram: LatencyHistogram, q: float) -> float | None:
    """The q-quantile in seconds, linear inside its bucket as Prometheus computes it; q above 0.

    None without requests, or when it lies above the last finite edge.
    """
    rank = q * histogram.total
    index = bisect_left(histogram.cumulative, rank)
    if histogram.total <= 0 or index == len(histogram.edges):
        return None
    below = histogram.cumulative[index - 1] if index else 0.0
    left = histogram.edges[index - 1] if index else 0.0
    part = (rank - below) / (histogram.cumulative[index] - below)
    return left + (histogram.edges[index] - left) * part


def _edge_at_p95(histogram: LatencyHistogram) -> float | None:
    """The finite edge whose tail is nearest to 5 % on a log scale, between 0.5 % and 30 %."""
    best, best_distance = None, math.inf
    for edge in histogram.edges:
        tail = histogram.slower_than(edge) / histogram.total
        if not _TAIL_LOWEST <= tail <= _TAIL_HIGHEST:
            continue
        distance = abs(math.log(tail / TAIL))
        if distance < best_distance:
            best, best_distance = edge, distance
    return best


def _absolute(
    histogram: LatencyHistogram, p95: float, floor: float, increase: float
) -> LatencyRule | None:
    index = bisect_left(histogram.edges, p95 + floor)
    if index == len(histogram.edges):
        return None
    edge = histogram.edges[index]
    slow = histogram.slower_than(edge)
    room = max(TAIL - slow / histogram.total, TAIL / 10)
    relative = _stretch_ratio(histogram, edge, 1.0 + increase) - 1.0
    margin = Margin(relative=relative, absolute=room)
    return LatencyRule(edge=edge, p95=p95, margin=margin, prior=(slow, histogram.total))


def _stretch_ratio(histogram: LatencyHistogram, edge: float, factor: float) -> float:
    """F(> edge/factor) / F(> edge): how the slow share grows if all durations grow by `factor`."""
    slow = histogram.slower_than(edge)
    if slow < _EVENTS_FOR_SHAPE:
        return _USUAL_RATIO
    return max(_survivors(histogram, edge / factor) / slow, factor)


def _survivors(histogram: LatencyHistogram, at: float) -> float:
    """Requests slower than `at`, log-linear between edges: tails fall like powers.

    at: below an edge that some requests are slower than.
    """
    index = bisect_left(histogram.edges, at)
    right_edge = histogram.edges[index]
    right = histogram.slower_than(right_edge)
    left = histogram.slower_than(histogram.edges[index - 1]) if index else histogram.total
    if index == 0:
        return left + (right - left) * at / right_edge
    left_edge = histogram.edges[index - 1]
    part = math.log(at / left_edge) / math.log(right_edge / left_edge)
    return math.exp(math.log(left) + (math.log(right) - math.log(left)) * part)
