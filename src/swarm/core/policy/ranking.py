"""The rank of a need: a sum of named terms in nats (natural-log units), each printable.

Everything that decays or grows with waiting does so at one fixed speed for all needs, so that
the *order* never changes by waiting and one static number per need can be indexed: no row is
ever rewritten because time passed.

Pheromone: a deposit of weight w at time t is worth w * exp(-(now - t) / PHEROMONE_TAU). The
log of the sum, relative to a fixed epoch, is `heat`; waiting takes the same from every need.

Ageing: a need gains one nat per AGE_TAU since it was first seen. Ageing outruns the decay of
pheromone (1 / AGE_TAU > 1 / PHEROMONE_TAU) and every other term is clipped, so an eligible
need overtakes every newcomer within a bounded time: nothing starves.

Learned weights enter as one clipped bias per mission class, added when classes are merged.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from swarm.core.nouns import Need, Risk

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PHEROMONE_TAU = timedelta(days=1)
AGE_TAU = timedelta(hours=8)
RISK_PENALTY = 0.5  #: nats per risk class: R3 must be worth e^1.5 = 4.5 times an R0
COST_UNIT = 100_000  #: micro-units; a need that costs 0.10 has a cost term of zero
VALUE_RANGE = (1e-3, 1e6)
COST_RANGE = (1, 10**13)
BIAS_MAX = 1.0  #: a class can at most be favoured e-fold: one bad day must not bury a class
QUANTUM = 1 / 16  #: 6 %: small deposits leave the index alone

_TAU = PHEROMONE_TAU.total_seconds()
_AGE = AGE_TAU.total_seconds()


def seconds(at: datetime) -> float:
    """Seconds since the fixed epoch; negative before it."""
    return (at - EPOCH).total_seconds()


def deposit(heat: float | None, at: datetime, weight: float = 1.0) -> float:
    """Log-add one deposit of `weight` (> 0) at time `at` to a heat; None is no trail yet.

    Source: log-sum-exp; exact in doubles for thirty years at a decay time of one day.
    """
    fresh = math.log(weight) + seconds(at) / _TAU
    if heat is None:
        return fresh
    high, low = max(heat, fresh), min(heat, fresh)
    return high + math.log1p(math.exp(low - high))


def pheromone(heat: float, now: datetime) -> float:
    """The decayed pheromone at `now`, in deposits (not logged): 1.0 is one fresh deposit."""
    return math.exp(min(heat - seconds(now) / _TAU, 50.0))


def worth(*, value: float, cost: int, confidence: float, risk: Risk) -> float:
    """What a need is worth apart from time, in nats: the terms that only new evidence moves."""
    return (
        _clipped_log(value, *VALUE_RANGE)
        + _confidence_term(confidence)
        + _cost_term(cost)
        - RISK_PENALTY * risk
    )


def static_rank(worth_of_it: float, *, heat: float, first_seen: datetime) -> float:
    """The number the backlog is indexed by, in nats, rounded down to 1/16."""
    raw = worth_of_it + heat - seconds(first_seen) / _AGE
    return math.floor(raw / QUANTUM) * QUANTUM


def terms(need: Need, now: datetime, bias: float = 0.0) -> tuple[tuple[str, float], ...]:
    """The same rank taken apart at `now`; the terms add up to the score that is printed."""
    return (
        ("value", _clipped_log(need.value, *VALUE_RANGE)),
        ("confidence", _confidence_term(need.confidence)),
        ("pheromone", need.heat - seconds(now) / _TAU),
        ("cost", _cost_term(need.cost)),
        ("risk", -RISK_PENALTY * need.risk),
        ("waiting", (seconds(now) - seconds(need.first_seen)) / _AGE),
        ("learned", max(-BIAS_MAX, min(BIAS_MAX, bias))),
    )


def _confidence_term(confidence: float) -> float:
    return _clipped_log(confidence, 1e-3, 1.0)


def _cost_term(cost: int) -> float:
    return -math.log(max(COST_RANGE[0], min(COST_RANGE[1], cost)) / COST_UNIT)


def _clipped_log(number: float, low: float, high: float) -> float:
    return math.log(max(low, min(high, number)))
