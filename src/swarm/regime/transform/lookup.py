"""From an observation to its rank u in [0, 1] and its normal score z in [-4, 4], in some 30 ns.

A Student-t distribution function costs a continued fraction; a table of cubics costs one logarithm.
The tables themselves are made with our own arithmetic, so their bits are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from swarm.regime.elementary import dexp, dlgamma, dlog, dlog1p, log_row
from swarm.regime.kernel import inner
from swarm.regime.transform.normal import density, score
from swarm.regime.transform.reference import Reference

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: Where normal scores are cut off: an outlier must not start a new run for ever.
CLIP = 4.0
#: Beyond this many scales even two degrees of freedom have a score above CLIP.
_REACH = 130.0
_CELLS = 256
_STEP = 4.875197323201151 / _CELLS  # log(1 + _REACH) / _CELLS
_PER_STEP = _CELLS / 4.875197323201151
#: Scores are tabulated a little beyond CLIP, so that the cell that CLIP lies in is a true one.
_BEYOND = 5.0
#: Gauss and Legendre's five points and weights on [-1, 1].
_POINTS = (-0.906179845938664, -0.5384693101056831, 0.0, 0.5384693101056831, 0.906179845938664)
_SHARES = (
    0.23692688505618908,
    0.47862867049936647,
    0.5688888888888889,
    0.47862867049936647,
    0.23692688505618908,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """References of S streams, prepared.

    place:  shape (S, 2), location and one over the scale.
    which:  shape (S,), the table of each stream; equal degrees of freedom share one.
    tables: shape (V, 256, 8), the cubics of z and of u in each cell.
    """

    place: Array
    which: Integers
    tables: Array


def prepare(references: Sequence[Reference]) -> Lookup:
    """The lookup of these streams, in their order."""
    degrees = sorted({one.degrees for one in references})
    return Lookup(
        place=np.array([[one.location, 1.0 / one.scale] for one in references]).reshape(-1, 2),
        which=np.array([degrees.index(one.degrees) for one in references], dtype=np.int64),
        tables=np.array([_table(one) for one in degrees]).reshape(-1, _CELLS, 8),
    )


def scores(observations: Array, lookup: Lookup) -> tuple[Array, Array]:
    """Ranks u and scores z of one observation for each stream; NaN where it is not finite."""
    u, z = np.empty_like(observations), np.empty_like(observations)
    _scores(observations, lookup.place, lookup.which, lookup.tables, u, z)
    return u, z


@inner
def _scores(x: Array, place: Array, which: Integers, tables: Array, u: Array, z: Array) -> None:
    for s in range(x.size):
        u[s], z[s] = rank_and_score(x[s], place[s], tables[which[s]])


@inner
def rank_and_score(x: float, place: Array, table: Array) -> tuple[float, float]:
    """U and z of one observation by one table; both NaN when it is not finite."""
    if not abs(x) < np.inf:
        return np.nan, np.nan
    y = (x - place[0]) * place[1]
    far = abs(y)
    if far >= _REACH:
        z, u = CLIP, 1.0
    else:
        at = dlog(1.0 + far) * _PER_STEP
        cell = min(int(at), _CELLS - 1)
        t = at - cell
        row = table[cell]
        z = min(row[0] + t * (row[1] + t * (row[2] + t * row[3])), CLIP)
        u = min(row[4] + t * (row[5] + t * (row[6] + t * row[7])), 1.0)
    return (u, z) if y >= 0.0 else (1.0 - u, -z)


@inner
def rank_row(y: Array, table: Array, u: Array, spare: Array) -> None:
    """The ranks of a row of standardised observations by one table, none NaN.

    As `rank_and_score` has them, for a fifth of the time. spare: four rows, to work in.
    """
    far, at = spare[0], spare[1]
    for i in range(y.size):
        far[i] = 1.0 + min(_REACH, abs(y[i]))
    log_row(far, y.size, at, spare[2], spare[3])
    for i in range(y.size):
        place = at[i] * _PER_STEP
        cell = min(int(place), _CELLS - 1)
        t = place - cell
        row = table[np.uint64(cell)]
        above = min(row[4] + t * (row[5] + t * (row[6] + t * row[7])), 1.0)
        above = above if abs(y[i]) < _REACH else 1.0
        u[i] = above if y[i] >= 0.0 else 1.0 - above


@lru_cache(maxsize=64)
def _table(degrees: float) -> Array:
    table = np.empty((_CELLS, 8))
    _fill(degrees, table)
    return table


@inner
def _fill(degrees: float, table: Array) -> None:
    """The cubics that join the values and slopes of z and u at the ends of each cell.

    The axis is h = log(1 + |y|). u is integrated cell by cell; z is its normal quantile, whose
    slope is the ratio of the two densities. At most 2e-6 off in z and 5e-9 in u, up to the
    reach, where u jumps to 1.
    """
    constant = dlgamma(0.5 * degrees + 0.5) - dlgamma(0.5 * degrees)
    constant -= 0.5 * dlog(degrees * np.pi)
    left, u0, z0 = _slope(0.0, degrees, constant), 0.5, 0.0
    z0_slope = left / density(0.0)
    for cell in range(_CELLS):
        u1 = min(u0 + _area(cell, degrees, constant), 1.0)
        right = _slope((cell + 1) * _STEP, degrees, constant)
        z1 = score(u1, _BEYOND)
        z1_slope = right / density(z1) if z1 < _BEYOND else 0.0
        _join(table[cell, :4], z0, z1, z0_slope, z1_slope)
        _join(table[cell, 4:], u0, u1, left, right)
        left, u0, z0, z0_slope = right, u1, z1, z1_slope


@inner
def _join(row: Array, a: float, b: float, a_slope: float, b_slope: float) -> None:
    """The cubic on [0, 1] from a to b with these slopes per unit of h (Hermite)."""
    c, d = a_slope * _STEP, b_slope * _STEP
    row[0], row[1] = a, c
    row[2] = 3.0 * (b - a) - 2.0 * c - d
    row[3] = 2.0 * (a - b) + c + d


@inner
def _slope(h: float, degrees: float, constant: float) -> float:
    """The t density per unit of h."""
    grown = dexp(h)
    y = grown - 1.0
    return grown * dexp(constant - 0.5 * (degrees + 1.0) * dlog1p(y * y / degrees))


@inner
def _area(cell: int, degrees: float, constant: float) -> float:
    """The probability of one cell, by Gauss and Legendre's rule."""
    total = 0.0
    for i in range(5):
        h = (cell + 0.5 + 0.5 * _POINTS[i]) * _STEP
        total += _SHARES[i] * _slope(h, degrees, constant)
    return 0.5 * total * _STEP
