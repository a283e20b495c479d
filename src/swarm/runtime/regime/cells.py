"""Cells of a row as times, prices and sizes: refused by line and column when they are none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from swarm.runtime.regime.errors import TapeRefused
from swarm.runtime.regime.rows import CELL_MOST

TIMES = ("time", "timestamp", "datetime", "date")
INSTRUMENTS = ("instrument", "symbol", "ticker")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS = re.compile(r"[0-9]{16,19}")
_NANOSECONDS_LEAST = 10**15  #: a smaller integer counts seconds, milli- or microseconds
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
#: A price or size beyond these is a fault of the file; their ratios stay numbers.
LEAST, MOST = 1e-12, 1e15


@dataclass(frozen=True, kw_only=True)
class Where:
    """The cell that is being read, for what a refusal says."""

    path: Path
    line: int

    def refuse(self, column: str, value: object, right: str) -> TapeRefused:
        """The refusal of that cell."""
        shown = repr(value)[:60]
        return TapeRefused(f"{self.path} line {self.line}: {column} is {shown}; {right} is wanted")


def column_of(names: Sequence[str], asked: str, usual: Sequence[str], path: Path) -> int:
    """The place of a column: the one that was asked for, or the first of the usual names."""
    low = [name.lower() for name in names]
    if asked:
        if asked in names:
            return names.index(asked)
        raise TapeRefused(f"{path} has no column {asked!r}; it has {', '.join(names)[:200]}")
    for name in usual:
        if low.count(name) > 1:
            alike = ", ".join(one for one in names if one.lower() == name)
            raise TapeRefused(f"{path} has columns {alike}; one of them is wanted")
        if name in low:
            return low.index(name)
    raise TapeRefused(
        f"{path} has no column named {' or '.join(usual)}; it has {', '.join(names)[:200]}"
    )


def instrument_place(names: Sequence[str]) -> int | None:
    """The place of the column that names the instrument; None where there is none."""
    low = [name.lower() for name in names]
    return next((low.index(name) for name in INSTRUMENTS if name in low), None)


def time_of(value: Any, where: Where) -> int:
    """Nanoseconds UTC. ISO 8601, which is UTC where it names no zone, or an integer of them."""
    right = "ISO 8601 such as 2024-03-01T14:30:00Z, or nanoseconds since 1970"
    if type(value) is int:
        found = value
    elif isinstance(value, (datetime, date)):
        found = _nanoseconds(value)
    else:
        text = str(value).strip()[:CELL_MOST]
        if _NANOSECONDS.fullmatch(text):
            found = int(text)
        else:
            try:
                found = _nanoseconds(datetime.fromisoformat(text))
            except ValueError as error:
                raise where.refuse("time", value, right) from error
    if not _NANOSECONDS_LEAST <= found < 2**63 - 1:
        raise where.refuse("time", value, right)
    return found


def _nanoseconds(at: datetime | date) -> int:
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day, tzinfo=UTC)
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000


def number_of(value: Any, column: str, where: Where) -> float:
    """A number above 0; NaN for an empty cell, which is how a file says that there was none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    found = decimal_of(value)
    if found is None or not LEAST <= found <= MOST:
        right = f"a number from {LEAST:g} to {MOST:g}, or an empty cell"
        raise where.refuse(column, value, right)
    return found


def decimal_of(value: Any) -> float | None:
    """A finite number as a file may write it: not `nan`, `1_000` or other scripts' digits."""
    text = str(value).strip()[:CELL_MOST]
    found = float(text) if _NUMBER.fullmatch(text) else math.nan
    return found if math.isfinite(found) else None
