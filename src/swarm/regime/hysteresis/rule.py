"""The rule of one tick, for many streams at once, on rows of integers.

The obvious rule, "posterior and changepoint score above their thresholds at the same tick", fails:
the score is a pulse that has gone before the confirmation ends. So the question is another one:
did the present run begin after the run that justified the active regime? Three things keep
that from being dangerous when the answer is late: a more defensive candidate is confirmed three
times as fast, a candidate that waits too long makes us uncertain, and the posture follows the
probability mass although the label does not.

`advance` changes the rows it is handed; `decide` in `swarm.regime.hysteresis.decision` does not.
"""

from __future__ import annotations

from typing import Final

from swarm.regime.ensemble import AMBIGUITY, CHANGE, DISAGREEMENT, REGIMES
from swarm.regime.hysteresis.policy import Policy
from swarm.regime.hysteresis.reasons import FAULTS, RegimeReason
from swarm.regime.kernel import compiled, inner
from swarm.regime.nouns import DEFENSIVENESS, HIDDEN, FloatArray, IntArray, Regime

# The columns of a row. The first block is the machine, the last what it said at the last tick.
ACTIVE: Final = 0  #: index into HIDDEN of the label; NONE before the first
SINCE: Final = 1  #: tick at which it became active
RUN_START: Final = 2  #: tick at which the run began that justified it
DWELL_UNTIL: Final = 3  #: first tick at which a less defensive regime may follow
CANDIDATE: Final = 4  #: index into HIDDEN, or NONE
COUNT: Final = 5  #: ticks at which the candidate was the greatest and clear enough
PENDING: Final = 6  #: ticks that a confirmed candidate has waited for its change
DOUBT: Final = 7  #: 1 while the detectors are not believed
DOUBTING: Final = 8  #: ticks in a row that call for doubt
CALMING: Final = 9  #: ticks in a row that call for its end
SAID: Final = 10  #: index of the published regime; UNCERTAIN is one past HIDDEN
POSTURE: Final = 11  #: 0 normal, 1 defensive
REASONS: Final = 12  #: bits of RegimeReason
BEFORE: Final = 13  #: what SAID was at the tick before
CHANGED: Final = 14  #: 1 when label, regime, posture or reasons are not those of the tick before
ROW: Final = 15

NONE: Final = -1
UNCERTAIN: Final = REGIMES
NO_RUN: Final = -1_000_000
"""Before the first regime, every run is a new one."""

_LEVELS: Final = tuple(DEFENSIVENESS[regime] for regime in HIDDEN)
_UNKNOWN_LEVEL: Final = DEFENSIVENESS[Regime.UNCERTAIN]
_MOST_DEFENSIVE: Final = max(_LEVELS)
_FAULTS: Final = int(FAULTS)
_CALM: Final = int(RegimeReason.CALMING)
_NOTHING_SEEN: Final = int(RegimeReason.NOTHING_SEEN)
_PROMOTED: Final = int(RegimeReason.PROMOTED)
_CONFIRMING: Final = int(RegimeReason.CONFIRMING)
_DWELLING: Final = int(RegimeReason.DWELLING)
_NO_NEW_RUN: Final = int(RegimeReason.NO_NEW_RUN)
_WAITED: Final = int(RegimeReason.WAITED_TOO_LONG)
_DROPPED: Final = int(RegimeReason.CANDIDATE_DROPPED)
_DRIFT: Final = int(RegimeReason.DRIFT_COUNTS)
_MASS: Final = int(RegimeReason.DEFENSIVE_MASS)
_DISAGREEMENT: Final = int(RegimeReason.DISAGREEMENT)
_AMBIGUITY: Final = int(RegimeReason.AMBIGUITY)
_CLEARED: Final = int(RegimeReason.CLEARED)
_NEVER: Final = int(RegimeReason.NEVER_ACTIVE)


@inner
def level(regime: int) -> int:
    """How defensive a regime is; that of nothing known is the greatest."""
    return _LEVELS[regime] if regime >= 0 else _UNKNOWN_LEVEL


@inner
def follow_candidate(row: IntArray, opinion: FloatArray, policy: Policy) -> int:
    """Count for the greatest regime if it is a new one and clear enough, or drop the candidate."""
    greatest = 0
    for regime in range(1, REGIMES):
        if opinion[regime] > opinion[greatest]:
            greatest = regime
    if greatest != row[ACTIVE] and opinion[greatest] >= policy.enter:
        if greatest == row[CANDIDATE]:
            row[COUNT] += 1
            return 0
        dropped = _DROPPED if row[CANDIDATE] != NONE else 0
        row[CANDIDATE] = greatest
        row[COUNT] = 1
        row[PENDING] = 0
        return dropped
    if row[CANDIDATE] != NONE and opinion[row[CANDIDATE]] < policy.forget:
        return drop_candidate(row)
    return 0


@inner
def drop_candidate(row: IntArray) -> int:
    """Forget the candidate and all that was counted for it."""
    dropped = _DROPPED if row[CANDIDATE] != NONE else 0
    row[CANDIDATE] = NONE
    row[COUNT] = 0
    row[PENDING] = 0
    return dropped


