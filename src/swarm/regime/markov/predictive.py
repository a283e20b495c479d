"""Where a tick lies in the law that the filter predicted for it: is the model still calibrated?

Under a true model these ranks are uniform and independent. A drift of them asks for a new fit; it
says nothing about which regime is active.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from swarm.regime.kernel import compiled
from swarm.regime.markov.filter import (
    BEST,
    BLOCK,
    HELD,
    SEEN,
    SPARE,
    SQUARES,
    TOTAL,
    look,
    predict,
    stray,
)
from swarm.regime.markov.params import MarkovParams
from swarm.regime.markov.streams import MarkovState
from swarm.regime.nouns import FloatArray, IntArray
from swarm.regime.transform.lookup import Lookup, prepare, rank_row
from swarm.regime.transform.reference import Reference

#: As good as normal, in the tables of Student-t distribution functions.
NORMAL_DEGREES = 1e6


def ranks(state: MarkovState, observation: FloatArray, params: MarkovParams) -> FloatArray:
    """P(x_t <= observation | the past), shape (S,), before `observation` has moved `state`.

    NaN where the tick or one of its lags is missing: a missing rank is a missing tick for whoever
    watches the ranks. Source: Rosenblatt 1952; Diebold, Gunther and Tay 1998. Accuracy: 5e-9.
    """
    tables = tables_of(tuple(params.nu.tolist()))
    found = np.empty(len(state.missing))
    rank_streams(
        np.ascontiguousarray(observation, dtype=np.float64), state.posterior, state.lags,
        params.transition, params.table, tables.which, tables.tables, found,
    )  # fmt: skip
    return found


@lru_cache(maxsize=64)
def tables_of(nu: tuple[float, ...]) -> Lookup:
    """The distribution function of each state's noise, prepared."""
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
    """Fill `found` (S,): the states' distribution functions, mixed by the predicted shares.

    Cost: some 20 ns for each state and stream.
    """
    count, streams = posterior.shape
    width = min(streams, BLOCK)
    rows, spare = np.empty((count, width)), np.empty((SPARE + 4, width))
    for first in range(0, streams, BLOCK):
        last = min(first + BLOCK, streams)
        look(x[first:last], lags, first, spare)
        predict(posterior, transition, first, last, rows)
        of_block = found[first:last]
        held, mass, y, u = spare[HELD][: last - first], spare[BEST], spare[TOTAL], spare[SQUARES]
        y, u = y[: held.size], u[: held.size]
        for b in range(held.size):
            of_block[b] = mass[b] = 0.0
        for j in range(count):
            share = rows[j]
            stray(held, lags, table[j], first, last, y)
            rank_row(y, tables[which[j]], u, spare[SPARE:])
            for b in range(held.size):
                of_block[b] += share[b] * u[b]
                mass[b] += share[b]
        seen = spare[SEEN]
        for b in range(held.size):
            rank = min(max(of_block[b] / mass[b], 0.0), 1.0)
            of_block[b] = rank if seen[b] == 1.0 else np.nan
