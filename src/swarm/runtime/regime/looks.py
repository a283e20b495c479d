"""Looks at the ledger of trials: said beforehand, taken once, all trials counted (REG-9)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from swarm.adapters.postgres.store.regime.errors import ToldOtherwise
from swarm.adapters.postgres.store.regime.trials import Look, Trials, Tried
from swarm.regime.snooping.trials import Trial, Universe, universe
from swarm.regime.snooping.verdict import SnoopingFinding, SnoopingRule, judge
from swarm.runtime.regime.errors import LookRefused

ALPHA = 0.05
"""Chance of ever promoting an unskilled trial of one ledger, over all its looks together."""
LOOKS_MOST = 20  #: of one ledger; a later one has so little left that nothing passes it
RESAMPLES_LEAST, RESAMPLES_BEYOND = 1_000, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LookCame:
    """What a look came to: the finding of every strategy, by name."""

    look: int
    due_tick: int
    findings: dict[str, SnoopingFinding]


async def announce(ledger: Trials, due: int) -> int:
    """Register a look that will be taken once `due` was seen; gives its number.

    Saying it again changes nothing. Raises LookRefused for a tick that was seen already, since a
    look that is chosen after the result is known proves nothing, and for one that is out of order.
    """
    for _ in range(LOOKS_MOST):
        number = await _number(ledger, due)
        # Somebody else may have shown that tick, or registered this number, a moment ago: then
        # what there is now says what is right.
        with contextlib.suppress(ToldOtherwise):
            await ledger.register_look(number, due)
            return number
    raise LookRefused(f"others register looks at this ledger; tick {due} was not registered")


async def _number(ledger: Trials, due: int) -> int:
    """Which look one at this tick would be. Raises LookRefused."""
    looks = await ledger.looks()
    for one in looks:
        if one.due_tick == due:
            return one.look
    seen = newest_tick(await ledger.universe())
    if due <= seen:
        raise LookRefused(f"tick {due} was seen already; one behind tick {seen} is wanted")
    if looks and due < looks[-1].due_tick:
        last = looks[-1]
        raise LookRefused(
            f"tick {due} lies before look {last.look}, which is due at {last.due_tick}"
        )
    if len(looks) >= LOOKS_MOST:
        raise LookRefused(f"this ledger has had {LOOKS_MOST} looks, which is all that it gets")
    return looks[-1].look + 1 if looks else 1


async def take(ledger: Trials) -> list[LookCame]:
    """Take every look that is due and was not taken, in order, and store what it came to.

    A look counts the ticks up to its own and nothing later, so it says the same whenever it is
    taken. Cost: 0.1 s for each look and strategy at 1,000 trials of 1,000 observations.
    """
    tried = await ledger.universe()
    seen = newest_tick(tried)
    came = []
    for one in await ledger.looks():
        if one.result is not None or one.due_tick > seen:
            continue
        findings = judged(tried, one)
        await ledger.conclude(one.look, [trial.id for trial in tried], stored(findings))
        came.append(LookCame(look=one.look, due_tick=one.due_tick, findings=findings))
    return came


def judged(tried: Sequence[Tried], look: Look) -> dict[str, SnoopingFinding]:
    """The finding of each strategy's newest trial against everything that was ever tried."""
    whole = aligned(tried, look.due_tick)
    if not whole.observations:
        return {}
    rule = rule_of(look.look, whole.observations)
    newest = {one.strategy: one.id for one in tried}
    return {strategy: judge(trial, whole, rule) for strategy, trial in sorted(newest.items())}


def rule_of(look: int, observations: int) -> SnoopingRule:
    """Look k spends alpha / (k (k + 1)): the parts of any number of looks sum to less than alpha.

    How many there will be need not be known, and no later look takes from one that was taken.
    """
    level = ALPHA / (look * (look + 1))
    resamples = max(RESAMPLES_LEAST, math.ceil(RESAMPLES_BEYOND / level))
    return SnoopingRule(looks=(observations,), alpha=level, resamples=resamples)


def aligned(tried: Sequence[Tried], due: int) -> Universe:
    """All trials over the same ticks up to `due`; who was not in the market held the baseline."""
    held = {one.id: dict(observed(one.excess)) for one in tried}
    ticks = sorted({tick for excess in held.values() for tick in excess if tick <= due})
    return universe(
        Trial(content=id_, excess=np.array([excess.get(tick, 0.0) for tick in ticks]))
        for id_, excess in held.items()
    )


def observed(parts: Iterable[tuple[int, tuple[float, ...]]]) -> Iterable[tuple[int, float]]:
    """Tick and excess of a trial, in order."""
    for first, excess in sorted(parts):
        yield from enumerate(excess, first)


def newest_tick(tried: Iterable[Tried]) -> int:
    """The last tick that any trial showed; -1 before the first."""
    ends = (first + len(excess) - 1 for one in tried for first, excess in one.excess)
    return max(ends, default=-1)


def stored(findings: dict[str, SnoopingFinding]) -> dict[str, Any]:
    """The result of a look as the ledger keeps it."""
    return {
        "findings": {
            strategy: {
                "verdict": str(one.verdict),
                "why": one.why,
                "observations": one.observations,
                "trials": one.trials,
                "universe": one.universe,
                "block": one.block,
                "t": one.t,
                "p": one.p.consistent if one.p is not None else None,
            }
            for strategy, one in findings.items()
        }
    }
