"""Where signals come from. Needed by: discover."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from swarm.core.nouns import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one source had to say since the cursor.

    signals:    checked, size-limited, hostile text already stripped and flagged.
    cursor:     opaque JSON text for the next reading; stored only with the signals.
    refused:    entries that were malformed, each with the reason; the rest is not lost.
    understood: False when the source said something and every entry of it was refused. What was
                told before and stands there still was understood.
    """

    signals: tuple[Signal, ...]
    cursor: str
    refused: tuple[str, ...] = ()
    understood: bool = True


class Source(Protocol):
    """One named source, read incrementally. A source that is down raises `SourceDown`."""

    name: str

    def read(self, cursor: str) -> AsyncIterator[Reading]:
        """Yield readings of at most 1,000 signals from the cursor on; "" is the beginning."""
