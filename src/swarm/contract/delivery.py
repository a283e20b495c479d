"""`spec.delivery`: which repositories may change, what must pass, and how a change goes live."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from swarm.contract.block import (
    PAUSE_SPAN,
    WHOLE,
    Block,
    Line,
    ObjectName,
    Repository,
    Target,
)
from swarm.contract.choices import MergePolicy, RolloutStrategy
from swarm.contract.rules import Distinct, Fault, Rule

STEPS_MAX = 20
_FULL = 100

DEFAULT_STEPS: tuple[dict[str, Any], ...] = (
    {"setWeight": 10, "pause": "5m"},
    {"setWeight": 30, "pause": "10m"},
    {"setWeight": 100, "pause": "0m"},
)
"""The document's 10/30/100, in the spelling that the CRD's default carries."""


class RolloutStep(Block):
    """One step of a rollout: a share of traffic, then a pause in which it is judged."""

    set_weight: Annotated[int, Field(strict=True, ge=1, le=_FULL), WHOLE] = Field(
        description="Percent of traffic that the new version receives from this step on.",
        examples=[10],
    )
    pause: Annotated[timedelta, PAUSE_SPAN] = Field(
        description="How long this step is watched before the next; 0m moves on at once.",
        examples=["5m"],
    )


def _out_of_order(steps: Sequence[RolloutStep]) -> Fault | None:
    for position in range(1, len(steps)):
        before, here = steps[position - 1].set_weight, steps[position].set_weight
        if here <= before:
            return Fault(
                at=(position, "setWeight"),
                wrong=f"{here} is not greater than {before}, the weight of the step before",
                right="let the weights grow from step to step, such as 10, 30, 100",
            )
    return None


def _last_not_full(steps: Sequence[RolloutStep]) -> Fault | None:
    if not steps or steps[-1].set_weight == _FULL:
        return None
    return Fault(
        at=(len(steps) - 1, "setWeight"),
        wrong=f"the last step stops at {steps[-1].set_weight} percent",
        right="end with setWeight: 100, so that a promoted change serves everyone",
    )


# Positions are written out because core CEL has no range(), and isSorted() is a Kubernetes
# addition that no other CEL evaluator knows.
_POSITIONS = ", ".join(str(position) for position in range(1, STEPS_MAX))

GROWING = Rule(
    cel=f"[{_POSITIONS}].all(i, i >= self.size() || self[i - 1].setWeight < self[i].setWeight)",
    message="weights must grow strictly from step to step, such as 10, 30, 100",
    find=_out_of_order,
)
ENDS_FULL = Rule(
    cel=f"self.size() == 0 || self[self.size() - 1].setWeight == {_FULL}",
    message="the last step must have setWeight: 100",
    find=_last_not_full,
)


def default_steps() -> tuple[RolloutStep, ...]:
    """The three steps of a rollout for which nobody wrote any."""
    return tuple(RolloutStep.model_validate(step) for step in DEFAULT_STEPS)


class Rollout(Block):
    """How a merged change is exposed: by growing shares of traffic, each judged before the next."""

    strategy: RolloutStrategy = Field(
        default=RolloutStrategy.CANARY, description="How traffic moves to the new version."
    )
    steps: Annotated[
        tuple[RolloutStep, ...], Field(min_length=1, max_length=STEPS_MAX), GROWING, ENDS_FULL
    ] = Field(
        default_factory=default_steps,
        description="Shares of traffic in percent, strictly growing up to 100, each with a pause.",
        json_schema_extra={"default": [dict(step) for step in DEFAULT_STEPS]},
    )
    analysis_template_ref: ObjectName = Field(
        default="default-canary-analysis",
        description="AnalysisTemplate of Argo Rollouts that judges each step. Accepted, and changes"
        " nothing without Argo Rollouts: the installation's own analysis judges, [canary] in"
        " swarm.toml.",
        examples=["default-canary-analysis"],
    )


class Delivery(Block):
    """Which repositories may change, which checks must pass, and how a change goes live."""

    repo_allowlist: Annotated[tuple[Repository, ...], Field(max_length=256), Distinct()] = Field(
        default=(),
        description="Repositories that may be changed, by exact name. Empty means none: the Swarm"
        " then only recommends.",
        examples=[["acme/shop"]],
    )
    required_checks: Annotated[tuple[Line, ...], Field(max_length=64), Distinct()] = Field(
        default=(),
        description="Checks that must be green on the exact commit. A check that never reports"
        " fails after its deadline.",
        examples=[["lint", "unit-tests"]],
    )
    merge_policy: MergePolicy = Field(
        default=MergePolicy.AUTO_MERGE,
        description="How a change that passed its gates reaches the protected branch. A local"
        " repository does the same with either: changes queue, and the merged result is tested.",
    )
    deployment_targets: Annotated[tuple[Target, ...], Field(max_length=64), Distinct()] = Field(
        default=(),
        description="What is deployed and watched. For GitOps installs these are Argo CD"
        " application names.",
        examples=[["core-platform"]],
    )
    rollout: Rollout = Field(default_factory=Rollout)
