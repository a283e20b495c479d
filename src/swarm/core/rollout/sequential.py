"""The mixture likelihood ratio test of the canary's bad share against the stable one's.

Counts, not rates. Given `s = s_c + s_b` bad events in a window, the canary's part is binomial
with `p(theta) = theta n_c / (theta n_c + n_b)`, theta being the relative risk. What hits both
arms alike cancels. Two processes run over all windows; each may be looked at any number of
times, and crosses `1/alpha` with probability at most alpha when its null hypothesis is true
(Ville's inequality):

  E_fail  mixture over 25 points theta in [1.15, 6] against theta = 1
  E_pass  mixture over 15 points theta in [0.75, 1 + (m - 1)/2] against theta = m

The margin `m = 1 + max(rel, abs / p_b)` of a window uses only what the stable arm did *before*
that window, so E_pass stays a valid process although m is learnt. A service without errors has
no events to condition on; with an absolute floor it is also tested directly: `p_c >= m p_b`
implies `p_c >= abs`, so a mixture against `p_c = abs` shares the null of E_pass, and any fixed
mean of both does too. Both are tempered by an over-dispersion estimate.

Source: Lindon, Sanden, Shirikian 2022, arXiv:2205.14762 (sequential tests for deployments);
Wald's mixture; tempering after Pearson's dispersion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FAIL_POINTS, PASS_POINTS, DIRECT_POINTS = 25, 15, 8
_RATIOS = FAIL_POINTS + PASS_POINTS
_ALL = _RATIOS + DIRECT_POINTS
_FAIL_THETA: FloatArray = np.geomspace(1.15, 6.0, FAIL_POINTS)
_PASS_LOW = math.log(0.75)
_PASS_UNIT: FloatArray = np.linspace(0.0, 1.0, PASS_POINTS)
# Shares of the absolute level at which the direct test bets; near zero for a service that never
# errs.
_DIRECT_SHARES: FloatArray = np.geomspace(0.02, 0.6, DIRECT_POINTS)
# Places in the vector of a window's parts, see _grid.
_THETAS = _RATIOS + 2
_CONDITIONED, _BAD, _GOOD, _PARTS = _THETAS, _THETAS + 1, _THETAS + 2, _THETAS + 3
# Beyond these the answer is settled thousands of times over, and exp would leave float64.
_LOWEST, _LOG_HIGHEST = 1e-260, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How much worse the canary may be: `p_b + max(relative * p_b, absolute)`."""

    relative: float
    absolute: float

    def tolerated(self, share: float) -> float:
        """The largest bad share that is still acceptable beside a stable arm at `share`."""
        return share + max(self.relative * share, self.absolute)

    def risk(self, bad: float, total: float) -> float:
        """The margin m as a relative risk, from the stable arm's counts so far.

        Half an event is added, so that an error-free past gives a finite and cautious m.
        """
        share = (bad + 0.5) / (total + 1.0)
        rise = self.absolute / share
        if rise <= self.relative:
            return 1.0 + self.relative
        # Rounded down (the strict side) to steps of about 2 %, so that the grids of neighbouring
        # windows are the same and come from the cache.
        return 1.0 + max(self.relative, math.exp(math.floor(math.log(rise) * 50.0) / 50.0))


class Window(NamedTuple):
    """What both arms counted between two looks. A tuple: four are made per look."""

    canary: float
    stable: float
    canary_bad: float
    stable_bad: float


class RiskTest(NamedTuple):
    """Everything the test knows after some windows. Immutable; `add` gives the next one.

    log_ratio: log likelihood ratios, shape (48,): 25 of E_fail, 15 and 8 (direct) of E_pass.
    weights:   how both mixtures weigh them, shape (2, 48); each row sums to 1.
    scatter:   sum of squared recursive residuals of the canary's part of the bad events.
    freedom:   how many residuals that are.
    seen:      sums over all windows.
    prior_bad, prior_total: the stable arm before the first window; feeds the margin.
    """

    margin: Margin
    prior_bad: float
    prior_total: float
    log_ratio: FloatArray
    weights: FloatArray
    scatter: float
    freedom: int
    seen: Window

    @property
    def stable_share(self) -> float:
        """Bad share of the stable arm over all windows; 0 before its first request."""
        return self.seen.stable_bad / self.seen.stable if self.seen.stable else 0.0

    @property
    def tolerated_share(self) -> float:
        """The canary's bad share at which it is too bad."""
        return self.margin.tolerated(self.stable_share)


def start(margin: Margin, prior_bad: float, prior_total: float) -> RiskTest:
    """A test that has seen nothing. The prior is the stable arm's preceding window."""
    return RiskTest(
        margin=margin,
        prior_bad=prior_bad,
        prior_total=prior_total,
        log_ratio=np.zeros(_ALL),
        weights=_weights(margin, prior_bad),
        scatter=0.0,
        freedom=0,
        seen=Window(canary=0.0, stable=0.0, canary_bad=0.0, stable_bad=0.0),
    )


def _weights(margin: Margin, prior_bad: float) -> FloatArray:
    # Fixed before the first window: half on the direct test for a service that never erred,
    # next to nothing where there are events to condition on, nothing without an absolute floor.
    direct = 0.5 / (1.0 + prior_bad) if 0 < margin.absolute < 1 else 0.0
    weights = np.zeros((2, _ALL))
    weights[0, :FAIL_POINTS] = 1.0 / FAIL_POINTS
    weights[1, FAIL_POINTS:_RATIOS] = (1.0 - direct) / PASS_POINTS
    weights[1, _RATIOS:] = direct / DIRECT_POINTS
    return weights


