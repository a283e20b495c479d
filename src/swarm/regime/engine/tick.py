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
from swarm.regime.hysteresis.policy import policy_of
from swarm.regime.hysteresis.reasons import RegimeReason
from swarm.regime.kernel import compiled, inner
from swarm.regime.markov import filter as markov
from swarm.regime.nouns import FloatArray, IntArray
from swarm.regime.transform.lookup import rank_and_score

# The places of `settings`.
TICK: Final = 0
AT: Final = 1  #: nanoseconds UTC
GAP_MOST: Final = 2  #: see MarkovParams
STALE_AFTER: Final = 3  #: see MarkovParams
CHANGEPOINT_STALE: Final = 4  #: see changepoint.Params
TRUSTED: Final = 5
SETTINGS: Final = 6

# The columns of `notes`, what a stream's record needs beside its row.
MAP_START: Final = 0  #: observation with which the likeliest run began
SINCE_AT: Final = 1  #: nanoseconds UTC since when the published regime holds
DRIFT_LEVEL: Final = 2  #: tick at which the last episode of the level began; NO_EPISODE before
DRIFT_SCALE: Final = 3  #: the same of the scale
NOTES: Final = 4

NO_EPISODE: Final = -1
WINDOWS: Final = 2
"""Each stream has two, of ranks u and of |2u - 1|: streams 2s and 2s + 1 of the drift state."""

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
    IntArray, FloatArray, FloatArray, FloatArray,
]  # fmt: skip
"""Markov transition and table, regime of each state; changepoint settings and tables; drift
settings and bounds; reference place, which and tables; logs of the resting shares; the policy."""


Drifting = tuple[FloatArray, IntArray, FloatArray, IntArray, FloatArray, FloatArray]
"""Drift buckets, rows, totals, marks, settings, bounds."""
Room = tuple[
    FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray
]  # fmt: skip
"""To work in: that of the changepoint detector, votes and their weights, doubts and theirs, what
the observations say of the states, that of the run's vote, and that of the opinion."""


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
def drift_of(
    u: float, first: int, drifting: Drifting, tick: int, note: IntArray, alarms: FloatArray
) -> int:  # fmt: skip
    """Both windows of one stream take its rank u in; the tick at which an open episode began.

    first: the place of the stream's first window. alarms: shape (2,), filled.
    """
    buckets, sizes, totals, marks, settings, bounds = drifting
    opened = NO_EPISODE
    for which in range(WINDOWS):
        w = first + which
        value = u if which == 0 else abs(2.0 * u - 1.0)
        before = marks[w, window.EPISODES]
        window.advance_one(buckets[w], sizes[w], totals[w], marks[w], value, settings, bounds)
        if marks[w, window.EPISODES] != before:
            note[DRIFT_LEVEL + which] = tick
        quiet_for = marks[w, window.SEEN] - marks[w, window.LAST_ALARM]
        open_ = marks[w, window.LAST_ALARM] > 0 and quiet_for <= settings[window.REFRACTORY]
        alarms[which] = ALARM if open_ else QUIET
        if open_:
            opened = max(opened, note[DRIFT_LEVEL + which])
    return opened


@inner
def sweep(seen: Seen, moving: Moving, standing: Standing, settings: IntArray, room: Room) -> int:
    """Each stream after its Markov posterior moved; how many say something else than before."""
    x, stress, trips = seen
    posterior, _, missing, _, numbers, counts, told = moving[:7]
    buckets, sizes, totals, marks, opinions, rows, notes, rings = moving[7:]
    _, _, regime_of, cp_settings, cp_tables = standing[:5]
    d_settings, d_bounds, place, which, tables, log_resting, numbers_of_policy = standing[5:]
    policy = policy_of(numbers_of_policy)
    drifting = (buckets, sizes, totals, marks, d_settings, d_bounds)
    spare, votes, weights, doubts, sure, evidence, shares, terms = room
    vote, of_quotes, of_run, alarms = votes[0], votes[1], votes[2], doubts[3:]
    tick, changed = settings[TICK], 0
    for s in range(x.shape[0]):
        row, opinion, note = rows[s], opinions[s], notes[s]
        u, z = rank_and_score(x[s], place[s], tables[which[s]])
        since = max(row[rule.RUN_START] + policy.run_slack, 0)
        recursion.advance_one(
            numbers[s], counts[s], z, since, cp_settings, cp_tables, spare, told[s]
        )
        episode = drift_of(u, WINDOWS * s, drifting, tick, note, alarms)
        vote_of_states(posterior[:, s], regime_of, vote)
        run.remember(rings[s], evidence, s, counts[s])
        run.share(rings[s], counts[s], told[s], log_resting, shares)
        vote_of_states(shares[0], regime_of, of_run)
        vote_of_run(told[s, recursion.MAP_MASS], vote, of_run)
        weights[1] = OF_QUOTES if stress[s] >= 0.0 and stress[s] <= 1.0 else 0.0
        if weights[1] > 0.0:
            vote_of_quotes(stress[s], vote, of_quotes)
        doubts_of(row[rule.ACTIVE], vote, told[s, recursion.RUN_START], stress[s], doubts)
        opine(votes, weights, doubts, sure, alarms, opinion, terms)
        opinion[CHANGE] = told[s, recursion.RUN_START]
        sound = is_sound(votes, told[s], totals[WINDOWS * s : WINDOWS * s + WINDOWS])
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

    Cost: some 1.8 us for each stream, half of it for 128 hypotheses.
    """
    posterior, lags, missing, density, numbers = moving[:5]
    settings[TICK] += 1
    settings[AT] = at
    gap_most = settings[GAP_MOST]
    evidence = np.empty(posterior.shape)
    run.judge(seen[0], lags, standing[1], evidence)
    markov.advance(seen[0], posterior, lags, missing, standing[0], standing[1], gap_most, density)
    room = (
        np.empty((recursion.SPARE, numbers.shape[2])),
        np.empty((3, REGIMES)),
        np.ones(3),
        np.empty(3 + WINDOWS),
        np.ones(3 + WINDOWS),
        evidence,
        np.empty((run.SPARE, posterior.shape[0])),
        np.empty((ROOM, places(3, 3 + WINDOWS))),
    )
    return sweep(seen, moving, standing, settings, room)
