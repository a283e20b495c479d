"""May a strategy climb one rung? All that the store knows is asked; what it lacks is a no."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.regime.rungs import RungChange, Rungs
from swarm.adapters.postgres.store.regime.states import RegimeStates
from swarm.adapters.postgres.store.regime.trials import Trials, Tried
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.adapters.postgres.store.trading.limit_sets import LimitSets
from swarm.ports.gate_records import Decided
from swarm.regime.capital.ladder import (
    Foothold,
    LadderReason,
    LadderRule,
    RungEvidence,
    move,
)
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.events import Sent
from swarm.regime.controls.ledger import Ledger
from swarm.regime.nouns import HIDDEN, Regime, Rung
from swarm.regime.snooping.betting import Wealth, bet
from swarm.regime.snooping.verdict import SnoopingFinding, SnoopingVerdict
from swarm.runtime.regime.errors import StepRefused
from swarm.runtime.regime.looks import observed

LIMITS_SEEN = "regime-limits"
"""The kind of control evidence that says whether a strategy kept the limits of its regime."""
SPREAD_LEAST = 20  #: observations that a standard deviation needs
SENTENCES = {
    LadderReason.TOO_FEW_OBSERVATIONS: "observations at this rung in the regime that is active, "
    "since a bet was last lost in shadow",
    LadderReason.LIMITS_NOT_CLEAN: "a fresh word that no limit of the regime is breached",
    LadderReason.NOT_TESTED: "a registered look since the last step, with a verdict",
    LadderReason.TEST_REJECTED: "a look that finds it better than its baseline, all trials counted",
    LadderReason.WORSE_THAN_BASELINE: "the bet that it is worse than its baseline must not win",
    LadderReason.LIMIT_BREACHED: "no limit of the regime may be breached",
    LadderReason.REGIME_UNCERTAIN: "a regime that is known: it is uncertain, or none is stored",
    LadderReason.CEILING: "nothing frozen, latched, killed or broken: see `swarmctl capital show`",
    LadderReason.AT_THE_TOP: "there is no rung above",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A step: who wants which rung for what, and where its evidence is kept.

    stream: whose regime counts. objective: of the ledger of trials. chain: of the trading gate.
    lasts_ns: an older word on the limits is none.
    """

    strategy: str
    to: Rung
    reason: str
    by: str
    stream: str
    objective: str
    chain: str
    lasts_ns: int
    now: int


async def held_back(database: Database, chain: str) -> dict[str, Any]:
    """What is switched off, from the gate's own records; none of them is taken over or changed."""
    ledger = Ledger()
    for record in await GateChain(database, chain, "capital").read():
        if not isinstance(record, Decided):
            ledger.apply(record)
        elif record.decision.ruling is Ruling.ACCEPT and record.order is not None:
            ledger.apply(Sent(order=record.order, at_ns=record.decision.at_ns))
    freezes = await Look(database).rows("freezes", state="open")
    return {
        "latches": [
            {"id": one.latch, "strategy": one.strategy, "cause": one.cause, "at_ns": one.at_ns}
            for one in ledger.latches.values()
        ],
        "kills": [
            {"id": one.kill, "scope": one.scope, "by": one.by, "reason": one.reason}
            for one in ledger.kills.values()
        ],
        "breaks": [
            {"id": one.broken, "venue": one.venue, "detail": one.detail}
            for one in ledger.breaks.values()
        ],
        "freezes": [
            {"id": row["id"], "class": row["mission_class"], "reason": row["reason"]}
            for row in freezes
        ],
    }


async def overview(database: Database, chain: str, limits: str) -> dict[str, Any]:
    """Rungs, limits, what is switched off, and what is left to do before it may be on again."""
    rungs = Rungs(database)
    strategies = []
    for strategy, rung in sorted((await rungs.now()).items()):
        newest = (await rungs.history(strategy, 1))[0]
        strategies.append(
            {"name": strategy, "rung": rung.label, "share": rung.capital_share,
             "since_ns": newest.at_ns, "cause": newest.cause}
        )  # fmt: skip
    stored = await LimitSets(database, limits).newest()
    off = await held_back(database, chain)
    return {
        "strategies": strategies,
        "limits": [
            {"name": limits, "version": one.limits.version, "hash": one.hash, "signer": one.signer}
            for one in stored
        ],
        **off,
        "left_to_do": left_to_do(off, configured=bool(stored)),
    }


def left_to_do(off: dict[str, Any], *, configured: bool) -> list[str]:
    """One sentence for each thing that stands between here and trading."""
    found = [] if configured else ["no limit set is stored: every order is refused until one is"]
    found += [
        f"latch {one['id']} of {one['strategy']}: a signed re-enable token of risk or a supervisor"
        for one in off["latches"]
    ]
    found += [
        f"kill {one['id']} of {one['scope']}: a signed lift-kill token of risk or a supervisor"
        for one in off["kills"]
    ]
    found += [
        f"break {one['id']} at {one['venue']}: a signed clear-break token of risk"
        for one in off["breaks"]
    ]
    found += [
        f"freeze {one['id']} of {one['class']}: `swarmctl describe freeze {one['id']}`"
        for one in off["freezes"]
    ]
    return found


