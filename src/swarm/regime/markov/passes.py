"""Forwards and backwards over a whole series: what fitting and reports need, decisions never.

Densities enter already divided by the largest of their tick, so nothing underflows and these loops
hold no exponential. The same loops serve any chain, also one whose state is a whole history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarm.regime.kernel import compiled
from swarm.regime.nouns import FloatArray

#: How far below the best state a density may be held. e^-690 is 1e-300: nothing, and no underflow.
DEEPEST = -690.0


@dataclass(frozen=True, slots=True)
class Smoothed:
    """What a whole series says about each of its ticks.

    loglik:   log-likelihood of the series, nats.
    steps:    its increments, shape (T,).
    filtered: Pr(s_t | x_1..x_t), shape (K, T).
    smoothed: Pr(s_t | x_1..x_T), shape (K, T).
    pairs:    sum over t of Pr(s_t = i, s_{t+1} = j | x_1..x_T), shape (K, K).
    """

    loglik: float
    steps: FloatArray
    filtered: FloatArray
    smoothed: FloatArray
    pairs: FloatArray


def held_apart(log_density: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Densities over the largest of their tick, shape (K, T), and the logs of those, shape (T,)."""
    most = log_density.max(axis=0)
    return np.exp(np.maximum(log_density - most, DEEPEST)), most


@compiled
def forward(
    density: FloatArray,
    transition: FloatArray,
    start: FloatArray,
    filtered: FloatArray,
    predicted: FloatArray,
    total: FloatArray,
) -> None:
    """Fill `filtered` and `predicted`, each (K, T), and `total`, the density of each tick, (T,).

    start: Pr(s_1) before anything is seen. Source: Hamilton 1989, equations 4.5 to 4.8.
    """
    count, ticks = density.shape
    for t in range(ticks):
        for j in range(count):
            if t == 0:
                predicted[j, t] = start[j]
            else:
                mass = 0.0
                for i in range(count):
                    mass += filtered[i, t - 1] * transition[i, j]
                predicted[j, t] = mass
        whole = 0.0
        for j in range(count):
            filtered[j, t] = predicted[j, t] * density[j, t]
            whole += filtered[j, t]
        total[t] = whole
        for j in range(count):
            filtered[j, t] /= whole


@compiled
def backward(
    transition: FloatArray,
    filtered: FloatArray,
    predicted: FloatArray,
    smoothed: FloatArray,
    pairs: FloatArray,
) -> None:
    """Fill `smoothed`, (K, T), and add to `pairs`, (K, K). Source: Kim 1994, equation 2.20."""
    count, ticks = filtered.shape
    ratio = np.empty(count)
    for j in range(count):
        smoothed[j, ticks - 1] = filtered[j, ticks - 1]
    for t in range(ticks - 2, -1, -1):
        for j in range(count):
            # A state that could not be predicted cannot have been; 0/0 is nothing here.
            held = predicted[j, t + 1]
            ratio[j] = smoothed[j, t + 1] / held if held > 0.0 else 0.0
        for i in range(count):
            mass = 0.0
            for j in range(count):
                both = filtered[i, t] * transition[i, j] * ratio[j]
                pairs[i, j] += both
                mass += both
            smoothed[i, t] = mass


def filter_series(
    log_density: FloatArray, transition: FloatArray, start: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Filtered (K, T), predicted (K, T), log-likelihood increments (T,). Cost: O(T K^2)."""
    density, most = held_apart(log_density)
    filtered, predicted = np.empty_like(density), np.empty_like(density)
    total = np.empty(density.shape[1])
    forward(density, transition, start, filtered, predicted, total)
    return filtered, predicted, np.log(total) + most


def smooth_series(log_density: FloatArray, transition: FloatArray, start: FloatArray) -> Smoothed:
    """Kim's smoother. Cost: twice the filter's."""
    filtered, predicted, steps = filter_series(log_density, transition, start)
    smoothed, pairs = np.empty_like(filtered), np.zeros_like(transition)
    backward(transition, filtered, predicted, smoothed, pairs)
    return Smoothed(float(steps.sum()), steps, filtered, smoothed, pairs)
