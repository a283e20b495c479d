"""Where a tick lies in the law that the filter predicted for it: is the model still calibrated?

Under a true model these ranks are uniform and independent. A drift of them asks for a new fit; it
says nothing about which regime is active.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from swarm.regime.kernel import compiled
from swarm.regime.markov.filter import FARTHEST
from swarm.regime.markov.params import MarkovParams
from swarm.regime.markov.streams import MarkovState
from swarm.regime.markov.table import COLUMNS, INTERCEPT, PER_SCALE
from swarm.regime.nouns import FloatArray, IntArray
from swarm.regime.transform.lookup import Lookup, prepare, rank_and_score
from swarm.regime.transform.reference import Reference

#: As good as normal, in the tables of Student-t distribution functions.
NORMAL_DEGREES = 1e6


def ranks(state: MarkovState, observation: FloatArray, params: MarkovParams) -> FloatArray:
    """P(x_t <= observation | the past), shape (S,), before `observation` has moved `state`.

    NaN where the tick or one of its lags is missing: a missing rank is a missing tick for whoever
    watches the ranks. Source: Rosenblatt 1952; Diebold, Gunther and Tay 1998. Accuracy: 5e-9.
    """
    tables = _tables(tuple(params.nu.tolist()))
    found = np.empty(len(state.missing))
    rank_streams(
        np.ascontiguousarray(observation, dtype=np.float64), state.posterior, state.lags,
        params.transition, params.table, tables.which, tables.tables, found,
    )  # fmt: skip
    return found


@lru_cache(maxsize=64)
def _tables(nu: tuple[float, ...]) -> Lookup:
    return prepare(
        [Reference(degrees=min(one, NORMAL_DEGREES), location=0.0, scale=1.0) for one in nu]
    )


@compiled
def rank_streams(
    x: FloatArray,
    posterior: FloatArray,
    lags: FloatArray,
    transition: FloatArray,
    table: FloatArray,
    which: IntArray,
    tables: FloatArray,
    found: FloatArray,
) -> None:
    """Fill `found` (S,): the states' distribution functions, mixed by the predicted shares."""
    count, streams = posterior.shape
    for s in range(streams):
        rank, mass = 0.0, 0.0
        seen = abs(x[s]) <= FARTHEST
        for j in range(count):
            share, value = 0.0, x[s]
            for i in range(count):
                share += posterior[i, s] * transition[i, j]
            for lag in range(lags.shape[0]):
                seen = seen and abs(lags[lag, s]) <= FARTHEST
                value -= table[j, COLUMNS + lag] * lags[lag, s]
            place = table[j, INTERCEPT : PER_SCALE + 1]
            rank += share * rank_and_score(value, place, tables[which[j]])[0]
            mass += share
        found[s] = min(max(rank / mass, 0.0), 1.0) if seen else np.nan
