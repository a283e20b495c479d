"""The detector over S streams: its parameters, its state, one step, many steps, and its bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

from swarm.regime import saved
from swarm.regime.drift import window
from swarm.regime.errors import BadObservation, BadParameters

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

VERSION = 2
#: Widths with an entry of their own in the table of bounds; wider windows compute theirs.
_TABLE = 1 << 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of ADWIN2.

    delta:      the confidence parameter of its bound, in (0, 1). The bound is very conservative:
                0.05 alarms about once in 50,000 to 100,000 values without any change, 0.3 once in
                5,000, 0.002 practically never.
    clock:      the window is examined at every so many values.
    buckets:    of one size, M; more see a change a little sooner.
    rows:       sizes of buckets; the window holds at most some M 2**rows values.
    least:      values on either side of a cut.
    grace:      a window of no more values is not examined.
    refractory: so many values without alarm end an episode.
    stale:      so many missing observations in a row, and the detector says that it is stale.
    """

    delta: float = 0.05
    clock: int = 1
    buckets: int = 5
    rows: int = 20
    least: int = 5
    grace: int = 10
    refractory: int = 100
    stale: int = 5

    def __post_init__(self) -> None:
        if not 0.0 < self.delta < 1.0:
            raise BadParameters("delta", f"is {self.delta}", "a number within (0, 1)")
        for name, low, high in (
            ("clock", 1, 1 << 20),
            ("buckets", 2, 64),
            ("rows", 2, 40),
            ("least", 1, 1 << 20),
            ("grace", 2, 1 << 20),
            ("refractory", 1, 1 << 40),
            ("stale", 1, 1 << 40),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadParameters(
                    name, f"is {getattr(self, name)}", f"a number from {low} to {high}"
                )

    def hash(self) -> str:
        """What a saved state is bound to."""
        return saved.params_hash("drift", VERSION, asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Of S streams, with R rows of at most M buckets and one on its way; see `window`.

    buckets: shape (S, 2, R, M + 1), sums and centred sums of squares. rows: shape (S, R), how
    many are taken. totals: shape (S, 3), of the whole window. marks: shape (S, 6).
    """

    buckets: Array
    rows: Integers
    totals: Array
    marks: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What one observation for each stream told; every field has shape (S,).

    alarm:    the window was cut at this observation.
    episode:  an alarm came within the refractory period: one drift, however often it alarms.
    started:  the observation at which the last episode began, from 1; 0 when there was none.
    episodes: how many there were. width, mean, variance: of the window as it is now.
    seen:     observations so far. stale: too many in a row were missing.
    """

    alarm: Flags
    episode: Flags
    started: Integers
    episodes: Integers
    width: Integers
    mean: Array
    variance: Array
    seen: Integers
    stale: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Parameters as the kernel reads them; places are named in `window`."""

    settings: Array
    bounds: Array


@lru_cache(maxsize=16)
def prepare(params: Params) -> Prepared:
    """The table of these parameters; made once."""
    settings = np.zeros(window.SETTINGS)
    settings[window.DELTA] = params.delta
    settings[window.CLOCK] = params.clock
    settings[window.LEAST] = params.least
    settings[window.GRACE] = params.grace
    settings[window.REFRACTORY] = params.refractory
    bounds = np.array([window.bound(max(w, 2), params.delta) for w in range(_TABLE)])
    bounds[0] = params.delta
    settings.flags.writeable = bounds.flags.writeable = False
    return Prepared(settings=settings, bounds=bounds)


def spread(u: Array) -> Array:
    """|2u - 1|: how far out ranks are; its mean moves when the scale of a stream changes."""
    return np.abs(2.0 * u - 1.0)


def empty(streams: int, params: Params) -> State:
    """The state of that many streams before their first observation."""
    return State(
        buckets=np.zeros((streams, 2, params.rows, params.buckets + 1)),
        rows=np.zeros((streams, params.rows), dtype=np.int64),
        totals=np.zeros((streams, window.TOTALS)),
        marks=np.zeros((streams, window.MARKS), dtype=np.int64),
    )


def step(state: State, observation: Array, params: Params) -> tuple[State, Drift]:
    """The state after one value in [0, 1] for each stream, and what it told.

    observation: shape (S,), ranks; NaN or infinite is missing.
    """
    following = _copied(state)
    return following, advance(following, observation, params)


def step_many(state: State, observations: Array, params: Params) -> tuple[State, list[Drift]]:
    """Many steps with one copy. observations: shape (T, S), in order of time."""
    following = _copied(state)
    return following, [advance(following, row, params) for row in observations]


def advance(state: State, observation: Array, params: Params) -> Drift:
    """`step` in place: the caller hands the state over. Cost: O(M log W), some 0.1 us a stream."""
    x = np.ascontiguousarray(observation, dtype=np.float64)
    if x.shape != (state.marks.shape[0],):
        raise BadObservation(
            "observation", f"has shape {x.shape}", f"shape ({state.marks.shape[0]},)"
        )
    if np.any(np.isfinite(x) & ((x < 0.0) | (x > 1.0))):
        raise BadObservation("observation", "has a value outside [0, 1]", "a rank of `transform`")
    prepared = prepare(params)
    window.advance_all(
        state.buckets, state.rows, state.totals, state.marks, x, prepared.settings, prepared.bounds
    )
    return _drift(state, np.isfinite(x), params)


def save(state: State, params: Params, tick: int) -> bytes:
    """The state as bytes, bound to its parameters."""
    arrays = {
        "buckets": state.buckets,
        "rows": state.rows,
        "totals": state.totals,
        "marks": state.marks,
    }
    return saved.pack("drift", VERSION, params.hash(), tick, arrays)


def restore(state: bytes, params: Params) -> State:
    """The state that `save` gave; refuses altered bytes and other parameters."""
    return State(**saved.unpack(state, "drift", VERSION, params.hash()))


def _copied(state: State) -> State:
    return State(
        buckets=state.buckets.copy(),
        rows=state.rows.copy(),
        totals=state.totals.copy(),
        marks=state.marks.copy(),
    )


def _drift(state: State, came: Flags, params: Params) -> Drift:
    marks = state.marks.T.copy()
    seen, last, width = marks[window.SEEN], marks[window.LAST_ALARM], marks[window.WIDTH]
    items = np.maximum(width, 1)
    return Drift(
        alarm=came & (last == seen),
        episode=(last > 0) & (seen - last <= params.refractory),
        started=marks[window.STARTED],
        episodes=marks[window.EPISODES],
        width=width,
        mean=state.totals[:, window.SUM] / items,
        variance=state.totals[:, window.SQUARES] / items,
        seen=seen,
        stale=marks[window.MISSING] >= params.stale,
    )
