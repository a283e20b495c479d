"""May this trial be promoted? INSUFFICIENT before REJECTED before PASS."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarm.regime.errors import BadInput
from swarm.regime.snooping.against_the_best import (
    Marks,
    SpaValues,
    better_than_baseline,
    superior_predictive_ability,
)
from swarm.regime.snooping.block_length import common_block
from swarm.regime.snooping.draws import Draws
from swarm.regime.snooping.resampling import Studentised, studentise
from swarm.regime.snooping.trials import Universe


class SnoopingVerdict(StrEnum):
    """What the test says. What was not tested is never a pass."""

    INSUFFICIENT = "insufficient"  #: it could not be tested here and now
    REJECTED = "rejected"  #: tested, and not better than the best of so many by chance
    PASSED = "passed"  #: better than its baseline, with every other trial counted


@dataclass(frozen=True, slots=True, kw_only=True)
class SnoopingRule:
    """How the test is made; written down before the first trial.

    looks:        observations after which a test may happen, in order. Testing at other times is
                  peeking; between them the e-process watches.
    alpha:        chance of promoting any unskilled trial at any of the looks; each gets an equal
                  part of it.
    resamples:    of the bootstrap; the p-value is no finer than one of them.
    least_blocks: fewer blocks than this estimate no variance.
    """

    looks: tuple[int, ...]
    alpha: float = 0.05
    resamples: int = 1_000
    least_blocks: int = 10

    def __post_init__(self) -> None:
        if not self.looks or list(self.looks) != sorted(set(self.looks)) or self.looks[0] < 1:
            raise BadInput("looks", f"are {self.looks}", "counts of observations, rising")
        if not 0.0 < self.alpha < 1.0:
            raise BadInput("alpha", f"is {self.alpha}", "a probability between 0 and 1")
        if (self.resamples + 1) * self.level < 1.0:
            wrong = f"are {self.resamples}, too few to tell {self.level:g} from 0"
            raise BadInput("resamples", wrong, f"at least {int(1 / self.level)}")

    @property
    def level(self) -> float:
        """The alpha of one look."""
        return self.alpha / len(self.looks)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnoopingFinding:
    """The verdict with all it was judged by; None where it was not computed.

    refused: contents of trials that do not vary and so were not tested.
    better:  contents of all trials that are better than the baseline at this look's alpha.
    """

    verdict: SnoopingVerdict
    why: str
    observations: int
    trials: int
    universe: str
    block: int | None = None
    t: float | None = None
    p: SpaValues | None = None
    better: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def judge(candidate: str, trials: Universe, rule: SnoopingRule) -> SnoopingFinding:
    """Test the trial of content `candidate` against its whole universe.

    Cost: that of `studentise`; 0.1 s for 1,000 trials, 1,000 observations and 1,000 resamples.
    """
    n = trials.observations
    if n not in rule.looks:
        return _insufficient(trials, f"{n} observations are no registered look ({rule.looks})")
    if candidate not in trials.contents:
        return _insufficient(trials, "the trial is not in the ledger that it is judged by")
    block = common_block(trials.excess)
    if n // block < rule.least_blocks:
        return _insufficient(trials, f"{n // block} blocks of {block}, {rule.least_blocks} wanted")
    draws = Draws("snooping", trials.hash, rule.looks.index(n))
    found = studentise(trials.excess, block, rule.resamples, draws)
    return _weigh(candidate, trials, rule, (block, found))


def _weigh(
    candidate: str, trials: Universe, rule: SnoopingRule, resampled: tuple[int, Studentised]
) -> SnoopingFinding:
    block, found = resampled
    place = trials.contents.index(candidate)
    refused = _named(trials, ~found.usable)
    if not found.usable[place]:
        return _insufficient(trials, "the trial does not vary against its baseline", refused)
    n = trials.observations
    p = superior_predictive_ability(found, n)
    better = better_than_baseline(found, n, rule.level)
    passed = bool(better[place]) and p.consistent <= rule.level
    verdict = SnoopingVerdict.PASSED if passed else SnoopingVerdict.REJECTED
    than = "better" if passed else "no better"
    return SnoopingFinding(
        verdict=verdict,
        why=f"{than} than the best of {len(trials.contents)} by chance, at {rule.level:g}",
        observations=n,
        trials=len(trials.contents),
        universe=trials.hash,
        block=block,
        t=float(found.t[place]),
        p=p,
        better=_named(trials, better),
        refused=refused,
    )


def _named(trials: Universe, marks: Marks) -> tuple[str, ...]:
    return tuple(c for c, mark in zip(trials.contents, marks, strict=True) if mark)


def _insufficient(trials: Universe, why: str, refused: tuple[str, ...] = ()) -> SnoopingFinding:
    return SnoopingFinding(
        verdict=SnoopingVerdict.INSUFFICIENT,
        why=why,
        observations=trials.observations,
        trials=len(trials.contents),
        universe=trials.hash,
        refused=refused,
    )
