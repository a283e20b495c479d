"""When a status says something new. Times alone never do (API-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TIMES = frozenset(
    {
        "updatedAt",
        "lastTransitionTime",
        "lastDiscoverAt",
        "lastPlanAt",
        "lastImplementAt",
        "lastVerifyAt",
    }
)


def means_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True when both say the same apart from when they were written."""
    return bool(_meaning(one) == _meaning(other))


def _meaning(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _meaning(item) for key, item in value.items() if key not in _TIMES}
    if isinstance(value, list | tuple):
        return [_meaning(item) for item in value]
    return value
