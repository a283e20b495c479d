"""Rare things that a batch must have met often, or its silence about them proves nothing."""

from __future__ import annotations

from collections import Counter

from swarm.contract.verdict import Answer
from swarm.core.history.finding import Rule
from swarm.core.nouns import OutcomeKind
from swarm.core.reasons import Reason
from swarm.core.rollout.judgement import CanaryReason
from swarm.core.trail import EventKind
from swarm.testing.simulation.chance import Fault
from swarm.testing.simulation.simulation import Result

OFTEN_ENOUGH, OF_SEEDS = 10, 200  #: ten in two hundred seeds; in more seeds as much more often
SOMETIMES = (
    *(f"examined {rule}" for rule in Rule),
    *(f"fault {fault}" for fault in Fault),
    *(f"outcome {kind}" for kind in OutcomeKind),
    f"ended {Reason.RETRIES_SPENT}",
    f"ended {Reason.CANARY_FAILED}",
    f"ended {Reason.CANARY_UNDECIDED}",
    f"ended {Reason.SYNC_FAILED}",
    f"ended {Reason.CANCELLED}",
    f"ended {Reason.ORDER_REFUSED}",
    f"gate code_quality {Answer.FAIL.name}",
    f"gate progressive_rollout {Answer.FAIL.name}",
    f"gate post_deploy_slo {Answer.FAIL.name}",
    f"verdict {CanaryReason.NO_DATA}",
    f"verdict {CanaryReason.SAMPLE_RATIO_MISMATCH}",
    "freeze opened by a person",
    "freeze opened by policy",
    "freeze extended",
    "freeze lifted by a person",
    "freeze lifted by policy",
    "freeze requalified",
    "approval granted",
    "approval denied",
    "approval used",
    "approval lapsed",
    "order waits",
    "order voided by another policy",
    "shadow begun",
    "repair opened",
    "R3 landed",
    "change restaged",
    "lease lost",
    "stale fence refused",
    "held back when begun",
    f"idle {Reason.STAGE_OFF}",
    str(Reason.BUDGET_EXHAUSTED),
    str(Reason.DISCOVERY_DEGRADED),
)


def met(result: Result) -> Counter[str]:
    """How often each rare thing happened in one trial, by name."""
    counts: Counter[str] = Counter(f"fault {fault}" for fault in result.injected.values())
    counts.update(result.seen)
    counts.update({f"examined {rule}": count for rule, count in result.judgement.counts()})
    for entry in result.history.entries:
        counts.update(_names(entry.kind, dict(entry.body)))
    counts["R3 landed"] += sum(
        effect.deed == "land" and effect.risk == 3  # noqa: PLR2004 - R3
        for effect in result.history.effects
    )
    return counts


def missing(counts: Counter[str], seeds: int) -> tuple[str, ...]:
    """What a batch of so many seeds met too rarely, each with how often."""
    enough = max(OFTEN_ENOUGH, OFTEN_ENOUGH * seeds // OF_SEEDS)
    return tuple(
        f"{name}: {counts[name]} of {enough}" for name in SOMETIMES if counts[name] < enough
    )


def _names(kind: str, body: dict[str, object]) -> list[str]:  # noqa: C901 - one arm per kind
    match kind:
        case EventKind.MISSION_SETTLED:
            return [f"outcome {body['outcome']}", f"ended {body['reason']}"]
        case EventKind.VERDICT_GIVEN:
            answer = Answer(int(str(body["answer"]))).name
            return [f"gate {body['gate']} {answer}", f"verdict {body['reason']}"]
        case EventKind.FREEZE_OPENED:
            return [f"freeze opened by {'a person' if body['reason'] == 'Person' else 'policy'}"]
        case EventKind.FREEZE_LIFTED:
            return [f"freeze lifted by {'policy' if body['by'] == 'policy' else 'a person'}"]
        case EventKind.APPROVAL_ANSWERED:
            return [f"approval {'granted' if body['granted'] else 'denied'}"]
        case (
            EventKind.FREEZE_EXTENDED
            | EventKind.FREEZE_REQUALIFIED
            | EventKind.APPROVAL_USED
            | EventKind.APPROVAL_LAPSED
        ):
            return [kind.replace(".", " ")]
        case EventKind.ORDER_VOIDED if body["reason"] == "another policy":
            return ["order voided by another policy"]
        case EventKind.ORDER_WAITS if body["capacity"]:
            return ["order waits"]
        case EventKind.ORDER_ISSUED if body["kind"] == "restage":
            return ["change restaged"]
        case EventKind.SHADOW_SET if body["shadow"]:
            return ["shadow begun"]
        case EventKind.MISSION_OPENED if body["kind"] == "remediate":
            return ["repair opened"]
        case _:
            return []
