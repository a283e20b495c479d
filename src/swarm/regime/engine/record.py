"""What an engine says of one stream: the contract's record, and the view for older readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from swarm.regime.changepoint import recursion
from swarm.regime.engine import run
from swarm.regime.engine.params import EngineParams
from swarm.regime.engine.state import EngineState
from swarm.regime.engine.tick import MAP_START, SINCE_AT, vote_of_run, vote_of_states
from swarm.regime.ensemble import AMBIGUITY, CHANGE, DISAGREEMENT, DRIFT, REGIMES
from swarm.regime.hysteresis import rule
from swarm.regime.hysteresis.decision import POSTURES, regime_at
from swarm.regime.hysteresis.reasons import FAULTS, RegimeReason
from swarm.regime.markov.params import regime_posterior
from swarm.regime.nouns import HIDDEN, FloatArray, Posture, Regime

ENTROPY_BANDS: Final = (0.90, 1.35)
"""Nats; below the first is low, from the second on high."""
SHOCK: Final = 0.45
"""Probability of a stressed state at the next tick from which on older readers want a warning."""
SCHEMA: Final = "hmm_regime_context_v1"
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeRecord:
    """One stream after one tick, as it is stored and shown.

    id:              the published regime; `active` is the label beneath it, which doubt leaves.
    changepoint_score, drift_score, disagreement, ambiguity: in [0, 1]; see `ensemble`.
    updated_at:      nanoseconds UTC. min_dwell_until: the first tick at which a less defensive
                     regime may follow (ticks, because a market closes).
    run_start:       the observation with which the likeliest run began.
    since_at:        nanoseconds UTC since when `id` holds.
    """

    stream: int
    tick: int
    id: Regime
    active: Regime | None
    posterior: tuple[float, ...]
    changepoint_score: float
    drift_score: float
    disagreement: float
    ambiguity: float
    posture: Posture
    updated_at: int
    since_at: int
    min_dwell_until: int
    candidate: Regime | None
    candidate_ticks: int
    run_start: int
    model_version: str
    state_hash: str
    reasons: RegimeReason

    def to_json(self) -> dict[str, Any]:
        """The contract's names, values that JSON knows; floats keep all their digits."""
        return {
            "id": self.id,
            "active": self.active,
            "posterior": dict(zip(HIDDEN, self.posterior, strict=True)),
            "changepointScore": self.changepoint_score,
            "driftScore": self.drift_score,
            "disagreement": self.disagreement,
            "ambiguity": self.ambiguity,
            "posture": self.posture,
            "tick": self.tick,
            "updatedAt": self.updated_at,
            "sinceAt": self.since_at,
            "minDwellUntil": self.min_dwell_until,
            "candidate": self.candidate,
            "candidateTicks": self.candidate_ticks,
            "runStart": self.run_start,
            "modelVersion": self.model_version,
            "stateHash": self.state_hash,
            "reasons": list(self.reasons.names),
        }


