"""Looking at one field of a LimitSet. Each gives nothing, or raises LimitsInvalid by its name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from swarm.regime.limits.errors import LimitsInvalid

#: Postgres keeps money as bigint; no sum of a thousand of these leaves 128 bits.
LARGEST = 2**62
_NAME_MOST = 128
#: A list in a LimitSet longer than this is a mistake or an attack.
_LIST_MOST = 20_000


def whole(field: str, value: Any, *, least: int = 0, most: int = LARGEST) -> None:
    """An integer within [least, most]; a float or a bool is none, not even 1.0 or True."""
    if type(value) is not int:
        raise LimitsInvalid(field, f"{value!r:.60} is no integer", "write a whole number")
    if not least <= value <= most:
        raise LimitsInvalid(field, f"{value} is out of bounds", f"{least} to {most} is allowed")


def name(field: str, value: Any) -> None:
    """A name that people and journals can show: printable, not empty, at most 128 characters."""
    if not isinstance(value, str) or not value.strip():
        raise LimitsInvalid(field, "is empty", "write a name")
    if len(value) > _NAME_MOST:
        raise LimitsInvalid(field, f"has {len(value)} characters", f"at most {_NAME_MOST}")
    if value != value.strip() or any(unicodedata.category(sign)[0] == "C" for sign in value):
        raise LimitsInvalid(field, f"{value!r:.60} cannot be shown as it is", "use plain text")


def names(field: str, values: Any, *, least: int = 0) -> None:
    """A tuple of distinct names."""
    listed(field, values, least=least)
    for value in values:
        name(field, value)
    distinct(field, values)


def listed(field: str, values: Any, *, least: int = 0) -> None:
    """A tuple of a reasonable length."""
    if not isinstance(values, tuple):
        raise LimitsInvalid(field, f"is {type(values).__name__}", "write a list")
    if not least <= len(values) <= _LIST_MOST:
        right = f"{least} to {_LIST_MOST} are allowed"
        raise LimitsInvalid(field, f"has {len(values)} entries", right)


def distinct(field: str, keys: Iterable[Any]) -> None:
    """No key twice: of two entries for one thing, nobody could say which holds."""
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            raise LimitsInvalid(field, f"{key!r:.60} is there twice", "name each once")
        seen.add(key)


def rising(field: str, values: Sequence[int], *, along: str) -> None:
    """No value is less than the one before it."""
    if any(after < before for before, after in pairwise(values)):
        raise LimitsInvalid(field, f"{list(values)} does not rise", f"it may only grow {along}")
