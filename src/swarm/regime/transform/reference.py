"""What is usual for one stream: a Student-t law, fitted on a reference period and versioned."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from swarm.regime.elementary import dlgamma
from swarm.regime.errors import BadParameters, BadSeries
from swarm.regime.saved import params_hash

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

VERSION = 1
#: The likelihood is flat in the degrees of freedom; finer steps would only make more tables.
DEGREES = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.5, 10.0, 15.0, 30.0, 60.0, 1e6)
#: Below two degrees the variance is infinite, and the tables would not reach far enough.
_LEAST_DEGREES, _MOST_DEGREES = 2.0, 1e6
_LEAST_COUNT = 60
_ROUNDS = 200
_SETTLED = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The law that a stream is measured against.

    degrees:  of freedom of the Student-t law, 2 or more; 1e6 is as good as normal.
    location: in units of the observation.
    scale:    in units of the observation, above 0; not a standard deviation.
    """

    degrees: float
    location: float
    scale: float

    def __post_init__(self) -> None:
        if not _LEAST_DEGREES <= self.degrees <= _MOST_DEGREES:
            raise BadParameters("degrees", f"are {self.degrees}", "a number from 2 to 1e6")
        if not math.isfinite(self.location):
            raise BadParameters("location", f"is {self.location}", "a finite number")
        if not (math.isfinite(self.scale) and self.scale > 0.0):
            raise BadParameters("scale", f"is {self.scale}", "a finite number above 0")

    def hash(self) -> str:
        """What a saved state is bound to."""
        return params_hash("reference", VERSION, asdict(self))


def fit_reference(observations: Array) -> Reference:
    """The maximum-likelihood reference of a period; NaN and infinities are left out.

    observations: shape (T,), at least 60 finite ones that are not all the same.
    Source: ECM weights (Liu and Rubin 1995), on a grid of degrees of freedom. Cost: some
    ten milliseconds for 2,000; offline, so numpy's bits are good enough: the result is stored.
    """
    finite = observations[np.isfinite(observations)]
    if finite.size < _LEAST_COUNT:
        raise BadSeries(
            "observations", f"has {finite.size} finite ones", f"a series of {_LEAST_COUNT} or more"
        )
    centre = float(np.median(finite))
    spread = float(np.median(np.abs(finite - centre))) or float(np.std(finite))
    if not (0.0 < spread < math.inf):
        raise BadSeries("observations", "does not vary", "a series that varies")
    standard = (finite - centre) / spread
    fits = [_fitted(standard, degrees) for degrees in DEGREES]
    degrees, location, scale, _ = max(fits, key=lambda fit: fit[3])
    return Reference(degrees=degrees, location=centre + spread * location, scale=spread * scale)


def _fitted(x: Array, degrees: float) -> tuple[float, float, float, float]:
    """Location, scale and log likelihood of a t law with that many degrees of freedom."""
    location, variance = 0.0, 1.0
    for _ in range(_ROUNDS):
        weights = (degrees + 1) / (degrees + (x - location) ** 2 / variance)
        moved = float(np.sum(weights * x) / np.sum(weights))
        grown = float(np.mean(weights * (x - moved) ** 2))
        done = abs(moved - location) + abs(grown / variance - 1.0) < _SETTLED
        location, variance = moved, max(grown, 1e-12)
        if done:
            break
    distances = np.log1p((x - location) ** 2 / (variance * degrees))
    constant = dlgamma((degrees + 1) / 2) - dlgamma(degrees / 2)
    constant -= 0.5 * math.log(degrees * math.pi * variance)
    total = float(x.size * constant - (degrees + 1) / 2 * np.sum(distances))
    return degrees, location, math.sqrt(variance), total
