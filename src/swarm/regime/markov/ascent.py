"""Minimising a smooth function of some dozens of unknowns: BFGS, and no library for it.

scipy would do the same and is no dependency of this product. The inverse Hessian is kept whole,
because a Markov model has a few dozen parameters and not thousands.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from swarm.regime.nouns import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]

#: Armijo's and Wolfe's fractions (Nocedal and Wright 2006, section 3.1).
DECREASE, CURVATURE = 1e-4, 0.9
TRIES = 30


def minimise(
    objective: Objective, start: FloatArray, *, rounds: int = 200, tolerance: float = 1e-6
) -> tuple[FloatArray, float]:
    """The lowest point found downhill from `start`, and its value; never worse than the start.

    objective: the value and its gradient; an infinite value is a place not to go.
    tolerance: ends when no gradient entry is larger, relative to max(1, |value|).
    Source: Nocedal and Wright 2006, algorithm 6.1; the line search is Lewis and Overton's 2013.
    """
    at = start
    value, slope = objective(at)
    inverse = np.eye(len(at)) / max(1.0, float(np.linalg.norm(slope)))
    for turn in range(rounds):
        if np.abs(slope).max(initial=0.0) <= tolerance * max(1.0, abs(value)):
            break
        direction = -inverse @ slope
        if float(direction @ slope) >= 0:
            # Rounding has spoilt the curvature; the steepest way is always a way down.
            inverse = np.eye(len(at)) / max(1.0, float(np.linalg.norm(slope)))
            direction = -inverse @ slope
        found = _along(objective, at, value, slope, direction)
        if found is None:
            break
        moved, lower, steeper = found
        step, change = moved - at, steeper - slope
        at, value, slope = moved, lower, steeper
        if (product := float(step @ change)) > 1e-14 * float(change @ change):
            if turn == 0:
                inverse = np.eye(len(at)) * (product / float(change @ change))
            left = np.eye(len(at)) - np.outer(step, change) / product
            inverse = left @ inverse @ left.T + np.outer(step, step) / product
    return at, value


def _along(
    objective: Objective, at: FloatArray, value: float, slope: FloatArray, direction: FloatArray
) -> tuple[FloatArray, float, FloatArray] | None:
    """A point along `direction` that is low and flat enough; None where none can be found."""
    descent = float(direction @ slope)
    least, most, length = 0.0, np.inf, 1.0
    best = None
    for _ in range(TRIES):
        moved = at + length * direction
        lower, steeper = objective(moved)
        if not lower <= value + DECREASE * length * descent:
            most = length
        else:
            best = (moved, lower, steeper)
            if float(direction @ steeper) >= CURVATURE * descent:
                break
            least = length
        length = 2 * length if most == np.inf else (least + most) / 2
    return best
