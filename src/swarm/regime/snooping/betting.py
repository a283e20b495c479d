"""Evidence that may be looked at after every observation: a wealth that only skill can make grow.

Whoever bets at fair odds against "no better than the baseline" and multiplies his money by twenty
has seen what happens to the unskilled at most once in twenty times, whenever he looks.

Source: Waudby-Smith and Ramdas 2024, doi:10.1093/jrsssb/qkad009, section 4; Ville 1939.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from swarm.regime.elementary import dlog, dlog1p
from swarm.regime.errors import BadInput

MOST: Final = 0.5
"""The greatest share of the wealth that is bet, so that no single observation can ruin it."""
PRIOR_WEIGHT: Final = 10.0
"""Observations of nothing at all that stand before the first: an early streak moves little."""
PRIOR_SQUARE: Final = 0.0625
"""Mean square of those: what a clipped normal of scale 1/4 has."""


class Wealth(NamedTuple):
    """Of one bet, after `bets` observations. The next stake depends on these alone.

    log:    natural logarithm of the wealth; 0 at the beginning.
    peak:   the greatest it ever was; what was once proven stays so.
    """

    bets: int = 0
    total: float = 0.0
    squares: float = 0.0
    log: float = 0.0
    peak: float = 0.0

    @property
    def stake(self) -> float:
        """The share of the wealth bet on the next observation, in [0, 1/2], from the past only."""
        weight = PRIOR_WEIGHT + self.bets
        square = (PRIOR_WEIGHT * PRIOR_SQUARE + self.squares) / weight
        return min(max(self.total / weight / square, 0.0), MOST)

    def reached(self, alpha: float) -> bool:
        """Whether the null is rejected at `alpha`, now or at any time before."""
        if not 0.0 < alpha < 1.0:
            raise BadInput("alpha", f"is {alpha}", "a probability between 0 and 1")
        return self.peak >= -dlog(alpha)


def bet(wealth: Wealth, observation: float) -> Wealth:
    """The wealth after one observation, a net excess over the baseline scaled to [-1, 1].

    What lies beyond is clipped, which gives up some power and no validity as long as it is skill
    that is betted on; a NaN or an infinity is no observation and is refused by `BadInput`.
    Cost: one logarithm.
    """
    if not math.isfinite(observation):
        raise BadInput("observation", f"is {observation}", "a finite number")
    y = min(max(observation, -1.0), 1.0)
    log = wealth.log + dlog1p(wealth.stake * y)
    return Wealth(
        bets=wealth.bets + 1,
        total=wealth.total + y,
        squares=wealth.squares + y * y,
        log=log,
        peak=max(wealth.peak, log),
    )
