"""How long simulated work takes, what it costs, and what it says of both before it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from swarm.ports.reply import Later
from swarm.testing.simulation.chance import Chance

TELLS = STALLS = 0.5  #: share of agents that do


def lasts(chance: Chance, key: str, span: tuple[float, float]) -> timedelta:
    """How long the work under a key takes. span: seconds, at least and at most."""
    return timedelta(seconds=chance.number(f"{key}/takes", *span))


def cost(chance: Chance, key: str, most: int) -> int:
    """What it costs in all, micro-units."""
    return int(chance.number(f"{key}/cost", 0, most))


def at_work(later: Later, chance: Chance, key: str, so_far: int, *, quota: bool) -> Later:
    """Some agents tell what they cost so far; some stop half-way where there is no capacity."""
    spent = so_far if chance.number(f"{key}/tells") < TELLS else 0
    if quota and chance.number(f"{key}/stalls") < STALLS:
        return replace(later, reason="Quota", capacity=True, spent=spent)
    return replace(later, spent=spent)
