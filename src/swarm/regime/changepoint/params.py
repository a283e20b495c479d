"""What the changepoint detector is set to, and the tables that follow from it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

from swarm.regime.changepoint import recursion
from swarm.regime.elementary import dlog, dlog1p
from swarm.regime.errors import BadParameters
from swarm.regime.kernel import compiled
from swarm.regime.saved import params_hash

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

VERSION = 1
#: Ages with a table entry of their own; older runs use a series. 128 KiB a row, mostly cold.
TABLE = 1 << 14
_MOST_HYPOTHESES = 4096
_MOST_CUT = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of Bayesian online changepoint detection on standardised observations.

    hazard:     chance that a run ends with its r-th observation: one number for every r, or one for
                each r = 1, 2, ... of which the last holds from there on. Each within (0, 1).
    mean, kappa, alpha, beta: the Normal-Gamma prior of a run: its mean, how many observations
                that mean is worth, shape and rate of its precision. The defaults suit normal
                scores; a larger alpha sees changes of volatility 14 to 25 % later, a smaller
                beta their growth by half a tenth later and their fall to half a sixth sooner.
    hypotheses: runs kept at once; beyond that the lightest is merged into its neighbour in age.
    cut:        a run with less mass than this is merged too.
    short:      runs younger than this many observations count for the score.
    stale:      so many missing observations in a row, and the detector says that it is stale.
    """

    hazard: float | tuple[float, ...] = 1 / 2000
    mean: float = 0.0
    kappa: float = 0.1
    alpha: float = 2.0
    beta: float = 3.0
    hypotheses: int = 128
    cut: float = 1e-6
    short: int = 400
    stale: int = 5

    def __post_init__(self) -> None:
        hazards = self.hazards
        if not (0 < len(hazards) <= TABLE and all(0.0 < one < 1.0 for one in hazards)):
            raise BadParameters("hazard", "is no chance", f"1 to {TABLE} numbers within (0, 1)")
        if not math.isfinite(self.mean):
            raise BadParameters("mean", f"is {self.mean}", "a finite number")
        for name, low, high in (
            ("kappa", 1e-6, 1e6),
            ("alpha", 1e-6, 1e6),
            ("beta", 1e-6, 1e6),
            ("hypotheses", 2, _MOST_HYPOTHESES),
            ("cut", 0.0, _MOST_CUT),
            ("short", 1, TABLE),
            ("stale", 1, TABLE),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadParameters(
                    name, f"is {getattr(self, name)}", f"a number from {low} to {high}"
                )

    @property
    def hazards(self) -> tuple[float, ...]:
        """The hazard for r = 1, 2, ...; the last holds from there on."""
        return self.hazard if isinstance(self.hazard, tuple) else (self.hazard,)

    def hash(self) -> str:
        """What a saved state is bound to."""
        return params_hash("changepoint", VERSION, asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Parameters as the kernel reads them; places and rows are named in `recursion`."""

    settings: Array
    tables: Array


@lru_cache(maxsize=16)
def prepare(params: Params) -> Prepared:
    """The tables of these parameters; made once, in some milliseconds."""
    settings = np.zeros(recursion.SETTINGS)
    settings[recursion.KAPPA] = params.kappa
    settings[recursion.ALPHA] = params.alpha
    settings[recursion.PRIOR_MEAN] = params.mean
    settings[recursion.PRIOR_RATE] = params.beta
    settings[recursion.PRIOR_LOG_RATE] = dlog(params.beta)
    settings[recursion.CUT] = params.cut
    settings[recursion.SHORT] = params.short
    settings[recursion.CONSTANT_HAZARD] = float(len(params.hazards) == 1)
    settings[recursion.LOG_HAZARD] = dlog(params.hazards[0])
    tables = np.empty((3, TABLE))
    _fill(tables, np.array(params.hazards), params.kappa, params.alpha)
    settings.flags.writeable = tables.flags.writeable = False
    return Prepared(settings=settings, tables=tables)


@compiled
def _fill(tables: Array, hazards: Array, kappa: float, alpha: float) -> None:
    for age in range(tables.shape[1]):
        chance = hazards[min(max(age - 1, 0), hazards.size - 1)]
        tables[recursion.NORM, age] = recursion.norm(kappa + age, alpha + 0.5 * age)
        tables[recursion.LOG_GO, age] = dlog1p(-chance)
        tables[recursion.END, age] = chance
