"""The kernel: every detector, their opinion and the rule, for each stream in one pass.

It changes the arrays that it is handed. Arrays come in plain tuples, because handing thirty of them
to compiled code one by one, or in named tuples, costs more than the whole tick of one stream.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from swarm.regime.changepoint import recursion
from swarm.regime.drift import window
from swarm.regime.engine import run
from swarm.regime.ensemble import (
    ALARM,
    CHANGE,
    QUIET,
    REGIMES,
    ROOM,
    opine,
    places,
    usable_vote,
)
from swarm.regime.hysteresis import rule
from swarm.regime.hysteresis.policy import Policy, policy_of
from swarm.regime.hysteresis.reasons import RegimeReason
from swarm.regime.kernel import compiled, inner
from swarm.regime.markov import filter as markov
from swarm.regime.markov.predictive import rank_streams
from swarm.regime.nouns import FloatArray, IntArray
from swarm.regime.transform.lookup import rank_and_score

# The places of `settings`.
TICK: Final = 0
AT: Final = 1  #: nanoseconds UTC
GAP_MOST: Final = 2  #: see MarkovParams
STALE_AFTER: Final = 3  #: see MarkovParams
CHANGEPOINT_STALE: Final = 4  #: see changepoint.Params
TRUSTED: Final = 5
REFRACTORY: Final = 6  #: see drift.Params
SETTINGS: Final = 7

# The columns of `notes`, what a stream's record needs beside its row.
MAP_START: Final = 0  #: observation with which the likeliest run began
SINCE_AT: Final = 1  #: nanoseconds UTC since when the published regime holds
DRIFT_LEVEL: Final = 2  #: tick at which the last episode of the level began; NO_EPISODE before
DRIFT_SCALE: Final = 3  #: the same of the scale
NOTES: Final = 4

NO_EPISODE: Final = -1
WINDOWS: Final = 2
"""Each stream has two, of ranks u under what the filter predicted and of |2u - 1|: streams 2s and
2s + 1 of the drift state. Ranks of a long history would drift with each regime, half of the time;
these do when the model no longer fits."""

OF_QUOTES: Final = 2.0
"""The weight of their vote beside 1 for each of the two others, which hear of the same returns."""
_STRESSED: Final = 3
_STALE: Final = int(RegimeReason.DETECTOR_STALE)
_BROKEN: Final = int(RegimeReason.DETECTOR_BROKEN)
_UNKNOWN: Final = int(RegimeReason.DETECTOR_UNKNOWN)
_TRIP: Final = int(RegimeReason.HARD_TRIP)
_NOTHING: Final = int(RegimeReason.NOTHING_SEEN)

Seen = tuple[FloatArray, FloatArray, IntArray]
"""Values, stress from quotes (NaN without), hard trips; each of shape (S,)."""
Moving = tuple[
    FloatArray, FloatArray, IntArray, FloatArray, FloatArray, IntArray, FloatArray,
    FloatArray, IntArray, FloatArray, IntArray, FloatArray, IntArray, IntArray, FloatArray,
]  # fmt: skip
"""Markov posterior, lags, missing, log densities; changepoint numbers, counts, told; drift buckets,
rows, totals, marks; opinions, rows, notes; rings of the run's vote."""
Standing = tuple[
    FloatArray, FloatArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray,
    IntArray, FloatArray, FloatArray, FloatArray, IntArray, FloatArray,
]  # fmt: skip
"""Markov transition and table, regime of each state; changepoint settings and tables; drift
settings and bounds; reference place, which and tables; logs of the resting shares; the policy;
which table of ranks each state has, and those tables."""


Room = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""To work in: votes and their weights, doubts and theirs, and that of the opinion."""


@inner
def vote_of_states(posterior: FloatArray, regime_of: IntArray, vote: FloatArray) -> None:
    """One stream's posterior over states, shape (K,), as one over regimes."""
    for regime in range(REGIMES):
        vote[regime] = 0.0
    for state in range(regime_of.shape[0]):
        vote[regime_of[state]] += posterior[state]


@inner
def vote_of_run(likely: float, other: FloatArray, vote: FloatArray) -> None:
    """What the run is where it began when it likely did, which is so likely; else the other vote.

    vote: what the run is if it did begin there, and then this vote.
    """
    for regime in range(REGIMES):
        vote[regime] = likely * vote[regime] + (1.0 - likely) * other[regime]


