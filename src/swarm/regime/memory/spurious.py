"""Two tests whose null hypothesis is true long memory; switching regimes break both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.regime.errors import BadSeries
from swarm.regime.memory.spectrum import (
    Spectrum,
    bandwidth,
    local_whittle,
    spectrum,
    varies,
    whitened,
)

#: Critical values of W at 10, 5 and 1 % by the share of frequencies that is left out.
#: Source: Qu 2011, table 1.
CRITICAL = {
    0.02: {0.10: 1.118, 0.05: 1.252, 0.01: 1.517},
    0.05: {0.10: 1.022, 0.05: 1.155, 0.01: 1.426},
}
PARTS = 4


@dataclass(frozen=True, slots=True)
class Split:
    """What the parts of a series say about its d.

    wald:  chi-squared with parts - 1 degrees of freedom if d is the same in each part.
    parts: the estimate of each part, shape (parts,).
    """

    wald: float
    parts: tuple[float, ...]


def critical_value(trim: float, level: float) -> float:
    """What W exceeds with chance `level` under true long memory."""
    if trim not in CRITICAL:
        raise BadSeries("trim", f"is {trim}", f"one of {', '.join(map(str, CRITICAL))}")
    if level not in CRITICAL[trim]:
        raise BadSeries("level", f"is {level}", f"one of {', '.join(map(str, CRITICAL[trim]))}")
    return CRITICAL[trim][level]


def qu(found: Spectrum, trim: float = 0.02) -> float:
    """W: how far the whitened periodogram strays from flat, cumulated from the low end.

    trim: the share of frequencies that may not end the sum, 0.02 or 0.05.
    Switching piles its power on the lowest frequencies, faster than any power law does.

    Source: Qu 2011 (Journal of Business and Economic Statistics 29), equation 3.
    """
    critical_value(trim, 0.05)
    centred = found.log_frequency - found.log_frequency.mean()
    strays = np.cumsum(centred * (whitened(found, local_whittle(found).d) - 1))
    first = max(1, int(len(centred) * trim))
    return float(np.abs(strays[first - 1 :]).max() / np.sqrt((centred * centred).sum()))


def sample_split(series: NDArray[np.float64], parts: int = PARTS) -> Split | None:
    """Shimotsu's Wald statistic: is d of the whole the d of each of its parts?

    None where a part stands still, as in a halt or at a peg: it has no d.

    Source: Shimotsu 2006 (Queen's Economics Department working paper 1101), W_c with its
    correction for few frequencies. The covariance of the differences is singular by construction
    (they sum to zero), hence the pseudo-inverse and one degree of freedom less than parts.
    """
    n = len(series)
    m = bandwidth(n)
    size, few = n // parts, m // parts
    whole = local_whittle(spectrum(series, m)).d
    pieces = [series[part * size : (part + 1) * size] for part in range(parts)]
    if not all(map(varies, pieces)):
        return None
    found = [local_whittle(spectrum(piece, few)).d for piece in pieces]
    apart = whole - np.array(found)
    covariance = parts * np.eye(parts) - np.ones((parts, parts))
    logs = np.log(np.arange(1, few + 1))
    corrected = 4 * m * float(((logs - logs.mean()) ** 2).mean())
    return Split(corrected * float(apart @ np.linalg.pinv(covariance) @ apart), tuple(found))
