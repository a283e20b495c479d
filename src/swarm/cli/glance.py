"""Rows for verbs that only look, in the cheapest way that answers.

Loading the database driver costs more processor time than everything else that `get` does. Where a
database runs already, `adapters.postgres.quick` reads from it without; else, and whenever that way
is closed, the driver is loaded and used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm.cli.desk import ask, home_of, picked

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.runtime.home import Home

Row = dict[str, Any]

#: Columns of `queries/look.sql` that hold instants, and those that hold fractions: JSON has
#: neither. A test compares both ways of reading, so that none is forgotten here.
_INSTANTS = {
    "answered_at", "asked_at", "at", "begun_at", "created_at", "dark_since", "due_at", "ended_at",
    "expires_at", "first_seen", "issued_at", "last_news", "last_seen", "lifted_at", "look_again",
    "not_before", "opened_at", "read_at", "requalified_at", "settled_at", "since", "state_at",
    "until", "used_at", "window_end", "window_start",
}  # fmt: skip
_FRACTIONS = {"confidence", "heat", "rank", "seconds", "trust", "value"}
_NAMED = re.compile(r"%\((\w+)\)s|%%")


def glance(
    home: Path | None,
    kind: str,
    *,
    swarm: str = "",
    like: str = "",
    state: str | None = None,
    limit: int = 100,
) -> list[Row]:
    """Rows of one kind, as `Look.rows` gives them; `swarm` is a name, "" is all of them."""
    place = home_of(home)
    asked = {"like": like, "state": state, "limit": limit}
    quick = _quickly(place, kind, swarm, asked)
    if quick is not None:
        return quick

    async def work(database: Database) -> list[Row]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        id_ = picked(await look.rows("swarms"), swarm) if swarm else None
        return await look.rows(kind, id_, like=like, state=state, limit=limit)

    return ask(home, work)


def _quickly(place: Home, kind: str, swarm: str, asked: Row) -> list[Row] | None:
    """The rows without the driver; None when that way is closed."""
    from swarm.adapters.postgres.quick import NotQuick, reading  # noqa: PLC0415
    from swarm.adapters.postgres.store.statements import statements  # noqa: PLC0415

    dsn = where(place)
    if dsn is None:
        return None
    try:
        with reading(dsn) as reader:

            def read(name: str, given: Row) -> list[Row]:
                query, values = positional(statements("look")[name], given)
                # The statement is a file of ours, never built from input.
                asking = f"select row_to_json(found)::text from ({query}\n) found"  # noqa: S608
                found = reader.rows(asking, values)
                return [_typed(json.loads(text)) for (text,) in found if text is not None]

            id_ = None
            if swarm:
                every = {"swarm": None, "like": "", "state": None, "limit": 500}
                id_ = picked(read("swarms", every), swarm)
            return read(kind, {"swarm": id_, **asked})
    except NotQuick:
        return None


def where(place: Home) -> str | None:
    """The database to look into as it is; None when somebody has to start or choose one first."""
    from swarm.adapters.postgres.layout import lay_out  # noqa: PLC0415
    from swarm.runtime.database_named import EMBEDDED, named  # noqa: PLC0415
    from swarm.runtime.errors import BadSettings  # noqa: PLC0415

    try:
        url, _ = named(place)
    except BadSettings:
        return None
    told = place.read_note().get("dsn")
    if told is None and url != EMBEDDED:
        return url
    meant = lay_out(place.database).dsn if url == EMBEDDED else url
    return meant if told == meant else None


def positional(query: str, given: Mapping[str, Any]) -> tuple[str, list[str | None]]:
    """A statement with `%(name)s` as one with `$1`, and its values as text in that order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    text = _NAMED.sub(number, query)
    return text, [None if given[name] is None else str(given[name]) for name in names]


def _typed(row: Row) -> Row:
    for field, value in row.items():
        if value is None:
            continue
        if field in _INSTANTS:
            row[field] = datetime.fromisoformat(value).astimezone(UTC)
        elif field in _FRACTIONS:
            row[field] = float(value)
    return row
