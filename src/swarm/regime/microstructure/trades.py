"""What trades cost: their side, and the effective spread split into what makers keep and impact."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from swarm.regime.errors import BadInput

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of n trades, each relative to the mid before it; shape (n,). NaN where nothing can be said.

    side:      1 bought, -1 sold, 0 unknown.
    effective: 2 side (price - mid) / mid.
    realised:  2 side (price - later mid) / mid.
    impact:    2 side (later mid - mid) / mid, so that effective = realised + impact.
    """

    side: Array
    effective: Array
    realised: Array
    impact: Array


def prevailing(quoted_at: Integers, asked_at: Integers) -> Integers:
    """The place of the quote that stands at each moment: the last one at or before it; -1 for none.

    No lag is allowed for: two seconds more than double the effective spread that is found.
    """
    return np.searchsorted(quoted_at, asked_at, side="right") - 1


def sides(price: Array, mid: Array) -> Array:
    """1 for a buyer's trade, -1 for a seller's, 0 where nothing tells.

    By the mid; at the mid by the last price that differed. Source: Lee and Ready 1991.
    """
    by_quote = np.sign(np.nan_to_num(price - mid))
    moves = np.sign(np.diff(price, prepend=price[:1]))
    last = np.maximum.accumulate(np.where(moves != 0.0, np.arange(price.size), 0))
    by_tick = moves[last] if price.size else moves
    return np.where(by_quote != 0.0, by_quote, by_tick)


def costs(price: Array, mid: Array, later: Array) -> Costs:
    """The costs of trades by the mid at each, and the mid some horizon later (NaN: not yet)."""
    side = np.where(np.isfinite(mid), sides(price, mid), 0.0)
    known = np.where(side != 0.0, side, np.nan)
    return Costs(
        side=side,
        effective=2.0 * known * (price - mid) / mid,
        realised=2.0 * known * (price - later) / mid,
        impact=2.0 * known * (later - mid) / mid,
    )


def square_root_impact(cost: float, sigma: float, quantity: float, volume: float) -> float:
    """The coefficient Y of cost = Y sigma sqrt(quantity / volume).

    cost: of the whole order, relative; sigma: relative, over the period of `volume`.
    Source: Almgren et al. 2005; Toth et al. 2011.
    """
    for name, value in (("sigma", sigma), ("quantity", quantity), ("volume", volume)):
        if not (math.isfinite(value) and value > 0.0):
            raise BadInput(name, f"is {value}", "a finite number above 0")
    if not math.isfinite(cost):
        raise BadInput("cost", f"is {cost}", "a finite number")
    return cost / (sigma * math.sqrt(quantity / volume))
