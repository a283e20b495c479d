"""One simulated target, with the counters of both arms, and what is out of order around it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts, LatencyHistogram, Look

_PER_SECOND, _ERRORS, _BAD_ERRORS = 2_000.0, 0.001, 0.2
NEVER = 101  #: percent of the traffic: more than there is


@dataclass(slots=True)
class Place:
    """One target: what serves, what is tried beside it, and what went wrong with it.

    served, tried: requests that each arm has answered until `counted`.
    failed:        those of `tried` that went wrong.
    errs_from:     the share of the traffic, in percent, from which the canary errs.
    """

    stable: str
    counted: datetime
    canary: str = ""
    percent: int = 0
    drift: str = ""
    served: float = 1_000_000.0
    tried: float = 0.0
    failed: float = 0.0
    errs_from: int = NEVER

    def count(self, now: datetime) -> None:
        """Bring both arms' counters up to date."""
        requests = max(0.0, (now - self.counted).total_seconds()) * _PER_SECOND
        tried = requests * self.percent / 100
        self.tried += tried
        self.failed += tried * (_BAD_ERRORS if self.percent >= self.errs_from else _ERRORS)
        self.served += requests * (100 - self.percent) / 100
        self.counted = now

    def split(self, now: datetime, canary: str, percent: int) -> None:
        """Another canary, or another share for it."""
        self.count(now)
        if canary != self.canary:
            self.tried = self.failed = 0.0
        self.canary, self.percent = canary, percent

    def look(self, seen_at: datetime, *, gone: bool) -> Look:
        """Both arms as read; absent while nobody can read them."""
        if gone:
            missing = Absent(why=AbsentWhy.NOT_REPORTED)
            return Look(
                observed_at=seen_at,
                traffic_percent=self.percent,
                canary=missing,
                stable=missing,
            )
        canary = replace(_arm(self.tried, self.failed), epoch=self.canary)
        return Look(
            observed_at=seen_at,
            traffic_percent=self.percent,
            canary=canary,
            stable=_arm(self.served, self.served * _ERRORS),
        )


@dataclass(slots=True)
class Weather:
    """What is out of order at the moment, by name: repositories' agents, metrics, sources."""

    quota: bool = False
    no_metrics: bool = False
    dark: set[str] = field(default_factory=set)


def _arm(total: float, bad: float) -> ArmCounts:
    latency = LatencyHistogram(
        edges=(0.005, 0.01, 0.1), cumulative=(total / 2, total, total), total=total
    )
    return ArmCounts(total=total, bad=bad, latency=latency)
