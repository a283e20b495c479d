"""Where EM begins: many guesses of who belongs to which state, drawn from a seed that is data."""

from __future__ import annotations

import hashlib

import numpy as np

from swarm.regime.markov.emission import Series, Shape
from swarm.regime.nouns import FloatArray

#: Windows over which a guess looks at the level or the size of the ticks, in ticks.
WINDOWS = (1, 5, 10, 21, 42, 84)
#: How much of a tick a guess gives to the state it guesses; the rest is shared by all.
FIRMNESS = 0.8


def uniform(seed: int, *counters: int) -> float:
    """A number in [0, 1) that its arguments determine: a hash, because nothing here may draw."""
    text = ":".join(map(str, (seed, *counters)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2.0**48


def guess(series: Series, shape: Shape, seed: int, number: int) -> FloatArray:
    """Start `number` of a fit: shares of the states at each tick, shape (K, T), columns sum to 1.

    Even numbers rank ticks by the size, odd ones by the level of what is around them, and cut the
    ranks at drawn places. Start 0 cuts evenly: the plain guess is always among them.
    """
    window = WINDOWS[number // 2 % len(WINDOWS)]
    looked_at = np.abs(series.x) if number % 2 == 0 else series.x
    count = shape.states
    order = np.argsort(_moving_mean(looked_at, window), kind="stable")
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) / len(order)
    drawn = [0.2 + uniform(seed, number, state) for state in range(count)]
    parts = np.ones(count) if number == 0 else np.array(drawn)
    cuts = np.cumsum(parts / parts.sum())[:-1]
    member = np.searchsorted(cuts, rank, side="right")
    shares = np.full((count, len(rank)), (1 - FIRMNESS) / count)
    shares[member, np.arange(len(rank))] += FIRMNESS
    return shares


def _moving_mean(values: FloatArray, window: int) -> FloatArray:
    """The mean of about `window` ticks around each, shape (T,)."""
    ticks = len(values)
    summed = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(ticks) - window // 2, 0)
    last = np.minimum(first + window, ticks)
    return np.asarray((summed[last] - summed[first]) / (last - first))