async def step(database: Database, asked: Asked) -> RungChange:
    """Make the step, or raise StepRefused with everything that is unmet. Down is never refused."""
    rungs = Rungs(database)
    held = await rungs.history(asked.strategy, limit=1)
    now = held[0].rung if held else Rung.SHADOW
    if asked.to is now and held:
        raise StepRefused(f"{asked.strategy} stands on {now.label} already")
    states = await RegimeStates(database).load(asked.stream)
    # A look justifies one step up, also after a step down: only a later one justifies the next.
    tested = int(held[0].evidence.get("tested", 0)) if held else 0
    evidence: dict[str, Any] = {
        "by": asked.by,
        "tick": states.tick if states else -1,
        "tested": tested,
    }
    if asked.to > now:
        if asked.to is not now.above:
            why = f"from {now.label} the next is {now.above.label}; a rung is never skipped"
            raise StepRefused(f"{asked.strategy} cannot go to {asked.to.label}: {why}")
        since = int(held[0].evidence.get("tick", -1)) if held else -1
        regime = Regime(states.record["id"]) if states else Regime.UNCERTAIN
        found = await _evidence(database, asked, regime)
        ledger = Trials(database, asked.objective, str(regime))
        trial = newest_trial(await ledger.universe(), asked.strategy)
        here = foothold(now, trial, regime, since=since, tested=tested)
        after, why_not = move(here, found, LadderRule())
        if after.rung is not asked.to:
            unmet = "\n".join(f"  - {SENTENCES.get(one, one)}" for one in why_not)
            raise StepRefused(f"{asked.strategy} stays on {now.label}; unmet:\n{unmet}")
        evidence |= {"tested": after.tested, "seen": sum(here.seen), "regime": str(regime)}
    change = RungChange(
        strategy=asked.strategy,
        seq=(held[0].seq if held else 0) + 1,
        at_ns=asked.now,
        rung=asked.to,
        cause=asked.reason,
        evidence=evidence,
    )
    await rungs.append(change)
    return change


async def _evidence(database: Database, asked: Asked, regime: Regime) -> RungEvidence:
    off = await held_back(database, asked.chain)
    stopped = any(off[kind] for kind in ("latches", "kills", "breaks", "freezes"))
    seen = await ControlEvidences(database).between(asked.now - asked.lasts_ns, asked.now + 1)
    words = [one.passed for one in seen if (one.kind, one.subject) == (LIMITS_SEEN, asked.strategy)]
    return RungEvidence(
        regime=regime,
        excess=None,
        # One word of a breach within the time outweighs any number that say there was none.
        breach=not all(words) if words else None,
        finding=await _finding(database, asked, regime),
        ceiling=Rung.SHADOW if stopped else Rung.FULL,
    )


async def _finding(database: Database, asked: Asked, regime: Regime) -> SnoopingFinding | None:
    looks = await Trials(database, asked.objective, str(regime)).looks()
    taken = [one.result["findings"] for one in looks if one.result is not None]
    mine = [one[asked.strategy] for one in taken if asked.strategy in one]
    if not mine:
        return None
    newest = max(mine, key=lambda one: int(one["observations"]))
    return SnoopingFinding(
        verdict=SnoopingVerdict(newest["verdict"]),
        why=str(newest["why"]),
        observations=int(newest["observations"]),
        trials=int(newest["trials"]),
        universe=str(newest["universe"]),
    )


def newest_trial(universe: Sequence[Tried], strategy: str) -> Tried | None:
    """The trial that stands for a strategy: the one that was noted last."""
    return next((one for one in reversed(universe) if one.strategy == strategy), None)


def foothold(
    rung: Rung, trial: Tried | None, regime: Regime, *, since: int, tested: int
) -> Foothold:
    """Where a strategy stands, counted from what its trial showed behind that tick.

    Who loses the bet in shadow begins again with nothing, as `move` has it.
    """
    seen, worse = 0, Wealth()
    before: list[float] = []
    for tick, excess in observed(trial.excess if trial else ()):
        if tick > since:
            seen, worse = seen + 1, _bet(worse, excess, before)
            if rung is Rung.SHADOW and worse.reached(LadderRule().alpha):
                seen, worse = 0, Wealth()
        before.append(excess)
    counted = tuple(seen if one is regime else 0 for one in HIDDEN)
    return Foothold(rung=rung, seen=counted, worse=worse, tested=tested)


def _bet(worse: Wealth, excess: float, before: list[float]) -> Wealth:
    """In standard deviations of what came before, so that nothing later sets the stake."""
    if len(before) < SPREAD_LEAST:
        return worse
    mean = math.fsum(before) / len(before)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in before) / len(before))
    return bet(worse, -excess / spread * LadderRule().scale) if spread > 0 else worse
