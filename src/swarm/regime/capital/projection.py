"""The nearest allowed shares to the wanted ones, without a solver.

The answer to "minimise the squared distance, with bounds and a total" is to take the same amount
from everyone and to clip; the amount is found by sorting. Sums are rounded once (`fsum`), so the
order of the experts changes nothing.

Source: Kiwiel 2008, doi:10.1007/s10107-006-0050-z (continuous quadratic knapsack).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

HALVINGS = 80
"""Of an interval no longer than 1: far below the last bit of a share."""


class Group(NamedTuple):
    """Experts, by place, whose shares together may come to `cap` at most. Groups do not overlap."""

    members: tuple[int, ...]
    cap: float


def project(wanted: Sequence[float], most: Sequence[float], total: float) -> list[float]:
    """Shares between 0 and `most` each, at most `total` together, nearest to `wanted`.

    A lower total, and a lower bound of anybody, never raises the one who is bounded.
    Cost: O(E log E).
    """
    return _clipped(wanted, most, _amount(wanted, most, max(total, 0.0)))


def project_grouped(
    wanted: Sequence[float], most: Sequence[float], total: float, groups: Sequence[Group]
) -> list[float]:
    """The same with a cap on each group besides. Cost: O(E log E) for each of 80 halvings."""
    alone = set(range(len(wanted))) - {place for group in groups for place in group.members}
    parts = [*groups, *(Group((place,), most[place]) for place in sorted(alone))]

    def within(amount: float) -> list[float]:
        shares = [0.0] * len(wanted)
        for part in parts:
            here = [wanted[place] - amount for place in part.members]
            bounds = [most[place] for place in part.members]
            for place, share in zip(part.members, project(here, bounds, part.cap), strict=True):
                shares[place] = share
        return shares

    if math.fsum(free := within(0.0)) <= total:
        return free
    low, high = 0.0, max([*wanted, 0.0])
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if math.fsum(within(middle)) <= total else (middle, high)
    return within(high)  # the side on which the total is kept


def _clipped(wanted: Sequence[float], most: Sequence[float], amount: float) -> list[float]:
    return [min(max(want - amount, 0.0), cap) for want, cap in zip(wanted, most, strict=True)]


def _amount(wanted: Sequence[float], most: Sequence[float], total: float) -> float:
    """How much is taken from everyone, at least 0."""
    if math.fsum(_clipped(wanted, most, 0.0)) <= total:
        return 0.0
    # Between two neighbouring corners the sum falls in a straight line.
    corners = sorted({0.0, *(w for w in wanted if w > 0), *_upper_corners(wanted, most)})
    low, high = 0, len(corners) - 1
    while high - low > 1:
        middle = (low + high) // 2
        above = math.fsum(_clipped(wanted, most, corners[middle])) > total
        low, high = (middle, high) if above else (low, middle)
    left, right = corners[low], corners[high]
    at_left = math.fsum(_clipped(wanted, most, left))
    at_right = math.fsum(_clipped(wanted, most, right))
    amount = left + (right - left) * (at_left - total) / (at_left - at_right)
    # Rounding may leave the sum a hair above the total, and a limit is a limit.
    step = math.ulp(max(amount, total))
    while math.fsum(_clipped(wanted, most, amount)) > total and amount < right:
        amount, step = amount + step, step * 2.0
    return min(amount, right)


def _upper_corners(wanted: Sequence[float], most: Sequence[float]) -> list[float]:
    return [w - cap for w, cap in zip(wanted, most, strict=True) if w > cap]
