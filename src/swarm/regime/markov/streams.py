"""The state of the filter over many streams: begun, moved on, saved and brought back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarm.regime.errors import BadObservation
from swarm.regime.markov.filter import advance, advance_many
from swarm.regime.markov.params import NAME, VERSION, MarkovParams, regime_posterior
from swarm.regime.nouns import FloatArray, IntArray
from swarm.regime.saved import pack, unpack


@dataclass(frozen=True, slots=True)
class MarkovState:
    """What the filter knows of S streams after their last tick.

    posterior: share of each state, shape (K, S), columns sum to 1.
    lags:      the last p values, newest first, shape (p, S); NaN where not seen.
    missing:   ticks without an answer in a row, shape (S,).
    """

    posterior: FloatArray
    lags: FloatArray
    missing: IntArray

    @classmethod
    def empty(cls, streams: int, params: MarkovParams) -> MarkovState:
        """Before the first tick: each stream rests."""
        return cls(
            np.repeat(params.resting[:, None], streams, axis=1),
            np.full((params.lags, streams), np.nan),
            np.zeros(streams, dtype=np.int64),
        )

    def copy(self) -> MarkovState:
        """The same state in arrays of its own."""
        return MarkovState(self.posterior.copy(), self.lags.copy(), self.missing.copy())

    def to_bytes(self, params: MarkovParams, tick: int) -> bytes:
        """Versioned, bound to the parameters and sealed; equal states give equal bytes."""
        arrays = {"posterior": self.posterior, "lags": self.lags, "missing": self.missing}
        return pack(NAME, VERSION, params.hash(), tick, arrays)

    @classmethod
    def from_bytes(cls, state: bytes, params: MarkovParams) -> MarkovState:
        """What `to_bytes` wrote under the same parameters, to the bit."""
        return cls(**unpack(state, NAME, VERSION, params.hash()))


@dataclass(frozen=True, slots=True)
class MarkovOutput:
    """What one tick says of S streams.

    posterior: share of each state, shape (K, S). regimes: of each regime, shape (4, S), in the
    order of HIDDEN. loglik: log density of the tick under the past, nats, (S,); 0 where not seen.
    seen:  whether the tick moved the posterior, (S,).
    stale: whether so many were missing in a row that the posterior must not be trusted, (S,).
    """

    posterior: FloatArray
    regimes: FloatArray
    loglik: FloatArray
    seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    stale: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def step(
    state: MarkovState, observation: FloatArray, params: MarkovParams
) -> tuple[MarkovState, MarkovOutput]:
    """One tick for each stream, shape (S,); NaN is a missing one. The given state is left alone."""
    after, loglik = state.copy(), np.empty(len(state.missing))
    held = _checked(observation, state.missing.shape)
    advance(
        held, after.posterior, after.lags, after.missing,
        params.transition, params.table, params.gap_most, loglik,
    )  # fmt: skip
    return after, said(after, loglik, params)


def step_many(
    state: MarkovState, observations: FloatArray, params: MarkovParams
) -> tuple[MarkovState, FloatArray]:
    """Many ticks, (T, S), oldest first: the state after them, and the log densities, (T, S)."""
    after = state.copy()
    held = _checked(observations, (len(observations), len(state.missing)))
    loglik = np.empty(held.shape)
    advance_many(
        held, after.posterior, after.lags, after.missing,
        params.transition, params.table, params.gap_most, loglik,
    )  # fmt: skip
    return after, loglik


def said(state: MarkovState, loglik: FloatArray, params: MarkovParams) -> MarkovOutput:
    """The output that belongs to a state just moved on."""
    return MarkovOutput(
        posterior=state.posterior,
        regimes=regime_posterior(params, state.posterior),
        loglik=loglik,
        seen=state.missing == 0,
        stale=state.missing > params.stale_after,
    )


def _checked(given: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    held = np.ascontiguousarray(given, dtype=np.float64)
    if held.shape != shape:
        raise BadObservation("observation", f"has shape {held.shape}", f"shape {shape}")
    return held
