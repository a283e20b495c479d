"""What the installation file says about a target that trades."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from swarm.contract.rules import Span
from swarm.ports.source_settings import SettingsBlock

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class RegimeSettings(SettingsBlock):
    """Whose regime and limits count for one target of `[targets]`, in Gates 5 and 6."""

    stream: _Name = Field(
        description="The stored stream whose regime counts, as in `swarmctl regime history`.",
        examples=["SPX"],
    )
    strategies: tuple[_Name, ...] = Field(
        min_length=1,
        max_length=100,
        description="The strategies that the target runs. A word on the limits is wanted of each.",
        examples=[["momentum"]],
    )
    word_lasts: Annotated[timedelta, Span(least="3m", most="24h")] = Field(
        default=timedelta(minutes=5),
        description="How old a word on the regime or a limit may be; without one a gate waits. The"
        " order path says one every two minutes.",
    )
