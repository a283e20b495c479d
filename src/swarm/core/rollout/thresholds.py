"""What Gates 5 and 6 tolerate. Every default says why it is what it is."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta

from swarm.core.rollout.errors import BadThresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryThresholds:
    """How much worse a canary may be, and how sure the answer must be."""

    error_increase: float = 0.20
    """Relative rise of the share of bad requests that is too much; the design's < 20 %."""
    error_floor: float = 0.001
    """Absolute rise in bad share that is tolerated anyway, 0..1. A tenth of a percentage point:
    without it a service at 0.1 % errors needs hours to prove itself."""
    p95_increase: float | None = 0.15
    """Relative rise of the p95 latency that is too much; the design's < 15 %. None: not judged."""
    p95_floor: timedelta = timedelta(milliseconds=3)
    """Absolute rise of p95 that is tolerated anyway: below it, loopback jitter is louder."""
    alpha: float = 0.05
    """Chance, per rollout step, to roll back an equal canary or to pass one at the margin.
    Split evenly over the judged metrics (Bonferroni)."""
    min_sample: int = 200
    """Canary requests before a PASS: 30 requests read a good change as +118 % p95."""
    min_fail_sample: int = 20
    """Canary requests before a look may fail. Small: a canary that only errs must not live long."""
    look_every: timedelta = timedelta(seconds=30)
    """Pause between two looks; two in a row must fail, so a rollback takes at least one pause."""
    max_hold: timedelta = timedelta(minutes=30)
    """Longest time at one step without a verdict; then the answer is INCONCLUSIVE."""
    sample_ratio_alpha: float = 0.001
    """Chance to call a correct traffic split wrong. Smaller than alpha: it is looked at always."""
    share_tolerance: float = 0.20
    """Relative deviation of the canary's share from its weight that is never called wrong:
    kept-alive connections and retries move the share a little."""

    def __post_init__(self) -> None:
        """Refuse values outside their range, naming the field."""
        _between(self, "error_increase", 0.01, 10.0)
        _between(self, "error_floor", 0.0, 0.5)
        if self.p95_increase is not None:
            _between(self, "p95_increase", 0.01, 10.0)
        _between(self, "alpha", 1e-6, 0.5)
        _between(self, "min_sample", 1, 10**9)
        _between(self, "min_fail_sample", 1, 10**9)
        _between(self, "sample_ratio_alpha", 1e-12, 0.5)
        _between(self, "share_tolerance", 0.0, 1.0)
        _spans(self)

    @property
    def metrics(self) -> int:
        """How many metrics share `alpha`."""
        return 1 if self.p95_increase is None else 2

    @property
    def metric_alpha(self) -> float:
        """The error probability of one metric at one rollout step."""
        return self.alpha / self.metrics

    def strict(self) -> CanaryThresholds:
        """The variant for R3, where MODE-3 asks for stricter rollout thresholds.

        Half the margins, a fifth of the error probability, five times the sample.
        """
        p95 = None if self.p95_increase is None else max(0.01, self.p95_increase / 2)
        return replace(
            self,
            error_increase=max(0.01, self.error_increase / 2),
            error_floor=self.error_floor / 2,
            p95_increase=p95,
            alpha=max(1e-6, self.alpha / 5),
            min_sample=self.min_sample * 5,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SloThresholds:
    """What must hold for the observation window after full exposure (Gate 6).

    With an absolute objective the window is judged against it; without one, against the
    pre-rollout baseline plus the relative rise.
    """

    error_objective: float | None = None
    """Largest bad share of requests, 0..1, or None: baseline only."""
    latency_objective: timedelta | None = None
    """p95 must not be above this, or None: baseline only."""
    error_increase: float = 0.20
    """Relative rise over the baseline that is too much."""
    error_floor: float = 0.001
    """Absolute rise over the baseline that is tolerated anyway, 0..1."""
    p95_increase: float | None = 0.15
    """Relative rise of p95 over the baseline that is too much. None: latency is not judged
    against the baseline."""
    p95_floor: timedelta = timedelta(milliseconds=3)
    """Absolute rise of p95 that is tolerated anyway."""
    alpha: float = 0.05
    """Chance to roll back a service that is exactly at its limit, over the whole window."""
    window: timedelta = timedelta(minutes=10)
    """How long the objective must hold before the mission counts as delivered."""
    look_every: timedelta = timedelta(seconds=30)
    """Pause between two readings."""
    max_hold: timedelta = timedelta(minutes=60)
    """Longest time without a verdict; then the answer is INCONCLUSIVE."""
    min_sample: int = 200
    """Requests in the window, and in the baseline, before anything is concluded from them."""
    min_fail_sample: int = 20
    """Requests before a reading may fail."""

    def __post_init__(self) -> None:
        """Refuse values outside their range, naming the field."""
        if self.error_objective is not None:
            _between(self, "error_objective", 1e-7, 0.5)
        if self.p95_increase is not None:
            _between(self, "p95_increase", 0.01, 10.0)
        _between(self, "error_increase", 0.01, 10.0)
        _between(self, "error_floor", 0.0, 0.5)
        _between(self, "alpha", 1e-6, 0.5)
        _between(self, "min_sample", 1, 10**9)
        _between(self, "min_fail_sample", 1, 10**9)
        _spans(self)


def _between(holder: object, name: str, low: float, high: float) -> None:
    value = getattr(holder, name)
    if not low <= value <= high:  # also refuses NaN
        raise BadThresholds(f"{name} is {value}; it lies in {low:g}..{high:g}")


def _spans(holder: CanaryThresholds | SloThresholds) -> None:
    for field in fields(holder):
        value = getattr(holder, field.name)
        if not isinstance(value, timedelta):
            continue
        zero_is_fine = field.name in {"p95_floor", "window"}
        if value < timedelta(0) or (value == timedelta(0) and not zero_is_fine):
            raise BadThresholds(f"{field.name} is {value}; it must be longer than nothing")
    if holder.max_hold < holder.look_every:
        raise BadThresholds(
            f"max_hold is {holder.max_hold}, shorter than look_every {holder.look_every}; "
            "a hold must allow at least one look"
        )
