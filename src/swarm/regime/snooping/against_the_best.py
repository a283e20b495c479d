"""Is the best of all trials better than chance makes the best of that many? Three tests.

Sources: White 2000, doi:10.1111/1468-0262.00152 (the reality check); Hansen 2005,
doi:10.1198/073500105000000063 (superior predictive ability); Romano and Wolf 2005,
doi:10.1111/j.1468-0262.2005.00615.x (stepwise multiple testing), algorithm 4.1 with k = 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from swarm.regime.nouns import FloatArray
from swarm.regime.snooping.draws import Draws
from swarm.regime.snooping.resampling import Studentised

Marks = np.ndarray[tuple[int], np.dtype[np.bool_]]
"""One yes or no for each trial, shape (K,)."""


class SpaValues(NamedTuple):
    """Three p-values of one statistic: `lower` <= `consistent` <= `upper`; decide by consistent."""

    lower: float
    consistent: float
    upper: float


def superior_predictive_ability(found: Studentised, observations: int) -> SpaValues:
    """The chance of a best studentised mean as great as this when no trial is better.

    They differ in what is believed of poor trials: `lower` that each is as poor as it looks,
    `upper` that each is as good as the baseline, `consistent` that only those are poor which look
    poorer than the law of the iterated logarithm lets a good one look.
    """
    t = np.where(found.usable, found.t, -np.inf)
    best = max(0.0, float(t.max(initial=-np.inf)))
    shifts = (np.minimum(_finite(t), 0.0), poor_shift(t, observations), np.zeros(len(t)))
    return SpaValues(*(_p_value(found.resamples, shift, best) for shift in shifts))


def poor_shift(t: FloatArray, observations: int) -> FloatArray:
    """How far each trial is left below the null because it is plainly poor; 0 for the others."""
    limit = -math.sqrt(2.0 * math.log(math.log(max(observations, 3))))
    return np.where(t < limit, _finite(t), 0.0)


def better_than_baseline(found: Studentised, observations: int, alpha: float) -> Marks:
    """Which trials are better, with a chance of at most `alpha` that even one of them is not.

    Each round rejects what lies above the quantile of the greatest of those still in question,
    until none does. Never raises; a trial that does not vary is never better.
    """
    t = np.where(found.usable, found.t, -np.inf)
    shifted = _shifted(found.resamples, poor_shift(t, observations))
    better = np.zeros(len(t), dtype=bool)
    while not better.all():
        open_ = np.flatnonzero(~better)
        left = shifted[:, open_] if better.any() else shifted
        greatest = np.sort(left.max(axis=1))
        # The order statistic with which an exact test of this many resamples would reject.
        place = math.ceil((1.0 - alpha) * (len(greatest) + 1)) - 1
        critical = greatest[place] if place < len(greatest) else np.inf
        newly = open_[t[open_] > max(critical, 0.0)]
        if not len(newly):
            break
        better[newly] = True
    return better


def reality_check(excess: FloatArray, mean_block: float, resamples: int, draws: Draws) -> float:
    """White's p-value, by the stationary bootstrap; shape (n, K). For reports and comparison.

    It is not studentised, so one wild trial hides every quiet one: decide by the others.
    Cost: one product of 2 B n K operations.
    """
    n = len(excess)
    mean = excess.mean(axis=0)
    counted = _count_rows(n, 1.0 / max(mean_block, 1.0), resamples, draws)
    resampled = counted @ (excess - mean)
    # Divided by n and times sqrt(n) on both sides: leave both out and compare sums.
    return _share_above(resampled.max(axis=1), n * float(mean.max()))


def _count_rows(n: int, renew: float, resamples: int, draws: Draws) -> FloatArray:
    """How often the stationary bootstrap takes each row, shape (resamples, n)."""
    fresh = draws.uniform(resamples * n).reshape(resamples, n) < renew
    fresh[:, 0] = True
    starts = draws.below(n, resamples * n).reshape(resamples, n)
    place = np.arange(n)
    began = np.maximum.accumulate(np.where(fresh, place, 0), axis=1)
    rows = (np.take_along_axis(starts, began, axis=1) + place - began) % n
    rows += np.arange(resamples)[:, None] * n
    counted = np.bincount(rows.reshape(-1), minlength=resamples * n)
    return counted.reshape(resamples, n).astype(np.float64)


def _shifted(resamples: FloatArray, shift: FloatArray) -> FloatArray:
    """Without a copy where nothing is shifted, as it mostly is: a copy is a pass of its own."""
    return resamples + shift if shift.any() else resamples


def _p_value(resamples: FloatArray, shift: FloatArray, best: float) -> float:
    greatest = np.maximum(_shifted(resamples, shift).max(axis=1), 0.0)
    return _share_above(greatest, best)


def _share_above(greatest: FloatArray, best: float) -> float:
    # The data themselves are one resample, so a p-value is never zero.
    return float((1 + np.count_nonzero(greatest >= best)) / (len(greatest) + 1))


def _finite(t: FloatArray) -> FloatArray:
    return np.where(np.isfinite(t), t, 0.0)
