"""A file as a tape: one price for each tick, and readings where it has quotes and trades."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from swarm.regime.elementary import dlog
from swarm.regime.microstructure import Reading
from swarm.regime.nouns import FloatArray, IntArray
from swarm.runtime.regime.cells import (
    TIMES,
    Where,
    column_of,
    instrument_place,
    number_of,
    time_of,
)
from swarm.runtime.regime.errors import TapeRefused
from swarm.runtime.regime.rows import header_of, rows_of

PRICES = ("close", "adj close", "price")
PERCENT = 100.0
MINUTE = 60_000_000_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What of a file is wanted; "" takes the usual names, and the only instrument.

    bar: nanoseconds that quotes and trades are gathered for.
    """

    time: str = ""
    price: str = ""
    instrument: str = ""
    bar: int = MINUTE


@dataclass(frozen=True, kw_only=True)
class Tape:
    """T ticks of one instrument, oldest first.

    at:       nanoseconds UTC, rising. price: NaN where the tick has none.
    readings: of quotes and trades, one for each tick; empty for a tape of bars.
    bar:      nanoseconds of quotes and trades in a tick; 0 for a tape of bars.
    """

    instrument: str
    at: IntArray
    price: FloatArray
    readings: tuple[Reading, ...] = ()
    bar: int = 0

    def __len__(self) -> int:
        return len(self.at)

    def until(self, end: int) -> Tape:
        """The ticks before that time."""
        return self._cut(slice(0, int(np.searchsorted(self.at, end))))

    def after(self, last: int) -> Tape:
        """The ticks behind that time."""
        return self._cut(slice(int(np.searchsorted(self.at, last, side="right")), None))

    def _cut(self, part: slice) -> Tape:
        return Tape(
            instrument=self.instrument,
            at=self.at[part],
            price=self.price[part],
            readings=self.readings[part],
            bar=self.bar,
        )


def returns(price: FloatArray, before: float = math.nan) -> FloatArray:
    """Logarithmic returns in percent, shape (T,), each from the last price that was there.

    NaN where there is no price, or none before it. Our own logarithm, so that a replay gives the
    same bits on every machine.
    """
    found = np.full(len(price), np.nan)
    last = dlog(before) if before > 0 else math.nan
    for tick, one in enumerate(price.tolist()):
        if one > 0:
            now = dlog(one)
            found[tick] = PERCENT * (now - last)
            last = now
    return found


def read(path: Path, asked: Asked) -> Tape:
    """The tape in a CSV or Parquet file. Raises TapeRefused, ExtraMissing, OSError."""
    names, rows = header_of(rows_of(path), path)
    low = {name.lower() for name in names}
    if {"bid", "ask"} <= low and not asked.price:
        from swarm.runtime.regime.quotes import read_quotes  # noqa: PLC0415 - it reads with these

        return read_quotes(path, names, rows, asked)
    return _bars(path, names, rows, asked)


def picked(
    path: Path, names: list[str], rows: Iterator[list[Any]], asked: Asked
) -> Iterator[tuple[Where, str, list[Any]]]:
    """The rows of one instrument, each with where it stands and the instrument's name."""
    place, seen = instrument_place(names), set[str]()
    if place is None and asked.instrument:
        raise TapeRefused(f"{path} names no instrument; leave --instrument out")
    for number, row in enumerate(rows):
        name = "" if place is None else str(row[place]).strip()
        seen.add(name)
        if asked.instrument and name != asked.instrument:
            continue
        if not asked.instrument and len(seen) > 1:
            known = ", ".join(sorted(seen))[:200]
            raise TapeRefused(f"{path} holds several instruments ({known}, ...); name --instrument")
        yield Where(path=path, line=number + 2), name, row
    if asked.instrument and asked.instrument not in seen:
        known = ", ".join(sorted(seen))[:200]
        raise TapeRefused(f"{path} has no instrument {asked.instrument!r}; it has {known}")


def _bars(path: Path, names: list[str], rows: Iterator[list[Any]], asked: Asked) -> Tape:
    time = column_of(names, asked.time, TIMES, path)
    price = column_of(names, asked.price, PRICES, path)
    at, prices, name, last = list[int](), list[float](), "", 0
    for where, instrument, row in picked(path, names, rows, asked):
        now, name = time_of(row[time], where), instrument
        if now <= last:
            wrong = "again" if now == last else "before the row above"
            raise where.refuse("time", f"{row[time]}, {wrong}", "a later time in each row")
        last = now
        at.append(now)
        prices.append(number_of(row[price], names[price], where))
    if sum(not math.isnan(one) for one in prices) < 2:  # noqa: PLR2004 - a return needs two
        raise TapeRefused(f"{path} has fewer than two prices; a return needs two")
    return Tape(instrument=name, at=np.array(at), price=np.array(prices))
