"""The adaptive window: buckets of 1, 2, 4, ... items with their sum and centred sum of squares.

Row i holds up to M buckets of 2**i items, oldest first; one more, and its two oldest become one of
the next row. So the window of W items takes O(M log W) numbers, and every boundary between
buckets is a place where it may be cut.

A look at all of them also tells how far the nearest is from a cut. One value brings it nearer by
little more than its own distance from the mean, so most ticks need no look; see `_insert`.
"""

from __future__ import annotations

import numpy as np

from swarm.regime.elementary import dlog
from swarm.regime.kernel import inner

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: Planes of `buckets`, and the first places in `totals`.
SUM, SQUARES = range(2)
#: The last place in `totals`: above 0, no boundary is as near to a cut as that.
SLACK, TOTALS = range(2, 4)
#: Columns of `marks`: items in the window; observations so far, and missing in a row; alarms that
#: began an episode; the observation at which the last one began, and of the last alarm.
WIDTH, SEEN, MISSING, EPISODES, STARTED, LAST_ALARM, MARKS = range(7)
#: Places in `settings`.
DELTA, CLOCK, LEAST, GRACE, REFRACTORY, SETTINGS = range(6)

#: More than a tick's rounding moves anything.
_ROUNDING = 1e-6


@inner
def advance_all(
    buckets: Array,
    rows: Integers,
    totals: Array,
    marks: Integers,
    x: Array,
    settings: Array,
    bounds: Array,
) -> None:
    """One value in [0, 1] for each stream, in place; one that is not finite is only counted."""
    for s in range(x.size):
        advance_one(buckets[s], rows[s], totals[s], marks[s], x[s], settings, bounds)


@inner
def advance_one(
    buckets: Array,
    rows: Integers,
    totals: Array,
    marks: Integers,
    x: float,
    settings: Array,
    bounds: Array,
) -> None:
    """One stream: take the value in, and cut off what no longer fits to the rest."""
    if not abs(x) < np.inf:
        marks[MISSING] += 1
        return
    marks[MISSING] = 0
    marks[SEEN] += 1
    _insert(buckets, rows, totals, marks, x, _bound(marks[WIDTH], bounds))
    if marks[SEEN] % int(settings[CLOCK]) == 0 and totals[SLACK] <= 0.0:
        alarmed = False
        while marks[WIDTH] > settings[GRACE] and _cuttable(
            buckets, rows, totals, marks[WIDTH], settings[LEAST], _bound(marks[WIDTH], bounds)
        ):
            _drop_oldest(buckets, rows, totals, marks)
            alarmed = True
        if alarmed:
            _alarm(marks, settings[REFRACTORY])


@inner
def bound(width: float, delta: float) -> float:
    """ln(2 / delta') with delta' = delta / ln W."""
    return dlog(2.0 / delta * dlog(width))


@inner
def _bound(width: int, bounds: Array) -> float:
    """From the table, whose first entry is delta; computed beyond its end."""
    if width < bounds.size:
        return float(bounds[width])
    return bound(float(width), bounds[0])


@inner
def _alarm(marks: Integers, refractory: float) -> None:
    """A gradual change alarms many ticks in a row: one episode, until it was quiet for a while."""
    if marks[LAST_ALARM] == 0 or marks[SEEN] - marks[LAST_ALARM] > refractory:
        marks[EPISODES] += 1
        marks[STARTED] = marks[SEEN]
    marks[LAST_ALARM] = marks[SEEN]


