"""Caps on accounts, sectors, venues and rungs, and who may trade what with which revision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarm.regime.limits import checked
from swarm.regime.limits.errors import LimitsInvalid
from swarm.regime.limits.instrument import DAY, MessageRate
from swarm.regime.nouns import Rung

EVERYTHING = "*"  #: as the only entry of a list of symbols


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalCap:
    """Money in micro-units that one account, or one sector over all accounts, may come to."""

    name: str
    capital: int

    def __post_init__(self) -> None:
        checked.name("cap.name", self.name)
        checked.whole(f"cap[{self.name}].capital", self.capital)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLimits:
    """One venue that may be traded on. A venue that is not listed may not."""

    name: str
    messages: MessageRate

    def __post_init__(self) -> None:
        checked.name("venue.name", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RungCaps:
    """How far a strategy on this rung may spread. Source: RTS 6 Article 8.

    symbols, venues: how many different ones.    positions: how many may be open at once.
    capital:         money in micro-units in positions and working orders.
    """

    rung: Rung
    symbols: int
    venues: int
    positions: int
    capital: int

    def __post_init__(self) -> None:
        if not isinstance(self.rung, Rung):
            raise LimitsInvalid("rungs.rung", f"{self.rung!r} is none", "name a rung")
        for field in ("symbols", "venues", "positions", "capital"):
            checked.whole(f"rungs[{self.rung.label}].{field}", getattr(self, field))


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One account that one trader may trade, where, and what; `*` is every listed symbol."""

    account: str
    trader: str
    venues: tuple[str, ...]
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        checked.name("permission.account", self.account)
        checked.name("permission.trader", self.trader)
        where = f"permission[{self.account}, {self.trader}]"
        checked.names(f"{where}.venues", self.venues, least=1)
        checked.names(f"{where}.symbols", self.symbols, least=1)

    def covers(self, venue: str, symbol: str) -> bool:
        """Whether it allows this."""
        return venue in self.venues and (symbol in self.symbols or self.symbols == (EVERYTHING,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A revision of a strategy that may trade: what it is, where it was tried, who let it go.

    Source: RTS 6 Articles 5 to 7 and 11 (testing, separate environment, management of change).
    """

    strategy: str
    sha: str
    author: str
    tested_in: str
    approved_by: str
    approved_ns: int
    nature: str

    def __post_init__(self) -> None:
        for field in ("strategy", "sha", "author", "tested_in", "approved_by", "nature"):
            checked.name(f"release.{field}", getattr(self, field))
        checked.whole(f"release[{self.strategy}].approved_ns", self.approved_ns, least=1)
        if self.approved_by == self.author:
            where = f"release[{self.strategy}].approved_by"
            raise LimitsInvalid(where, "is its author", "somebody else approves")


class NearDuplicate(StrEnum):
    """What becomes of an order that says the same as a recent one under another id."""

    REFUSE = "refuse"  #: it is refused
    FLAG = "flag"  #: it passes, and the decision says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """How often a strategy may do the same before it is switched off, and what is a duplicate.

    most, window_ns: applications of one strategy to one side of one instrument within the window;
                     the next one switches the strategy off until a person switches it on again.
    duplicate_ns:    for so long the same order under another id is a near duplicate.
    """

    most: int
    window_ns: int
    near: NearDuplicate
    duplicate_ns: int

    def __post_init__(self) -> None:
        checked.whole("repetition.most", self.most, least=1, most=100_000)
        checked.whole("repetition.window_ns", self.window_ns, least=1, most=DAY)
        checked.whole("repetition.duplicate_ns", self.duplicate_ns, least=1, most=DAY)
