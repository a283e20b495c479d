"""How stressed the liquidity of S streams is, by the same time of day; and what trips at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from swarm.regime import saved
from swarm.regime.errors import BadObservation, BadParameters
from swarm.regime.microstructure import stress
from swarm.regime.microstructure.histogram import BINS
from swarm.regime.nouns import HIDDEN, Regime

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

VERSION = 2
DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of the microstructure detector.

    times:      parts of a UTC day that have a usual of their own; 8 KiB each for a stream.
    half_life:  readings of one part of the day after which its past counts half.
    warm:       readings of one part of the day before its percentiles mean something.
    lows, highs: ends of the histograms of spread, depth, impact and variance, in their units.
    impact_half_life: readings after which the past of Kyle's lambda counts half.
    extreme, extreme_for: the percentile of spread or variance that trips after so many readings;
                not before extreme_for / (1 - extreme) readings have told what is extreme.
    floor:      notional; less depth trips.
    oldest:     ns; an older quote trips.
    centre, steepness: stress = logistic(steepness (score - centre)); at a centre of 0, half of
                every usual reading would vote for stress.
    """

    times: int = 24
    half_life: float = 5_000.0
    warm: int = 50
    lows: tuple[float, float, float, float] = (1e-6, 1.0, 1e-16, 1e-14)
    highs: tuple[float, float, float, float] = (1.0, 1e12, 1e-2, 1.0)
    impact_half_life: float = 100.0
    extreme: float = 0.995
    extreme_for: int = 3
    floor: float = 0.0
    oldest: int = 5_000_000_000
    centre: float = 1.5
    steepness: float = 3.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("times", 1, 1440),
            ("half_life", 1.0, 1e9),
            ("warm", 1, 1 << 30),
            ("impact_half_life", 1.0, 1e9),
            ("extreme", 0.5, 0.9999),
            ("extreme_for", 1, 1 << 30),
            ("floor", 0.0, 1e18),
            ("oldest", 1, DAY),
            ("centre", -4.0, 4.0),
            ("steepness", 0.1, 100.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadParameters(
                    name, f"is {getattr(self, name)}", f"a number from {low} to {high}"
                )
        if len(self.lows) != stress.MEASURES or len(self.highs) != stress.MEASURES:
            raise BadParameters("lows", "are not four", "one for each measure, as in highs")
        for low, high in zip(self.lows, self.highs, strict=True):
            if not 0.0 < low < high < np.inf:
                raise BadParameters("lows", f"have {low} under {high}", "0 < low < high")

    def hash(self) -> str:
        """What a saved state is bound to."""
        return saved.params_hash("microstructure", VERSION, asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Of S streams with D parts of the day; see `stress`.

    bins: shape (S, D, 4, 256). weights: shape (S, D, 2), of the next reading, and readings so far.
    sums: shape (S, 3), of Kyle's lambda. marks: shape (S, 5).
    """

    bins: Array
    weights: Array
    sums: Array
    marks: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One bar of S streams, as `measure` gives it; every field has shape (S,); NaN is missing."""

    at: Integers
    spread: Array
    depth: Array
    change: Array
    flow: Array
    variance: Array
    quote_age: Integers
    crossed: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """What one reading told; shape (S,), percentiles (S, 4): spread, depth, impact, variance.

    score:       mean of the clipped normal scores of spread, -depth, impact and variance.
    probability: of stressed liquidity; NaN, no word, while not `ready`.
    impact:      Kyle's lambda, relative change of the mid for one unit of signed size.
    trips:       bits of `stress.CROSSED`, STALE, WIDE, VOLATILE, THIN; not averaged with anything.
    ready:       the usual of this part of the day is known, and nothing was missing.
    """

    score: Array
    probability: Array
    impact: Array
    percentiles: Array
    trips: Integers
    ready: Flags


def empty(streams: int, params: Params) -> State:
    """The state of that many streams before their first reading."""
    weights = np.zeros((streams, params.times, 2))
    weights[:, :, 0] = 1.0
    marks = np.zeros((streams, stress.MARKS), dtype=np.int64)
    marks[:, stress.LAST_AT] = np.iinfo(np.int64).min
    return State(
        bins=np.zeros((streams, params.times, stress.MEASURES, BINS)),
        weights=weights,
        sums=np.zeros((streams, 3)),
        marks=marks,
    )


def step(state: State, reading: Reading, params: Params) -> tuple[State, Stress]:
    """The state after one reading of each stream, and what it told."""
    following = State(
        bins=state.bins.copy(),
        weights=state.weights.copy(),
        sums=state.sums.copy(),
        marks=state.marks.copy(),
    )
    return following, advance(following, reading, params)


def advance(state: State, reading: Reading, params: Params) -> Stress:
    """`step` in place: the caller hands the state over. Cost: some 2 us a stream."""
    streams = state.marks.shape[0]
    columns = (reading.spread, reading.depth, reading.change, reading.flow, reading.variance)
    for column in (*columns, reading.at, reading.quote_age, reading.crossed):
        if column.shape != (streams,):
            raise BadObservation("reading", f"has shape {column.shape}", f"shape ({streams},)")
    if np.any(reading.at <= state.marks[:, stress.LAST_AT]):
        raise BadObservation("at", "is not after the last reading", "the order of time")
    values = np.stack(columns, axis=1).astype(np.float64)
    facts = np.stack([reading.at, reading.quote_age, reading.crossed], axis=1).astype(np.int64)
    told, trips = np.zeros((streams, stress.TOLD)), np.zeros(streams, dtype=np.int64)
    stress.advance_all(
        state.bins,
        state.weights,
        state.sums,
        state.marks,
        values,
        facts,
        _settings(params),
        (told, trips),
    )
    return Stress(
        score=told[:, stress.SCORE],
        probability=told[:, stress.PROBABILITY],
        impact=told[:, stress.IMPACT],
        percentiles=told[:, stress.PERCENTILES :],
        trips=trips,
        ready=told[:, stress.READY] > 0.0,
    )


def vote(probability: Array, posterior: Array) -> Array:
    """The regimes by this detector: stressed by its own word, the rest as the posterior has them.

    probability: shape (S,); posterior: shape (S, 4), in the order of `nouns.HIDDEN`.
    """
    at = HIDDEN.index(Regime.STRESSED_LIQUIDITY)
    rest = posterior.copy()
    rest[:, at] = 0.0
    total = rest[:, 0] + rest[:, 1] + rest[:, 2] + rest[:, 3]
    even = np.full(posterior.shape, 1.0 / (posterior.shape[1] - 1))
    even[:, at] = 0.0
    known = total > 0.0
    shares = np.where(known[:, None], rest / np.where(known, total, 1.0)[:, None], even)
    found: Array = shares * (1.0 - probability)[:, None]
    found[:, at] = probability
    return found


def save(state: State, params: Params, tick: int) -> bytes:
    """The state as bytes, bound to its parameters."""
    arrays = {
        "bins": state.bins,
        "weights": state.weights,
        "sums": state.sums,
        "marks": state.marks,
    }
    return saved.pack("microstructure", VERSION, params.hash(), tick, arrays)


def restore(state: bytes, params: Params) -> State:
    """The state that `save` gave; refuses altered bytes and other parameters."""
    return State(**saved.unpack(state, "microstructure", VERSION, params.hash()))


def _settings(params: Params) -> Array:
    """The parameters as the kernel reads them."""
    return stress.settings(
        np.array(params.lows),
        np.array(params.highs),
        np.array(
            [
                params.half_life,
                params.impact_half_life,
                params.warm,
                params.extreme,
                params.extreme_for,
                params.floor,
                params.oldest,
                params.centre,
                params.steepness,
            ]
        ),
    )
