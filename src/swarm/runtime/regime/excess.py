"""What a trial showed, from a file into the ledger: what is new is added, nothing is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swarm.adapters.postgres.store.regime.errors import ToldOtherwise
from swarm.adapters.postgres.store.regime.trials import Trials
from swarm.runtime.regime.cells import Where, column_of, decimal_of
from swarm.runtime.regime.looks import observed
from swarm.runtime.regime.rows import CELL_MOST, header_of, rows_of

TICK_MOST = 2**62
_DIGITS = 19


def read(path: Path) -> dict[int, float]:
    """Columns `tick` and `excess`: net of costs, above the baseline of the regime, in one unit.

    Ticks rise and are those of the engine; one without an observation is left out.
    Raises TapeRefused, which names the line.
    """
    names, rows = header_of(rows_of(path), path)
    at, what = (column_of(names, "", (name,), path) for name in ("tick", "excess"))
    found: dict[int, float] = {}
    last = -1
    for number, row in enumerate(rows, 2):
        where = Where(path=path, line=number)
        tick = _tick(row[at], where)
        if tick <= last:
            raise where.refuse("tick", row[at], f"one behind {last}")
        found[tick] = _number(row[what], where)
        last = tick
    return found


def _tick(value: Any, where: Where) -> int:
    text = str(value).strip()[:CELL_MOST]
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS) or int(text) > TICK_MOST:
        raise where.refuse("tick", value, "a whole number from 0")
    return int(text)


def _number(value: Any, where: Where) -> float:
    number = decimal_of(value)
    if number is None:
        raise where.refuse("excess", value, "a finite number")
    return number


async def add(
    ledger: Trials, strategy: str, content: Mapping[str, Any], showed: Mapping[int, float]
) -> tuple[str, int]:
    """Register the trial and add what it showed behind what is there; its id, and ticks added.

    The same file again adds nothing, a longer one what is new. Raises ToldOtherwise, and then adds
    nothing, where it says something else of a tick than the ledger.
    """
    trial = await ledger.register(strategy, content)
    tried = next(one for one in await ledger.universe() if one.id == trial)
    held = dict(observed(tried.excess))
    for tick, excess in showed.items():
        if held.get(tick, excess) != excess:
            raise ToldOtherwise(f"tick {tick} showed {held[tick]!r} before, and {excess!r} now")
    new = {tick: excess for tick, excess in showed.items() if tick not in held}
    for first, part in _parts(new):
        await ledger.add_excess(trial, first, part)
    return trial, len(new)


def _parts(showed: Mapping[int, float]) -> list[tuple[int, list[float]]]:
    """Runs of ticks without a gap."""
    parts: list[tuple[int, list[float]]] = []
    for tick, excess in sorted(showed.items()):
        if parts and parts[-1][0] + len(parts[-1][1]) == tick:
            parts[-1][1].append(excess)
        else:
            parts.append((tick, [excess]))
    return parts
