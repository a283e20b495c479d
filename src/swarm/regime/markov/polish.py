"""From where EM stops to the maximum itself: BFGS on parameters without bounds."""

from __future__ import annotations

import numpy as np

from swarm.regime.markov.ascent import minimise
from swarm.regime.markov.chain import ergodic, ergodic_pull
from swarm.regime.markov.emission import VARIANCE_FLOOR, Draft, Series, Shape, log_density, slopes
from swarm.regime.markov.passes import smooth_series
from swarm.regime.nouns import FloatArray

#: Degrees of freedom are kept inside: below 2.1 a variance would be infinite, and 200 is Gaussian.
NU_LOW, NU_HIGH = 2.1, 200.0
#: How near to these bounds, as a share between them, a search may begin: there the slope dies.
BRINK = 1e-3
#: The least transition probability that EM hands over: its logit must be a number.
RAREST = 1e-7


def penalty(transition: FloatArray, shape: Shape) -> FloatArray:
    """The Dirichlet pseudo-counts of each transition, shape (K, K)."""
    count = len(transition)
    return np.asarray(shape.leave + (shape.stay - shape.leave) * np.eye(count))


def polished(series: Series, draft: Draft, shape: Shape, rounds: int) -> tuple[Draft, float]:
    """The maximum near `draft`, and its log-likelihood with the prior's share."""

    def objective(free: FloatArray) -> tuple[float, FloatArray]:
        return _negative(series, free, shape)

    free, value = minimise(objective, packed(draft, shape), rounds=rounds)
    return unpacked(free, shape), -value


def packed(draft: Draft, shape: Shape) -> FloatArray:
    """A draft as free numbers: logits off the diagonal, coefficients, log scales, logits of nu."""
    held = np.maximum(draft.transition, RAREST)
    logits = np.log(held / np.diag(held)[:, None])[_off_diagonal(shape.states)]
    scale = 0.5 * np.log(draft.variance - VARIANCE_FLOOR)
    parts = [logits, draft.coefficients.ravel(), scale[: _free(shape, "scale")]]
    if not np.isinf(draft.nu[0]):
        share = np.clip((draft.nu - NU_LOW) / (NU_HIGH - NU_LOW), BRINK, 1 - BRINK)
        parts.append(np.log(share / (1 - share))[: _free(shape, "nu")])
    return np.concatenate(parts)


def unpacked(free: FloatArray, shape: Shape) -> Draft:
    """The draft that `packed` made free numbers of."""
    count, width = shape.states, 1 + shape.lags
    logits = np.zeros((count, count))
    at = count * (count - 1)
    logits[_off_diagonal(count)] = free[:at]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    coefficients = free[at : at + count * width].reshape(count, width)
    at += count * width
    scales = _free(shape, "scale")
    # Beyond these bounds the search has gone astray; the value there tells it so.
    scale = np.clip(np.broadcast_to(free[at : at + scales], count), -40, 40)
    nu = np.full(count, np.inf)
    if len(free) > at + scales:
        nu = NU_LOW + (NU_HIGH - NU_LOW) * _logistic(np.broadcast_to(free[at + scales :], count))
    transition = odds / odds.sum(axis=1, keepdims=True)
    return Draft(transition, coefficients, VARIANCE_FLOOR + np.exp(2 * scale), nu)


def _negative(series: Series, free: FloatArray, shape: Shape) -> tuple[float, FloatArray]:
    """The negative log-likelihood, less the prior's share, and its gradient."""
    draft = unpacked(free, shape)
    if draft.transition.min() < 1e-300:  # noqa: PLR2004 - a probability that is no longer a number
        return np.inf, np.zeros_like(free)
    resting = ergodic(draft.transition)
    found = smooth_series(log_density(series, draft), draft.transition, resting)
    prior = penalty(draft.transition, shape)
    value = found.loglik + float((prior * np.log(draft.transition)).sum())
    if not np.isfinite(value):
        return np.inf, np.zeros_like(free)
    in_transition = (found.pairs + prior) / draft.transition
    in_transition += ergodic_pull(draft.transition, resting, found.smoothed[:, 0])
    centred = in_transition - (draft.transition * in_transition).sum(axis=1, keepdims=True)
    in_logits = (draft.transition * centred)[_off_diagonal(shape.states)]
    in_coefficients, in_scale, in_nu = slopes(series, draft, found.smoothed)
    # The chain rule through variance = floor + exp(2 u) and through the logistic of nu.
    in_scale = in_scale * (1 - VARIANCE_FLOOR / draft.variance)
    parts = [in_logits, in_coefficients.ravel(), _gathered(in_scale, _free(shape, "scale"))]
    if not np.isinf(draft.nu[0]):
        bend = (draft.nu - NU_LOW) * (NU_HIGH - draft.nu) / (NU_HIGH - NU_LOW)
        parts.append(_gathered(in_nu * bend, _free(shape, "nu")))
    return -value, -np.concatenate(parts)


def _free(shape: Shape, name: str) -> int:
    """How many free numbers a property of the states has."""
    return 1 if name in shape.common else shape.states


def _gathered(slope: FloatArray, free: int) -> FloatArray:
    return slope if free == len(slope) else np.array([slope.sum()])


def _off_diagonal(count: int) -> FloatArray:
    return np.asarray(~np.eye(count, dtype=bool))


def _logistic(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))
