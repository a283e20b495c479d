"""Says before a rollout step starts whether its traffic can ever decide it.

Deciding a relative rise m needs about `(z / ln m)^2 (1 + n_c/n_b)` canary errors, z between 2.5
and 3.2: for +20 % that is 210 to 340. A service without errors decides by requests instead: at a
tolerated absolute rise `abs`, about `(ln(1/alpha) + slack) / abs` of them. The faster way counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from swarm.core.rollout.counts import ArmCounts, Reading, increase
from swarm.core.rollout.errors import BadThresholds
from swarm.core.rollout.sequential import Margin
from swarm.core.rollout.thresholds import CanaryThresholds

_Z_LOW, _Z_HIGH, _Z_ALPHA = 2.5, 3.2, 0.05  # from simulation, at alpha 0.05
_Z_ONE_SIDED, _NONE_SEEN = 1.645, 3.0  # of a Poisson count, 95 %: see `traffic`
# What the mixture and the halved weight of the direct test cost, in nats; from simulation.
_DIRECT_SLACK = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """What one rollout step needs, and whether it can have it.

    decidable:      the needed evidence is expected within `max_hold`.
    needed_errors:  (low, high) canary errors for the relative test.
    expected_errors: canary errors expected within `max_hold` if the canary equals the baseline.
    needed_requests: canary requests for the direct test and the minimum sample.
    expected_requests: canary requests within `max_hold`.
    time_needed:    until a healthy canary is expected to pass; None: never, without traffic.
    """

    decidable: bool
    needed_errors: tuple[float, float]
    expected_errors: float
    needed_requests: float
    expected_requests: float
    time_needed: timedelta | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a target was asked in some span.

    requests_per_second: of all its versions, at most: the upper end of a 95 % interval, so that a
                         span that is too short to tell raises no false alarm.
    error_share:         the stable version's bad share in it, 0..1.
    """

    requests_per_second: float
    error_share: float

    def __str__(self) -> str:
        """As people read it."""
        return f"at most {self.requests_per_second:.2g} requests a second"


def traffic(readings: Sequence[Reading], *, stable_percent: int) -> Traffic | None:
    """The traffic between the first and the last of these readings of the stable version.

    stable_percent: the share of the requests that went to it meanwhile, above 0.
    None: without two readings that counted, or where its counters began again in between.
    Source: n + 1.645 sqrt(n) + 3 lies above the 95 % Poisson bound, and is exact at n = 0.
    """
    counted = [
        (one.observed_at, replace(one.counts, latency=None))
        for one in readings
        if isinstance(one.counts, ArmCounts)
    ]
    if not counted or stable_percent <= 0:
        return None
    (since, before), (until, after) = counted[0], counted[-1]
    grown, seconds = increase(before, after), (until - since).total_seconds()
    if grown.restarted or seconds <= 0:
        return None
    requests, bad = grown.counts.total, grown.counts.bad
    most = requests + _Z_ONE_SIDED * math.sqrt(requests) + _NONE_SEEN
    return Traffic(
        requests_per_second=most / seconds * 100.0 / stable_percent,
        error_share=bad / requests if requests else 0.0,
    )


def plan_step(
    requests_per_second: float,
    error_share: float,
    traffic_percent: int,
    thresholds: CanaryThresholds,
) -> StepPlan:
    """Expected evidence of one step at this traffic.

    requests_per_second: of both arms together, from the preceding window.
    error_share: the stable arm's bad share there, 0..1.
    Raises `BadThresholds` for a negative or non-finite traffic or a share outside 0..1.
    """
    if not (math.isfinite(requests_per_second) and requests_per_second >= 0):
        raise BadThresholds(f"requests_per_second is {requests_per_second}; it is 0 or more")
    if not 0 <= error_share <= 1:
        raise BadThresholds(f"error_share is {error_share}; it lies in 0..1")
    if not 0 < traffic_percent < 100:  # noqa: PLR2004 - percent
        raise BadThresholds(f"traffic_percent is {traffic_percent}; a comparison needs 1..99")
    share = traffic_percent / 100.0
    canary_rate = requests_per_second * share
    hold = thresholds.max_hold.total_seconds()
    errors = _errors_needed(error_share, share, thresholds)
    requests = _requests_needed(error_share, thresholds)
    seconds = _seconds(errors[1], requests, canary_rate, (error_share, thresholds.min_sample))
    decidable = seconds is not None and seconds <= hold
    return StepPlan(
        decidable=decidable,
        needed_errors=errors,
        expected_errors=canary_rate * hold * error_share,
        needed_requests=requests,
        expected_requests=canary_rate * hold,
        time_needed=None if seconds is None else timedelta(seconds=math.ceil(seconds)),
        detail=_sentence(errors[1], requests, seconds, (error_share, thresholds)),
    )


def _errors_needed(
    error_share: float, share: float, thresholds: CanaryThresholds
) -> tuple[float, float]:
    if error_share == 0:
        return math.inf, math.inf
    margin = Margin(relative=thresholds.error_increase, absolute=thresholds.error_floor)
    log_m = math.log(margin.tolerated(error_share) / error_share)
    # z grows with the bound as the square root of its logarithm.
    scale = math.log(1.0 / thresholds.metric_alpha) / math.log(1.0 / _Z_ALPHA)
    unit = scale * (1.0 + share / (1.0 - share)) / log_m**2
    return _Z_LOW**2 * unit, _Z_HIGH**2 * unit


def _requests_needed(error_share: float, thresholds: CanaryThresholds) -> float:
    """Requests for the direct test; it loses its power when errors come near the floor."""
    floor = thresholds.error_floor
    if error_share >= 0.5 * floor:  # so always, where there is no floor
        return math.inf
    nats = math.log(1.0 / thresholds.metric_alpha) + _DIRECT_SLACK
    # Gain per request of betting on `error_share` against `floor`: a relative entropy.
    gain = -math.log1p(-floor) + math.log1p(-error_share)
    if error_share > 0:
        odds = (error_share / (1 - error_share)) / (floor / (1 - floor))
        gain += error_share * math.log(odds)
    return max(nats / gain, float(thresholds.min_sample))


def _seconds(
    errors: float, requests: float, canary_rate: float, limits: tuple[float, int]
) -> float | None:
    error_share, min_sample = limits
    if canary_rate == 0:
        return None
    by_errors = errors / (canary_rate * error_share) if error_share else math.inf
    seconds = max(min(by_errors, requests / canary_rate), min_sample / canary_rate)
    return seconds if math.isfinite(seconds) else None


def _sentence(
    errors: float, requests: float, seconds: float | None, limits: tuple[float, CanaryThresholds]
) -> str:
    error_share, thresholds = limits
    rise = f"+{thresholds.error_increase:.0%}"
    if thresholds.error_floor:
        rise += f" or +{thresholds.error_floor * 100:g} percentage points"
    ways = []
    if math.isfinite(errors):
        ways.append(f"~{errors:.0f} canary errors")
    if math.isfinite(requests):
        ways.append(f"~{requests:.0f} canary requests almost without errors")
    need = f"deciding {rise} at {error_share:.3%} errors needs {' or '.join(ways) or 'errors'}"
    if seconds is None:
        return f"{need}; at this traffic that never happens"
    verdict = "within" if seconds <= thresholds.max_hold.total_seconds() else "longer than"
    return (
        f"{need}; at this traffic that takes {timedelta(seconds=math.ceil(seconds))}, "
        f"{verdict} the longest hold of {thresholds.max_hold}"
    )
