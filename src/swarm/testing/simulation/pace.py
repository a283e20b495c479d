"""How long simulated work takes, what it costs, and what it says of both before it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from swarm.core.evidence import RunResult
from swarm.ports.reply import Later
from swarm.testing.simulation.chance import Chance

RUNS = 30, 900  #: seconds that an agent works at least, and at most
CHECKS = 5, 240  #: seconds until a check reports
LATE = 1200, 14400  #: seconds until one reports for which nobody waits any more
HARD, HARDER = 0.1, 5.0  #: share of missions that agents fail at, and so many times as often
TELLS = STALLS = 0.5  #: share of agents that do
_TRIED_AGAIN = RunResult.FAILED, RunResult.TIMED_OUT
_FOR_GOOD = RunResult.NOTHING, RunResult.REFUSED


def hard(chance: Chance, mission: str) -> float:
    """How many times as often as elsewhere an agent fails at this mission."""
    return HARDER if chance.number(f"{mission}/hard") < HARD else 1.0


def bad_end(chance: Chance, mission: str, key: str) -> RunResult:
    """How a run ends that an agent fails at; what is hard for all of them is tried again."""
    results = _TRIED_AGAIN if hard(chance, mission) > 1 else (*_TRIED_AGAIN, *_FOR_GOOD)
    return chance.choice(f"{key}/result", results)


def lasts(chance: Chance, key: str, span: tuple[float, float]) -> timedelta:
    """How long the work under a key takes. span: seconds, at least and at most."""
    return timedelta(seconds=chance.number(f"{key}/takes", *span))


def cost(chance: Chance, key: str, most: int) -> int:
    """What it costs in all, micro-units."""
    return int(chance.number(f"{key}/cost", 0, most))


def cost_so_far(chance: Chance, key: str, most: int, left: timedelta) -> int:
    """What a run has cost that needs so long yet, micro-units."""
    return int(cost(chance, key, most) * (1 - left / lasts(chance, key, RUNS)))


def at_work(later: Later, chance: Chance, key: str, so_far: int, *, quota: bool) -> Later:
    """Some agents tell what they cost so far; some stop half-way where there is no capacity."""
    spent = so_far if chance.number(f"{key}/tells") < TELLS else 0
    if quota and chance.number(f"{key}/stalls") < STALLS:
        return replace(later, reason="Quota", capacity=True, spent=spent)
    return replace(later, spent=spent)
