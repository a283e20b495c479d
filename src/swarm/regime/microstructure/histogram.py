"""What is usual, as a histogram in logarithmic bins whose past fades; two of them can be added.

Instead of letting every bin fade at each observation, the weight of each new observation grows
by as much; when it has become large, everything is divided by a power of two, which loses no bit.
"""

from __future__ import annotations

import numpy as np

from swarm.regime.elementary import dlog, lane_sum
from swarm.regime.kernel import inner

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

BINS = 256
_LARGE = 1.6069380442589903e60  # 2**200


@inner
def place(value: float, low: float, per_log: float) -> float:
    """Where a value lies on the axis of bins, from 0 to just below BINS; at the ends if beyond."""
    at = dlog(value / low) * per_log if value > low else 0.0
    return min(at, BINS - 1e-9)


@inner
def percentile(bins: Array, at: float) -> float:
    """The share of the past below a place, with its own bin counted in part; 0.5 of no past."""
    total = lane_sum(bins, BINS)
    if not total > 0.0:
        return 0.5
    cell = int(at)
    below = lane_sum(bins, cell) + (at - cell) * bins[cell]
    return float(min(below / total, 1.0))


@inner
def add(bins: Array, at: float, weight: float) -> None:
    """Count one observation."""
    bins[int(at)] += weight


@inner
def faded(bins: Array, weight: float, growth: float) -> float:
    """The weight of the next observation. bins: shape (N, BINS), all that share this weight."""
    grown = weight * growth
    if grown < _LARGE:
        return grown
    for row in range(bins.shape[0]):
        for i in range(bins.shape[1]):
            bins[row, i] /= _LARGE
    return grown / _LARGE
