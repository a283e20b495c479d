"""`spec.execution`: which stages run, and how. Written for the existing chart."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from swarm.contract.block import POSITIVE_SPAN, Block, Name, ObjectName
from swarm.contract.choices import RunKind


class TargetRef(Block):
    """The run object that serves as a template for a stage."""

    kind: RunKind = Field(description="Kind of the template.")
    name: ObjectName = Field(
        description="Name of the template.", examples=["swarm-implement-template"]
    )
    namespace: Name | None = Field(
        default=None, description="Namespace of the template; the Swarm's own when left out."
    )


class StageExecution(Block):
    """How one stage of the loop is executed."""

    enabled: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="Whether this stage begins anything. Off: discover reads no source; plan opens"
        " no mission; implement sends no agent, and no mission opens; verify asks for no check,"
        " and nothing lands. What has landed is watched, and rolled back if need be, all the same.",
    )
    every: Annotated[timedelta, POSITIVE_SPAN] | None = Field(
        default=None,
        description="Of discover: pause between two readings of a source;"
        " spec.cadence.discoverEvery when left out. A source's own pause in swarm.toml wins over"
        " both. Plan, implement and verify are woken by events and keep no pause: there it is"
        " accepted and changes nothing.",
        examples=["30m"],
    )
    target_ref: TargetRef | None = Field(
        default=None,
        description="Run template that this stage launches on Kubernetes. Accepted, and changes"
        " nothing elsewhere: the agents of swarm.toml are asked.",
    )


class Execution(Block):
    """Which stages of the loop run, and how.

    A stage left out follows the cadence and the installation's own binding.
    """

    discover: StageExecution | None = Field(default=None, description="The discover stage.")
    plan: StageExecution | None = Field(default=None, description="The plan stage.")
    implement: StageExecution | None = Field(default=None, description="The implement stage.")
    verify: StageExecution | None = Field(default=None, description="The verify stage.")
