"""Made-up traffic for canary tests: looks with a known truth, from a seeded generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from swarm.core.rollout.counts import ArmCounts, LatencyHistogram, Look

START = datetime(2030, 1, 1, tzinfo=UTC)
EDGES = tuple(float(e) for e in np.geomspace(0.001, 10.0, 61))
"""Bucket edges in seconds, 15 a decade, as the local proxy has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What really happens behind the counters.

    requests_per_second: both arms together; arrivals are Poisson.
    error_share:  the stable arm's true bad share; relative_risk: the canary's, divided by it.
    p95_factor:   every canary duration is this many times longer; None: no histograms.
    median:       of the lognormal durations (sigma 0.5), seconds.
    arm_noise, common_noise: coefficient of variation of gamma noise on the bad share, drawn
                  anew at every look, for each arm and for both together.
    """

    requests_per_second: float
    error_share: float = 0.01
    relative_risk: float = 1.0
    percent: int = 10
    look_every: float = 30.0
    p95_factor: float | None = None
    median: float = 0.1
    arm_noise: float = 0.0
    common_noise: float = 0.0


class _ArmCounter:
    """One arm's cumulative counters."""

    def __init__(self, *, latency: bool) -> None:
        self.total = self.bad = 0.0
        self.buckets = np.zeros(len(EDGES)) if latency else None

    def count(self, total: int, bad: int, durations: np.ndarray | None) -> None:
        self.total += total
        self.bad += bad
        if self.buckets is not None and durations is not None:
            self.buckets += np.searchsorted(np.sort(durations), EDGES, side="right")

    def read(self) -> ArmCounts:
        latency = None
        if self.buckets is not None:
            cumulative = tuple(self.buckets.tolist())
            latency = LatencyHistogram(edges=EDGES, cumulative=cumulative, total=self.total)
        return ArmCounts(total=self.total, bad=self.bad, latency=latency)


def looks(traffic: Traffic, seconds: float, rng: np.random.Generator) -> Iterator[Look]:
    """Looks every `look_every` seconds; the first reads five minutes of stable traffic."""
    measured = traffic.p95_factor is not None
    canary, stable = _ArmCounter(latency=measured), _ArmCounter(latency=measured)
    before = int(rng.poisson(traffic.requests_per_second * 300))
    _serve(stable, traffic, (before, traffic.error_share, 1.0), rng)
    at = 0.0
    while True:
        yield Look(
            observed_at=START + timedelta(seconds=at),
            traffic_percent=traffic.percent,
            canary=canary.read(),
            stable=stable.read(),
        )
        at += traffic.look_every
        if at > seconds:
            return
        arrived = int(rng.poisson(traffic.requests_per_second * traffic.look_every))
        to_canary = int(rng.binomial(arrived, traffic.percent / 100))
        common = _noise(traffic.common_noise, rng)
        bad = traffic.error_share * common
        canary_bad = bad * traffic.relative_risk * _noise(traffic.arm_noise, rng)
        _serve(canary, traffic, (to_canary, canary_bad, traffic.p95_factor or 1.0), rng)
        stable_bad = bad * _noise(traffic.arm_noise, rng)
        _serve(stable, traffic, (arrived - to_canary, stable_bad, 1.0), rng)


def _serve(
    counter: _ArmCounter,
    traffic: Traffic,
    truth: tuple[int, float, float],
    rng: np.random.Generator,
) -> None:
    total, bad_share, factor = truth
    durations = None
    if traffic.p95_factor is not None:
        durations = rng.lognormal(np.log(traffic.median), 0.5, total) * factor
    counter.count(total, int(rng.binomial(total, min(1.0, bad_share))), durations)


def _noise(variation: float, rng: np.random.Generator) -> float:
    if variation == 0:
        return 1.0
    return float(rng.gamma(1 / variation**2, variation**2))
