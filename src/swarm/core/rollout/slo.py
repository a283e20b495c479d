"""Gate 6: does the service hold its objective for the observation window after full exposure.

One arm is left, so each limit is a number known beforehand: an absolute objective, or the
pre-rollout baseline plus the tolerated rise. FAIL needs evidence (a mixture likelihood ratio of
`p = limit * theta` against `p = limit`, looked at any number of times) *and* a point estimate
above the limit, twice in a row. PASS needs the whole window up to its last look, a minimum
sample and a point estimate within every limit. In between the answer is INCONCLUSIVE.

A baseline is an estimate too: its upper 95 % bound (Wilson) is the limit that evidence must beat,
so a short baseline does not roll back a healthy service.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from swarm.contract.verdict import Answer
from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts, Reading, behind, went_back
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.judgement import CanaryJudgement, CanaryReason, MetricReport
from swarm.core.rollout.latency import TAIL, rule_from
from swarm.core.rollout.sequential import FloatArray, Margin
from swarm.core.rollout.thresholds import SloThresholds

_THETA: FloatArray = np.geomspace(1.15, 6.0, 25)
_WILSON_Z = 1.645
_FAILS_TO_ROLL_BACK = 2
_Window = tuple[ArmCounts, ArmCounts, bool]  #: what was counted before and after; began again


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that must hold.

    share:    largest acceptable bad share, 0..1.
    beaten:   the share that evidence must beat before it fails; at least `share`.
    edge:     for latency, the bucket edge in seconds above which a request is bad.
    prior:    (bad, all) requests of the baseline; zeros for an absolute objective.
    """

    name: str
    share: float
    beaten: float
    edge: float | None = None
    prior: tuple[float, float] = (0.0, 0.0)

    def bad(self, counts: ArmCounts) -> tuple[float, float]:
        """(bad, all) requests of a window under this limit."""
        if self.edge is None:
            return counts.bad, counts.total
        if counts.latency is None:
            return 0.0, 0.0
        return counts.latency.slower_than(self.edge), counts.latency.total


def judge_slo(
    readings: Sequence[Reading], thresholds: SloThresholds, baseline: ArmCounts | None = None
) -> CanaryJudgement:
    """The judgement of the observation window, from its readings, oldest first.

    baseline: what the old revision counted in the window before the rollout (an increase).
    Raises `BadLooks` when the readings are out of order or mix histogram layouts.
    """
    for before, after in pairwise(readings):
        if after.observed_at <= before.observed_at:
            raise BadLooks("readings are passed oldest first, each at its own time")
    if not readings:
        return CanaryJudgement(
            answer=Answer.WAIT, reason=CanaryReason.NO_LOOK_YET, note="nothing was read yet"
        )
    limits = limits_from(thresholds, baseline, readings)
    bound = math.log(max(len(limits), 1) / thresholds.alpha)
    windows = _windows(readings) if limits else ()
    series = [_Series.of(limit, windows) for limit in limits]
    broken = [s.broken(bound, thresholds) for s in series]
    fails, failed = 0, None
    for look in range(max(map(len, broken)) if any(map(any, broken)) else 0):
        found = (s for s, at in zip(series, broken, strict=True) if look < len(at) and at[look])
        first = next(found, None)
        if first is None:
            fails = 0
            continue
        fails += 1
        if fails >= _FAILS_TO_ROLL_BACK:
            failed = first.report(look, bound)
            break
    reports = tuple(s.report(-1, bound) for s in series)
    fresh = _is_fresh(readings, windows)
    judgement = _answer(readings, thresholds, reports, failed, fresh=fresh)
    due = None if failed else readings[-1].observed_at + thresholds.look_every
    if fails == 1:
        judgement = replace(judgement, answer=Answer.WAIT, reason=CanaryReason.ONE_FAILED_LOOK)
    return replace(judgement, consecutive_fails=fails, look_again=due, metrics=reports)


