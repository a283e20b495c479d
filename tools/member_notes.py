"""The sentence beside each member of an enum: the `#:` comment on its line or right above it.

Python drops comments, so they are read from the source. The same comment then serves the reader of
the code, the reference page and `swarmctl explain`, and can stand in one place only.
"""

from __future__ import annotations

import ast
import inspect
import io
import sys
import textwrap
import tokenize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import Enum

MARK = "#:"


def read(kind: type[Enum]) -> dict[str, str]:
    """The note of each member by the member's name; a member without one ends the program."""
    source = textwrap.dedent(inspect.getsource(kind))
    behind: dict[int, str] = {}
    alone: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.string.startswith(MARK):
            place = alone if token.line.lstrip().startswith(MARK) else behind
            place[token.start[0]] = token.string.removeprefix(MARK).strip()
    notes = {}
    for statement in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            first, last = statement.lineno, statement.end_lineno or statement.lineno
            notes[statement.targets[0].id] = behind.get(last) or block_above(first, alone)
    missing = [member.name for member in kind if not notes.get(member.name)]
    if missing:
        where = f"{kind.__module__}.{kind.__name__}"
        sys.exit(f"{where} has no `#:` sentence beside: {', '.join(missing)}.")
    return notes


def block_above(line: int, comments: dict[int, str]) -> str:
    """The unbroken block of comments that ends right above a line; empty if there is none."""
    above: list[str] = []
    while (line := line - 1) in comments:
        above.insert(0, comments[line])
    return " ".join(above)
