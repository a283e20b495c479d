"""Which faults a seed brings and how often: drawn anew for each, so that none hides another.

Source: swarm testing, Groce et al. 2012: leaving features out at random finds more than one fixed
mixture, because a fault that happens all the time keeps others from ever being reached.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from swarm.testing.simulation.chance import Fault, Weights

_CALLS = (
    Fault.LOST, Fault.REPLY_LOST, Fault.SLOW, Fault.TWICE, Fault.STALE, Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
)  # fmt: skip
_LIVES = (Fault.KILL, Fault.PAUSE, Fault.STORE_DOWN)
_WORLD = (
    Fault.SOURCE_DOWN, Fault.QUOTA, Fault.DRIFT, Fault.MAIN_MOVED, Fault.NO_METRICS,
    Fault.BAD_WORK, Fault.BAD_CHECK, Fault.BAD_CHANGE, Fault.BAD_START, Fault.REFUSED,
    Fault.CONFLICT, Fault.SKEW, Fault.PERSON, Fault.BAD_CITATION,
)  # fmt: skip
LEFT_OUT = 0.35  #: share of faults that a seed does without
_CRASHES = 0.1  #: crashes at a call are rarer than lost calls, or nothing would ever be done


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Rates per seed.

    store, world: chance per call of each fault.
    rates:        chance per occasion of everything else; an occasion is a deed, or ten minutes.
    """

    store: Weights
    world: Weights
    rates: Weights

    def rate(self, fault: Fault) -> float:
        """The chance of a fault per occasion."""
        return self.rates.get(fault, 0.0)


QUIET = Mix(store={}, world={}, rates={})


def draw(seed: int) -> Mix:
    """The mix of a seed."""
    dice = random.Random(f"mix {seed}")  # noqa: S311 - a seeded draw, no secret

    def some(faults: tuple[Fault, ...], least: float, most: float) -> dict[Fault, float]:
        chosen = [fault for fault in faults if dice.random() >= LEFT_OUT]
        return {fault: least * (most / least) ** dice.random() for fault in chosen}

    def calls(least: float, most: float) -> dict[Fault, float]:
        rates = some(_CALLS, least, most)
        crashes = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)
        return {f: rate * (_CRASHES if f in crashes else 1) for f, rate in rates.items()}

    return Mix(
        store=calls(0.0005, 0.01),
        world=calls(0.005, 0.12),
        rates={**some(_LIVES, 0.02, 0.25), **some(_WORLD, 0.03, 0.25)},
    )
