"""What the installation file says about a target that trades."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from swarm.contract.rules import Distinct, Span
from swarm.ports.source_settings import SettingsBlock

WORD_LASTS = timedelta(minutes=5)
"""How old a word on a regime or a limit may be where no target says otherwise."""
_SEEN = r"[^\s\x00-\x1f\x7f]"
_Name = Annotated[str, Field(max_length=200, pattern=rf"^{_SEEN}([^\x00-\x1f\x7f]*{_SEEN})?$")]


class RegimeSettings(SettingsBlock):
    """Whose regime and limits count for one target of `[targets]`, in Gates 5 and 6."""

    stream: _Name = Field(
        description="The stored stream whose regime counts, as in `swarmctl regime history`.",
        examples=["SPX"],
    )
    strategies: Annotated[tuple[_Name, ...], Distinct()] = Field(
        min_length=1,
        max_length=100,
        description="The strategies that the target runs. A word on the limits is wanted of each.",
        examples=[["momentum"]],
    )
    word_lasts: Annotated[timedelta, Span(least="3m", most="24h")] = Field(
        default=WORD_LASTS,
        description="How old a word on the regime or a limit may be; without one a gate waits, and"
        " no strategy of the target climbs. The order path says one every two minutes.",
    )


def word_lasts(bound: Mapping[str, RegimeSettings], strategy: str) -> timedelta:
    """How old a word on the limits of a strategy may be: the least that any of its targets says."""
    said = (one.word_lasts for one in bound.values() if strategy in one.strategies)
    return min(said, default=WORD_LASTS)
