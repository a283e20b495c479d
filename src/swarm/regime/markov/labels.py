"""Which regime a fitted state stands for, and by what evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarm.regime.nouns import FloatArray, Regime

#: A t-ratio from here on is evidence: about one in twenty by chance.
EVIDENT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What one state looks like, each with its t-ratio, and the name that follows.

    rank:        place by scale, 0 the narrowest.
    lag_one:     correlation of neighbouring ticks inside the state, in [-1, 1].
    drift_t:     t-ratio of the mean inside the state.
    liquidity_t: t-ratio of its liquidity composite over that of all; None where none was given.
    """

    label: Regime
    rank: int
    lag_one: float
    lag_one_t: float
    drift_t: float
    liquidity_t: float | None


def signatures(
    values: FloatArray, smoothed: FloatArray, liquidity: FloatArray | None
) -> tuple[Signature, ...]:
    """Name each state of a model whose states are in the order of their scale.

    values:    the series, shape (T,), NaN where missing. smoothed: shape (K, T).
    liquidity: at least the last T ticks of a composite in which higher is worse.

    The widest state is high-vol; of several, the one with the worst liquidity is stressed-liquidity
    if its composite is evidently (t >= 2) above that of all. No stress is claimed without that
    evidence. The others follow their lag-one correlation where it is evident; where it is not, a
    state with an evident drift is a trend, and one with neither is mean-revert, because a trend
    that nobody can see must not be followed.
    """
    count = len(smoothed)
    measured = [_measured(values, shares) for shares in smoothed]
    stress = _stress(smoothed, liquidity)
    stressed = None
    if stress is not None and count > 1 and max(stress) >= EVIDENT:
        stressed = int(np.argmax(stress))
    widest = max((k for k in range(count) if k != stressed), default=0)
    found = []
    for k, (lag_one, lag_one_t, drift_t) in enumerate(measured):
        if k == stressed:
            label = Regime.STRESSED_LIQUIDITY
        elif k == widest and count > 1:
            label = Regime.HIGH_VOL
        elif abs(lag_one_t) >= EVIDENT:
            label = Regime.TREND if lag_one_t > 0 else Regime.MEAN_REVERT
        else:
            label = Regime.TREND if abs(drift_t) >= EVIDENT else Regime.MEAN_REVERT
        found.append(
            Signature(
                label=label,
                rank=k,
                lag_one=lag_one,
                lag_one_t=lag_one_t,
                drift_t=drift_t,
                liquidity_t=None if stress is None else stress[k],
            )
        )
    return tuple(found)


def _measured(values: FloatArray, shares: FloatArray) -> tuple[float, float, float]:
    """Lag-one correlation inside a state, its t-ratio, and the t-ratio of the mean."""
    seen = ~np.isnan(values)
    held, belongs = np.where(seen, values, 0.0), shares * seen
    mass = max(float(belongs.sum()), 1.0)
    mean = float((belongs * held).sum()) / mass
    apart = np.where(seen, held - mean, 0.0)
    variance = max(float((belongs * apart * apart).sum()) / mass, np.finfo(float).tiny)
    both = belongs[1:] * belongs[:-1]
    pairs = max(float(both.sum()), 1.0)
    lag_one = float((both * apart[1:] * apart[:-1]).sum()) / pairs / variance
    lag_one = min(max(lag_one, -1.0), 1.0)
    return lag_one, lag_one * pairs**0.5, mean / (variance / mass) ** 0.5


def _stress(smoothed: FloatArray, liquidity: FloatArray | None) -> list[float] | None:
    """How far each state's liquidity composite lies above that of all, in standard errors."""
    if liquidity is None:
        return None
    composite = np.asarray(liquidity, dtype=np.float64)[-smoothed.shape[1] :]
    seen = np.isfinite(composite)
    if not seen.any() or np.ptp(composite[seen]) == 0:
        return None
    held = np.where(seen, (composite - composite[seen].mean()) / composite[seen].std(), 0.0)
    mass = np.maximum((smoothed * seen).sum(axis=1), 1.0)
    return [float(one) for one in (smoothed * held).sum(axis=1) / np.sqrt(mass)]
