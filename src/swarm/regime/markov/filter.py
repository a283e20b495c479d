"""The filter: one tick for many streams, in place, and the same bits on every machine.

Source: Hamilton 1989 (Econometrica 57), section 4, in logs. Cost: O(K^2) for each stream and tick;
memory K + p numbers for each stream, whatever the number of ticks.
"""

from __future__ import annotations

import numpy as np

from swarm.regime.elementary import exp_row, log_row
from swarm.regime.kernel import compiled, inner
from swarm.regime.markov.table import (
    COLUMNS,
    CONSTANT,
    INTERCEPT,
    PER_NU,
    PER_SCALE,
    POWER,
    RESTING,
)
from swarm.regime.nouns import FloatArray, IntArray

#: Streams that are worked on together: what they need then stays in the nearest cache.
BLOCK = 256
#: A number beyond this is no measurement: it counts as missing, as an infinity does.
FARTHEST = 1e150
#: A predicted share below this is none: its state may not set the scale of the densities.
FAINTEST = 1e-290
# The rows that the work on a block needs beside the two for each state; 0 and 1 are for anyone.
HELD, SEEN, BEST, TOTAL, SQUARES = 2, 3, 4, 5, 6
SPARE = 7


@compiled
def advance(
    x: FloatArray,
    posterior: FloatArray,
    lags: FloatArray,
    missing: IntArray,
    transition: FloatArray,
    table: FloatArray,
    gap_most: int,
    loglik: FloatArray,
) -> None:
    """Move `posterior` (K, S), `lags` (p, S) and `missing` (S,) one tick on; fill `loglik` (S,).

    x: shape (S,); what is not finite, or has a lag that was not seen, is a missing tick. Then the
    shares are those predicted and the log-likelihood is 0; after more than `gap_most` in a row they
    are the resting shares.
    """
    count, streams = posterior.shape
    width = min(streams, BLOCK)
    rows, spare = np.empty((2 * count, width)), np.empty((SPARE, width))
    for first in range(0, streams, BLOCK):
        last = min(first + BLOCK, streams)
        look(x[first:last], lags, first, spare)
        predict(posterior, transition, first, last, rows)
        judge(lags, table, first, last, spare, rows[count:])
        _weigh(rows, spare, first, last, posterior, loglik[first:last])
        _count(spare[SEEN], first, missing[first:last], gap_most, table, posterior)
        _remember(x[first:last], lags, first)


# Each function below is about the streams from `first` to before `last`. Its loops run over views
# of single rows and index them by the loop's own variable alone: of a part of a matrix the compiler
# does not know that its rows lie together, nor of a sum that it is no negative index, and then it
# uses no vector registers.


@inner
def look(x: FloatArray, lags: FloatArray, first: int, spare: FloatArray) -> None:
    """What can be judged: 1.0 in `seen`; the value, or 0 where there is none."""
    held, seen = spare[HELD], spare[SEEN]
    for b in range(x.size):
        there = abs(x[b]) <= FARTHEST  # false for NaN
        held[b] = x[b] if there else 0.0
        seen[b] = 1.0 if there else 0.0
    for lag in range(lags.shape[0]):
        row = lags[lag][first:]
        for b in range(x.size):
            seen[b] = seen[b] if abs(row[b]) <= FARTHEST else 0.0


@inner
def predict(
    posterior: FloatArray, transition: FloatArray, first: int, last: int, rows: FloatArray
) -> None:
    """The shares before the tick is seen, in the first K rows."""
    count = posterior.shape[0]
    for j in range(count):
        row = rows[j]
        before, moved = posterior[0][first:last], transition[0, j]
        for b in range(before.size):
            row[b] = before[b] * moved
        for i in range(1, count):
            before, moved = posterior[i][first:last], transition[i, j]
            for b in range(before.size):
                row[b] += before[b] * moved


@inner
def judge(
    lags: FloatArray,
    table: FloatArray,
    first: int,
    last: int,
    spare: FloatArray,
    rows: FloatArray,
) -> None:
    """The log density of each tick in each state, one row for each state."""
    width = last - first
    held = spare[HELD][:width]
    for k in range(table.shape[0]):
        row, squares = rows[k][:width], spare[SQUARES][:width]
        constant, power, per_nu = table[k, CONSTANT], table[k, POWER], table[k, PER_NU]
        stray(held, lags, table[k], first, last, row)
        for b in range(width):
            squares[b] = row[b] * row[b]
        if per_nu > 0.0:
            for b in range(width):
                squares[b] = 1.0 + squares[b] * per_nu
            log_row(squares, width, row, spare[0], spare[1])
            squares = row
        for b in range(width):
            row[b] = constant - power * squares[b]


