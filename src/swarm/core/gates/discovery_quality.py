"""Gate 1: is this need cited well enough to act on it?"""

from __future__ import annotations

from swarm.contract.counted import counted
from swarm.contract.discovery import Discovery
from swarm.contract.verdict import Answer, Verdict
from swarm.core.nouns import Need, Risk
from swarm.core.policy.citation import TRUSTED_FROM, degraded
from swarm.core.reasons import Reason

NAME = "discovery_quality"
SUBJECT = "citations"


def judge(need: Need, policy: Discovery, dark: int = 0, sources: int = 0) -> Verdict:
    """Pass when citations and confidence reach what the Swarm asks (GATE-1).

    dark: how many of so many sources do not answer. What only just reached the bar waits for
          them to come back (FAIL-4); it is not refused, because its evidence did not change.
    """
    if need.citations == 0 or not need.cited:
        return _fail(Reason.UNCITED, "nothing that can be looked up supports it")
    if need.citations < policy.min_citations <= need.heard:
        return _fail(
            Reason.CITATIONS_NOT_INDEPENDENT,
            f"{need.citations} of {need.heard} ({', '.join(need.origins)}); the others say it in"
            f" the same words, and {policy.min_citations} independent ones are wanted",
        )
    if need.citations < policy.min_citations:
        return _fail(
            Reason.TOO_FEW_CITATIONS,
            f"{need.citations} of {policy.min_citations} independent citations"
            f" ({', '.join(need.origins) or 'no origin'})",
        )
    if need.confidence < policy.min_confidence:
        return _fail(
            Reason.LOW_CONFIDENCE,
            f"confidence {need.confidence:.2f} is below {policy.min_confidence:.2f}",
        )
    if need.risk >= Risk.R2 and not need.anchored:
        return _fail(
            Reason.NOT_ANCHORED,
            f"this is R{need.risk:d} and no citation is of our own or of a source trusted"
            f" {TRUSTED_FROM} or more",
        )
    weaker = degraded(need.confidence, dark, sources)
    if weaker < policy.min_confidence:
        return Verdict(
            answer=Answer.WAIT,
            reason=Reason.DISCOVERY_DEGRADED,
            detail=f"confidence {need.confidence:.2f} counts as {weaker:.2f} while {dark} of"
            f" {sources} sources are dark",
        )
    detail = f"{counted(need.citations, 'independent citation')}, confidence {need.confidence:.2f}"
    return Verdict(answer=Answer.PASS, reason=Reason.ENOUGH_EVIDENCE, detail=detail)


def _fail(reason: Reason, detail: str) -> Verdict:
    return Verdict(answer=Answer.FAIL, reason=reason, detail=detail)
