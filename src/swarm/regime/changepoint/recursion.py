"""One observation absorbed by all hypotheses about when the present run began.

A hypothesis is one column of `numbers`: log weight, mean, rate and log rate of its Normal-Gamma
law, and its age, the number of observations in the run. Columns stand oldest first. What is left of
the law (kappa = kappa0 + age, alpha = alpha0 + age/2) follows from the age. With the log rate kept,
one logarithm and one exponential are spent on a hypothesis for each observation:

    rate'    = rate + kappa d^2 / (2 (kappa + 1)),   d = x - mean
    log pred = c(age) + alpha log(rate) - (alpha + 1/2) log(rate')

Loops are short and touch few arrays each: that is what a compiler can run in vector registers.
"""

from __future__ import annotations

import numpy as np

from swarm.regime.elementary import dlog, exp_row, lane_sum, log_row
from swarm.regime.kernel import compiled, inner

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: Rows of `numbers`.
LOG_WEIGHT, MEAN, RATE, LOG_RATE, AGE = range(5)
#: Columns of `counts`: live hypotheses, observations so far, observations missing in a row.
LIVE, SEEN, MISSING = range(3)
#: Places in `settings`.
KAPPA, ALPHA, PRIOR_MEAN, PRIOR_RATE, PRIOR_LOG_RATE = range(5)
CUT, SHORT, CONSTANT_HAZARD, LOG_HAZARD, SETTINGS = range(5, 10)
#: Rows of `tables`.
NORM, LOG_GO, END = range(3)
#: Columns of what is told.
EVIDENCE, SCORE, RUN_START, MAP_AGE, MAP_MASS, TOLD = range(6)
#: Rows of room to work in.
SPARE = 3

_HALF_LN_2PI = 0.9189385332046728
#: Nothing standardised is larger, and its square is a number still.
_LARGEST = 1e100
_ALL_BUT_SIGN = 0x7FFFFFFFFFFFFFFF
_LEAST_BITS = -0x8000000000000000


@inner
def begin(numbers: Array, counts: Integers, settings: Array) -> None:
    """Every stream with the one hypothesis that its first run begins with the next observation."""
    for s in range(counts.shape[0]):
        counts[s, LIVE] = 1
        numbers[s, :, 0] = 0.0
        numbers[s, MEAN, 0] = settings[PRIOR_MEAN]
        numbers[s, RATE, 0] = settings[PRIOR_RATE]
        numbers[s, LOG_RATE, 0] = settings[PRIOR_LOG_RATE]


@compiled
def advance_all(
    numbers: Array,
    counts: Integers,
    x: Array,
    since: Integers,
    settings: Array,
    tables: Array,
    told: Array,
) -> None:
    """One observation for each stream, in place; a missing one (not finite) changes no weight."""
    spare = np.empty((SPARE, numbers.shape[2]))
    for s in range(x.size):
        advance_one(numbers[s], counts[s], x[s], since[s], settings, tables, spare, told[s])


@inner
def advance_one(
    numbers: Array,
    count: Integers,
    x: float,
    since: int,
    settings: Array,
    tables: Array,
    spare: Array,
    told: Array,
) -> None:
    """One stream. spare: shape (SPARE, K), to work in; told: shape (TOLD,)."""
    if abs(x) < np.inf:
        count[MISSING] = 0
        count[SEEN] += 1
        held = min(max(x, -_LARGEST), _LARGEST)
        told[EVIDENCE] = _absorb(numbers, count, held, settings, tables, spare)
    else:
        count[MISSING] += 1
        told[EVIDENCE] = 0.0
        exp_row(numbers[LOG_WEIGHT], count[LIVE], spare[0], spare[1])
    _tell(numbers[AGE], count, since, settings[SHORT], spare[0], told)


