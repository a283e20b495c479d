"""Money is reserved before it is spent, and never beyond the cap (rule 4)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from swarm.core.history.finding import Bench, Rule
from swarm.core.history.journal import Deed, Movement


@dataclass(slots=True)
class _Window:
    """One budget window as the movements make it, micro-units."""

    reserved: int = 0
    spent: int = 0
    by_mission: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def budget(bench: Bench) -> None:
    """Sum the movements; agent work happens only under a reservation where one was promised."""
    windows: dict[str, _Window] = defaultdict(_Window)
    held: set[str] = set()
    moves = iter((*bench.history.movements, None))
    move = next(moves)
    runs = (effect for effect in bench.history.effects if effect.deed is Deed.RUN)
    # What was asked for first may have happened last.
    for effect in sorted(runs, key=lambda run: run.asked):
        while move is not None and move.at <= effect.asked:
            _apply(bench, windows[move.window], held, move)
            move = next(moves)
        mission = bench.log.missions.get(effect.mission)
        promised = mission is not None and bool(mission.body.get("reserve"))
        if promised and not bench.history.movements:
            bench.cannot_judge(Rule.BUDGET)
        elif promised:
            bench.look(Rule.BUDGET)
            if effect.mission not in held:
                about = (effect.mission, effect.key)
                bench.broken(Rule.BUDGET, effect.at, about, "agent work without a reservation")
    while move is not None:
        _apply(bench, windows[move.window], held, move)
        move = next(moves)


def _apply(bench: Bench, window: _Window, held: set[str], move: Movement) -> None:
    """Book one movement. held: missions whose reservation was not given back; spent is not back."""
    bench.look(Rule.BUDGET)
    about = (move.mission, move.mission)
    if move.amount < 0:
        bench.broken(Rule.BUDGET, move.at, about, f"{move.what} of {move.amount} micro-units")
        return
    mine = window.by_mission[move.mission]
    match move.what:
        case "reserve":
            window.reserved += move.amount
            window.by_mission[move.mission] = mine + move.amount
            held.add(move.mission)
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
        case _:
            if move.amount > mine:
                detail = f"{move.amount} micro-units given back, {mine} were reserved"
                bench.broken(Rule.BUDGET, move.at, about, detail)
            window.reserved -= min(mine, move.amount)
            window.by_mission[move.mission] = mine - min(mine, move.amount)
            if move.amount >= mine:
                held.discard(move.mission)
