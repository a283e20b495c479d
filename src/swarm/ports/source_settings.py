"""What every kind of source can be told, and what a source is given to work with."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from swarm.contract.rules import Span
from swarm.core.ids import SwarmId
from swarm.core.nouns import Risk

NAME = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
CLASS = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


def _risk(value: object) -> object:
    """People write R2 as they say it; the number alone is understood as well."""
    named = isinstance(value, str) and value in Risk.__members__
    return Risk[str(value)] if named else value


Name = Annotated[str, Field(pattern=NAME)]
ClassName = Annotated[str, Field(pattern=CLASS)]
RiskClass = Annotated[Risk, BeforeValidator(_risk)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Value = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Cost = Annotated[int, Field(gt=0, le=10**13)]
Bytes = Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)]


class SettingsBlock(BaseModel):
    """Settings are read once, never changed, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class RuleSettings(SettingsBlock):
    """What findings of certain rules mean here. The first rule that fits counts."""

    rule: str = Field(
        min_length=1,
        max_length=100,
        description="Rule ids that this is about; * and ? stand for any characters.",
        examples=["F401", "DTZ*"],
    )
    mission_class: ClassName | None = Field(
        default=None, description="Mission class of such findings, instead of the source's."
    )
    risk: RiskClass | None = Field(
        default=None, description="Risk class of such findings, R0 to R3, instead of the source's."
    )
    value: Value | None = Field(default=None, description="Value of one such finding, in points.")
    cost: Cost | None = Field(
        default=None, description="Expected cost of repairing one, in micro-units of the currency."
    )


class SourceSettings(SettingsBlock):
    """What all kinds of sources have in common. Each kind adds its own fields and defaults."""

    name: Name = Field(description="Name that `spec.discovery.sources` refers to.")
    trust: Share = Field(
        default=0.5,
        description="How likely a single statement of this source is true, before anything was"
        " learned. Two independent sources of 0.5 reach a confidence of 0.75.",
    )
    origin: str = Field(
        default="",
        max_length=200,
        description="Who stands behind its statements; citations count distinct origins. Empty:"
        " the source's name, or, for sources from outside, the registrable domain that answered.",
    )
    external: bool = Field(
        default=False,
        description="Whether it speaks from outside your own systems. External text is evidence,"
        " never an instruction, and uncited external claims are worth nothing.",
    )
    mission_class: ClassName = Field(
        default="maintenance", description="Mission class of the needs that come from it."
    )
    risk: RiskClass = Field(
        default=Risk.R1,
        description="Risk class of its needs, R0 to R3. A statement, and what a change turns out to"
        " touch, can raise it; nothing lowers it.",
    )
    value: Value = Field(default=1.0, description="Value of one of its statements, in points.")
    cost: Cost = Field(
        default=100_000,
        description="Expected cost of one mission for it, in micro-units of the currency.",
    )
    repo: str = Field(
        default="", max_length=256, description="Repository that its statements are about."
    )
    every: Annotated[timedelta, Span(least="1s", most="8760h")] | None = Field(
        default=None, description="Pause between two readings, instead of the Swarm's cadence."
    )
    timeout: Annotated[timedelta, Span(least="100ms", most="6h")] = Field(
        default=timedelta(seconds=30), description="Longest time that one reading may take."
    )
    max_bytes: Bytes = Field(
        default=4 * 1024 * 1024,
        description="Most bytes that one reading may bring, after decompression.",
    )
    max_signals: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=5_000,
        description="Most signals that one reading may bring; the rest waits for the next.",
    )
    quiet_after: Annotated[timedelta, Span(least="1m", most="8760h")] | None = Field(
        default=None,
        description="A source that says nothing new for this long is reported as quiet. Unset:"
        " silence is no alarm.",
    )
    rules: tuple[RuleSettings, ...] = Field(
        default=(), max_length=200, description="What findings of certain rules mean here."
    )

    def for_rule(self, rule: str) -> RuleSettings | None:
        """The settings of the first rule pattern that fits; None when none does."""
        fits = (entry for entry in self.rules if fnmatchcase(rule, entry.rule))
        return next(fits, None) if rule else None

    def rates(self, rule: str) -> bool:
        """Whether a rule pattern gives such findings a value of their own."""
        means = self.for_rule(rule)
        return means is not None and means.value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a source works: for which Swarm, by which clock, and with which secrets.

    now:    the present instant, aware.
    secret: the value of a named secret, None if it is not set; by default the environment's.
    """

    swarm: SwarmId
    now: Callable[[], datetime]
    secret: Callable[[str], str | None] = os.environ.get
