"""What no mission may touch: the trading controls and limits stay under people's direct control.

Source: 17 CFR 240.15c3-5(d), direct and exclusive control. Held at selection (what a need names),
at merge (what a change touches, whoever approved it) and at load (limits count only as signed).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from swarm.core.policy.risk import matches

#: Patterns as risk rules have them; case is folded. Nothing in an installation takes one away.
PATTERNS: Final = (
    "**/regime/controls/**",
    "**/regime/limits/**",
    "**/runtime/trading/**",
    "**/limit-set*.json",
    "**/limit-set*.sig",
    "**/roster*.json",
)


def touched(paths: Iterable[str]) -> str | None:
    """The first path that is under exclusive control; None when none is."""
    return next((path for path in paths if _held(path)), None)


@lru_cache(maxsize=65_536)  # a tick asks about the same thousand paths again
def _held(path: str) -> bool:
    return any(matches(path, pattern) for pattern in PATTERNS)
