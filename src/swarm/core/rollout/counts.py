"""What one reading of a canary's counters says. Absent is a value of its own, never zero."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from operator import gt
from typing import Literal

from swarm.core.rollout.errors import BadCounts, BadLooks


class AbsentWhy(StrEnum):
    """Why an arm has no counts."""

    NOT_REPORTED = "not-reported"  #: the series does not exist at the metrics source
    NOT_A_NUMBER = "not-a-number"  #: the source answered NaN, which is what 0/0 looks like


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """No counts for this arm at this look. A judgement never reads it as zero."""

    why: AbsentWhy
    detail: str = ""
    kind: Literal["absent"] = "absent"


def _check_count(name: str, value: float) -> None:
    if math.isnan(value) or math.isinf(value):
        raise BadCounts(f"{name} is {value}; a counter is a finite number, absence is `Absent`")
    if value < 0:
        raise BadCounts(f"{name} is {value}; a counter is never negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyHistogram:
    """Requests by duration, as Prometheus counts them.

    edges:      upper bucket edges in seconds, strictly increasing, finite; shape (B,).
    cumulative: requests not slower than each edge, shape (B,), never decreasing.
    total:      requests of any duration (the `+Inf` bucket), at least the last of `cumulative`.
    """

    edges: tuple[float, ...]
    cumulative: tuple[float, ...]
    total: float

    def __post_init__(self) -> None:
        if not self.edges or len(self.edges) != len(self.cumulative):
            raise BadCounts(
                f"latency has {len(self.edges)} edges and {len(self.cumulative)} buckets; "
                "each finite edge needs exactly one bucket"
            )
        if not all(math.isfinite(e) and e > 0 for e in self.edges):
            raise BadCounts("latency.edges must be finite and positive, in seconds")
        if any(a >= b for a, b in pairwise(self.edges)):
            raise BadCounts("latency.edges must be strictly increasing")
        for value in (*self.cumulative, self.total):
            _check_count("latency bucket", value)
        if any(a > b for a, b in pairwise((*self.cumulative, self.total))):
            raise BadCounts("latency.cumulative must never decrease, and end at or below the total")

    def slower_than(self, edge: float) -> float:
        """Requests slower than `edge` seconds; `edge` is one of `edges`."""
        return self.total - self.cumulative[bisect_left(self.edges, edge)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """Cumulative counters of one arm, as read. Requests, not rates.

    total:   requests answered or failed since the counting process started.
    bad:     those of them that count against the error budget; never more than `total`.
    latency: durations; None when the source has no histogram.
    epoch:   names the counting process, where the source knows it: two readings of different
             epochs are a restart, even when the new counts have already overtaken the old, and
             a lower number in one epoch is an old reading.
    """

    total: float
    bad: float
    latency: LatencyHistogram | None = None
    epoch: str = ""
    kind: Literal["counts"] = "counts"

    def __post_init__(self) -> None:
        _check_count("total", self.total)
        _check_count("bad", self.bad)
        if self.bad > self.total:
            raise BadCounts(f"bad is {self.bad} of a total of {self.total}; bad is a part of total")


Arm = ArmCounts | Absent


def arm(
    total: float | None,
    bad: float | None,
    latency: LatencyHistogram | None = None,
    *,
    epoch: str = "",
) -> ArmCounts | Absent:
    """Counts from what a metrics source answered: None is not reported, NaN is no traffic.

    Raises `BadCounts` for a number that no counter could show.
    """
    if total is None or bad is None:
        name = "total" if total is None else "bad"
        return Absent(why=AbsentWhy.NOT_REPORTED, detail=f"{name} is not reported")
    if math.isnan(total) or math.isnan(bad):
        name = "total" if math.isnan(total) else "bad"
        return Absent(why=AbsentWhy.NOT_A_NUMBER, detail=f"{name} is NaN")
    return ArmCounts(total=total, bad=bad, latency=latency, epoch=epoch)


def _check_aware(observed_at: datetime) -> None:
    if observed_at.tzinfo is None:
        raise BadLooks("observed_at has no time zone; looks carry aware times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Both arms read at one time.

    observed_at:     when the counters were read (aware).
    traffic_percent: the canary's share of traffic that was in force, 0..100.
    """

    observed_at: datetime
    traffic_percent: int
    canary: ArmCounts | Absent
    stable: ArmCounts | Absent

    def __post_init__(self) -> None:
        _check_aware(self.observed_at)
        if not 0 <= self.traffic_percent <= 100:  # noqa: PLR2004 - percent
            raise BadCounts(f"traffic_percent is {self.traffic_percent}; it lies in 0..100")

    def serving(self) -> Reading:
        """The arm that carries all traffic: the canary at 100 %, else the stable one."""
        whole = self.traffic_percent == 100  # noqa: PLR2004 - percent
        return Reading(observed_at=self.observed_at, counts=self.canary if whole else self.stable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One arm read at one time; what Gate 6 judges after full exposure."""

    observed_at: datetime
    counts: ArmCounts | Absent

    def __post_init__(self) -> None:
        _check_aware(self.observed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Increase:
    """What one arm counted between two readings.

    restarted: a counter went backwards, so the process restarted and counts from zero;
               what it counted between the first reading and its end is lost, not negative.
    """

    counts: ArmCounts
    restarted: bool


def increase(before: ArmCounts, after: ArmCounts) -> Increase:
    """Requests counted after `before` and up to `after`.

    All counters of an arm live in one process: if any went backwards, all count from zero, or,
    where it is known to be the same process still, `after` is an old reading and brings nothing.
    A histogram that appears or disappears between the readings gives no latency increase.
    """
    old, new = before.latency, after.latency
    if old is not None and new is not None and old.edges != new.edges:
        raise BadLooks("two looks of one arm have different latency.edges")
    if behind(before, after):
        return Increase(counts=ArmCounts(total=0, bad=0), restarted=False)
    if went_back(before, after):
        return Increase(counts=after, restarted=True)
    latency = None
    if old is not None and new is not None:
        latency = LatencyHistogram(
            edges=new.edges,
            cumulative=_differences(old, new),
            total=new.total - old.total,
        )
    total = after.total - before.total
    # Two counters read in two requests may be one request apart; the part never exceeds the whole.
    bad = min(after.bad - before.bad, total)
    return Increase(counts=ArmCounts(total=total, bad=bad, latency=latency), restarted=False)


def behind(before: ArmCounts, after: ArmCounts) -> bool:
    """Whether `after` was counted first: the same process, and a lower number.

    A cache or a mirror answers so. Taken for a restart it would count old requests once more.
    """
    return bool(after.epoch) and before.epoch == after.epoch and _lower(before, after)


def went_back(before: ArmCounts, after: ArmCounts) -> bool:
    """Whether the counters began again: another epoch, or a lower number where none is known."""
    if before.epoch and after.epoch:
        return before.epoch != after.epoch
    return _lower(before, after)


def _lower(before: ArmCounts, after: ArmCounts) -> bool:
    """Whether any counter decreased."""
    if after.total < before.total or after.bad < before.bad:
        return True
    old, new = before.latency, after.latency
    if old is None or new is None:
        return False
    if new.total < old.total:
        return True
    return any(map(gt, old.cumulative, new.cumulative))


def _differences(old: LatencyHistogram, new: LatencyHistogram) -> tuple[float, ...]:
    # A scrape that races with a request may see one bucket before the next: keep it monotone.
    out: list[float] = []
    high, cap = 0.0, new.total - old.total
    for a, b in zip(old.cumulative, new.cumulative, strict=True):
        high = min(max(high, b - a), cap)
        out.append(high)
    return tuple(out)