@inner
def _insert(
    buckets: Array, rows: Integers, totals: Array, marks: Integers, x: float, bound: float
) -> None:
    """The value as the newest bucket; then rows that are too full hand on.

    At a boundary with n1 newer items the means differ by g W / (n0 n1), where g is the sum of what
    newer items are above the mean; it moves by at most |x - mean|. What it is compared with, see
    `_cuttable`, grows with var W and L; only n0 n1 / W^2 may fall, by its share 1/(W + 1) at most.
    A boundary begins with g = 0. So what is left of the slack is a promise, in floats as well.
    """
    width = float(marks[WIDTH])
    if width > 0.0:
        d = x - totals[SUM] / width
        totals[SQUARES] += width / (width + 1.0) * d * d
        fallen = np.sqrt(0.5 * totals[SQUARES] * bound) / (width + 1.0)
        totals[SLACK] -= abs(d) + fallen + _ROUNDING
    totals[SUM] += x
    marks[WIDTH] += 1
    buckets[SUM, 0, rows[0]] = x
    buckets[SQUARES, 0, rows[0]] = 0.0
    rows[0] += 1
    row, most = 0, buckets.shape[2] - 1
    while rows[row] > most:
        if row + 1 == rows.size:
            _drop_oldest(buckets, rows, totals, marks)
            break
        _hand_on(buckets, rows, row)
        row += 1


@inner
def _hand_on(buckets: Array, rows: Integers, row: int) -> None:
    """The two oldest buckets of a row become the newest of the next."""
    sums, squares, to = buckets[SUM, row], buckets[SQUARES, row], rows[row + 1]
    size = float(1 << row)
    d = (sums[0] - sums[1]) / size
    buckets[SUM, row + 1, to] = sums[0] + sums[1]
    buckets[SQUARES, row + 1, to] = squares[0] + squares[1] + 0.5 * size * d * d
    rows[row + 1] += 1
    rows[row] -= 2
    for k in range(rows[row]):
        sums[k] = sums[k + 2]
        squares[k] = squares[k + 2]


@inner
def _drop_oldest(buckets: Array, rows: Integers, totals: Array, marks: Integers) -> None:
    """Forget the oldest bucket, and take its part out of the totals."""
    row = rows.size - 1
    while rows[row] == 0:
        row -= 1
    sums, squares = buckets[SUM, row], buckets[SQUARES, row]
    size = float(1 << row)
    marks[WIDTH] -= 1 << row
    totals[SLACK] = 0.0
    rest = float(marks[WIDTH])
    totals[SUM] -= sums[0]
    if rest > 0.0:
        d = sums[0] / size - totals[SUM] / rest
        gone = squares[0] + size * rest / (size + rest) * d * d
        totals[SQUARES] = max(totals[SQUARES] - gone, 0.0)
    rows[row] -= 1
    for k in range(rows[row]):
        sums[k] = sums[k + 1]
        squares[k] = squares[k + 1]


@inner
def _cuttable(
    buckets: Array, rows: Integers, totals: Array, width: int, least: float, bound: float
) -> bool:
    """Whether the means on the two sides of some boundary differ by more than chance allows.

    |mean0 - mean1| > sqrt(2/m var L) + 2/(3m) L with 1/m = 1/n0 + 1/n1 = W/(n0 n1). Times n0 n1 no
    division is left. Leaves in `totals` how far the nearest boundary is from that, over W. Rows are
    walked whole, with places that hold nothing counted as nothing. Cost: some 2 ns a place.
    """
    whole, total = float(width), totals[SUM]
    offset, factor = 2.0 / 3.0 * whole * bound, 2.0 * totals[SQUARES] * bound
    older, above, found, nearest = 0.0, 0.0, False, offset
    row = rows.size - 1
    while rows[row] == 0:
        row -= 1
    while row >= 0:
        size, sums, taken = float(1 << row), buckets[SUM, row], rows[row]
        for k in range(sums.size - 1):
            older += size if k < taken else 0.0
            above += sums[k] if k < taken else 0.0
            newer = whole - older
            left = np.sqrt(factor * (older * newer)) + offset - abs(above * whole - total * older)
            # What is too new to be judged will be old enough; what is too old stays so.
            nearest = left if left < nearest and older >= least else nearest
            found |= (older >= least) & (newer >= least) & (left < 0.0)
        row -= 1
    totals[SLACK] = nearest / whole
    return found
