"""Our books against the venue's, which are the truth. Control 16; RTS 6 Article 17."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from swarm.regime.controls.ledger import Ledger


class DifferenceKind(StrEnum):
    """What does not agree."""

    MISSING = "missing"  #: we think it works; the venue has it not
    UNKNOWN = "unknown"  #: it works there; we never sent it
    REMAINING = "remaining"  #: other lots are left there
    POSITION = "position"  #: another position is held there


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that does not agree. Lots; subject is an order's id, or account and symbol."""

    kind: DifferenceKind
    subject: str
    ours: int
    theirs: int

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.subject} ({self.kind}): {self.ours} here, {self.theirs} there"


def orders(
    ledger: Ledger, venue: str, working: Mapping[str, int], in_flight: Collection[str] = ()
) -> tuple[Difference, ...]:
    """Every order that does not agree with what works at one venue.

    working:   lots left by order id, as the venue says.
    in_flight: orders that may still be on their way; their absence there says nothing.
    """
    ours = {id_: e.remaining for id_, e in ledger.working.items() if e.order.venue == venue}
    found = []
    for id_ in sorted(ours.keys() | working.keys()):
        here, there = ours.get(id_), working.get(id_)
        if here == there:
            continue
        if there is None:
            if id_ in in_flight:
                continue
            kind = DifferenceKind.MISSING
        else:
            kind = DifferenceKind.UNKNOWN if here is None else DifferenceKind.REMAINING
        found.append(Difference(kind=kind, subject=id_, ours=here or 0, theirs=there or 0))
    return tuple(found)


def positions(ledger: Ledger, held: Mapping[tuple[str, str], int]) -> tuple[Difference, ...]:
    """Every position that does not agree with what all venues together say, by account, symbol."""
    ours = {key: cell.held for key, cell in ledger.accounts.cells.items() if cell.held}
    return tuple(
        Difference(
            kind=DifferenceKind.POSITION,
            subject=" ".join(key),
            ours=ours.get(key, 0),
            theirs=held.get(key, 0),
        )
        for key in sorted(ours.keys() | held.keys())
        if ours.get(key, 0) != held.get(key, 0)
    )
