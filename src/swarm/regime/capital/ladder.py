"""The capital ladder: up one rung at a time and only with everything in order, down at once.

Each rung gathers its own evidence. What was counted, won or tested below says nothing about how
a strategy trades with five times the capital, so all of it begins again at every move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from swarm.regime.errors import BadInput
from swarm.regime.nouns import HIDDEN, LADDER, Regime, Rung
from swarm.regime.snooping.betting import Wealth, bet
from swarm.regime.snooping.verdict import SnoopingFinding, SnoopingVerdict


class LadderReason(StrEnum):
    """Why an expert moved, or stays where it is."""

    CLIMBED = "climbed"  #: everything was in order
    TOO_FEW_OBSERVATIONS = "too-few-observations"  #: at this rung in this regime
    LIMITS_NOT_CLEAN = "limits-not-clean"  #: a limit is breached, or nobody knows
    NOT_TESTED = "not-tested"  #: no look since the last move
    TEST_REJECTED = "test-rejected"  #: the last look found no skill
    WORSE_THAN_BASELINE = "worse-than-baseline"  #: the bet against it has won: back to shadow
    LIMIT_BREACHED = "limit-breached"  #: one rung down
    REGIME_UNCERTAIN = "regime-uncertain"  #: nothing is learnt about a regime that is not known
    CEILING = "ceiling"  #: a freeze, or the end of one, allows no more
    AT_THE_TOP = "at-the-top"  #: there is no further rung


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRule:
    """observations: how many a rung asks for in the regime that is active, before the next.

    alpha: error probability of the bet that the expert is worse than its baseline.
    scale: excess of one standard deviation comes to this much of the bet's greatest.
    """

    observations: Mapping[Rung, int] = field(
        default_factory=lambda: dict(zip(LADDER, (250, 120, 120, 250, 0), strict=True))
    )
    alpha: float = 0.05
    scale: float = 0.25

    def __post_init__(self) -> None:
        if set(self.observations) != set(LADDER) or min(self.observations.values()) < 0:
            raise BadInput("observations", f"are {self.observations}", "a count for each rung")
        if not (0.0 < self.alpha < 1.0 and 0.0 < self.scale <= 1.0):
            raise BadInput("alpha, scale", f"are {self.alpha}, {self.scale}", "numbers in (0, 1)")


NO_BET = Wealth()


@dataclass(frozen=True, slots=True, kw_only=True)
class Foothold:
    """Where an expert stands, and what it has shown there.

    seen:   observations at this rung, by regime in the order of HIDDEN.
    worse:  the wealth of the bet that it is worse than its baseline, since it came here.
    tested: observations of the look that justified this rung; only a later one justifies the next.
    """

    rung: Rung = Rung.SHADOW
    seen: tuple[int, ...] = (0,) * len(HIDDEN)
    worse: Wealth = NO_BET
    tested: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RungEvidence:
    """What one tick knows of one expert.

    excess: net of costs, above the baseline of its regime, in standard deviations; None when it
            did not trade, which is no observation.
    breach: True when a limit of the expert is breached, None when that is not known.
    finding: of the last registered look; None before the first.
    ceiling: the highest rung that a freeze leaves.
    """

    regime: Regime
    excess: float | None
    breach: bool | None
    finding: SnoopingFinding | None
    ceiling: Rung = Rung.FULL


def move(
    foothold: Foothold, evidence: RungEvidence, rule: LadderRule
) -> tuple[Foothold, tuple[LadderReason, ...]]:
    """The foothold after one tick, and why. Never more than one rung up; down without delay.

    Raises `BadInput` when the excess is no number.
    """
    here = _watched(foothold, evidence, rule)
    fallen, why = _fall(here, evidence, rule)
    # Whoever lost the bet in shadow stays there, but may begin again with nothing.
    if fallen < here.rung or LadderReason.WORSE_THAN_BASELINE in why:
        return Foothold(rung=fallen, tested=here.tested), why
    if why:
        return here, why
    if lacking := _lacking(here, evidence, rule):
        return here, lacking
    tested = evidence.finding.observations if evidence.finding else here.tested
    return Foothold(rung=here.rung.above, tested=tested), (LadderReason.CLIMBED,)


def _watched(foothold: Foothold, evidence: RungEvidence, rule: LadderRule) -> Foothold:
    """Count the observation in its regime, and bet on it that the expert is worse."""
    if evidence.excess is None:
        return foothold
    worse = bet(foothold.worse, -evidence.excess * rule.scale)
    seen = tuple(
        count + (regime is evidence.regime)
        for count, regime in zip(foothold.seen, HIDDEN, strict=True)
    )
    return Foothold(rung=foothold.rung, seen=seen, worse=worse, tested=foothold.tested)


def _fall(
    here: Foothold, evidence: RungEvidence, rule: LadderRule
) -> tuple[Rung, tuple[LadderReason, ...]]:
    """The rung that what went wrong leaves, and what that was; the worst counts."""
    rung, why = here.rung, []
    if evidence.breach is True:
        rung = min(rung, here.rung.below)
        why.append(LadderReason.LIMIT_BREACHED)
    if evidence.ceiling < here.rung:
        rung = min(rung, evidence.ceiling)
        why.append(LadderReason.CEILING)
    if here.worse.reached(rule.alpha):
        rung = Rung.SHADOW
        why.append(LadderReason.WORSE_THAN_BASELINE)
    return rung, tuple(why)


def _lacking(here: Foothold, evidence: RungEvidence, rule: LadderRule) -> tuple[LadderReason, ...]:
    """Everything that stands between an expert and the next rung; empty when nothing does."""
    if here.rung is LADDER[-1]:
        return (LadderReason.AT_THE_TOP,)
    why = []
    if evidence.regime not in HIDDEN:
        why.append(LadderReason.REGIME_UNCERTAIN)
    elif here.seen[HIDDEN.index(evidence.regime)] < rule.observations[here.rung]:
        why.append(LadderReason.TOO_FEW_OBSERVATIONS)
    if evidence.breach is not False:
        why.append(LadderReason.LIMITS_NOT_CLEAN)
    why.extend(_untested(here, evidence.finding))
    if here.rung.above > evidence.ceiling:
        why.append(LadderReason.CEILING)
    return tuple(why)


def _untested(here: Foothold, finding: SnoopingFinding | None) -> tuple[LadderReason, ...]:
    insufficient = finding is None or finding.verdict is SnoopingVerdict.INSUFFICIENT
    if insufficient or finding is None or finding.observations <= here.tested:
        return (LadderReason.NOT_TESTED,)
    passed = finding.verdict is SnoopingVerdict.PASSED
    return () if passed else (LadderReason.TEST_REJECTED,)
