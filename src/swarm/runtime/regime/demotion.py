"""Down the ladder at once: one rung for a breach, to shadow when the bet against it has won."""

from __future__ import annotations

import contextlib

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.errors import ToldOtherwise
from swarm.adapters.postgres.store.regime.rungs import RungChange, Rungs
from swarm.adapters.postgres.store.regime.trials import Trials
from swarm.regime.capital.ladder import LadderRule, RungEvidence, move
from swarm.regime.nouns import Regime, Rung
from swarm.runtime.regime.errors import StepRefused
from swarm.runtime.regime.looks import newest_tick
from swarm.runtime.regime.promotion import Asked, foothold, newest_trial, step


async def step_down(
    database: Database, strategy: str, *, stream: str, reason: str, by: str, now: int
) -> RungChange | None:
    """One rung down, at once, whatever else moves it at this moment; None: it is in shadow."""
    while True:
        rung = (await Rungs(database).now()).get(strategy, Rung.SHADOW)
        if rung is Rung.SHADOW:
            return None
        asked = Asked(
            strategy=strategy, to=rung.below, reason=reason, by=by, stream=stream, objective="",
            chain="", lasts_ns=0, now=now,
        )  # fmt: skip
        # Somebody else moved it between reading and writing: it goes down from where it is now.
        with contextlib.suppress(ToldOtherwise, StepRefused):
            return await step(database, asked)


async def fall(
    database: Database, ledger: Trials, strategy: str, regime: Regime, *, by: str, now: int
) -> RungChange | None:
    """To shadow, when what a ledger shows of a strategy since it came to its rung has won the bet.

    The bet is that it is worse than the baseline of this regime (REG-6); asked whenever the ledger
    grew. None: it has not won, or the strategy is in shadow. Cost: one pass over its trial.
    """
    rungs = Rungs(database)
    while True:
        held = next(iter(await rungs.history(strategy, limit=1)), None)
        trial = newest_trial(await ledger.universe(), strategy)
        if held is None or held.rung is Rung.SHADOW or trial is None:
            return None
        since, tested = int(held.evidence.get("tick", -1)), int(held.evidence.get("tested", 0))
        here = foothold(held.rung, trial, regime, since=since, tested=tested)
        # Nothing else is asked here, so that nothing but the bet can move it.
        nothing_new = RungEvidence(regime=regime, excess=None, breach=None, finding=None)
        after, why = move(here, nothing_new, LadderRule())
        if after.rung >= held.rung:
            return None
        change = RungChange(
            strategy=strategy,
            seq=held.seq + 1,
            at_ns=now,
            rung=after.rung,
            cause=f"{', '.join(why)}: {here.worse.bets} observations in {regime}",
            # What has counted does not count again: the way back begins behind it.
            evidence={"by": by, "tick": newest_tick([trial]), "tested": tested},
        )
        with contextlib.suppress(ToldOtherwise):
            await rungs.append(change)
            return change