@inner
def weigh_candidate(
    row: IntArray, new_run: float, map_start: int, tick: int, policy: Policy
) -> int:
    """Promote the candidate, or say why not. new_run: in [0, 1]; NaN is no evidence of a change."""
    if row[CANDIDATE] == NONE:
        return 0
    more_defensive = level(row[CANDIDATE]) > level(row[ACTIVE])
    need = (policy.confirm + 2) // 3 if more_defensive else policy.confirm
    if row[COUNT] < need:
        return _CONFIRMING
    if not more_defensive and tick < row[DWELL_UNTIL]:
        return _DWELLING
    if not new_run >= policy.change:
        row[PENDING] += 1
        return _NO_NEW_RUN
    row[ACTIVE] = row[CANDIDATE]
    row[SINCE] = tick
    row[RUN_START] = map_start
    row[DWELL_UNTIL] = tick + policy.dwell
    drop_candidate(row)
    return _PROMOTED


@inner
def weigh_doubt(row: IntArray, opinion: FloatArray, policy: Policy) -> int:
    """Begin or end doubt; gives why it stands. A number that is none counts as reason to doubt."""
    agreed = opinion[DISAGREEMENT] < policy.disagreement_enters
    clear = opinion[AMBIGUITY] < policy.ambiguity_enters
    row[DOUBTING] = 0 if agreed and clear else row[DOUBTING] + 1
    calm = (
        opinion[DISAGREEMENT] < policy.disagreement_leaves
        and opinion[AMBIGUITY] < policy.ambiguity_leaves
    )
    row[CALMING] = row[CALMING] + 1 if calm else 0
    if row[DOUBTING] >= policy.doubt_ticks:
        row[DOUBT] = 1
    elif row[CALMING] >= policy.confirm:
        row[DOUBT] = 0
    if row[DOUBT] == 0:
        return 0
    why = 0
    if not opinion[DISAGREEMENT] < policy.disagreement_leaves:
        why |= _DISAGREEMENT
    if not opinion[AMBIGUITY] < policy.ambiguity_leaves:
        why |= _AMBIGUITY
    return why if why != 0 else _CALM


@inner
def speak(row: IntArray, opinion: FloatArray, policy: Policy) -> int:
    """Publish regime and posture; gives the reasons that the posture adds."""
    why = 0
    if row[ACTIVE] == NONE:
        why |= _NEVER
    if row[PENDING] >= policy.patience:
        why |= _WAITED
    unknown = row[DOUBT] == 1 or why != 0
    row[SAID] = UNCERTAIN if unknown else row[ACTIVE]
    worse = 0.0
    for regime in range(REGIMES):
        if level(regime) > level(row[ACTIVE]):
            worse += opinion[regime]
    if worse > policy.override:
        why |= _MASS
    cautious = unknown or worse > policy.override or level(row[ACTIVE]) == _MOST_DEFENSIVE
    row[POSTURE] = 1 if cautious else 0
    return why


@inner
def advance_one(
    row: IntArray,
    opinion: FloatArray,
    faults: int,
    episode: int,
    map_start: int,
    tick: int,
    policy: Policy,
) -> None:
    """One tick of one stream, in place.

    row:       shape (ROW,), from `swarm.regime.hysteresis.decision.begin`.
    opinion:   shape (8,), see `ensemble`; column CHANGE is the probability that the present run
               began after `row[RUN_START] + run_slack`.
    faults:    bits of `FAULTS`, of detectors that must speak; any of them means doubt at once.
               NOTHING_SEEN besides: the posterior is a mere prediction, so no candidate counts.
    episode:   tick at which the open drift episode began; negative without one.
    map_start: tick at which the most probable run began.
    """
    active, said, posture, reasons = row[ACTIVE], row[SAID], row[POSTURE], row[REASONS]
    if faults & _FAULTS:
        row[DOUBT] = 1
        row[CALMING] = 0
        # What was counted on the word of a broken detector counts for nothing.
        why = (faults & _FAULTS) | drop_candidate(row)
    elif faults & _NOTHING_SEEN:
        why = _NOTHING_SEEN
    else:
        why = weigh_doubt(row, opinion, policy)
        why |= follow_candidate(row, opinion, policy)
        new_run = opinion[CHANGE]
        if row[ACTIVE] != NONE and episode > row[SINCE]:
            new_run = 1.0
            why |= _DRIFT
        if row[ACTIVE] == NONE:
            new_run = 1.0
        why |= weigh_candidate(row, new_run, map_start, tick, policy)
    why |= speak(row, opinion, policy)
    row[BEFORE] = said
    same = row[ACTIVE] == active and row[SAID] == said and row[POSTURE] == posture
    # No change without a reason: the end of doubt, or of caution, is one too.
    row[REASONS] = _CLEARED if why == 0 and not same else why
    row[CHANGED] = 0 if same and row[REASONS] == reasons else 1


@compiled
def advance(
    rows: IntArray,
    opinions: FloatArray,
    faults: IntArray,
    episodes: IntArray,
    map_starts: IntArray,
    tick: int,
    policy: Policy,
) -> None:
    """One tick of S streams, in place; shapes (S, ROW), (S, 8), (S,), (S,), (S,).

    Cost: about 15 ns for each stream, compiled.
    """
    for stream in range(rows.shape[0]):
        advance_one(
            rows[stream],
            opinions[stream],
            faults[stream],
            episodes[stream],
            map_starts[stream],
            tick,
            policy,
        )
