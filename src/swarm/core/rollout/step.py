"""The tests of one rollout step: what is kept between two looks at one weight."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from swarm.core.rollout import sample_ratio, sequential
from swarm.core.rollout.counts import ArmCounts, LatencyHistogram, went_back
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.latency import LatencyRule
from swarm.core.rollout.sample_ratio import RatioTest
from swarm.core.rollout.sequential import RiskTest, Window


class Step(NamedTuple):
    """Both arms' newest counters and the tests over all windows since the weight was set.

    since:     the first look at this weight; the hold counts from here.
    latency:   None while no latency rule is known.
    unmeasured: the newest window had requests without durations in an arm.
    fresh:     the newest window had requests.
    restarts:  times the canary's counters began again.
    """

    since: datetime
    canary: ArmCounts
    stable: ArmCounts
    errors: RiskTest
    latency: RiskTest | None
    ratio: RatioTest
    unmeasured: bool = False
    fresh: bool = False
    restarts: int = 0


def advance(step: Step, canary: ArmCounts, stable: ArmCounts, rule: LatencyRule | None) -> Step:
    """The step after one more reading of both arms.

    rule: what counts as slow. A latency test begins with the window *after* the one that made
          its rule known, because a rule must not be chosen by the events it judges.
    """
    canary_from = _zero_if_restarted(step.canary, canary)
    stable_from = _zero_if_restarted(step.stable, stable)
    n_c, s_c = _grown(canary_from, canary)
    n_b, s_b = _grown(stable_from, stable)
    latency = step.latency
    if rule is not None:
        if latency is None:
            latency = sequential.start(rule.margin, *rule.prior)
        else:
            slow = _slow_window(canary_from, canary, stable_from, stable, rule.edge)
            latency = sequential.add(latency, slow)
    return Step(
        since=step.since,
        canary=canary,
        stable=stable,
        errors=sequential.add(
            step.errors, Window(canary=n_c, stable=n_b, canary_bad=s_c, stable_bad=s_b)
        ),
        latency=latency,
        ratio=sample_ratio.add(step.ratio, n_c, n_b),
        unmeasured=_unmeasured(canary) or _unmeasured(stable),
        fresh=n_c + n_b > 0,
        restarts=step.restarts + (canary_from is None),
    )


def _zero_if_restarted(before: ArmCounts, after: ArmCounts) -> ArmCounts | None:
    if before.latency and after.latency and before.latency.edges != after.latency.edges:
        raise BadLooks("two looks of one rollout have different latency.edges")
    return None if went_back(before, after) else before


def _grown(before: ArmCounts | None, after: ArmCounts) -> tuple[float, float]:
    """(all, bad) requests of the window; the part never exceeds the whole."""
    if before is None:
        return after.total, after.bad
    total = after.total - before.total
    return total, min(after.bad - before.bad, total)


def _unmeasured(counts: ArmCounts) -> bool:
    return counts.latency is None


def _slow_window(
    canary_from: ArmCounts | None,
    canary: ArmCounts,
    stable_from: ArmCounts | None,
    stable: ArmCounts,
    edge: float,
) -> Window:
    n_c, s_c = _slow(canary_from.latency if canary_from else None, canary.latency, edge)
    n_b, s_b = _slow(stable_from.latency if stable_from else None, stable.latency, edge)
    return Window(canary=n_c, stable=n_b, canary_bad=s_c, stable_bad=s_b)


def _slow(
    before: LatencyHistogram | None, after: LatencyHistogram | None, edge: float
) -> tuple[float, float]:
    """(all, slow) requests of the window."""
    if after is None:
        return 0.0, 0.0
    if before is None:
        return after.total, after.slower_than(edge)
    total = after.total - before.total
    slow = after.slower_than(edge) - before.slower_than(edge)
    return total, min(max(slow, 0.0), total)
