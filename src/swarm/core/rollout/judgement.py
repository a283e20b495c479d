"""What the analysis of a rollout answers, in a form that can be printed and stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from swarm.contract.verdict import Answer


class CanaryReason(StrEnum):
    """Why Gate 5 or Gate 6 answers as it does. Closed; CamelCase, as conditions want it."""

    NO_LOOK_YET = "NoLookYet"  #: nothing was read; WAIT
    FIRST_LOOK = "FirstLook"  #: counters need a second reading at this weight; WAIT
    NOT_EXPOSED = "NotExposed"  #: the canary's weight is 0 %, so there is nothing to judge; WAIT
    COLLECTING_EVIDENCE = "CollectingEvidence"  #: neither process has crossed its bound; WAIT
    ONE_FAILED_LOOK = "OneFailedLook"  #: this look failed; a second one in a row decides; WAIT
    CANARY_HEALTHY = "CanaryHealthy"  #: proven not worse than the margin; PASS
    ERROR_RATE_REGRESSED = "ErrorRateRegressed"  #: two looks in a row; FAIL
    LATENCY_REGRESSED = "LatencyRegressed"  #: two looks in a row; FAIL
    NO_CANARY_TRAFFIC = "NoCanaryTraffic"  #: the stable arm is busy, the canary gets none; FAIL
    NO_TRAFFIC = "NoTraffic"  #: neither arm was asked anything, or the source says NaN
    NO_DATA = "NoData"  #: the metrics source does not report an arm
    NO_LATENCY_DATA = "NoLatencyData"  #: latency is judged, and an arm has no histogram
    HISTOGRAM_TOO_COARSE = "HistogramTooCoarse"  #: no bucket edge near the baseline's p95
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch"  #: the traffic split is not the one asked for
    NO_CONCURRENT_STABLE = "NoConcurrentStable"  #: at 100 % there is no arm to compare with
    HOLD_EXPIRED = "HoldExpired"  #: maxHold passed without a verdict
    SLO_HELD = "SloHeld"  #: the objective held for the whole window; PASS
    OBSERVING = "Observing"  #: the observation window is running; WAIT
    SLO_ERRORS = "SloErrors"  #: the error objective is broken, two looks in a row; FAIL
    SLO_LATENCY = "SloLatency"  #: the latency objective is broken, two looks in a row; FAIL
    SLO_UNDECIDED = "SloUndecided"  #: above the objective, but not by more than chance
    NO_OBJECTIVE = "NoObjective"  #: neither an objective nor a large enough baseline


class MetricReport(NamedTuple):
    """The numbers behind one metric of a judgement.

    name:       "errors" or "latency".
    bad, total: requests, per arm; the reference arm is the stable one (or the baseline).
    tolerated:  the canary's bad share at which it is too bad, 0..1.
    log_fail, log_pass: natural logarithms of both processes.
    bound:      log(1/alpha) of this metric; a process at or above it decides.
    phi:        over-dispersion both processes were tempered by.
    edge:       for latency, the duration in seconds above which a request is bad.
    """

    name: str
    canary_bad: float
    canary_total: float
    stable_bad: float
    stable_total: float
    tolerated: float
    log_fail: float
    log_pass: float
    bound: float
    phi: float = 1.0
    edge: float | None = None

    @property
    def fails(self) -> bool:
        """Evidence above the bound, and the point estimate above the margin."""
        return self.log_fail >= self.bound and self._share > self.tolerated

    @property
    def passes(self) -> bool:
        """Evidence above the bound, and the point estimate within the margin."""
        return self.log_pass >= self.bound and self._share <= self.tolerated

    @property
    def _share(self) -> float:
        return self.canary_bad / self.canary_total if self.canary_total else 0.0

    def sentence(self) -> str:
        """One clause for people, with every number that decides."""
        what = self.name if self.edge is None else f"slower than {_span(self.edge)}"
        return (
            f"{what}: canary {_part(self.canary_bad, self.canary_total)}, "
            f"stable {_part(self.stable_bad, self.stable_total)}, "
            f"tolerated {self.tolerated:.3%}; evidence against {_power(self.log_fail)}, "
            f"for {_power(self.log_pass)}, decided at {math.exp(self.bound):.0f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryJudgement:
    """What all looks so far say about the rollout step.

    answer:            PASS, WAIT (look again), INCONCLUSIVE (policy decides) or FAIL (roll back).
    note:              what is said besides the numbers; `detail` joins both into a sentence.
    consecutive_fails: looks in a row that failed, up to now; FAIL from the second on.
    look_again:        when the next look is due; None before the first look and after a FAIL.
    hold_expired:      the longest hold at this weight has passed.
    metrics:           the numbers, for `why` and for the trace.
    canary_restarts:   times the canary's counters began again from zero.
    """

    answer: Answer
    reason: CanaryReason
    note: str = ""
    consecutive_fails: int = 0
    look_again: datetime | None = None
    hold_expired: bool = False
    metrics: tuple[MetricReport, ...] = ()
    canary_restarts: int = 0

    @property
    def detail(self) -> str:
        """A sentence for people with the numbers. Made when asked: most looks are not printed."""
        told = sorted(self.metrics, key=lambda metric: not metric.fails)  # what fails comes first
        return "; ".join(filter(None, (self.note, *(metric.sentence() for metric in told))))


def _part(bad: float, total: float) -> str:
    share = f" ({bad / total:.3%})" if total else ""
    return f"{bad:.0f}/{total:.0f}{share}"


def _power(log_value: float) -> str:
    if log_value > math.log(1e6):
        return "over a million"
    return f"{math.exp(log_value):.3g}"


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
