"""What a state makes of a tick while a model is being fitted: densities, weights and slopes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from swarm.regime.nouns import FloatArray

#: Without a floor the likelihood grows without bound as one state shrinks onto one tick. In units
#: of the sample variance, which is 1 here because the series is standardised first.
VARIANCE_FLOOR = 1e-4
#: Degrees of freedom that are tried inside EM; the polish refines between and beyond them.
NU_TRIED = (3.0, 4.0, 5.0, 7.0, 10.0, 30.0)
HALF_LOG_PI = 0.5 * math.log(math.pi)


class Emission(StrEnum):
    """The law of a state's noise, the one to prefer first."""

    STUDENT = "student"  #: fat tails, with degrees of freedom fitted
    GAUSSIAN = "gaussian"  #: thin tails: an outlier is taken for a change of state


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is to be fitted.

    common: what all states share, of `scale` and `nu`. Few ticks cannot tell four tails apart.
    stay, leave: pseudo-counts of the Dirichlet prior on and off the diagonal of the transitions.
    """

    states: int = 4
    lags: int = 0
    emission: Emission = Emission.STUDENT
    common: frozenset[str] = frozenset({"nu"})
    stay: float = 2.0
    leave: float = 0.2


@dataclass(frozen=True, slots=True)
class Series:
    """A standardised series as a regression on its lags.

    x:       values, shape (T,); 0 where not seen.
    regress: 1 and the lags, nearest first, shape (1 + p, T); 0 where not seen.
    seen:    1.0 where the tick and its lags are there, else 0.0, shape (T,).
    """

    x: FloatArray
    regress: FloatArray
    seen: FloatArray


@dataclass(frozen=True, slots=True)
class Draft:
    """A model on its way: in standardised units, states in any order.

    transition: (K, K). coefficients: intercept and lags, (K, 1 + p). variance: squared scale, (K,).
    nu: (K,), infinite when Gaussian.
    """

    transition: FloatArray
    coefficients: FloatArray
    variance: FloatArray
    nu: FloatArray


def log_density(series: Series, draft: Draft) -> FloatArray:
    """Log f(x_t | s_t = k), shape (K, T); 0 for every state where nothing was seen."""
    squares = _squares(series, draft)
    if np.isinf(draft.nu[0]):
        found = -0.5 * squares - 0.5 * math.log(2 * math.pi)
    else:
        nu = draft.nu[:, None]
        found = np.log1p(squares / nu) * (-(nu + 1) / 2) + _student_constants(draft.nu)[:, None]
    return np.asarray((found - 0.5 * np.log(draft.variance)[:, None]) * series.seen)


def improved(series: Series, draft: Draft, smoothed: FloatArray, shape: Shape) -> Draft:
    """The emission's M-step for the smoothed shares (K, T): weighted regressions, then scales.

    Student-t by ECM: each tick weighs (nu + 1) / (nu + z^2), so an outlier moves nothing much.
    Source: Peel and McLachlan 2000 (Statistics and Computing 10), equations 18 to 26.
    """
    shares = smoothed * series.seen
    weights = shares
    if not np.isinf(draft.nu[0]):
        nu = draft.nu[:, None]
        weights = shares * (nu + 1) / (nu + _squares(series, draft))
    coefficients = np.stack(
        [_regressed(series, *both) for both in zip(weights, draft.coefficients, strict=True)]
    )
    residual = series.x - coefficients @ series.regress
    scatter = (weights * residual * residual).sum(axis=1)
    mass = shares.sum(axis=1)
    if "scale" in shape.common:
        scatter, mass = np.full_like(scatter, scatter.sum()), np.full_like(mass, mass.sum())
    # A state that nothing belongs to keeps a scale; one that sits on a single tick gets the floor.
    variance = np.maximum(scatter / np.maximum(mass, 1e-9), 1.01 * VARIANCE_FLOOR)
    return replace(draft, coefficients=coefficients, variance=variance)


def with_best_nu(series: Series, draft: Draft, smoothed: FloatArray, shape: Shape) -> Draft:
    """The degrees of freedom that suit the smoothed shares best, of those tried."""
    shares = smoothed * series.seen
    squares, mass = _squares(series, draft), shares.sum(axis=1)
    scores = np.stack(
        [
            _student_constant(nu) * mass
            - (nu + 1) / 2 * (shares * np.log1p(squares / nu)).sum(axis=1)
            for nu in NU_TRIED
        ]
    )
    if "nu" in shape.common:
        scores = np.repeat(scores.sum(axis=1, keepdims=True), scores.shape[1], axis=1)
    return replace(draft, nu=np.array(NU_TRIED)[scores.argmax(axis=0)])


def slopes(
    series: Series, draft: Draft, smoothed: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The slopes of the log-likelihood in coefficients (K, 1+p), log scale (K,) and nu (K,).

    By Fisher's identity: the slope of the likelihood is the smoothed slope of the densities.
    """
    shares = smoothed * series.seen
    mass = shares.sum(axis=1)
    residual = series.x - draft.coefficients @ series.regress
    squares = residual * residual / draft.variance[:, None]
    weights, in_nu = shares, np.zeros_like(mass)
    if not np.isinf(draft.nu[0]):
        nu = draft.nu[:, None]
        weights = shares * (nu + 1) / (nu + squares)
        bend = [_digamma((one + 1) / 2) - _digamma(one / 2) - 1 / one for one in draft.nu.tolist()]
        tails = (shares * np.log1p(squares / nu)).sum(axis=1)
        in_nu = 0.5 * (np.array(bend) * mass - tails + (weights * squares).sum(axis=1) / draft.nu)
    in_scale = (weights * squares).sum(axis=1) - mass
    in_coefficients = (weights * residual) @ series.regress.T / draft.variance[:, None]
    return in_coefficients, in_scale, in_nu


def _squares(series: Series, draft: Draft) -> FloatArray:
    residual = series.x - draft.coefficients @ series.regress
    return np.asarray(residual * residual / draft.variance[:, None])


def _regressed(series: Series, weights: FloatArray, before: FloatArray) -> FloatArray:
    """Weighted least squares; what the weights do not determine stays near what it was."""
    weighted = series.regress * weights
    normal = weighted @ series.regress.T
    ridge = 1e-9 * max(float(np.trace(normal)), 1e-9)
    normal.flat[:: len(before) + 1] += ridge
    return np.asarray(np.linalg.solve(normal, weighted @ series.x + ridge * before))


def _student_constants(nu: FloatArray) -> FloatArray:
    return np.array([_student_constant(one) for one in nu.tolist()])


def _student_constant(nu: float) -> float:
    """The log density of Student-t at 0 with scale 1."""
    return math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu) - HALF_LOG_PI


def _digamma(x: float) -> float:
    """The slope of lgamma for x > 0, to 1e-12. Source: Abramowitz and Stegun 6.3.5 and 6.3.18."""
    below = 0.0
    while x < 10:  # noqa: PLR2004 - from here five terms of the series are enough
        below += 1 / x
        x += 1
    u = 1 / (x * x)
    tail = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u / 132))))
    return math.log(x) - 0.5 / x - tail - below