@inner
def _absorb(
    numbers: Array, count: Integers, x: float, settings: Array, tables: Array, spare: Array
) -> float:
    """The log evidence of x. Leaves the posterior after it in the first row of `spare`."""
    live, mass = count[LIVE], spare[0]
    _weigh(numbers, live, x, settings, tables[NORM], spare)
    most = _largest(numbers[LOG_WEIGHT], live)
    for j in range(live):
        spare[1, j] = numbers[LOG_WEIGHT, j] - most
    exp_row(spare[1], live, mass, spare[2])
    total = lane_sum(mass, live)
    evidence = most + dlog(total)
    live = _merge(numbers, live, mass, min(settings[CUT] * total, 1.0), most)
    ended = _end(numbers, live, mass, settings[CONSTANT_HAZARD], tables, evidence, total)
    constant = settings[CONSTANT_HAZARD] > 0.0
    numbers[LOG_WEIGHT, live] = settings[LOG_HAZARD] if constant else dlog(ended)
    numbers[MEAN, live] = settings[PRIOR_MEAN]
    numbers[RATE, live] = settings[PRIOR_RATE]
    numbers[LOG_RATE, live] = settings[PRIOR_LOG_RATE]
    numbers[AGE, live] = 0.0
    mass[live] = ended
    count[LIVE] = live + 1
    return evidence


@inner
def norm(kappa: float, alpha: float) -> float:
    """C of the predictive density: the logs of its gamma functions and of its scale."""
    series, scale = norm_parts(kappa, alpha)
    return series + 0.5 * dlog(scale) - _HALF_LN_2PI


@inner
def norm_parts(kappa: float, alpha: float) -> tuple[float, float]:
    """What `norm` adds to half the logarithm of what comes second.

    Source: the series of log Gamma(a + 1/2) - log Gamma(a) in 1/a, good from 30 on; smaller ones
    are shifted there by Gamma(a + 1) = a Gamma(a).
    """
    a, ratio = alpha, 1.0
    while a < 30.0:  # noqa: PLR2004 - where the series is good to the last bit
        ratio *= a / (a + 0.5)
        a += 1.0
    u = 1.0 / a
    u2 = u * u
    series = -u * (0.125 - u2 * (1 / 192 - u2 * (1 / 640 - u2 * (17 / 14336))))
    return series, a * kappa / (kappa + 1.0) * ratio * ratio


@inner
def _weigh_old(
    weight: Array, age: Array, live: int, kappa0: float, alpha0: float, table: int, spare: Array
) -> int:
    """`norm` to the weights of runs that are older than the table; gives how many, all in front."""
    scale, count = spare[0], 0
    while count < live and age[count] >= table:
        _, scale[count] = norm_parts(kappa0 + age[count], alpha0 + 0.5 * age[count])
        count += 1
    log_row(scale, count, scale, spare[1], spare[2])
    for i in range(count):
        series, _ = norm_parts(kappa0 + age[i], alpha0 + 0.5 * age[i])
        weight[i] += series + 0.5 * scale[i] - _HALF_LN_2PI
    return count


@inner
def _weigh(
    numbers: Array, live: int, x: float, settings: Array, norms: Array, spare: Array
) -> None:
    """Every hypothesis absorbs x and multiplies its weight with the density it gave to x."""
    kappa0, alpha0 = settings[KAPPA], settings[ALPHA]
    weight, age, log_rate, grown = numbers[LOG_WEIGHT], numbers[AGE], numbers[LOG_RATE], spare[0]
    if age[0] < norms.size:
        for i in range(live):
            # Unsigned, since a place that might be negative costs a comparison and a choice.
            weight[i] += norms[np.uint64(np.int64(age[i]))]
    else:
        beyond = _weigh_old(weight, age, live, kappa0, alpha0, norms.size, spare)
        for i in range(beyond, live):
            weight[i] += norms[np.uint64(np.int64(age[i]))]
    _update(numbers[MEAN], numbers[RATE], age, live, x, kappa0)
    log_row(numbers[RATE], live, grown, spare[1], spare[2])
    for i in range(live):
        alpha = alpha0 + 0.5 * age[i]
        weight[i] += alpha * (log_rate[i] - grown[i]) - 0.5 * grown[i]
        log_rate[i] = grown[i]
        age[i] += 1.0


@inner
def _update(mean: Array, rate: Array, age: Array, live: int, x: float, kappa0: float) -> None:
    """The Normal-Gamma laws after x."""
    for i in range(live):
        kappa = kappa0 + age[i]
        share = 1.0 / (kappa + 1.0)
        d = x - mean[i]
        rate[i] += 0.5 * kappa * share * d * d
        mean[i] += d * share


