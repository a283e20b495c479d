"""Who and what plays in one simulated installation: drawn from a seed, or written for a profile."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from swarm.testing.simulation import mix as mixes
from swarm.testing.simulation import scene as scenes
from swarm.testing.simulation.mix import Mix
from swarm.testing.simulation.scene import Scene

COST_MOST = 110  #: micro-units; a little above what an agent of a drawn scene is expected to cost


class Size(NamedTuple):
    """How many swarms and controllers there are, and how often they look by themselves."""

    swarms: int
    controllers: int
    poll: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """One installation.

    cost_most: what one run costs at most, in micro-units.
    shadow:    every swarm only recommends, from its first moment on.
    """

    size: Size
    scenes: tuple[Scene, ...]
    mix: Mix
    cost_most: int = COST_MOST
    shadow: bool = False


def size(seed: int) -> Size:
    """The size of a seed's installation: small ones find as much, and in less time."""
    dice = random.Random(f"size {seed}")  # noqa: S311 - a seeded draw, no secret
    swarms, controllers = dice.choice((1, 1, 1, 2)), dice.choice((1, 2, 2, 3))
    return Size(swarms, controllers, timedelta(minutes=dice.choice((2, 5, 15))))


def draw(seed: int) -> Cast:
    """The cast of a seed."""
    of = size(seed)
    drawn = tuple(scenes.draw(seed, number) for number in range(of.swarms))
    return Cast(size=of, scenes=drawn, mix=mixes.draw(seed))
