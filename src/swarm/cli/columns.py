"""How rows read: columns of a kind, short ids, spans instead of times, money in units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from swarm.cli.output import Column

MICRO = 1_000_000
SHORT_ID = 10  #: characters of an id in texts: unique among thousands, and short enough to type
ANSWERS = ("pass", "wait", "inconclusive", "fail")  #: by the number of a verdict's answer
_MONEY = {"cap", "reserved", "spent", "left", "cost"}
_IDS = {"name", "id", "mission", "need", "parent", "freeze"}
_COMMITS = {"name", "revision", "commit", "head"}
_COMMIT_LENGTHS = (40, 64)
SHORT_COMMIT = 12
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object as people see it.

    name_from:  the column that names an object.  when_empty: what would fill the list.
    states:     what `--state` may be; empty where a kind has none.
    """

    name: str
    single: str
    short: str
    columns: tuple[Column, ...]
    when_empty: str
    name_from: str = "id"
    states: tuple[str, ...] = ()

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with the `name` that every form of output needs."""
        named = {"name": row[self.name_from], **row}
        if "answer" in row:
            named["verdict"] = verdict_word(row)
        return named

    def for_people(
        self, rows: Sequence[Mapping[str, Any]], now: datetime, *, whole_ids: bool
    ) -> list[dict[str, Any]]:
        """Rows with spans and units. Ids are cut to what tells them apart, unless whole ones."""
        length = None if whole_ids else telling_length([str(row["name"]) for row in rows])
        return [_readable(row, now, length) for row in rows]


def verdict_word(row: Mapping[str, Any]) -> str:
    """A verdict in one word. A gate that nobody configured never reads `pass`."""
    return ANSWERS[row["answer"]] if row.get("configured") else "not configured"


def telling_length(ids: Sequence[str]) -> int:
    """How many characters tell these ids apart; at least SHORT_ID."""
    whole = sorted(set(ids))
    length = SHORT_ID
    for one, other in pairwise(whole):
        same = next(
            (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
            min(len(one), len(other)),
        )
        length = max(length, same + 1)
    return length


def _readable(row: Mapping[str, Any], now: datetime, length: int | None) -> dict[str, Any]:
    shown = dict(row)
    for field, value in row.items():
        if isinstance(value, datetime):
            shown[field] = span(value, now)
        elif field in _MONEY and isinstance(value, int):
            shown[field] = money(value)
        elif field == "risk" and isinstance(value, int):
            shown[field] = f"R{value}"
        elif isinstance(value, str) and length is not None:
            shown[field] = _shortened(field, value, length)
    status = row.get("status")
    if isinstance(status, Mapping):
        shown.update(_status(status, now))
    return shown


def _shortened(field: str, value: str, length: int) -> str:
    if field in _IDS and value[1:2] == "-":
        return value[:length]
    is_commit = field in _COMMITS and len(value) in _COMMIT_LENGTHS
    return value[:SHORT_COMMIT] if is_commit else value


def _status(status: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    ready = [c["status"] for c in status.get("conditions", ()) if c.get("type") == "Ready"]
    rate = status.get("autonomousSuccessRate24h")
    freeze = status.get("freeze") or {}
    until = freeze.get("until")
    return {
        "phase": status.get("phase"),
        "ready": ready[0] if ready else "Unknown",
        "active": status.get("activeMissions", 0),
        "queued": status.get("queuedNeeds", 0),
        "success": None if rate is None else f"{rate:.0%}",
        "frozen_until": span(datetime.fromisoformat(until), now)
        if until
        else ("resumed by hand" if freeze else None),
        "reason": freeze.get("reason"),
        "last_change": status.get("lastProductionChangeRef"),
    }


def span(at: datetime, now: datetime) -> str:
    """How long ago, or `in` how long: 5s, 3m, 2h, 4d."""
    seconds = (now - at).total_seconds()
    text = length_of(abs(seconds))
    return text if seconds >= 0 else f"in {text}"


def length_of(seconds: float) -> str:
    """A span in its largest whole unit: 5s, 3m, 2h, 4d."""
    if seconds < _MINUTE:
        return f"{seconds:.0f}s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f}m"
    if seconds < _DAY:
        return f"{seconds / _HOUR:.0f}h"
    return f"{seconds / _DAY:.0f}d"


def money(micro: int) -> str:
    """Micro-units as people write them."""
    return f"{micro / MICRO:.2f}"


def stamp(at: datetime) -> str:
    """An instant as people write it down, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def columns(*pairs: tuple[str, str], wide: tuple[tuple[str, str], ...] = ()) -> tuple[Column, ...]:
    """Columns from (heading, field) pairs; `wide` ones show with `-o wide` only."""
    shown = [Column(title=title, field=field) for title, field in pairs]
    more = [Column(title=title, field=field, wide=True) for title, field in wide]
    return (*shown, *more)
