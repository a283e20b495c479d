"""Why the engine said what it said at one tick: every detector, every threshold, every reason."""

from __future__ import annotations

from typing import Any, Final

from swarm.regime.changepoint import recursion
from swarm.regime.engine.record import record, return_votes
from swarm.regime.engine.tick import DRIFT_LEVEL, DRIFT_SCALE, MAP_START
from swarm.regime.hysteresis import rule
from swarm.regime.hysteresis.reasons import RegimeReason
from swarm.regime.nouns import HIDDEN
from swarm.runtime.regime.model import Model
from swarm.runtime.regime.replay import ReplayPoint

SENTENCES: Final = {
    RegimeReason.PROMOTED: "the candidate became the active regime",
    RegimeReason.CONFIRMING: "the candidate has not yet held for enough ticks",
    RegimeReason.DWELLING: "the active regime has not yet held for its shortest time",
    RegimeReason.NO_NEW_RUN: "nothing says that a new run began since the active one",
    RegimeReason.WAITED_TOO_LONG: "a confirmed candidate found no new run: we do not know",
    RegimeReason.CANDIDATE_DROPPED: "the candidate lost its support",
    RegimeReason.DRIFT_COUNTS: "an open drift episode counts as a new run",
    RegimeReason.DEFENSIVE_MASS: "something more defensive is more probable than not",
    RegimeReason.DISAGREEMENT: "the detectors disagree",
    RegimeReason.AMBIGUITY: "the posterior is spread over several regimes",
    RegimeReason.DETECTOR_STALE: "a detector has seen nothing for too long",
    RegimeReason.DETECTOR_BROKEN: "a detector said something that is no number",
    RegimeReason.DETECTOR_UNKNOWN: "nobody trusts this model",
    RegimeReason.NEVER_ACTIVE: "no regime has been active yet",
    RegimeReason.HARD_TRIP: "the market itself is broken: crossed, stale, or far beyond its usual",
    RegimeReason.NOTHING_SEEN: "nothing was observed at this tick",
    RegimeReason.CALMING: "what we doubted is well again, but not yet for long enough",
    RegimeReason.CLEARED: "what spoke against it, doubt or mass, does so no longer",
}


def explain(point: ReplayPoint, model: Model) -> dict[str, Any]:
    """The last tick of a point as plain data: record, votes, checks, sentences."""
    state, policy = point.state, model.params.policy
    row, note, said = state.rows[0], state.notes[0], record(state, 0, model.params)
    told = state.arrays[6][0]
    votes = return_votes(state, 0, model.params)
    checks = [
        _check("posterior of the likeliest", max(said.posterior), policy.enter, "a candidate"),
        _check("new run", said.changepoint_score, policy.change, "a change"),
        _check("disagreement", said.disagreement, policy.disagreement_enters, "doubt"),
        _check("ambiguity", said.ambiguity, policy.ambiguity_enters, "doubt"),
    ]
    return {
        **said.to_json(),
        "votes": {
            "markov": dict(zip(HIDDEN, votes.states.tolist(), strict=True)),
            "run": {
                "regimes": dict(zip(HIDDEN, votes.run.tolist(), strict=True)),
                "observations": votes.length,
                "probability": votes.likely,
                "sentence": votes.sentence,
            },
            "changepoint": {
                "runStartProbability": float(told[recursion.RUN_START]),
                "likeliestRunBeganAtTick": int(note[MAP_START]),
                "activeRunBeganAtTick": int(row[rule.RUN_START]),
            },
            "drift": {
                "score": said.drift_score,
                "levelEpisodeAtTick": int(note[DRIFT_LEVEL]),
                "scaleEpisodeAtTick": int(note[DRIFT_SCALE]),
            },
        },
        "checks": checks,
        "because": [SENTENCES[one] for one in RegimeReason if one in said.reasons],
    }


def _check(name: str, found: float, threshold: float, leads_to: str) -> dict[str, Any]:
    return {
        "name": name,
        "found": found,
        "threshold": threshold,
        "reached": found >= threshold,
        "leadsTo": leads_to,
    }