@inner
def _largest(values: Array, count: int) -> float:
    """The largest of the first `count`, in the order of their bits: integers fill registers."""
    best = np.int64(_LEAST_BITS)
    for i in range(count):
        bits = np.float64(values[i]).view(np.int64)
        best = max(best, bits ^ ((bits >> 63) & _ALL_BUT_SIGN))
    found: float = np.int64(best ^ ((best >> 63) & _ALL_BUT_SIGN)).view(np.float64)
    return found


@inner
def _smallest(values: Array, count: int) -> float:
    """The smallest of the first `count`, none below 0, in the order of their bits."""
    best = np.int64(_ALL_BUT_SIGN)
    for i in range(count):
        best = min(best, np.float64(values[i]).view(np.int64))
    found: float = np.int64(best).view(np.float64)
    return found


@inner
def _end(
    numbers: Array,
    live: int,
    mass: Array,
    constant: float,
    tables: Array,
    evidence: float,
    total: float,
) -> float:
    """Weights and masses after each run had its chance to end; gives the mass that ended."""
    weight, age = numbers[LOG_WEIGHT], numbers[AGE]
    if constant > 0.0:
        shift, go = tables[LOG_GO, 0] - evidence, (1.0 - tables[END, 0]) / total
        for j in range(live):
            weight[j] += shift
            mass[j] *= go
        return float(tables[END, 0])
    ended = 0.0
    for j in range(live):
        at = min(int(age[j]), tables.shape[1] - 1)
        weight[j] += tables[LOG_GO, at] - evidence
        mass[j] /= total
        ended += mass[j] * tables[END, at]
        mass[j] *= 1.0 - tables[END, at]
    return ended


@inner
def _merge_one(numbers: Array, live: int, mass: Array, smallest: float, most: float) -> int:
    """Merge the first hypothesis of that mass into its neighbour nearest in age."""
    at = 0
    while mass[at] != smallest:
        at += 1
    age = numbers[AGE]
    older = at > 0 and (at == live - 1 or age[at - 1] - age[at] <= age[at] - age[at + 1])
    to = at - 1 if older else at + 1
    mass[to] += smallest
    numbers[LOG_WEIGHT, to] = dlog(mass[to]) + most
    _close(mass[at:live])
    for row in range(numbers.shape[0]):
        _close(numbers[row, at:live])
    return live - 1


@inner
def _close(values: Array) -> None:
    """Each value one place down, over the first. One row at a time goes in vector registers."""
    for i in range(1, values.size):
        values[i - 1] = values[i]


@inner
def _merge(numbers: Array, live: int, mass: Array, least: float, most: float) -> int:
    """Merge the lightest while it weighs less than `least`, or leaves no room; how many are left.

    It goes to its neighbour nearest in age, the older of two as near. Only its mass moves: dropped,
    it would take its share of the evidence along.
    """
    while live > 1:
        smallest = _smallest(mass, live)
        if smallest >= least and live < numbers.shape[1]:
            break
        live = _merge_one(numbers, live, mass, smallest, most)
        if smallest >= least:
            break  # it made room, and what is left weighs no less
    return live


@inner
def _younger(age: Array, live: int, than: float) -> int:
    """How many of the first `live` ages, oldest first, are below it: by halving."""
    low, high = 0, live
    while low < high:
        middle = (low + high) // 2
        if age[middle] < than:
            high = middle
        else:
            low = middle + 1
    return live - low


@inner
def _tell(age: Array, count: Integers, since: int, short: float, mass: Array, told: Array) -> None:
    """What the posterior in `mass` says; `Changepoint` explains each."""
    live = count[LIVE]
    young, late = _younger(age, live, short), _younger(age, live, float(count[SEEN] - since))
    masked = count[SEEN] <= short
    told[SCORE] = 0.0 if masked else min(lane_sum(mass[live - young :], young), 1.0)
    told[RUN_START] = min(lane_sum(mass[live - late :], late), 1.0)
    best = _largest(mass, live)
    at = 0
    while mass[at] != best:
        at += 1
    told[MAP_AGE] = age[at]
    told[MAP_MASS] = best
