"""What goes to stdout: data in the asked form. Talk and progress go to stderr.

Tables are drawn for people on a terminal; piped output is tab-separated, so that scripts read
it. Nothing here imports Rich: plain commands start fast.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TextIO

#: The shape of every JSON and YAML document; the same as of the Swarm object.
API_VERSION = "swarm.proompteng.ai/v1alpha1"

#: Control characters, and what no eye sees or what turns text around: titles come from outside.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LAST_LEAST = 12  #: characters that the last column keeps on however narrow a terminal


class Form(StrEnum):
    """The forms of `-o`."""

    TABLE = "table"  #: columns for people
    WIDE = "wide"  #: the same with more columns
    JSON = "json"  #: one JSON document
    YAML = "yaml"  #: one YAML document
    NAME = "name"  #: kind/name per line, for scripts
    JSONL = "jsonl"  #: one JSON document per line

    @property
    def for_people(self) -> bool:
        """True for the forms that are read by eye."""
        return self in {Form.TABLE, Form.WIDE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its heading, the field it shows, and whether only `wide` shows it."""

    title: str
    field: str
    wide: bool = False


def visible(text: str) -> str:
    r"""Text with every control or invisible character escaped as `\x1b` or `\u202e`.

    Line ends and tabs stay. Source: Unicode 16, general categories Cc and Cf and the fillers.
    """
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004


def line(text: str) -> str:
    """The same as one line."""
    return " ".join(visible(text).split())


@dataclass(slots=True)
class Manners:
    """How this call was asked to talk: `--quiet` and `--progress=plain`, which every verb takes."""

    quiet: bool = False
    plain: bool = False


MANNERS = Manners()


def interactive(stream: TextIO | None = None) -> bool:
    """True when a terminal that can move its cursor looks at stdout, and may be drawn on."""
    looked_at = stream or sys.stdout
    return looked_at.isatty() and os.environ.get("TERM") != "dumb" and not MANNERS.plain


def colours() -> bool:
    """True when stdout is a terminal and nobody asked for plain output."""
    return interactive() and not os.environ.get("NO_COLOR")


def say(text: str = "") -> None:
    """One line of talk, on stderr: progress and hints, which `--quiet` leaves out."""
    if not MANNERS.quiet:
        complain(text)


def complain(text: str) -> None:
    """One line on stderr that is told however quiet it shall be: errors, warnings, questions."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def emit(text: str = "") -> None:
    """One line of data, on stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def document(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A document with its version and kind in front."""
    return {"apiVersion": API_VERSION, **item(kind, body)}


def item(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """An object with its kind in front; a `kind` of its own becomes, say, `mission_kind`."""
    own = {"kind": f"{kind.lower()}_kind", "apiVersion": "apiVersion"}
    return {"kind": kind, **{own.get(key, key): value for key, value in body.items()}}


def as_json(item: Any, *, indent: int | None = 2) -> str:
    """JSON of plain data; times as ISO 8601, spans in seconds. Non-ASCII text is escaped."""
    return json.dumps(item, indent=indent, default=_plain)


def as_yaml(item: Any) -> str:
    """YAML of plain data, in the order of its keys. Invisible characters are escaped."""
    import yaml  # noqa: PLC0415 - 20 ms that only -o yaml pays

    plain = json.loads(as_json(item))
    text = str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100))
    if _UNSEEN.search(text):
        text = str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=100))
    return text.rstrip()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def show(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], form: Form, *, kind: str
) -> None:
    """Print a list of objects in the asked form. Each row has a `name`."""
    match form:
        case Form.JSON:
            emit(as_json(document(f"{kind}List", {"items": [item(kind, row) for row in rows]})))
        case Form.JSONL:
            for row in rows:
                emit(as_json(item(kind, row), indent=None))
        case Form.YAML:
            emit(as_yaml(document(f"{kind}List", {"items": [item(kind, row) for row in rows]})))
        case Form.NAME:
            for row in rows:
                emit(f"{kind.lower()}/{line(str(row['name']))}")
        case Form.TABLE | Form.WIDE:
            table(rows, [column for column in columns if form is Form.WIDE or not column.wide])


def show_one(kind: str, body: Mapping[str, Any], form: Form) -> None:
    """Print one object as a document of its own."""
    if form is Form.NAME:
        emit(f"{kind.lower()}/{line(str(body.get('name') or body.get('id') or ''))}")
    elif form is Form.YAML:
        emit(as_yaml(document(kind, body)))
    else:
        emit(as_json(document(kind, body), indent=None if form is Form.JSONL else 2))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Print columns: aligned and cut to the width on a terminal, tab-separated elsewhere."""
    cells = [[cell(row.get(column.field)) for column in columns] for row in rows]
    titles = [column.title for column in columns]
    if not sys.stdout.isatty():
        for words in [titles, *cells]:
            emit("\t".join(words))
        return
    widths = [
        max([len(title), *(len(words[number]) for words in cells)])
        for number, title in enumerate(titles)
    ]
    before = sum(widths[:-1]) + 3 * (len(widths) - 1)
    last = max(_LAST_LEAST, _screen_width() - before)
    head = _padded(titles, widths)
    emit(f"\x1b[1m{head}\x1b[0m" if colours() else head)
    for words in cells:
        cut = words[-1] if len(words[-1]) <= last else f"{words[-1][: last - 1]}…"
        emit(_padded([*words[:-1], cut], widths))


def _screen_width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80


def _padded(words: Iterable[str], widths: Sequence[int]) -> str:
    pairs = zip(words, widths, strict=True)
    return "   ".join(text.ljust(width) for text, width in pairs).rstrip()


def cell(value: Any) -> str:
    """One value as it stands in a table: one line, nothing invisible, `-` for nothing."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(line(str(item)) for item in value) or "-"
    return line(str(value)) or "-"
