"""The SQL of the store, read from `queries/*.sql`: one file per noun, one name per statement."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

FOLDER = Path(__file__).parent.parent / "queries"
_ARRAY = re.compile(r"%\((\w+)\)s(?=::\w+\[\])")
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statements(noun: str) -> dict[str, LiteralString]:
    """The statements of `queries/NOUN.sql` by name, comments included: the server's log shows why.

    They are literal strings in psycopg's sense: files of this package, never built from input.
    Arrays travel in binary: as text, each element is escaped by a regular expression, which takes
    thirty times as long.
    """
    text = _ARRAY.sub(r"%(\1)b", (FOLDER / f"{noun}.sql").read_text(encoding="utf-8"))
    parts = _NAME.split(text)[1:]
    return {
        name: cast("LiteralString", body.strip())
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
