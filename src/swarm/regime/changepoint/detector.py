"""The detector over S streams: its state, one step, many steps, and its bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarm.regime import saved
from swarm.regime.changepoint import recursion
from swarm.regime.changepoint.params import VERSION, Params, prepare
from swarm.regime.errors import BadObservation

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Of S streams; rows and columns are named in `recursion`.

    numbers: shape (S, 5, K), the hypotheses of each stream, oldest first. 5 KiB at K = 128.
    counts:  shape (S, 3), live hypotheses, observations, observations missing in a row.
    """

    numbers: Array
    counts: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Changepoint:
    """What one observation for each stream told; every field has shape (S,).

    evidence:  log density of the observation given all before it; 0 when it was missing.
    score:     P(the run is younger than `short`). It is 1 for any data until `short` observations
               have come, so it reads 0 until then, and `ready` says so. It is not P(age = 0):
               that is the hazard at every tick, whatever the data.
    run_start: P(the run began after observation number `since`).
    map_age:   the likeliest age of the run, in observations; map_mass: its probability.
    seen:      observations so far; the likeliest run began after number seen - map_age.
    ready:     the score means something.
    stale:     too many observations in a row were missing.
    """

    evidence: Array
    score: Array
    run_start: Array
    map_age: Integers
    map_mass: Array
    seen: Integers
    ready: Flags
    stale: Flags


def empty(streams: int, params: Params) -> State:
    """The state of that many streams before their first observation."""
    state = State(
        numbers=np.zeros((streams, 5, params.hypotheses)),
        counts=np.zeros((streams, 3), dtype=np.int64),
    )
    recursion.begin(state.numbers, state.counts, prepare(params).settings)
    return state


def step(
    state: State, observation: Array, params: Params, since: Integers | None = None
) -> tuple[State, Changepoint]:
    """The state after one standardised observation for each stream, and what it told.

    observation: shape (S,), normal scores; NaN or infinite is missing. since: shape (S,),
    observation numbers to judge the run's start by; 0 when left out.
    """
    following = State(numbers=state.numbers.copy(), counts=state.counts.copy())
    return following, advance(following, observation, params, since)


def step_many(
    state: State, observations: Array, params: Params, since: Integers | None = None
) -> tuple[State, list[Changepoint]]:
    """Many steps with one copy. observations: shape (T, S), in order of time."""
    following = State(numbers=state.numbers.copy(), counts=state.counts.copy())
    return following, [advance(following, row, params, since) for row in observations]


def advance(
    state: State, observation: Array, params: Params, since: Integers | None = None
) -> Changepoint:
    """`step` in place: the caller hands the state over. Cost: about 0.5 us a stream at K = 128."""
    streams = state.counts.shape[0]
    x = np.ascontiguousarray(observation, dtype=np.float64)
    if x.shape != (streams,):
        raise BadObservation("observation", f"has shape {x.shape}", f"shape ({streams},)")
    start = np.zeros(streams, dtype=np.int64) if since is None else since
    if start.shape != (streams,):
        raise BadObservation("since", f"has shape {start.shape}", f"shape ({streams},)")
    told = np.empty((streams, recursion.TOLD))
    prepared = prepare(params)
    recursion.advance_all(
        state.numbers, state.counts, x, start, prepared.settings, prepared.tables, told
    )
    return _changepoint(told, state.counts, params)


def _changepoint(told: Array, counts: Integers, params: Params) -> Changepoint:
    seen = counts[:, recursion.SEEN].copy()
    return Changepoint(
        evidence=told[:, recursion.EVIDENCE],
        score=told[:, recursion.SCORE],
        run_start=told[:, recursion.RUN_START],
        map_age=told[:, recursion.MAP_AGE].astype(np.int64),
        map_mass=told[:, recursion.MAP_MASS],
        seen=seen,
        ready=seen > params.short,
        stale=counts[:, recursion.MISSING] >= params.stale,
    )


def save(state: State, params: Params, tick: int) -> bytes:
    """The state as bytes, bound to its parameters."""
    arrays = {"numbers": state.numbers, "counts": state.counts}
    return saved.pack("changepoint", VERSION, params.hash(), tick, arrays)


def restore(state: bytes, params: Params) -> State:
    """The state that `save` gave; refuses altered bytes and other parameters."""
    arrays = saved.unpack(state, "changepoint", VERSION, params.hash())
    return State(numbers=arrays["numbers"], counts=arrays["counts"])
