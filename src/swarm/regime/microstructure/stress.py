"""The kernel of the microstructure detector: one reading of each stream."""

from __future__ import annotations

import numpy as np

from swarm.regime.elementary import dexp, dlog, logistic
from swarm.regime.kernel import inner
from swarm.regime.microstructure.histogram import BINS, add, faded, percentile, place
from swarm.regime.transform.normal import score as normal_score

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: Columns of the values that come, and of the facts.
SPREAD, DEPTH, CHANGE, FLOW, VARIANCE = range(5)
AT, QUOTE_AGE, IS_CROSSED = range(3)
#: The four measures that have a usual.
MEASURES = 4
_WIDTH, _DEPTH, _IMPACT, _VARIANCE = range(MEASURES)
#: Columns of `marks`: time of the last reading, readings, and how long spread and variance have
#: been extreme.
LAST_AT, READINGS, WIDE_FOR, VOLATILE_FOR, MARKS = range(5)
#: Sums of Kyle's regression: flow squared, flow times change, change squared; they fade.
_QQ, _QM, _MM = range(3)
#: Bits of what trips.
CROSSED, STALE, WIDE, VOLATILE, THIN = 1, 2, 4, 8, 16
#: Columns of what is told.
SCORE, PROBABILITY, IMPACT, READY, PERCENTILES = range(5)
TOLD = PERCENTILES + MEASURES
#: Places in the settings: lows, then bins for one e-fold, then these.
_PER_LOG = MEASURES
(GROWTH, IMPACT_FADE, WARM, EXTREME, EXTREME_FOR, FLOOR, OLDEST, CENTRE, STEEPNESS) = range(8, 17)
_CLIP = 4.0
#: No change of a price and no signed size is larger: its square, and all that fade, are numbers.
_FARTHEST = 1e100
_DAY = 86_400_000_000_000


def settings(lows: Array, highs: Array, rest: Array) -> Array:
    """What the kernel reads; rest: the half-lives of readings and impact, then as named above."""
    found = np.zeros(STEEPNESS + 1)
    for i in range(MEASURES):
        found[i] = lows[i]
        found[_PER_LOG + i] = BINS / dlog(highs[i] / lows[i])
    found[GROWTH] = dexp(dlog(2.0) / rest[0])
    found[IMPACT_FADE] = dexp(-dlog(2.0) / rest[1])
    found[WARM:] = rest[2:]
    return found


@inner
def advance_all(
    bins: Array,
    weights: Array,
    sums: Array,
    marks: Integers,
    values: Array,
    facts: Integers,
    given: Array,
    out: tuple[Array, Integers],
) -> None:
    """One reading of each stream, in place. out: what is told, shape (S, TOLD), and the trips."""
    told, trips = out
    for s in range(marks.shape[0]):
        time = (facts[s, AT] % _DAY) * weights.shape[1] // _DAY
        row = told[s]
        _kyle(sums[s], values[s], given[IMPACT_FADE], row)
        warm = weights[s, time, 1] >= given[WARM]
        whole = _judge(bins[s, time], weights[s, time], values[s], given, row)
        ready = warm and whole
        row[READY] = 1.0 if ready else 0.0
        row[PROBABILITY] = (
            logistic(given[STEEPNESS] * (row[SCORE] - given[CENTRE])) if ready else np.nan
        )
        trips[s] = _trips(marks[s], values[s], facts[s], given, row, weights[s, time, 1])
        marks[s, LAST_AT] = facts[s, AT]
        marks[s, READINGS] += 1


@inner
def _kyle(sums: Array, values: Array, fade: float, row: Array) -> None:
    """Kyle's lambda: least squares of the mid's change on signed size, the past fading."""
    change, flow = values[CHANGE], values[FLOW]
    if abs(change) <= _FARTHEST and abs(flow) <= _FARTHEST:
        sums[_QQ] = sums[_QQ] * fade + flow * flow
        sums[_QM] = sums[_QM] * fade + flow * change
        sums[_MM] = sums[_MM] * fade + change * change
    row[IMPACT] = sums[_QM] / sums[_QQ] if sums[_QQ] > 0.0 else np.nan


@inner
def _judge(bins: Array, weight: Array, values: Array, given: Array, row: Array) -> bool:
    """Percentiles and score against the past, and then the reading joins the past.

    Gives whether all four measures were there. One that is missing has percentile 0.5, and
    joins nothing.
    """
    whole, total = True, 0.0
    for i in range(MEASURES):
        value = row[IMPACT]
        if i == _WIDTH:
            value = values[SPREAD]
        elif i == _DEPTH:
            value = values[DEPTH]
        elif i == _VARIANCE:
            value = values[VARIANCE]
        row[PERCENTILES + i] = 0.5
        if not abs(value) < np.inf:
            whole = False
            continue
        at = place(value, given[i], given[_PER_LOG + i])
        row[PERCENTILES + i] = percentile(bins[i], at)
        z = normal_score(row[PERCENTILES + i], _CLIP)
        total += -z if i == _DEPTH else z
        add(bins[i], at, weight[0])
    row[SCORE] = total / MEASURES
    weight[0] = faded(bins, weight[0], given[GROWTH])
    weight[1] += 1.0
    return whole


@inner
def _trips(
    marks: Integers, values: Array, facts: Integers, given: Array, row: Array, seen: float
) -> int:
    """What trips at once, as bits."""
    found = CROSSED if facts[IS_CROSSED] else 0
    if facts[QUOTE_AGE] < 0 or facts[QUOTE_AGE] > given[OLDEST]:
        found |= STALE
    # Of fewer readings, the extreme ones that began the row would themselves be usual.
    enough = seen * (1.0 - given[EXTREME]) >= given[EXTREME_FOR]
    known = enough and row[READY] > 0.0
    wide = known and row[PERCENTILES + _WIDTH] >= given[EXTREME]
    volatile = known and row[PERCENTILES + _VARIANCE] >= given[EXTREME]
    marks[WIDE_FOR] = marks[WIDE_FOR] + 1 if wide else 0
    marks[VOLATILE_FOR] = marks[VOLATILE_FOR] + 1 if volatile else 0
    if marks[WIDE_FOR] >= given[EXTREME_FOR]:
        found |= WIDE
    if marks[VOLATILE_FOR] >= given[EXTREME_FOR]:
        found |= VOLATILE
    if values[DEPTH] < given[FLOOR]:
        found |= THIN
    return found
