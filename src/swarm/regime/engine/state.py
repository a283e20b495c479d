"""Everything that an engine remembers, as arrays of S streams: begun, saved, brought back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from swarm.regime import changepoint, drift, microstructure, saved
from swarm.regime.changepoint import recursion
from swarm.regime.changepoint.params import prepare as prepare_changepoint
from swarm.regime.drift.detector import prepare as prepare_drift
from swarm.regime.engine import run
from swarm.regime.engine.params import NAME, VERSION, EngineParams
from swarm.regime.engine.tick import (
    AT,
    CHANGEPOINT_STALE,
    DRIFT_LEVEL,
    DRIFT_SCALE,
    GAP_MOST,
    NO_EPISODE,
    NOTES,
    REFRACTORY,
    SETTINGS,
    STALE_AFTER,
    TICK,
    TRUSTED,
    WINDOWS,
    Moving,
    Standing,
)
from swarm.regime.ensemble import OPINION
from swarm.regime.errors import AlteredState, BadInput
from swarm.regime.hysteresis.decision import begin as begin_rows
from swarm.regime.markov.predictive import tables_of
from swarm.regime.markov.streams import MarkovState
from swarm.regime.nouns import FloatArray, IntArray

BEFORE_TIME = -(2**63)
"""Before the first tick any time will do."""
LAST_TIME = 2**63 - 1
"""The latest that nanoseconds can say, in the year 2262."""
_FIELDS = (
    *("posterior", "lags", "missing", "density", "numbers", "counts", "told"),
    *("buckets", "sizes", "totals", "marks", "opinions", "rows", "notes"),
    "rings",
)
"""In the order in which the kernel takes them."""
_STREAMS_LAST, _OF_WINDOWS = {"posterior", "lags"}, {"buckets", "sizes", "totals", "marks"}
_OF_QUOTES = ("bins", "weights", "sums", "marks")


@dataclass(frozen=True)
class EngineState:
    """Of S streams.

    arrays:   what moves, in the order of the kernel; see `tick.Moving`.
    standing: what a tick reads and never writes, worked out from the parameters.
    settings: shape (SETTINGS,), among them the last tick and its time.
    quotes:   of the microstructure detector; None where there are no quotes to read.
    """

    arrays: Moving
    standing: Standing
    settings: IntArray
    quotes: microstructure.State | None = None

    @property
    def streams(self) -> int:
        """S."""
        return len(self.rows)

    @property
    def tick(self) -> int:
        """How many ticks came; the first is number 0, so before it this is -1."""
        return int(self.settings[TICK])

    @property
    def at(self) -> int:
        """Time of the last tick, nanoseconds UTC."""
        return int(self.settings[AT])

    @cached_property
    def silence(self) -> tuple[FloatArray, IntArray]:
        """Stress and trips of a tick without quotes, each of shape (S,); never written."""
        return np.full(self.streams, np.nan), np.zeros(self.streams, dtype=np.int64)

    @cached_property
    def opinions(self) -> FloatArray:
        """What the detectors say together, shape (S, 8); see `ensemble`."""
        return self.arrays[11]

    @cached_property
    def rows(self) -> IntArray:
        """What was decided, shape (S, ROW); see `hysteresis.rule`."""
        return self.arrays[12]

    @cached_property
    def notes(self) -> IntArray:
        """What a record needs besides, shape (S, NOTES); see `tick`."""
        return self.arrays[13]

    @cached_property
    def rings(self) -> FloatArray:
        """What the newest observations say of the states, (S, SLOTS, K); see `run`."""
        return self.arrays[14]

    def copy(self) -> EngineState:
        """The same state in arrays of its own."""
        arrays = tuple(array.copy() for array in self.arrays)
        quotes = self.quotes
        if quotes is not None:
            quotes = microstructure.State(
                **{name: getattr(quotes, name).copy() for name in _OF_QUOTES}
            )
        return EngineState(arrays, self.standing, self.settings.copy(), quotes)  # type: ignore[arg-type]

    def to_bytes(self, params: EngineParams) -> bytes:
        """Versioned, bound to the parameters and sealed; equal states give equal bytes."""
        return self._packed(params, self._named())

    def hash_of(self, stream: int, params: EngineParams) -> str:
        """The hash of what is remembered of one stream, 64 hexadecimal digits. Cost: 100 us."""
        first = WINDOWS * stream
        cut: dict[str, np.ndarray] = {}
        for name, array in self._named().items():
            if name in _STREAMS_LAST:
                cut[name] = array[:, stream]
            elif name in _OF_WINDOWS:
                cut[name] = array[first : first + WINDOWS]
            else:
                cut[name] = array[stream]
        return saved.state_hash(self._packed(params, cut))

    def _named(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = dict(zip(_FIELDS, self.arrays, strict=True))
        if self.quotes is not None:
            found |= {f"quotes.{name}": getattr(self.quotes, name) for name in _OF_QUOTES}
        return found

    def _packed(self, params: EngineParams, arrays: Mapping[str, np.ndarray]) -> bytes:
        clock = self.settings[[TICK, AT]]
        return saved.pack(NAME, VERSION, params.version, self.tick, {**arrays, "clock": clock})


def empty(streams: int, params: EngineParams) -> EngineState:
    """Before the first tick: nothing is known, everything is uncertain."""
    if streams < 1:
        raise BadInput("streams", f"are {streams}", "at least one")
    markov = MarkovState.empty(streams, params.markov)
    runs = changepoint.empty(streams, params.changepoint)
    windows = drift.empty(WINDOWS * streams, params.drift)
    notes = np.zeros((streams, NOTES), dtype=np.int64)
    notes[:, [DRIFT_LEVEL, DRIFT_SCALE]] = NO_EPISODE
    opinions = np.zeros((streams, OPINION))
    opinions[:, :4] = 0.25
    arrays = (
        markov.posterior, markov.lags, markov.missing, np.zeros(streams),
        runs.numbers, runs.counts, np.zeros((streams, recursion.TOLD)),
        windows.buckets, windows.rows, windows.totals, windows.marks,
        opinions, begin_rows(streams), notes,
        np.zeros((streams, run.SLOTS, params.markov.states)),
    )  # fmt: skip
    quotes = microstructure.empty(streams, params.quotes) if params.quotes else None
    return EngineState(arrays, _standing(streams, params), _settings(params), quotes)


def restore(state: bytes, params: EngineParams) -> EngineState:
    """What `to_bytes` wrote under the same parameters, to the bit.

    Refuses bytes that are altered, of other parameters, or of arrays that do not fit together.
    """
    read = saved.unpack(state, NAME, VERSION, params.version)
    clock = read.pop("clock", np.empty(0))
    fresh = empty(max(len(read.get("rows", ())), 1), params)
    like = fresh._named()  # noqa: SLF001 - the same class, further down
    if set(read) != set(like) or clock.shape != (2,):
        raise AlteredState("state", f"holds {sorted(read)}", f"{sorted(like)} and a clock")
    for name, array in read.items():
        if array.shape != like[name].shape or array.dtype != like[name].dtype:
            raise AlteredState(f"state.{name}", "has another shape", f"shape {like[name].shape}")
    fresh.settings[[TICK, AT]] = clock
    arrays = tuple(read[name] for name in _FIELDS)
    quotes = None
    if params.quotes:
        quotes = microstructure.State(**{name: read[f"quotes.{name}"] for name in _OF_QUOTES})
    return EngineState(arrays, fresh.standing, fresh.settings, quotes)  # type: ignore[arg-type]


def _standing(streams: int, params: EngineParams) -> Standing:
    runs, windows = prepare_changepoint(params.changepoint), prepare_drift(params.drift)
    lookup, predicted = params.lookup(streams), tables_of(tuple(params.markov.nu.tolist()))
    return (
        params.markov.transition, params.markov.table, params.regime_of,
        runs.settings, runs.tables, windows.settings, windows.bounds,
        lookup.place, lookup.which, lookup.tables, params.log_resting, params.policy.numbers(),
        predicted.which, predicted.tables,
    )  # fmt: skip


def _settings(params: EngineParams) -> IntArray:
    settings = np.zeros(SETTINGS, dtype=np.int64)
    settings[[TICK, AT]] = -1, BEFORE_TIME
    settings[GAP_MOST] = params.markov.gap_most
    settings[STALE_AFTER] = params.markov.stale_after
    settings[CHANGEPOINT_STALE] = params.changepoint.stale
    settings[TRUSTED] = params.is_trusted
    settings[REFRACTORY] = params.drift.refractory
    return settings
