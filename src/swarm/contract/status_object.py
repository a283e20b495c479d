"""`status`: what the controller reports, in its outside form. Source of the CRD's status half."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from swarm.contract.block import Block
from swarm.contract.conditions import ConditionStatus, ConditionType
from swarm.contract.rules import Distinct
from swarm.contract.status import Phase

_Count = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]
_Reason = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
]
_Message = Annotated[str, Field(max_length=4096)]


class Condition(Block):
    """One standing observation about a Swarm, in the form of a Kubernetes condition."""

    type: ConditionType = Field(description="What is observed.")
    status: ConditionStatus = Field(description="Whether it holds.")
    reason: _Reason = Field(description="Why, as one CamelCase word for machines.")
    message: _Message = Field(default="", description="Why, as a sentence for people.")
    last_transition_time: datetime = Field(description="When the status last changed.")
    observed_generation: _Count = Field(
        default=0, description="Generation of the spec that this was observed for."
    )


class FreezeStatus(Block):
    """The open freeze, if there is one."""

    reason: _Message = Field(description="Why work is held, and what would lift it.")
    until: datetime | None = Field(
        default=None, description="When the window ends; absent when only a person can end it."
    )


class SwarmStatus(Block):
    """What a Swarm is doing, and how it fares. Written only when its meaning changed."""

    phase: Phase = Field(default=Phase.IDLE, description="What the Swarm is doing, in one word.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=32), Distinct(key="type")] = (
        Field(default=(), description="Standing observations, one per type.")
    )
    observed_generation: _Count = Field(
        default=0, description="Generation of the spec that this status is about."
    )
    updated_at: datetime | None = Field(
        default=None, description="When this status was written; alone it never causes a write."
    )
    last_discover_at: datetime | None = Field(
        default=None, description="When sources were last read."
    )
    last_plan_at: datetime | None = Field(default=None, description="When needs were last ranked.")
    last_implement_at: datetime | None = Field(
        default=None, description="When work was last dispatched."
    )
    last_verify_at: datetime | None = Field(
        default=None, description="When evidence was last judged."
    )
    active_missions: _Count = Field(default=0, description="Missions that have not ended.")
    queued_needs: _Count = Field(default=0, description="Needs that wait for a mission.")
    # The generator would write `...24H`: names with digits carry their alias themselves.
    discoveries_24h: _Count = Field(
        default=0, alias="discoveries24h", description="Signals read in the last 24 hours."
    )
    missions_24h: _Count = Field(
        default=0, alias="missions24h", description="Missions that ended in the last 24 hours."
    )
    autonomous_success_rate_24h: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        alias="autonomousSuccessRate24h",
        description="Share of missions of the last 24 hours that were delivered without a person;"
        " absent when none ended.",
    )
    last_production_change_ref: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Commit, pull request or rollout that last reached production."
    )
    freeze: FreezeStatus | None = Field(default=None, description="The open freeze, if any.")
