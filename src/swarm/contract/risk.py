"""`spec.risk`: what a Swarm may spend, who approves, and when it stops itself."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from swarm.contract.block import POSITIVE_SPAN, WHOLE, Block, ObjectName, span_field

DEFAULT_APPROVAL_POLICY: Final = "default-approval"


class Risk(Block):
    """What a Swarm may spend, who approves its risky missions, and when it stops itself."""

    budget_ref: ObjectName = Field(
        default="default-budget",
        description="Name of the Budget that every dispatch is reserved against.",
        examples=["default-budget"],
    )
    approval_policy_ref: ObjectName = Field(
        default=DEFAULT_APPROVAL_POLICY,
        description="Name of the ApprovalPolicy that says who may approve a mission.",
        examples=["default-approval"],
    )
    freeze_after_failures: Annotated[int, Field(strict=True, ge=1, le=100), WHOLE] = Field(
        default=3,
        description="Consecutive mission failures after which the Swarm freezes itself. Lack of"
        " capacity, quota or configuration does not count.",
        examples=[3],
    )
    freeze_duration: Annotated[timedelta, POSITIVE_SPAN] = span_field(
        "60m",
        "How long a freeze lasts at least. Work resumes only after a re-qualification as well.",
    )
