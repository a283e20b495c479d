"""One tick in the words of the contract: state and observation in, state and transitions out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarm.regime.engine.params import EngineParams
from swarm.regime.engine.state import LAST_TIME, EngineState
from swarm.regime.engine.tick import Seen, advance_all
from swarm.regime.errors import BadObservation
from swarm.regime.hysteresis.decision import Transition, changed
from swarm.regime.microstructure import Reading, Stress
from swarm.regime.microstructure import advance as read_quotes
from swarm.regime.nouns import FloatArray, IntArray


class Observation(NamedTuple):
    """What was seen at one tick; a named tuple, since one is made at every tick.

    at:     nanoseconds UTC, after that of the tick before.
    values: shape (S,), returns in the unit of the fit; NaN or infinite is missing.
    reading: what quotes and trades of this tick measure; None without any.
    stress, trips: in place of a reading, what somebody else made of it: shape (S,), probability of
            stressed liquidity, NaN without quotes; and not 0 where the market itself is broken.
    """

    at: int
    values: FloatArray
    reading: Reading | None = None
    stress: FloatArray | None = None
    trips: IntArray | None = None


def step(
    state: EngineState, observation: Observation, params: EngineParams
) -> tuple[EngineState, list[Transition]]:
    """The state after one tick, and what the streams say that they did not say before.

    The given state stays as it is.
    """
    after = state.copy()
    return after, advance(after, observation, params)


def advance(state: EngineState, observation: Observation, params: EngineParams) -> list[Transition]:
    """`step` in place: the caller hands the state over. Nothing is changed when it refuses.

    Raises `BadObservation` for another number of streams, a time that is not later than the last,
    or a stress that is no probability. Cost: 2 us a stream, and some 8 us for the call.
    """
    seen = _checked(state, observation)
    if observation.reading is not None:
        stress = _read(state, observation, observation.reading, params)
        # The detector's answer is a column of its table; a vector in steps has all compiled anew.
        seen = (seen[0], np.ascontiguousarray(stress.probability), stress.trips)
    if advance_all(seen, observation.at, state.arrays, state.standing, state.settings):
        return changed(state.rows, state.tick)
    return []


def _read(
    state: EngineState, observation: Observation, reading: Reading, params: EngineParams
) -> Stress:
    """What the microstructure detector makes of the quotes; it refuses before it changes."""
    if state.quotes is None or params.quotes is None:
        raise BadObservation("reading", "came without parameters", "`quotes` in the parameters")
    if observation.stress is not None or observation.trips is not None:
        raise BadObservation("stress, trips", "came beside a reading", "one or the other")
    return read_quotes(state.quotes, reading, params.quotes)


def _checked(state: EngineState, observation: Observation) -> Seen:
    if type(observation.at) is not int or not state.at < observation.at <= LAST_TIME:
        right = f"an integer above {state.at}, up to {LAST_TIME}"
        raise BadObservation("at", f"is {observation.at}", right)
    values = _fitting("values", observation.values, state.streams)
    # The two that are mostly not there are made once: for one stream they cost as much as a tick.
    stress, trips = state.silence
    if observation.stress is not None:
        stress = _fitting("stress", observation.stress, state.streams)
        if not (np.isnan(stress) | ((stress >= 0) & (stress <= 1))).all():
            raise BadObservation("stress", "has a value that is no probability", "0 to 1, or NaN")
    if observation.trips is not None:
        trips = observation.trips
        if trips.shape != (state.streams,):
            raise BadObservation("trips", f"has shape {trips.shape}", f"shape ({state.streams},)")
    return values, stress, trips


def _fitting(name: str, given: FloatArray, streams: int) -> FloatArray:
    held = np.ascontiguousarray(given, dtype=np.float64)
    if held.shape != (streams,):
        raise BadObservation(name, f"has shape {held.shape}", f"shape ({streams},)")
    return held
