"""Lots held and working, and what they come to at worst; kept up to date, never summed anew.

Of one instrument in one account, with h lots held (negative is short), b lots in working purchases
and s in working sales, the worst that can be held once everything was traded is
max(h + b, s - h) lots. A fill of a purchase leaves h + b as it is and lowers s - h, a close lowers
one of them: so nothing but sending an order can raise it. That is why a check before each order is
enough, whatever the order in which fills, cancellations and refusals come back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from swarm.regime.controls.order import Side

FIRM = ("firm", "")
Scope = tuple[str, str]
"""What money is summed over: (`firm`, ""), (`account`, name), (`sector`, ...), (`symbol`, ...)."""


@dataclass(slots=True)
class Cell:
    """Lots of one instrument: held (signed), in working purchases, in working sales."""

    held: int = 0
    buying: int = 0
    selling: int = 0

    @property
    def worst(self) -> int:
        """The most lots, long or short, that may come to be held."""
        return max(self.held + self.buying, self.selling - self.held)

    def worst_with(self, side: Side, quantity: int) -> int:
        """The same with one more order."""
        buying, selling = self.buying, self.selling
        if side is Side.BUY:
            buying += quantity
        else:
            selling += quantity
        return max(self.held + buying, selling - self.held)

    def work(self, side: Side, quantity: int) -> None:
        """More (or, negative, fewer) lots work on this side."""
        if side is Side.BUY:
            self.buying += quantity
        else:
            self.selling += quantity


class Books:
    """Cells by (owner, symbol), and the sums that the caps are held against.

    Used twice: with accounts as owners, and with strategies. Values are money in micro-units.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.cells: defaultdict[tuple[str, str], Cell] = defaultdict(Cell)
        self.totals: defaultdict[Scope, int] = defaultdict(int)
        self._by_symbol: defaultdict[str, set[str]] = defaultdict(set)
        self._by_owner: defaultdict[str, dict[str, Cell]] = defaultdict(dict)
        self._unknown: set[str] = set()  # symbols of cells that have no value
        self._lot: dict[str, int] = {}
        self._sector: dict[str, str] = {}

    def lot_value(self, symbol: str) -> int | None:
        """What one lot is counted with; None when nobody knows."""
        return self._lot.get(symbol)

    def cell(self, owner: str, symbol: str) -> Cell:
        """A cell to look at; what is not there is an empty one."""
        return self.cells.get((owner, symbol)) or Cell()

    def growth(self, owner: str, symbol: str, side: Side, quantity: int) -> int:
        """By how many lots one more order raises the worst; 0 for one that only reduces."""
        cell = self.cell(owner, symbol)
        return cell.worst_with(side, quantity) - cell.worst

    def scopes(self, owner: str, symbol: str) -> Iterator[Scope]:
        """Every sum that a cell is part of."""
        yield FIRM
        yield self._owner, owner
        yield "symbol", symbol
        yield "sector", self._sector.get(symbol, "")

    def change(self, owner: str, symbol: str, side: Side, *, working: int, held: int) -> None:
        """Add to the working lots of a side and to the lots held, and keep the sums right."""
        cell = self.cells[owner, symbol]
        self._by_symbol[symbol].add(owner)
        self._by_owner[owner][symbol] = cell
        if symbol not in self._lot:
            self._unknown.add(symbol)
        before = cell.worst
        cell.work(side, working)
        cell.held += held
        self._add(owner, symbol, (cell.worst - before) * self._lot.get(symbol, 0))

    def revalue(self, symbol: str, lot_value: int, sector: str) -> None:
        """Count a lot of this instrument with another value, or in another sector."""
        was = self._lot.get(symbol, 0)
        if was == lot_value and self._sector.get(symbol) == sector:
            return
        for owner in self._by_symbol[symbol]:
            self._add(owner, symbol, -self.cells[owner, symbol].worst * was)
        self._lot[symbol], self._sector[symbol] = lot_value, sector
        self._unknown.discard(symbol)
        for owner in self._by_symbol[symbol]:
            self._add(owner, symbol, self.cells[owner, symbol].worst * lot_value)

    def forget_value(self, symbol: str) -> None:
        """Nobody knows the value of this instrument any more."""
        self.revalue(symbol, 0, self._sector.get(symbol, ""))
        self._lot.pop(symbol, None)
        self._unknown.add(symbol)

    def unvalued(self) -> list[str]:
        """Instruments of which something is held or works, and nobody knows the value."""
        return [
            symbol
            for symbol in sorted(self._unknown)
            if any(self.cells[owner, symbol].worst for owner in self._by_symbol[symbol])
        ]

    def of(self, owner: str) -> Iterator[tuple[str, Cell]]:
        """(symbol, cell) of everything that an owner holds or has working."""
        return (
            (symbol, cell)
            for symbol, cell in self._by_owner.get(owner, {}).items()
            if cell.held or cell.buying or cell.selling
        )

    def _add(self, owner: str, symbol: str, value: int) -> None:
        if value:
            for scope in self.scopes(owner, symbol):
                self.totals[scope] += value
