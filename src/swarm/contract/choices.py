"""The closed choices of a Swarm's spec. Free of pydantic, so that reading verbs start fast."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How much a Swarm may do without asking."""

    ASSISTED = "assisted"  #: R0 and R1 run by themselves, R2 and R3 wait for an approval
    LIGHTS_OUT = "lights-out"  #: R0 to R2 run when all gates pass, R3 only where allowlisted


class MergePolicy(StrEnum):
    """How a change that passed its gates reaches the protected branch.

    A choice for code hosts with pull requests. The local forge reads it nowhere: it always queues
    changes and has the merged result tested.
    """

    AUTO_MERGE = "auto-merge"  #: the code host merges as soon as its own rules are met
    MERGE_QUEUE = "merge-queue"  #: changes queue, and the merged result is tested before it lands


class RolloutStrategy(StrEnum):
    """How a merged change reaches production."""

    CANARY = "canary"  #: a growing share of traffic, judged at each step


class RunKind(StrEnum):
    """The kind of run object that a stage of the loop launches."""

    AGENT_RUN = "AgentRun"  #: one piece of work by one agent
    ORCHESTRATION_RUN = "OrchestrationRun"  #: several steps with an order between them