@inner
def vote_of_quotes(stress: float, other: FloatArray, vote: FloatArray) -> None:
    """Stress with its probability, the rest in the proportions of the other vote."""
    rest = 1.0 - other[_STRESSED]
    for regime in range(REGIMES):
        share = other[regime] / rest if rest > 0.0 else 1.0 / (REGIMES - 1)
        vote[regime] = share * (1.0 - stress)
    vote[_STRESSED] = stress


@inner
def is_sound(votes: FloatArray, told: FloatArray, totals: FloatArray) -> bool:
    """Whether what each detector says is a number that it may say; NaN fails every comparison.

    votes: of the states, of quotes, of the run. totals: of the windows of ranks, shape (2, 3).
    """
    run_start = told[recursion.RUN_START]
    sound = usable_vote(votes[0]) and usable_vote(votes[2])
    sound = sound and run_start >= 0.0 and run_start <= 1.0
    sound = sound and abs(told[recursion.EVIDENCE]) < np.inf
    for which in range(WINDOWS):
        for place in range(totals.shape[1]):
            sound = sound and abs(totals[which, place]) < np.inf
    return sound


@inner
def faults_of(missing: int, unheard: int, trip: int, settings: IntArray) -> int:
    """What else keeps the detectors of one stream from being believed; see `rule.advance_one`."""
    found = 0
    if missing > settings[STALE_AFTER] or unheard >= settings[CHANGEPOINT_STALE]:
        found |= _STALE
    if settings[TRUSTED] == 0:
        found |= _UNKNOWN
    if trip != 0:
        found |= _TRIP
    if missing > 0 or unheard > 0:
        found |= _NOTHING
    return found


@inner
def doubts_of(
    active: int, vote: FloatArray, run_start: float, stress: float, doubts: FloatArray
) -> None:
    """How likely each detector holds it that the active regime is over: NaN when it cannot say.

    doubts: shape (5,): states, runs, quotes; the last two, of drift, are filled by `drift_of`.
    """
    known = active != rule.NONE
    doubts[0] = 1.0 - vote[active] if known else np.nan
    doubts[1] = run_start if known else np.nan
    doubts[2] = np.nan
    if known and stress >= 0.0:
        doubts[2] = 1.0 - stress if active == _STRESSED else stress


@inner
def drift_of(marks: IntArray, refractory: int, note: IntArray, alarms: FloatArray) -> int:
    """What one stream's windows say: the tick at which an open episode began, or NO_EPISODE.

    marks: of both windows, shape (2, MARKS). alarms: shape (2,), filled.
    """
    opened = NO_EPISODE
    for which in range(WINDOWS):
        alarmed = marks[which, window.LAST_ALARM]
        open_ = alarmed > 0 and marks[which, window.SEEN] - alarmed <= refractory
        alarms[which] = ALARM if open_ else QUIET
        if open_:
            opened = max(opened, note[DRIFT_LEVEL + which])
    return opened


# One pass over all streams for each detector, and one for what follows from them: a processor that
# does one thing a thousand times foresees its branches and fetches its memory in time.


@inner
def find_runs(x: FloatArray, moving: Moving, standing: Standing, spare: FloatArray) -> None:
    """The changepoint detector of each stream takes its score in."""
    numbers, counts, told, rows = moving[4], moving[5], moving[6], moving[12]
    settings, tables, place, which, cubics = *standing[3:5], *standing[7:10]
    slack = policy_of(standing[11]).run_slack
    for s in range(x.shape[0]):
        _, z = rank_and_score(x[s], place[s], cubics[which[s]])
        since = max(rows[s, rule.RUN_START] + slack, 0)
        recursion.advance_one(numbers[s], counts[s], z, since, settings, tables, spare, told[s])


@inner
def follow_drift(u: FloatArray, moving: Moving, standing: Standing, tick: int) -> None:
    """Both windows of each stream take its rank in; a new episode is noted with its tick.

    u: shape (S,), where the tick lies in what was predicted for it; NaN where it is missing.
    """
    buckets, sizes, totals, marks, notes = *moving[7:11], moving[13]
    settings, bounds = standing[5:7]
    for s in range(u.shape[0]):
        for which in range(WINDOWS):
            w = WINDOWS * s + which
            value = u[s] if which == 0 else abs(2.0 * u[s] - 1.0)
            before = marks[w, window.EPISODES]
            window.advance_one(buckets[w], sizes[w], totals[w], marks[w], value, settings, bounds)
            if marks[w, window.EPISODES] != before:
                notes[s, DRIFT_LEVEL + which] = tick


