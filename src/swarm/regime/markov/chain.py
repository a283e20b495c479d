"""The hidden chain: where it rests in the long run."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from swarm.regime.errors import BadModel


def ergodic(transition: NDArray[np.float64]) -> NDArray[np.float64]:
    """The long-run share of time in each state, shape (K,), sums to 1.

    transition: P[i, j] = Pr(to j | from i), shape (K, K), rows sum to 1.
    Refuses a chain in which some state cannot be reached from some other.

    By elimination of one state after another, with no subtraction at all: every entry is exact to
    a few ulp even when a state is left once in 1e12 ticks, and the bits are the same everywhere. A
    least-squares solver promises neither.
    Source: Grassmann, Taksar and Heyman 1985 (Operations Research 33). Cost: O(K^3).
    """
    flow = [[float(entry) for entry in row] for row in transition]
    count = len(flow)
    for last in range(count - 1, 0, -1):
        leaving = _total(flow[last][:last])
        if not leaving > 0:
            raise _closed(last)
        for i in range(last):
            share = flow[i][last] / leaving
            flow[i][last] = share
            for j in range(last):
                flow[i][j] += share * flow[last][j]
    resting = [1.0]
    for state in range(1, count):
        resting.append(_total(resting[i] * flow[i][state] for i in range(state)))
        if not resting[state] > 0:
            raise _closed(state)
    total = _total(resting)
    return np.array([one / total for one in resting])


def _total(shares: Iterable[float]) -> float:
    """One after the other: from Python 3.12 on `sum` compensates, and gives other bits."""
    return reduce(add, shares, 0.0)


def _closed(state: int) -> BadModel:
    wrong = f"leaves state {state} without a way in or out"
    return BadModel("transition", wrong, "a chain that reaches every state from every other")


def ergodic_pull(
    transition: NDArray[np.float64], resting: NDArray[np.float64], slope: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a slope in the resting shares is as a slope in the transition probabilities, (K, K).

    slope: d objective / d log resting share, shape (K,). The answer holds for changes that leave
    the sum of each row alone.
    Source: d pi = pi dP (I - P + 1 pi')^-1 (Schweitzer 1968, Journal of Applied Probability 5).
    """
    count = len(resting)
    fundamental = np.linalg.inv(np.eye(count) - transition + resting[None, :])
    return np.asarray(resting[:, None] * (fundamental @ (slope / resting))[None, :])