def record(state: EngineState, stream: int, params: EngineParams) -> RegimeRecord:
    """The record of one stream. Cost: some 120 us, most of it the hash; not for every tick."""
    row, opinion, note = state.rows[stream], state.opinions[stream], state.notes[stream]
    return RegimeRecord(
        stream=stream,
        tick=state.tick,
        id=regime_at(int(row[rule.SAID])) or Regime.UNCERTAIN,
        active=regime_at(int(row[rule.ACTIVE])),
        posterior=tuple(float(p) for p in opinion[:REGIMES]),
        changepoint_score=float(opinion[CHANGE]),
        drift_score=float(opinion[DRIFT]),
        disagreement=float(opinion[DISAGREEMENT]),
        ambiguity=float(opinion[AMBIGUITY]),
        posture=POSTURES[int(row[rule.POSTURE])],
        updated_at=state.at,
        since_at=int(note[SINCE_AT]),
        min_dwell_until=int(row[rule.DWELL_UNTIL]),
        candidate=regime_at(int(row[rule.CANDIDATE])),
        candidate_ticks=int(row[rule.COUNT]),
        run_start=int(note[MAP_START]),
        model_version=params.version,
        state_hash=state.hash_of(stream, params),
        reasons=RegimeReason(int(row[rule.REASONS])),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnVotes:
    """What the two detectors that hear of returns hold of one stream; each of shape (4,).

    states: the Markov filter's shares. run: what the present run is, or these shares where it did
    not begin when it likely did. likely: with what probability it did. length: its observations.
    """

    states: FloatArray
    run: FloatArray
    likely: float
    length: int

    @property
    def sentence(self) -> str:
        """Each with what it holds for the most probable."""
        now, whole = int(np.argmax(self.states)), int(np.argmax(self.run))
        return (
            f"the filter holds {HIDDEN[now]} {self.states[now]:.2f}, "
            f"the run of {self.length} {HIDDEN[whole]} {self.run[whole]:.2f}"
        )


def return_votes(state: EngineState, stream: int, params: EngineParams) -> ReturnVotes:
    """The votes on regimes as they were pooled at the last tick; that of quotes is not kept."""
    count, told = state.arrays[5][stream], state.arrays[6][stream]
    room = np.empty((run.SPARE, params.markov.states))
    states, of_run = np.empty(REGIMES), np.empty(REGIMES)
    run.share(state.rings[stream], count, told, params.log_resting, room)
    vote_of_states(state.arrays[0][:, stream], params.regime_of, states)
    vote_of_states(room[0], params.regime_of, of_run)
    likely = float(told[recursion.MAP_MASS])
    vote_of_run(likely, states, of_run)
    return ReturnVotes(
        states=states, run=of_run, likely=likely, length=int(told[recursion.MAP_AGE])
    )


def expected_next(state: EngineState, stream: int, params: EngineParams) -> FloatArray:
    """Probability of each regime at the next tick, shape (4,), by the Markov model alone."""
    ahead = state.arrays[0][:, stream] @ params.markov.transition
    return regime_posterior(params.markov, ahead)


def older_view(state: EngineState, stream: int, params: EngineParams) -> dict[str, Any]:
    """The record as `hmm_regime_context_v1`: regimes R1 to R5, posterior as decimal strings."""
    said = record(state, stream, params)
    entropy = said.ambiguity * float(np.log(REGIMES))
    ahead = expected_next(state, stream, params)
    faulty = bool(said.reasons & FAULTS)
    cautious = said.posture is not Posture.NORMAL
    numbers = list(Regime)
    return {
        "schema": SCHEMA,
        "regime_id": f"R{numbers.index(said.id) + 1}",
        "posterior": {
            f"R{numbers.index(regime) + 1}": f"{p:.9f}"
            for regime, p in zip(HIDDEN, said.posterior, strict=True)
        },
        "entropy": f"{entropy:.9f}",
        "entropy_band": ("low", "medium", "high")[sum(entropy >= edge for edge in ENTROPY_BANDS)],
        "predicted_next": f"R{int(np.argmax(ahead)) + 1}",
        "transition_shock": bool(ahead[HIDDEN.index(Regime.STRESSED_LIQUIDITY)] >= SHOCK),
        "duration_ms": max(said.updated_at - said.since_at, 0) // _NS_PER_MS,
        "artifact": {
            "model_id": params.markov.hash(),
            "feature_schema": f"swarm-regime-engine-{params.version[:12]}",
            "training_run_id": params.markov.hash()[:16],
        },
        "guardrail": {
            "stale": RegimeReason.DETECTOR_STALE in said.reasons,
            "fallback_to_defensive": faulty or cautious,
            # Never empty where it falls back: a stressed market is a reason of its own.
            "reason": ",".join(said.reasons.names) or (str(said.id) if cautious else ""),
        },
    }
