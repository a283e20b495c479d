"""One simulated target, with the counters of both arms, and what is out of order around it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts, LatencyHistogram, Look

_PER_SECOND, _ERRORS, _BAD_ERRORS = 2_000.0, 0.001, 0.2


@dataclass(slots=True)
class Place:
    """One target: what serves, what is tried beside it, and what went wrong with it.

    served, tried: requests that each arm has answered until `counted`.
    """

    stable: str
    counted: datetime
    canary: str = ""
    percent: int = 0
    drift: str = ""
    served: float = 1_000_000.0
    tried: float = 0.0

    def count(self, now: datetime) -> None:
        """Bring both arms' counters up to date."""
        requests = max(0.0, (now - self.counted).total_seconds()) * _PER_SECOND
        self.tried += requests * self.percent / 100
        self.served += requests * (100 - self.percent) / 100
        self.counted = now

    def split(self, now: datetime, canary: str, percent: int) -> None:
        """Another canary, or another share for it."""
        self.count(now)
        if canary != self.canary:
            self.tried = 0.0
        self.canary, self.percent = canary, percent

    def look(self, seen_at: datetime, *, gone: bool, bad: bool) -> Look:
        """Both arms as read; absent while nobody can read them, erring when the canary is bad."""
        if gone:
            missing = Absent(why=AbsentWhy.NOT_REPORTED)
            return Look(
                observed_at=seen_at,
                traffic_percent=self.percent,
                canary=missing,
                stable=missing,
            )
        canary = replace(_arm(self.tried, _BAD_ERRORS if bad else _ERRORS), epoch=self.canary)
        return Look(
            observed_at=seen_at,
            traffic_percent=self.percent,
            canary=canary,
            stable=_arm(self.served, _ERRORS),
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
    return ArmCounts(total=total, bad=total * bad, latency=latency)