@inner
def stray(
    held: FloatArray, lags: FloatArray, state: FloatArray, first: int, last: int, row: FloatArray
) -> None:
    """How far each tick is from what one state expects, in its scales. state: a row of the table.

    Also where a lag was NaN it is a number: the tick is not seen, and its density must be one.
    """
    intercept, per_scale = state[INTERCEPT], state[PER_SCALE]
    for b in range(held.size):
        row[b] = held[b] - intercept
    for lag in range(lags.shape[0]):
        coefficient, before = state[COLUMNS + lag], lags[lag][first:last]
        for b in range(before.size):
            row[b] -= coefficient * before[b]
    for b in range(row.size):
        z = row[b] * per_scale
        farthest = -FARTHEST if z < 0.0 else FARTHEST
        row[b] = z if abs(z) <= FARTHEST else farthest


@inner
def _weigh(
    rows: FloatArray,
    spare: FloatArray,
    first: int,
    last: int,
    posterior: FloatArray,
    loglik: FloatArray,
) -> None:
    """From predicted shares and log densities to the posterior and the log-likelihood.

    A tick that was not seen weighs the same in every state.
    """
    count, width = posterior.shape[0], last - first
    best, total, weight, seen = spare[BEST], spare[TOTAL], spare[1], spare[SEEN]
    for b in range(width):
        best[b] = -np.inf
        total[b] = 0.0
    for k in range(count):
        predicted, density = rows[k], rows[count + k]
        for b in range(width):
            found = density[b] if predicted[b] > FAINTEST else -np.inf
            best[b] = found if found > best[b] else best[b]  # noqa: FURB136 - no call inside
    for k in range(count):
        predicted, density = rows[k], rows[count + k]
        for b in range(width):
            apart = (density[b] - best[b]) * seen[b]
            density[b] = min(0.0, apart)
        exp_row(density, width, weight, spare[0])
        for b in range(width):
            predicted[b] *= weight[b]
            total[b] += predicted[b]
    log_row(total, width, loglik, spare[0], spare[1])
    for b in range(width):
        loglik[b] = (best[b] + loglik[b]) * seen[b]
        total[b] = 1.0 / total[b]
    for k in range(count):
        row, share = posterior[k][first:last], rows[k]
        for b in range(width):
            row[b] = share[b] * total[b]


@inner
def _count(
    seen: FloatArray,
    first: int,
    missing: IntArray,
    gap_most: int,
    table: FloatArray,
    posterior: FloatArray,
) -> None:
    """Count what is missing in a row; beyond `gap_most` the shares are the resting ones."""
    lost = 0
    for b in range(missing.size):
        missing[b] = 0 if seen[b] == 1.0 else missing[b] + 1
        lost += missing[b] > gap_most
    if lost == 0:
        return
    for k in range(posterior.shape[0]):
        row, resting = posterior[k][first:], table[k, RESTING]
        for b in range(missing.size):
            row[b] = resting if missing[b] > gap_most else row[b]


@inner
def _remember(x: FloatArray, lags: FloatArray, first: int) -> None:
    """Shift the lags; a missing tick stays missing while it is a lag."""
    for lag in range(lags.shape[0] - 1, -1, -1):
        row, newer = lags[lag][first:], lags[lag - 1][first:] if lag > 0 else x
        for b in range(x.size):
            row[b] = newer[b]


@compiled
def advance_many(
    ticks: FloatArray,
    posterior: FloatArray,
    lags: FloatArray,
    missing: IntArray,
    transition: FloatArray,
    table: FloatArray,
    gap_most: int,
    loglik: FloatArray,
) -> None:
    """`advance` for each row of `ticks`, shape (T, S), filling the rows of `loglik`, (T, S)."""
    for t in range(ticks.shape[0]):
        advance(ticks[t], posterior, lags, missing, transition, table, gap_most, loglik[t])
