"""A tape through the engine, tick by tick, with what is needed to draw, explain and go on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from swarm.regime import saved
from swarm.regime.engine.record import RegimeRecord, record
from swarm.regime.engine.state import EngineState, empty, restore
from swarm.regime.engine.step import Observation, advance
from swarm.regime.ensemble import OPINION
from swarm.regime.errors import RegimeError
from swarm.regime.hysteresis import rule
from swarm.regime.hysteresis.decision import Transition
from swarm.regime.nouns import FloatArray, IntArray
from swarm.runtime.regime.errors import ReplayRefused
from swarm.runtime.regime.model import Model
from swarm.runtime.regime.tape import Tape, returns

NAME, VERSION = "replay", 1
_STEP = 5_000  #: ticks between two words about progress


@dataclass(frozen=True, kw_only=True)
class ReplayPoint:
    """Where a replay stands: the engine's state, and the last price that was there."""

    state: EngineState
    price: float

    def to_bytes(self, model: Model) -> bytes:
        """Sealed and bound to the model; equal standings give equal bytes."""
        engine = np.frombuffer(self.state.to_bytes(model.params), dtype=np.uint8)
        held = {"engine": engine, "price": np.array([self.price])}
        return saved.pack(NAME, VERSION, model.hash, self.state.tick, held)


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What T ticks came to; each array has one entry, or one row, for a tick.

    said, active: index into HIDDEN, 4 for uncertain, -1 for none yet. posture: 0 normal.
    changes: when the regime, the label beneath or the posture changed, with the time.
    """

    at: IntArray
    price: FloatArray
    opinions: FloatArray
    said: IntArray
    active: IntArray
    posture: IntArray
    changes: tuple[tuple[int, Transition], ...]
    point: ReplayPoint
    last: RegimeRecord


def begin(model: Model) -> ReplayPoint:
    """Before the first tick."""
    return ReplayPoint(state=empty(1, model.params), price=math.nan)


def resume(held: bytes, model: Model) -> ReplayPoint:
    """What `ReplayPoint.to_bytes` wrote under the same model. Raises ReplayRefused."""
    try:
        read = saved.unpack(held, NAME, VERSION, model.hash)
        state = restore(read["engine"].tobytes(), model.params)
        return ReplayPoint(state=state, price=float(read["price"][0]))
    except (RegimeError, KeyError, IndexError) as error:
        raise ReplayRefused(f"the saved replay does not fit: {error}") from error


def replay(
    tape: Tape, model: Model, point: ReplayPoint, progress: Callable[[int, int], None]
) -> Replayed:
    """Every tick of the tape that the point has not seen. Cost: some 20 us a tick.

    progress: called with ticks done and ticks in all. The first price of all makes no return and
    so is no tick. Raises ReplayRefused when nothing is new.
    """
    model.fitting(tape)
    tape = tape.after(point.state.at)
    values = returns(tape.price, point.price)
    first = 0 if point.state.tick >= 0 else _first_return(tape)
    ticks = len(tape) - first
    if ticks < 1:
        remedy = (
            "Add what came since to the file, or replay it from the beginning, under a new name."
        )
        raise ReplayRefused(
            "every tick of the file was seen before; a later one is wanted", remedy=remedy
        )
    state = point.state.copy()
    opinions, rows = np.empty((ticks, OPINION)), np.empty((ticks, 3), dtype=np.int64)
    changes: list[tuple[int, Transition]] = []
    before = state.rows[0, [rule.SAID, rule.ACTIVE, rule.POSTURE]].copy()
    for tick in range(ticks):
        place = first + tick
        at = int(tape.at[place])
        reading = tape.readings[place] if tape.readings else None
        seen = Observation(at=at, values=values[place : place + 1], reading=reading)
        told = advance(state, seen, model.params)
        opinions[tick] = state.opinions[0]
        rows[tick] = state.rows[0, [rule.SAID, rule.ACTIVE, rule.POSTURE]]
        if told and not np.array_equal(rows[tick], rows[tick - 1] if tick else before):
            changes.append((at, told[0]))
        if tick % _STEP == 0:
            progress(tick, ticks)
    progress(ticks, ticks)
    there = tape.price[~np.isnan(tape.price)]
    return Replayed(
        at=tape.at[first:],
        price=tape.price[first:],
        opinions=opinions,
        said=rows[:, 0],
        active=rows[:, 1],
        posture=rows[:, 2],
        changes=tuple(changes),
        point=ReplayPoint(state=state, price=float(there[-1]) if len(there) else point.price),
        last=record(state, 0, model.params),
    )


def _first_return(tape: Tape) -> int:
    """The place behind the first price."""
    priced = np.flatnonzero(~np.isnan(tape.price))
    return int(priced[0]) + 1 if len(priced) else len(tape)
