"""What goes to stdout: data in the asked form. Talk and progress go to stderr.

Tables are drawn for people on a terminal; piped output is tab-separated, so that scripts read
it. Nothing here imports Rich unless a terminal is looking at it: plain commands start fast.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


class Form(StrEnum):
    """The forms of `-o`."""

    TABLE = "table"  #: columns for people
    WIDE = "wide"  #: the same with more columns
    JSON = "json"  #: one JSON document
    YAML = "yaml"  #: one YAML document
    NAME = "name"  #: kind/name per line, for scripts
    JSONL = "jsonl"  #: one JSON document per line


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its heading, the field it shows, and whether only `wide` shows it."""

    title: str
    field: str
    wide: bool = False


def visible(text: str) -> str:
    """Text with every control or invisible character escaped: titles come from outside (T26)."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def colours() -> bool:
    """True when stdout is a terminal and nobody asked for plain output."""
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def say(text: str = "") -> None:
    """One line of talk, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def emit(text: str = "") -> None:
    """One line of data, on stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], form: Form, *, kind: str
) -> None:
    """Print a list of objects in the asked form."""
    match form:
        case Form.JSON:
            emit(json.dumps({"kind": f"{kind}List", "items": list(rows)}, indent=2, default=str))
        case Form.JSONL:
            for row in rows:
                emit(json.dumps(row, default=str))
        case Form.YAML:
            emit(as_yaml({"kind": f"{kind}List", "items": list(rows)}))
        case Form.NAME:
            for row in rows:
                emit(f"{kind.lower()}/{row['name']}")
        case Form.TABLE | Form.WIDE:
            shown = [column for column in columns if form is Form.WIDE or not column.wide]
            _table(rows, shown)


def show_one(item: Mapping[str, Any], form: Form) -> None:
    """Print one object as JSON or YAML."""
    if form is Form.YAML:
        emit(as_yaml(item))
    elif form is Form.JSONL:
        emit(json.dumps(item, default=str))
    else:
        emit(json.dumps(item, indent=2, default=str))


def as_yaml(item: Any) -> str:
    """YAML of plain data, in the order of its keys."""
    import yaml  # noqa: PLC0415 - 20 ms that only -o yaml pays

    plain = json.loads(json.dumps(item, default=str))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)).rstrip()


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    cells = [[_cell(row.get(column.field)) for column in columns] for row in rows]
    if not sys.stdout.isatty():
        for line in [[column.title for column in columns], *cells]:
            emit("\t".join(line))
        return
    widths = [
        max([len(column.title), *(len(line[number]) for line in cells)])
        for number, column in enumerate(columns)
    ]
    head = _padded((column.title for column in columns), widths)
    emit(f"\x1b[1m{head}\x1b[0m" if colours() else head)
    for line in cells:
        emit(_padded(line, widths))


def _padded(line: Iterable[str], widths: Sequence[int]) -> str:
    pairs = zip(line, widths, strict=True)
    return "   ".join(text.ljust(width) for text, width in pairs).rstrip()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(visible(str(item)) for item in value) or "-"
    return visible(str(value)).replace("\n", " ")
