"""JSON that people hand over, read so that nothing of it is passed over in silence."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """The value of a text. Raises ValueError for no JSON, a field that comes twice, and NaN."""
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)


def stranger(given: Any, taken: Any, path: str = "") -> str:
    """Where the first field stands that was given and not taken; empty when all were.

    taken: what the given became, as plain JSON values again.
    """
    if isinstance(given, dict) and isinstance(taken, dict):
        for name, value in given.items():
            where = f"{path}.{name}" if path else name
            if name not in taken:
                return where
            if found := stranger(value, taken[name], where):
                return found
    elif isinstance(given, list) and isinstance(taken, list | tuple):
        for place, (one, other) in enumerate(zip(given, taken, strict=False)):
            if found := stranger(one, other, f"{path}.{place}"):
                return found
    return ""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ValueError(f"the field {name[:60]!r} comes twice; once is wanted")
        made[name] = value
    return made


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number")
