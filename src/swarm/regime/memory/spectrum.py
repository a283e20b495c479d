"""The low frequencies of a series, and the memory d that is read from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.regime.errors import BadSeries

#: Where d is looked for. Below -1/2 a series is not invertible; above 1 the local Whittle estimate
#: of a raw series is no longer consistent, so a larger answer would only look like one.
D_LEAST, D_MOST = -0.49, 1.0
#: Halvings of that interval; fifty leave 1e-15, which is below the arithmetic.
HALVINGS = 52
#: The fewest frequencies that an estimate is made from.
FREQUENCIES_LEAST = 4


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The periodogram at the lowest m Fourier frequencies 2 pi j / n, without the mean.

    log_frequency: log(2 pi j / n), shape (m,).
    power:         |sum x_t exp(-i t lambda_j)|^2 / (2 pi n), shape (m,), x in units of its largest.
    """

    log_frequency: NDArray[np.float64]
    power: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Memory:
    """An estimate of d with its asymptotic standard error."""

    d: float
    se: float


def bandwidth(n: int) -> int:
    """The customary number of frequencies for n observations: floor(1 + n^0.7)."""
    return int(1 + n**0.7)


def spectrum(series: NDArray[np.float64], m: int) -> Spectrum:
    """The lowest m frequencies of `series`, shape (n,). Cost: one FFT.

    Refuses what has no periodogram: gaps, infinities, a constant, or fewer than 2 m observations.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1:
        raise BadSeries("series", f"has {values.ndim} dimensions", "one value for each tick")
    n = len(values)
    if not FREQUENCIES_LEAST <= m <= n // 2:
        right = f"at least {FREQUENCIES_LEAST} and at most half of the observations"
        raise BadSeries("bandwidth", f"is {m} for {n} observations", right)
    if not np.isfinite(values).all():
        raise BadSeries("series", "has a gap or an infinity", "a stretch without gaps")
    if not varies(values):
        raise BadSeries("series", "is constant", "a series that varies")
    # Scaled first, because squares of what is near the ends of a double are not doubles.
    scaled = values / np.abs(values).max()
    wave = np.fft.rfft(scaled - scaled.mean())[1 : m + 1]
    power = (wave.real**2 + wave.imag**2) / (2 * np.pi * n)
    return Spectrum(np.log(2 * np.pi * np.arange(1, m + 1) / n), power)


def varies(values: NDArray[np.float64]) -> bool:
    """Whether a series without gaps, in units of its largest, has more than one value."""
    largest = float(np.abs(values).max())
    return largest > 0 and bool(np.ptp(values / largest) > 0)


def whitened(found: Spectrum, d: float) -> NDArray[np.float64]:
    """The periodogram over what memory d alone would make of it, shape (m,), mean 1."""
    flat = found.power / found.power.max() * np.exp(2 * d * found.log_frequency)
    return np.asarray(flat / flat.mean())


def local_whittle(found: Spectrum) -> Memory:
    """The d that minimises log(mean I_j lambda_j^2d) - 2 d mean(log lambda_j).

    The objective is a log-sum-exp and a line, so it is convex and its slope has one root.
    Source: Robinson 1995 (Annals of Statistics 23), Gaussian semiparametric estimation.
    """
    low, high = D_LEAST, D_MOST
    centred = found.log_frequency - found.log_frequency.mean()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float((whitened(found, middle) * centred).sum()) < 0:
            low = middle
        else:
            high = middle
    return Memory((low + high) / 2, 1 / (2 * len(centred) ** 0.5))


def log_periodogram(found: Spectrum) -> Memory:
    """The d of a straight line through the log periodogram: a check on local Whittle, less exact.

    Source: Geweke and Porter-Hudak 1983, with Robinson's regressor -2 log lambda.
    """
    regressor = -2 * (found.log_frequency - found.log_frequency.mean())
    squares = float((regressor * regressor).sum())
    # A frequency without any power has no logarithm; a hair of the largest stands in for it.
    floor = float(found.power.max()) * 1e-30
    d = float((regressor * np.log(np.maximum(found.power, floor))).sum()) / squares
    return Memory(d, float(np.pi / (6 * squares) ** 0.5))