def add(test: RiskTest, window: Window) -> RiskTest:
    """The test after one more window. Cost: O(48), independent of the windows before."""
    seen = test.seen
    total = Window(
        canary=seen.canary + window.canary,
        stable=seen.stable + window.stable,
        canary_bad=seen.canary_bad + window.canary_bad,
        stable_bad=seen.stable_bad + window.stable_bad,
    )
    residual = _residual(seen, window, total)
    return RiskTest(
        margin=test.margin,
        prior_bad=test.prior_bad,
        prior_total=test.prior_total,
        log_ratio=test.log_ratio + _ratios(test, window) if window.canary else test.log_ratio,
        weights=test.weights,
        scatter=test.scatter + (residual or 0.0),
        freedom=test.freedom + (residual is not None),
        seen=total,
    )


def _ratios(test: RiskTest, window: Window) -> FloatArray:
    """Log likelihood ratios of one window at all points, shape (48,).

    log p(theta) - log p(null) = log(theta/null) - log((theta n_c + n_b)/(null n_c + n_b)) for a
    bad event of the canary; a stable one carries the second term alone.
    """
    n_c, n_b, s_c, s_b = window
    seen, bad = test.seen, s_c + s_b
    m = test.margin.risk(test.prior_bad + seen.stable_bad, test.prior_total + seen.stable)
    theta, linear = _grid(m, test.margin.absolute)
    parts = np.zeros(_PARTS)
    if bad and n_b:  # else one arm alone, or no event: nothing to condition on
        np.multiply(np.log(theta + n_b / n_c), bad, out=parts[:_THETAS])  # n_c cancels
        parts[_CONDITIONED] = s_c
    parts[_BAD], parts[_GOOD] = s_c, n_c - s_c
    return linear @ parts


def _residual(before: Window, window: Window, after: Window) -> float | None:
    """The squared recursive residual of one window; None when there is nothing to compare with.

    The sum of squared recursive residuals is the residual sum of squares (Brown, Durbin, Evans
    1975), so this gives Pearson's chi2 without keeping the windows.
    """
    bad = window.canary_bad + window.stable_bad
    known = before.canary_bad + before.stable_bad
    if not (bad and known and window.canary and window.stable and before.canary and before.stable):
        return None
    expected = bad * _part(before, window)
    part = _part(after, window)
    spread = bad * part * (1.0 - part) * (1.0 + bad / known)
    return (window.canary_bad - expected) ** 2 / spread


def _part(seen: Window, window: Window) -> float:
    """The canary's expected part of a window's bad events, at the relative risk seen so far."""
    # Half an event each keeps it inside (0, 1) when one arm never erred.
    odds = (seen.canary_bad + 0.5) / seen.canary * seen.stable / (seen.stable_bad + 0.5)
    odds *= window.canary / window.stable
    return odds / (1.0 + odds)


@lru_cache(maxsize=1024)
def _grid(m: float, level: float) -> tuple[FloatArray, FloatArray]:
    """The relative risks for margin m, and how a window's parts make its log ratios.

    level:   the absolute floor of the direct test; outside (0, 1) that test says nothing.
    returns: theta, shape (42,): both mixtures, then both nulls (1 and m); and the map, shape
             (48, 45), from bad * log(theta + n_b/n_c), shape (42,), bad canary events that have
             something to condition on, bad and good canary requests.
    """
    top = math.log(1.0 + (m - 1.0) / 2.0)
    passing = np.exp(_PASS_LOW + _PASS_UNIT * (top - _PASS_LOW))
    theta = np.concatenate((_FAIL_THETA, passing, (1.0, m)))
    linear = np.zeros((_ALL, _PARTS))
    linear[range(_RATIOS), range(_RATIOS)] = -1.0
    linear[:FAIL_POINTS, _RATIOS] = 1.0
    linear[FAIL_POINTS:_RATIOS, _RATIOS + 1] = 1.0
    linear[:_RATIOS, _CONDITIONED] = np.log(theta[:_RATIOS])
    linear[FAIL_POINTS:_RATIOS, _CONDITIONED] -= math.log(m)
    if 0 < level < 1:
        linear[_RATIOS:, _BAD] = np.log(_DIRECT_SHARES)
        linear[_RATIOS:, _GOOD] = np.log1p(-_DIRECT_SHARES * level) - math.log1p(-level)
    return theta, linear


def dispersion(test: RiskTest) -> float:
    """Over-dispersion phi of the canary's part of the bad events: max(1, Pearson chi2 / df)."""
    return 1.0 if test.scatter <= test.freedom else test.scatter / test.freedom


class Balance(NamedTuple):
    """Both processes at one look, as natural logarithms, and the dispersion they carry."""

    log_fail: float
    log_pass: float
    phi: float


def evidence(test: RiskTest) -> Balance:
    """E_fail and E_pass after all windows so far. Cost: O(48)."""
    phi = dispersion(test)
    tempered = np.minimum(test.log_ratio if phi == 1.0 else test.log_ratio / phi, _LOG_HIGHEST)
    fail, passing = (test.weights @ np.exp(tempered)).tolist()
    return Balance(
        log_fail=math.log(max(fail, _LOWEST)), log_pass=math.log(max(passing, _LOWEST)), phi=phi
    )
