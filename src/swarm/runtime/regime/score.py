"""How well a model foretells the next tick, beside two that know less: a law at rest, and EWMA."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from swarm.regime.markov.fit import log_scores
from swarm.regime.nouns import FloatArray
from swarm.regime.transform.reference import Reference
from swarm.runtime.regime.errors import TapeRefused
from swarm.runtime.regime.model import Model
from swarm.runtime.regime.tape import Tape, returns

DECAY = 0.94
"""Of RiskMetrics 1996, for daily returns."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Mean log density of a tick under its past, nats; higher is better. ticks: that were judged.

    lead: of the model over EWMA, and its standard error.
    """

    ticks: int
    model: float
    ewma: float
    static: float
    lead: float
    error: float


def score(tape: Tape, model: Model) -> Score:
    """Of the ticks after those that the model was fitted on. Refuses when there are none."""
    model.fitting(tape)
    values = returns(tape.price)[1:]
    new = (tape.at[1:] > model.training.last) & ~np.isnan(values)
    if np.count_nonzero(new) < 2:  # noqa: PLR2004 - a standard error needs two
        right = "fit with --until, and score what came after"
        raise TapeRefused(f"the model was fitted on every tick of the file; {right}")
    mine = log_scores(model.params.markov, values)[new]
    ewma, static = _ewma(values)[new], _static(values, model.params.references[0])[new]
    lead = mine - ewma
    return Score(
        ticks=int(new.sum()),
        model=float(mine.mean()),
        ewma=float(ewma.mean()),
        static=float(static.mean()),
        lead=float(lead.mean()),
        error=float(lead.std(ddof=1) / math.sqrt(len(lead))),
    )


def _ewma(values: FloatArray) -> FloatArray:
    """Gaussian with the exponentially weighted mean square of the past as its variance."""
    seen = values[~np.isnan(values)]
    variance = float(np.mean(seen[:20] ** 2)) or 1e-12
    found = np.full(len(values), np.nan)
    for tick, x in enumerate(values.tolist()):
        if math.isnan(x):
            continue
        found[tick] = -0.5 * (math.log(2 * math.pi * variance) + x * x / variance)
        variance = max(DECAY * variance + (1 - DECAY) * x * x, 1e-12)
    return found


def _static(values: FloatArray, law: Reference) -> FloatArray:
    """The Student-t law of the fitted period, the same at every tick."""
    nu, scale = law.degrees, law.scale
    constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)
    constant -= 0.5 * math.log(nu * math.pi) + math.log(scale)
    distance = ((values - law.location) / scale) ** 2
    return np.asarray(constant - (nu + 1) / 2 * np.log1p(distance / nu))