@inner
def judge_runs(
    evidence: FloatArray, moving: Moving, log_resting: FloatArray, room: FloatArray
) -> None:
    """What the newest observations say of the states, (K, S), becomes what the runs say of them."""
    counts, told, rings = moving[5], moving[6], moving[14]
    for s in range(counts.shape[0]):
        run.remember(rings[s], evidence, s, counts[s])
        run.share(rings[s], counts[s], told[s], log_resting, room)
        for state in range(evidence.shape[0]):
            evidence[state, s] = room[0, state]


@inner
def conclude(
    seen: Seen,
    of_runs: FloatArray,
    moving: Moving,
    regime_of: IntArray,
    policy: Policy,
    settings: IntArray,
    room: Room,
) -> int:
    """Opinion and rule of each stream after its detectors; how many say something new.

    of_runs: the share of each state in the likeliest run, shape (K, S).
    """
    _, stress, trips = seen
    posterior, missing, counts, told = moving[0], moving[2], moving[5], moving[6]
    totals, marks, opinions, rows, notes = moving[9:14]
    votes, weights, doubts, sure, terms = room
    vote, of_quotes, of_run, alarms = votes[0], votes[1], votes[2], doubts[3:]
    tick, changed = settings[TICK], 0
    for s in range(stress.shape[0]):
        row, opinion, note = rows[s], opinions[s], notes[s]
        pair = slice(WINDOWS * s, WINDOWS * s + WINDOWS)
        episode = drift_of(marks[pair], settings[REFRACTORY], note, alarms)
        vote_of_states(posterior[:, s], regime_of, vote)
        vote_of_states(of_runs[:, s], regime_of, of_run)
        vote_of_run(told[s, recursion.MAP_MASS], vote, of_run)
        weights[1] = OF_QUOTES if stress[s] >= 0.0 and stress[s] <= 1.0 else 0.0
        if weights[1] > 0.0:
            vote_of_quotes(stress[s], vote, of_quotes)
        doubts_of(row[rule.ACTIVE], vote, told[s, recursion.RUN_START], stress[s], doubts)
        opine(votes, weights, doubts, sure, alarms, opinion, terms)
        opinion[CHANGE] = told[s, recursion.RUN_START]
        sound = is_sound(votes, told[s], totals[pair])
        unheard = counts[s, recursion.MISSING]
        faults = faults_of(missing[s], unheard, trips[s], settings) | (0 if sound else _BROKEN)
        note[MAP_START] = counts[s, recursion.SEEN] - int(told[s, recursion.MAP_AGE])
        rule.advance_one(row, opinion, faults, episode, note[MAP_START], tick, policy)
        if row[rule.SAID] != row[rule.BEFORE]:
            note[SINCE_AT] = settings[AT]
        changed += row[rule.CHANGED]
    return changed


@compiled
def advance_all(seen: Seen, at: int, moving: Moving, standing: Standing, settings: IntArray) -> int:
    """One tick of S streams, in place; how many of them say something else than before.

    at: nanoseconds UTC, after the last.

    Cost: some 2 us for each stream, half of it for 128 hypotheses.
    """
    x = seen[0]
    posterior, lags, missing, density, numbers = moving[:5]
    settings[TICK] += 1
    settings[AT] = at
    evidence, u = np.empty(posterior.shape), np.empty(x.size)
    run.judge(x, lags, standing[1], evidence)
    rank_streams(x, posterior, lags, standing[0], standing[1], standing[12], standing[13], u)
    markov.advance(
        x, posterior, lags, missing, standing[0], standing[1], settings[GAP_MOST], density
    )
    find_runs(x, moving, standing, np.empty((recursion.SPARE, numbers.shape[2])))
    follow_drift(u, moving, standing, settings[TICK])
    judge_runs(evidence, moving, standing[10], np.empty((run.SPARE, posterior.shape[0])))
    room = (
        np.empty((3, REGIMES)),
        np.ones(3),
        np.empty(3 + WINDOWS),
        np.ones(3 + WINDOWS),
        np.empty((ROOM, places(3, 3 + WINDOWS))),
    )
    policy = policy_of(standing[11])
    return conclude(seen, evidence, moving, standing[2], policy, settings, room)
