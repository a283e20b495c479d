"""A market whose regime is known because it was drawn: five-minute moves of one instrument."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from swarm.regime.engine.params import EngineParams
from swarm.regime.markov.emission import Emission, Shape
from swarm.regime.markov.fit import fit
from swarm.regime.memory.finding import MemoryFinding, examine, volatility
from swarm.regime.nouns import Regime
from swarm.regime.transform.reference import fit_reference

BARS = 78  #: five-minute bars of a day of six and a half hours
BAR_NS = 300 * 1_000_000_000
DAY_NS = 24 * 3600 * 1_000_000_000
OPEN_NS = 1_790_000_000 * 1_000_000_000
PRICE = 10_000  #: ticks, at the beginning
SYMBOL = "ACME"

#: (how far a move is followed by one of its own sign, standard deviation of a move)
_MOVES = {
    Regime.TREND: (0.45, 0.0006),
    Regime.MEAN_REVERT: (-0.40, 0.0006),
    Regime.HIGH_VOL: (0.0, 0.0020),
    Regime.STRESSED_LIQUIDITY: (0.0, 0.0045),
}
#: What each day of the month is like; a longer one goes round.
DAYS = (
    *[Regime.TREND] * 7,
    *[Regime.HIGH_VOL] * 3,
    *[Regime.MEAN_REVERT] * 6,
    *[Regime.TREND] * 3,
    *[Regime.STRESSED_LIQUIDITY] * 1,
    *[Regime.MEAN_REVERT] * 1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its place in the month, when it ends, and the price then, in ticks."""

    day: int
    number: int
    at_ns: int
    price: int
    truth: Regime


@dataclass(slots=True)
class Market:
    """Moves drawn from a seed."""

    seed: int
    moved: float = 0.0
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(f"market {self.seed}")  # noqa: S311 - a seeded draw, no secret

    def move(self, regime: Regime) -> float:
        """The next logarithmic move in this regime."""
        follows, spread = _MOVES[regime]
        self.moved = follows * self.moved + spread * self._dice.gauss(0.0, 1.0)
        return self.moved

    def days(self, count: int) -> Iterator[Bar]:
        """Every bar of so many days."""
        price = float(PRICE)
        for day in range(count):
            truth = DAYS[day % len(DAYS)]
            for number in range(BARS):
                price *= math.exp(self.move(truth))
                at = OPEN_NS + day * DAY_NS + (number + 1) * BAR_NS
                yield Bar(day=day, number=number, at_ns=at, price=round(price), truth=truth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a desk knows before the month. memory: whether what it was fitted on has long memory."""

    params: EngineParams
    memory: MemoryFinding


def learned(seed: int, days: int = 60) -> Learned:
    """A model fitted on days of every regime. Some seconds."""
    market, dice = Market(seed), random.Random(f"past {seed}")  # noqa: S311 - no secret
    moves: list[float] = []
    spreads: list[float] = []
    for _ in range(days):
        regime = dice.choice(tuple(_MOVES))
        for _ in range(BARS):
            moves.append(100.0 * market.move(regime))
            wide = regime is Regime.STRESSED_LIQUIDITY
            spreads.append((1.5 if wide else 0.0) + 0.3 * dice.gauss(0.0, 1.0))
    values = np.array(moves)
    shape = Shape(states=4, lags=1, emission=Emission.GAUSSIAN)
    markov = fit(values, shape, seed=seed, liquidity=np.array(spreads)).params
    params = EngineParams(
        markov=markov, references=(fit_reference(values),), trusted=frozenset({markov.hash()})
    )
    return Learned(params=params, memory=examine(volatility(values)))