def limits_from(
    thresholds: SloThresholds, baseline: ArmCounts | None, readings: Sequence[Reading] = ()
) -> tuple[Limit, ...]:
    """Everything that must hold; empty when there is neither objective nor usable baseline.

    A latency objective lies at the first bucket edge at or above it, taken from the readings.
    """
    limits = []
    if thresholds.error_objective is not None:
        p = thresholds.error_objective
        limits.append(Limit(name="error objective", share=p, beaten=p))
    edge = _objective_edge(thresholds, readings)
    if edge is not None:
        limits.append(Limit(name="latency objective", share=TAIL, beaten=TAIL, edge=edge))
    if baseline is None:
        return tuple(limits)
    if baseline.total >= thresholds.min_sample:
        margin = Margin(relative=thresholds.error_increase, absolute=thresholds.error_floor)
        prior = (baseline.bad, baseline.total)
        limits.append(_from_baseline("errors against the baseline", margin, prior, None))
    histogram = baseline.latency
    if thresholds.p95_increase is not None and histogram is not None:
        rule = rule_from(histogram, thresholds.p95_increase, thresholds.p95_floor)
        if rule is not None and histogram.total >= thresholds.min_sample:
            name = "latency against the baseline"
            limits.append(_from_baseline(name, rule.margin, rule.prior, rule.edge))
    return tuple(limits)


def _from_baseline(
    name: str, margin: Margin, prior: tuple[float, float], edge: float | None
) -> Limit:
    bad, total = prior
    share = margin.tolerated(bad / total)
    beaten = min(margin.tolerated(_upper(bad, total)), 0.999)
    return Limit(name=name, share=min(share, beaten), beaten=beaten, edge=edge, prior=prior)


def _upper(bad: float, total: float) -> float:
    """Wilson's upper 95 % bound of a share."""
    z2, p = _WILSON_Z**2, bad / total
    centre = p + z2 / (2 * total)
    spread = _WILSON_Z * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total))
    return (centre + spread) / (1 + z2 / total)


def _objective_edge(thresholds: SloThresholds, readings: Sequence[Reading]) -> float | None:
    if thresholds.latency_objective is None:
        return None
    seconds = thresholds.latency_objective.total_seconds()
    for reading in readings:
        if isinstance(reading.counts, ArmCounts) and reading.counts.latency is not None:
            return next((e for e in reading.counts.latency.edges if e >= seconds), None)
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Series:
    """One limit along all windows that had requests; arrays of shape (T,).

    bads, totals: sums up to each window. log_fail: the evidence there. phi: its dispersion.
    """

    limit: Limit
    bads: FloatArray
    totals: FloatArray
    log_fail: FloatArray
    phi: FloatArray

    @classmethod
    def of(cls, limit: Limit, windows: Sequence[_Window]) -> _Series:
        """The series of one limit; windows without requests are left out."""
        pairs = np.array(_counted(limit, windows), dtype=np.float64).reshape(-1, 2)
        bads, totals = np.cumsum(pairs, axis=0).T
        phi = _dispersions(pairs)
        theta = np.minimum(_THETA, 0.5 * (1.0 + 1.0 / limit.beaten))
        good = np.log1p(-limit.beaten * theta) - math.log1p(-limit.beaten)
        log_ratio = np.outer(bads, np.log(theta)) + np.outer(totals - bads, good)
        tempered = np.clip(log_ratio / phi[:, None], -600.0, 600.0)
        log_fail = np.log(np.exp(tempered).mean(axis=1))
        return cls(limit=limit, bads=bads, totals=totals, log_fail=log_fail, phi=phi)

    def broken(self, bound: float, thresholds: SloThresholds) -> list[bool]:
        """Whether the limit is broken at each window."""
        known = self.totals >= thresholds.min_fail_sample
        above = self.bads > self.limit.share * self.totals
        at: list[bool] = (known & above & (self.log_fail >= bound)).tolist()
        return at

    def report(self, look: int, bound: float) -> MetricReport:
        """The numbers at this window; zeros before the first."""
        known = len(self.totals) > 0
        return MetricReport(
            name=self.limit.name,
            canary_bad=float(self.bads[look]) if known else 0.0,
            canary_total=float(self.totals[look]) if known else 0.0,
            stable_bad=self.limit.prior[0],
            stable_total=self.limit.prior[1],
            tolerated=self.limit.share,
            log_fail=float(self.log_fail[look]) if known else 0.0,
            log_pass=0.0,
            bound=bound,
            phi=float(self.phi[look]) if known else 1.0,
            edge=self.limit.edge,
        )


def _windows(readings: Sequence[Reading]) -> tuple[_Window, ...]:
    """The windows between readings with counts: absent ones are stepped over, not read as zero.

    So is one of older counters than the one before it.
    """
    windows: list[_Window] = []
    old: ArmCounts | None = None
    for reading in readings:
        new = reading.counts
        if isinstance(new, Absent):
            continue
        if old is not None:
            if old.latency and new.latency and old.latency.edges != new.latency.edges:
                raise BadLooks("two readings have different latency.edges")
            if behind(old, new):
                continue
            windows.append((old, new, went_back(old, new)))
        old = new
    return tuple(windows)


