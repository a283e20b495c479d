"""Giving a position back without disorder. Apart from the kill, which never sells anything.

Control 14; RTS 6 Article 14(3). A kill cancels; what to do with what is held is decided by people,
and carried out by this, through the same gate as everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swarm.regime.controls.errors import UnwindImpossible
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import PPM


@dataclass(frozen=True, slots=True, kw_only=True)
class UnwindPolicy:
    """participation_ppm: share of the market's recent volume that we may be at most.

    slice_most: lots of one order at most.
    """

    participation_ppm: int
    slice_most: int

    def __post_init__(self) -> None:
        if type(self.participation_ppm) is not int or not 0 < self.participation_ppm <= PPM:
            wrong = f"participation_ppm is {self.participation_ppm!r}; 1 to 1,000,000"
            raise UnwindImpossible(wrong)
        if type(self.slice_most) is not int or self.slice_most <= 0:
            raise UnwindImpossible(f"slice_most is {self.slice_most!r}; at least one lot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One order that brings a position nearer to zero."""

    account: str
    symbol: str
    side: Side
    quantity: int


def unwind(
    held: Mapping[tuple[str, str], int],
    working: Mapping[tuple[str, str], int],
    volume: Mapping[str, int],
    policy: UnwindPolicy,
) -> tuple[Slice, ...]:
    """The next slices: never beyond zero, never above the share, none without a known volume.

    held:    lots by (account, symbol), negative is short.
    working: lots that already work towards zero, by the same.
    volume:  the market's lots since the last slices, by symbol; what is missing is not known.
    """
    allowed = {
        symbol: max(0, lots) * policy.participation_ppm // PPM for symbol, lots in volume.items()
    }
    found = []
    for (account, symbol), lots in sorted(held.items()):
        left = abs(lots) - max(0, working.get((account, symbol), 0))
        quantity = min(left, policy.slice_most, allowed.get(symbol, 0))
        if quantity > 0:
            allowed[symbol] -= quantity
            side = Side.SELL if lots > 0 else Side.BUY
            found.append(Slice(account=account, symbol=symbol, side=side, quantity=quantity))
    return tuple(found)
