"""The vote of the present run: which regime it is, if all of it is one.

The Markov filter asks where the chain is now, and forgets within a few ticks. The changepoint
detector knows when the present run began, and not what it is. Together they have a third thing to
say: the model's chain held still since then, which is the whole model fitted anew on the run with
the one thing free that a run can tell, its regime. The share of state k is

    resting_k f_k(x_1) ... f_k(x_n),   x_1 to x_n the observations of the likeliest run.

A stream keeps running totals of the log densities, one row for each of its newest observations, in
a ring. So the evidence of a run is a difference of two rows, however far its start moves, and one
tick costs the same whether it moved or not.

Source: Hamilton 1989 with P = I; Adams and MacKay 2007 for the run.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from swarm.regime.changepoint import recursion
from swarm.regime.elementary import exp_row, lane_sum
from swarm.regime.kernel import compiled, inner
from swarm.regime.markov import filter as markov
from swarm.regime.nouns import FloatArray, IntArray

MOST: Final = 128
"""Observations of a run that count, the newest: between regimes that differ by a tenth of a nat a
tick they are worth 13 nats, and what came before them may be of another regime."""
SLOTS: Final = MOST + 1
"""Rows of a ring: before the first of them, and after each."""
LOUDEST: Final = 8.0
"""Nats by which one observation may speak against a state: those of four standard deviations, where
the changepoint detector clips too. Else one bad print would say what a whole run is."""
SPARE: Final = 3
"""Rows of room to work in."""


@compiled
def judge(x: FloatArray, lags: FloatArray, table: FloatArray, evidence: FloatArray) -> None:
    """What each observation says of each state, before the filter takes it in.

    x: shape (S,). lags: (p, S). table: of the model. evidence: shape (K, S), written: log density
    less that of the best state, in [-LOUDEST, 0]; 0 for all states where nothing was seen.
    """
    count, streams = evidence.shape
    width = min(streams, markov.BLOCK)
    rows, spare = np.empty((count, width)), np.empty((markov.SPARE, width))
    best, seen = spare[markov.BEST], spare[markov.SEEN]
    for first in range(0, streams, markov.BLOCK):
        last = min(first + markov.BLOCK, streams)
        markov.look(x[first:last], lags, first, spare)
        markov.judge(lags, table, first, last, spare, rows)
        for b in range(last - first):
            best[b] = rows[0, b]
        for k in range(1, count):
            row = rows[k]
            for b in range(last - first):
                best[b] = max(best[b], row[b])
        for k in range(count):
            row, out = rows[k], evidence[k][first:last]
            for b in range(last - first):
                out[b] = max(row[b] - best[b], -LOUDEST) * seen[b]


@inner
def remember(ring: FloatArray, evidence: FloatArray, stream: int, count: IntArray) -> None:
    """What the newest observation of a stream says, added to the totals in the stream's ring.

    ring: shape (SLOTS, K). count: of the changepoint detector, which numbers the observations.
    """
    if count[recursion.MISSING] > 0:
        return
    now, before = count[recursion.SEEN] % SLOTS, (count[recursion.SEEN] - 1) % SLOTS
    for k in range(ring.shape[1]):
        ring[now, k] = ring[before, k] + evidence[k, stream]


@inner
def share(
    ring: FloatArray, count: IntArray, told: FloatArray, log_resting: FloatArray, room: FloatArray
) -> None:
    """The share of each state in the likeliest run, into the first row of `room`, (SPARE, K).

    Cost: one exponential for each state, at any length of the run and however far its start moved.
    """
    shares, logs = room[0], room[1]
    seen, states = count[recursion.SEEN], ring.shape[1]
    now, began = seen % SLOTS, (seen - min(int(told[recursion.MAP_AGE]), MOST)) % SLOTS
    most = -np.inf
    for k in range(states):
        logs[k] = log_resting[k] + (ring[now, k] - ring[began, k])
        most = max(most, logs[k])
    for k in range(states):
        logs[k] -= most
    exp_row(logs, states, shares, room[2])
    whole = lane_sum(shares, states)
    for k in range(states):
        shares[k] /= whole
