"""Money is reserved before it is spent, never beyond the cap, and all accounted for (rule 4).

A run may cost more than it was expected to, and so carry its window above the cap: the ledger keeps
that as overrun. What no window carries is one more reservation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm.core.history.finding import Bench, Rule
from swarm.core.history.journal import Deed, Effect, Movement
from swarm.core.history.log import Opened


@dataclass(slots=True)
class _Window:
    """One budget window as the movements make it, micro-units."""

    reserved: int = 0
    spent: int = 0
    by_mission: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class _Ledger:
    """All windows. held: what each mission reserved, until it was given back; spent is not back."""

    windows: dict[str, _Window] = field(default_factory=lambda: defaultdict(_Window))
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    spent: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def budget(bench: Bench) -> None:
    """Sum the movements; agent work happens only under a reservation, where it costs anything."""
    ledger = _Ledger()
    moves = iter((*(bench.history.movements or ()), None))
    move = next(moves)
    runs = (effect for effect in bench.history.effects if effect.deed is Deed.RUN)
    keys: dict[str, set[str]] = defaultdict(set)
    # What was asked for first may have happened last.
    for effect in sorted(runs, key=lambda run: run.asked):
        while move is not None and move.at <= effect.asked:
            _apply(bench, ledger, move)
            move = next(moves)
        keys[effect.mission].add(effect.key)
        _reserved(bench, ledger, effect, len(keys[effect.mission]))
    while move is not None:
        _apply(bench, ledger, move)
        move = next(moves)
    _accounted(bench, ledger, bench.log.missions.values())


def _cost(bench: Bench, mission: Opened) -> int:
    """What one run of a mission was expected to cost when it was opened; 0 where nobody told."""
    terms = bench.log.terms(mission.swarm, mission.opening.policy)
    return 0 if terms is None else terms.costs.get(str(mission.body.get("agent", "")), 0)


def _reserved(bench: Bench, ledger: _Ledger, run: Effect, number: int) -> None:
    """Whether this run, the mission's so-manieth, and all before it were reserved for."""
    mission = bench.log.missions.get(run.mission)
    if mission is None:
        return
    needed = number * _cost(bench, mission)
    if not needed and not mission.body.get("reserve"):
        return
    if bench.history.movements is None:
        bench.cannot_judge(Rule.BUDGET)
        return
    bench.look(Rule.BUDGET)
    held = ledger.held.get(run.mission)
    if held is None or held < needed:
        detail = f"agent work number {number} on {held or 0} reserved micro-units of {needed}"
        bench.broken(Rule.BUDGET, run.at, (run.mission, run.key), detail)


def _accounted(bench: Bench, ledger: _Ledger, missions: Iterable[Opened]) -> None:
    """What a mission's ending says that it cost is what the ledger says that it spent."""
    for mission in missions:
        if bench.history.movements is None or not mission.ended or not _cost(bench, mission):
            continue
        bench.look(Rule.BUDGET)
        ending, spent = mission.ended[0], ledger.spent.get(mission.id, 0)
        if (cost := ending.body.get("cost", spent)) != spent:
            detail = f"it ended at a cost of {cost} micro-units, and the ledger spent {spent} on it"
            bench.broken(Rule.BUDGET, ending.at, (mission.id, ""), detail)


def _apply(bench: Bench, ledger: _Ledger, move: Movement) -> None:
    """Book one movement."""
    bench.look(Rule.BUDGET)
    window, about = ledger.windows[move.window], (move.mission, move.mission)
    if move.amount < 0:
        bench.broken(Rule.BUDGET, move.at, about, f"{move.what} of {move.amount} micro-units")
        return
    mine = window.by_mission[move.mission]
    match move.what:
        case "reserve":
            window.reserved += move.amount
            window.by_mission[move.mission] = mine + move.amount
            ledger.held[move.mission] += move.amount
            cap = bench.history.caps.get(move.window)
            total = window.reserved + window.spent
            if cap is not None and total > cap:
                detail = f"{total} of {cap} micro-units are reserved and spent"
                bench.broken(Rule.BUDGET, move.at, about, detail)
        case "spend":
            kept = min(mine, move.amount)
            window.reserved -= kept
            window.by_mission[move.mission] = mine - kept
            window.spent += move.amount
            ledger.spent[move.mission] += move.amount
        case _:
            if move.amount > mine:
                detail = f"{move.amount} micro-units given back, {mine} were reserved"
                bench.broken(Rule.BUDGET, move.at, about, detail)
            window.reserved -= min(mine, move.amount)
            window.by_mission[move.mission] = mine - min(mine, move.amount)
            if move.amount >= mine:
                ledger.held.pop(move.mission, None)