def _is_fresh(readings: Sequence[Reading], windows: Sequence[_Window]) -> bool:
    """Whether the newest reading brought requests."""
    if not windows:
        return False
    old, new, began_again = windows[-1]
    return new is readings[-1].counts and (began_again or new.total > old.total)


def _counted(limit: Limit, windows: Sequence[_Window]) -> list[tuple[float, float]]:
    """(bad, all) requests of each window that had any."""
    counted, at_the_end = [], (0.0, 0.0)
    for number, (old, new, began_again) in enumerate(windows):
        bad_before, total_before = at_the_end if number else limit.bad(old)
        bad, total = at_the_end = limit.bad(new)
        if not began_again:
            total -= total_before
            bad = min(max(bad - bad_before, 0.0), total)
        if total > 0:
            counted.append((bad, total))
    return counted


def _dispersions(pairs: FloatArray) -> FloatArray:
    """Pearson chi2/df of the bad share over the windows up to each, at least 1; shape (T,)."""
    bad, total = pairs.T
    bads, totals = np.cumsum(bad), np.cumsum(total)
    share = (bads + 0.5) / (totals + 1.0)
    squares = np.cumsum(bad * bad / total)
    chi2 = (squares - 2 * share * bads + share * share * totals) / (share * (1.0 - share))
    freedom = np.arange(len(bad))
    found: FloatArray = np.ones(len(bad))
    found[1:] = np.maximum(1.0, chi2[1:] / freedom[1:])
    return found


def _answer(
    readings: Sequence[Reading],
    thresholds: SloThresholds,
    reports: tuple[MetricReport, ...],
    failed: MetricReport | None,
    *,
    fresh: bool,
) -> CanaryJudgement:
    """The answer without the count of failed looks. Order: failure, missing evidence, time."""
    if failed is not None:
        slow = failed.edge is not None
        reason = CanaryReason.SLO_LATENCY if slow else CanaryReason.SLO_ERRORS
        return CanaryJudgement(answer=Answer.FAIL, reason=reason)
    newest, elapsed = readings[-1], readings[-1].observed_at - readings[0].observed_at
    expired = elapsed >= thresholds.max_hold

    def say(answer: Answer, reason: CanaryReason, note: str = "") -> CanaryJudgement:
        return CanaryJudgement(answer=answer, reason=reason, note=note, hold_expired=expired)

    if isinstance(newest.counts, Absent):
        nan = newest.counts.why is AbsentWhy.NOT_A_NUMBER
        reason = CanaryReason.NO_TRAFFIC if nan else CanaryReason.NO_DATA
        return say(Answer.INCONCLUSIVE, reason, newest.counts.detail or str(newest.counts.why))
    if not reports:
        note = "neither an objective nor a baseline of at least "
        note += f"{thresholds.min_sample} requests says what must hold"
        return say(Answer.INCONCLUSIVE, CanaryReason.NO_OBJECTIVE, note)
    if _latency_unseen(thresholds, newest.counts, reports):
        note = "a latency objective is set, and the service reports no usable histogram"
        return say(Answer.INCONCLUSIVE, CanaryReason.NO_LATENCY_DATA, note)
    if elapsed < thresholds.window:
        left = thresholds.window - elapsed
        return say(Answer.WAIT, CanaryReason.OBSERVING, f"{left} of the window left")
    sampled = min(r.canary_total for r in reports)
    if sampled < thresholds.min_sample or not fresh:
        note = f"{sampled:.0f} of at least {thresholds.min_sample} requests"
        note = note if fresh else f"{note}; none were counted since the look before this one"
        if expired:
            return say(Answer.INCONCLUSIVE, CanaryReason.NO_TRAFFIC, note)
        return say(Answer.WAIT, CanaryReason.COLLECTING_EVIDENCE, note)
    if all(r.canary_bad <= r.tolerated * r.canary_total for r in reports):
        return say(Answer.PASS, CanaryReason.SLO_HELD)
    return say(Answer.INCONCLUSIVE, CanaryReason.SLO_UNDECIDED)


def _latency_unseen(
    thresholds: SloThresholds, counts: ArmCounts, reports: tuple[MetricReport, ...]
) -> bool:
    wanted = any(r.edge is not None for r in reports) or thresholds.latency_objective is not None
    objective_missing = thresholds.latency_objective is not None and not any(
        r.name == "latency objective" for r in reports
    )
    return wanted and (counts.latency is None or objective_missing)
