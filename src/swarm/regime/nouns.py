"""The nouns of the regime runtime: regime, posture, rung, and the order of caution among them."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
"""Statistics only: money is integer minor units or Decimal, never one of these."""
IntArray = NDArray[np.int64]


class Regime(StrEnum):
    """What the market is doing, as far as anyone can tell."""

    TREND = "trend"  #: moves are followed by moves of the same sign
    MEAN_REVERT = "mean-revert"  #: moves are taken back
    HIGH_VOL = "high-vol"  #: moves are large, whatever their sign
    STRESSED_LIQUIDITY = "stressed-liquidity"  #: trading itself moves the price
    UNCERTAIN = "uncertain"  #: a decision, never a hidden state: we do not claim to know


HIDDEN: Final = (
    Regime.TREND,
    Regime.MEAN_REVERT,
    Regime.HIGH_VOL,
    Regime.STRESSED_LIQUIDITY,
)
"""The regimes that have a probability. Every posterior vector has this order."""

DEFENSIVENESS: Final[dict[Regime, int]] = {
    Regime.TREND: 0,
    Regime.MEAN_REVERT: 0,
    Regime.HIGH_VOL: 1,
    Regime.STRESSED_LIQUIDITY: 2,
    # Not to know is as bad as the worst that could be: it gets the same exposure as stress.
    Regime.UNCERTAIN: 2,
}
"""How much caution a regime asks for; between equals neither is the more defensive."""


class Posture(StrEnum):
    """How much we dare, which is another question than what the market is doing."""

    NORMAL = "normal"  #: the full exposure of the active regime
    DEFENSIVE = "defensive"  #: reduced exposure: uncertain, stressed, or about to be
    FROZEN = "frozen"  #: no exposure until the freeze is lifted


class Rung(IntEnum):
    """A step of the capital ladder; the number is the percent of the cap that may be used.

    The order of the numbers is the order of the ladder, so `min` of two rungs is the safer one.
    """

    SHADOW = 0  #: decides on paper, holds nothing
    ONE = 1  #: one percent
    FIVE = 5  #: five percent
    TWENTY = 20  #: twenty percent
    FULL = 100  #: everything its risk budget allows

    @property
    def capital_share(self) -> float:
        """The share of the expert's cap that this rung allows, in [0, 1]."""
        return int(self) / 100

    @property
    def label(self) -> str:
        """As people write it: shadow, 1%, 5%, 20%, full."""
        return {Rung.SHADOW: "shadow", Rung.FULL: "full"}.get(self, f"{int(self)}%")

    @property
    def above(self) -> Rung:
        """The next rung, never the one after it; the top has itself above it."""
        return LADDER[min(LADDER.index(self) + 1, len(LADDER) - 1)]

    @property
    def below(self) -> Rung:
        """The rung one step down; the bottom has itself below it."""
        return LADDER[max(LADDER.index(self) - 1, 0)]


LADDER: Final = tuple(Rung)
"""Every rung, from the floor up."""
