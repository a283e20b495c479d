"""Quotes and trades gathered into bars: a tick's price is the last mid, its reading the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from swarm.regime.microstructure import Bar, Reading, measure
from swarm.runtime.regime.cells import TIMES, Where, column_of, number_of, time_of
from swarm.runtime.regime.errors import TapeRefused
from swarm.runtime.regime.tape import Asked, Tape, picked

_COLUMNS = ("bid", "bid_size", "ask", "ask_size", "price", "size")
_QUOTE = 4


class Event(NamedTuple):
    """A quote (bid, bid size, ask, ask size) or a trade (price, size)."""

    at: int
    values: tuple[float, ...]


def read_quotes(path: Path, names: list[str], rows: Iterator[list[Any]], asked: Asked) -> Tape:
    """The tape of a file with columns bid, bid_size, ask, ask_size, price, size.

    A row has the first four, and is a quote, or the last two, and is a trade. Events of one moment
    keep their order; a bar in which nothing came is no tick. Nor is the last one: the file may end
    in the middle of it, and what comes later would be lost to whoever goes on from here.
    """
    time = column_of(names, asked.time, TIMES, path)
    places = [column_of(names, "", (name,), path) for name in _COLUMNS]
    events, name, last = list[Event](), "", 0
    for where, instrument, row in picked(path, names, rows, asked):
        now, name = time_of(row[time], where), instrument
        if now < last:
            raise where.refuse("time", row[time], "no earlier time than in the row above")
        last = now
        events.append(Event(now, _values([row[place] for place in places], where)))
    gathered = [
        _gathered(list(part), number * asked.bar, asked.bar)
        for number, part in groupby(events, key=lambda one: one.at // asked.bar)
    ][:-1]
    if len(gathered) < 2:  # noqa: PLR2004 - a return needs two
        raise TapeRefused(f"{path} ends before its third bar; take a shorter --bar")
    return Tape(
        instrument=name,
        at=np.array([int(reading.at[0]) for _, reading in gathered]),
        price=np.array([mid for mid, _ in gathered]),
        readings=tuple(reading for _, reading in gathered),
        bar=asked.bar,
    )


def _values(cells: Sequence[Any], where: Where) -> tuple[float, ...]:
    found = [number_of(cell, column, where) for cell, column in zip(cells, _COLUMNS, strict=True)]
    there = [not math.isnan(one) for one in found]
    if there == [True] * 4 + [False] * 2:
        bid, _, ask, _ = found[:_QUOTE]
        if bid > ask:
            raise where.refuse("bid", f"{bid:g} above the ask {ask:g}", "an uncrossed quote")
        return tuple(found[:_QUOTE])
    if there == [False] * 4 + [True] * 2:
        return tuple(found[_QUOTE:])
    given = [column for column, is_there in zip(_COLUMNS, there, strict=True) if is_there]
    right = "bid, bid_size, ask and ask_size of a quote, or price and size of a trade"
    raise where.refuse("row", given, right)


def _gathered(events: list[Event], begins: int, length: int) -> tuple[float, Reading]:
    quotes = [one for one in events if len(one.values) == _QUOTE]
    trades = [one for one in events if len(one.values) != _QUOTE]
    sides = np.array([one.values for one in quotes]).reshape(-1, _QUOTE)
    made = np.array([one.values for one in trades]).reshape(-1, 2)
    told = measure(
        Bar(
            begins=begins,
            ends=begins + length,
            quoted_at=np.array([one.at for one in quotes], dtype=np.int64),
            bids=sides[:, :1],
            bid_sizes=sides[:, 1:2],
            asks=sides[:, 2:3],
            ask_sizes=sides[:, 3:],
            traded_at=np.array([one.at for one in trades], dtype=np.int64),
            prices=made[:, 0],
            sizes=made[:, 1],
        )
    )
    mid = float(0.5 * (sides[-1, 0] + sides[-1, 2])) if quotes else math.nan
    reading = Reading(
        at=np.array([begins + length]),
        spread=np.array([told.spread]),
        depth=np.array([told.depth]),
        change=np.array([told.change]),
        flow=np.array([told.flow]),
        variance=np.array([told.variance]),
        quote_age=np.array([told.quote_age]),
        crossed=np.array([told.crossed]),
    )
    return mid, reading
