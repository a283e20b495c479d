"""What the detectors say together: one posterior, and how far they are from agreeing.

Detectors make two kinds of statement, which are never mixed. Some give a distribution over the
regimes; their disagreement is `regimes`. All of them say, each in its way, how likely it is that
the active regime no longer holds; their disagreement about that is `changes`. Both are weighted
Jensen-Shannon divergences over their greatest possible value, so both are in [0, 1].

Source: Lin 1991, doi:10.1109/18.61115, equations 5.1 and 5.3.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from swarm.regime.elementary import log_row
from swarm.regime.errors import BadInput
from swarm.regime.kernel import inner
from swarm.regime.nouns import HIDDEN, FloatArray

REGIMES: Final = len(HIDDEN)
LN_REGIMES: Final = 1.3862943611198906
MASS_SLACK: Final = 1e-6
"""How far from one a vote may sum: beyond what rounding can do in a million ticks."""

LEAST_BOUND: Final = 1e-12
"""Below it the weight of all voters but one is nothing but rounding."""

QUIET: Final = 0.05
ALARM: Final = 0.95
"""What a detector that only says yes or no is worth as a probability (never 0 or 1: it may err)."""

# The columns of an opinion, after the pooled posterior in columns 0 to 3.
DISAGREEMENT: Final = 4
AMBIGUITY: Final = 5
DRIFT: Final = 6
CHANGE: Final = 7
OPINION: Final = 8
"""Floats of one opinion: posterior (4), disagreement, ambiguity, drift and changepoint scores."""

_EITHER: Final = 2
"""Places of a doubt: it holds no longer, or it does."""

ROOM: Final = 5
"""Rows of room to work in; see `places`."""
_LEAST: Final = 2.2250738585072014e-308
"""Its logarithm is a number, and times nothing it is nothing."""


@inner
def places(voters: int, doubters: int) -> int:
    """Numbers in a row of the room: all that an opinion needs the logarithm of, taken at once."""
    return voters * (1 + REGIMES) + REGIMES + doubters * (1 + _EITHER) + _EITHER


@inner
def usable_vote(vote: FloatArray) -> bool:
    """Whether a vote is a distribution; NaN fails every comparison and so is none."""
    total = 0.0
    for regime in range(vote.shape[0]):
        if not vote[regime] >= 0.0:
            return False
        total += vote[regime]
    return abs(total - 1.0) <= MASS_SLACK


@inner
def noisy_or(alarms: FloatArray) -> float:
    """The chance that at least one alarm is true, each being independently true with its own.

    alarms: shape (N,), probabilities; one that is not in [0, 1] is left out.
    """
    quiet = 1.0
    for one in range(alarms.shape[0]):
        if alarms[one] >= 0.0 and alarms[one] <= 1.0:
            quiet *= 1.0 - alarms[one]
    return 1.0 - quiet


# A family is a row of numbers: the weights of m voices, what each says, a distribution over `width`
# places, and the mean of what they say.


@inner
def _hear_votes(votes: FloatArray, weights: FloatArray, family: FloatArray) -> None:
    """A vote that is not usable has no weight, and its numbers are not looked at."""
    voters = votes.shape[0]
    for v in range(voters):
        heard = weights[v] > 0.0 and usable_vote(votes[v])
        family[v] = weights[v] if heard else 0.0
        for regime in range(REGIMES):
            family[voters + REGIMES * v + regime] = votes[v, regime] if heard else 0.0


@inner
def _hear_doubts(doubts: FloatArray, weights: FloatArray, family: FloatArray) -> None:
    """A doubt that is not in [0, 1] has no weight."""
    doubters = doubts.shape[0]
    for d in range(doubters):
        heard = weights[d] > 0.0 and doubts[d] >= 0.0 and doubts[d] <= 1.0
        family[d] = weights[d] if heard else 0.0
        family[doubters + _EITHER * d] = doubts[d] if heard else 0.0
        family[doubters + _EITHER * d + 1] = 1.0 - doubts[d] if heard else 0.0


@inner
def _pool(family: FloatArray, voices: int, width: int) -> None:
    """From weights to shares, and the mean; uniform when nobody had anything to say."""
    total, said, mean = 0.0, family[voices:], family[voices + voices * width :]
    for v in range(voices):
        total += family[v]
    for place in range(width):
        mean[place] = 0.0 if total > 0.0 else 1.0 / width
    for v in range(voices):
        family[v] = family[v] / total if total > 0.0 else 0.0
        for place in range(width):
            mean[place] += family[v] * said[v * width + place]


@inner
def _surprises(room: FloatArray, count: int) -> None:
    """-p log p of each p in the first row, into the second; nothing of nothing."""
    given, terms = room[0], room[1]
    for i in range(count):
        room[2, i] = max(given[i], _LEAST)
    log_row(room[2], count, terms, room[3], room[4])
    for i in range(count):
        terms[i] *= -given[i]


@inner
def _apart(family: FloatArray, terms: FloatArray, voices: int, width: int) -> float:
    """The divergence of a family over its greatest possible value, in [0, 1]."""
    bound, within, total = 0.0, 0.0, 0.0
    for v in range(voices):
        own = 0.0
        for place in range(width):
            own += terms[voices + v * width + place]
        within += family[v] * own
        bound += terms[v]
    for place in range(width):
        total += terms[voices + voices * width + place]
    # A single voice has nobody to disagree with; rounding may leave the bound a hair above zero,
    # and the divergence of equals a hair below.
    return min(max((total - within) / bound, 0.0), 1.0) if bound > LEAST_BOUND else 0.0


@inner
def opine(
    votes: FloatArray,
    vote_weights: FloatArray,
    doubts: FloatArray,
    doubt_weights: FloatArray,
    alarms: FloatArray,
    opinion: FloatArray,
    room: FloatArray,
) -> None:
    """One stream's opinion, written into `opinion`, all but the changepoint score.

    votes:   shape (V, 4), each a distribution. doubts: shape (D,), the chances that the active
             regime no longer holds. Weights: at least 0, of who has nothing to say at this tick 0.
    alarms:  shape (N,), of the drift-type detectors, see `noisy_or`.
    opinion: shape (8,); columns by the constants of this module.
    room:    shape (ROOM, places(V, D)), to work in.

    Cost: 5 logarithms for each vote, 3 for each doubt, and 6 more, in vector registers.
    """
    voters, doubters = votes.shape[0], doubts.shape[0]
    after = voters * (1 + REGIMES) + REGIMES
    of_votes, of_doubts = room[0][:after], room[0][after:]
    _hear_votes(votes, vote_weights, of_votes)
    _pool(of_votes, voters, REGIMES)
    _hear_doubts(doubts, doubt_weights, of_doubts)
    _pool(of_doubts, doubters, _EITHER)
    _surprises(room, places(voters, doubters))
    terms, spread = room[1], 0.0
    for regime in range(REGIMES):
        opinion[regime] = of_votes[after - REGIMES + regime]
        spread += terms[after - REGIMES + regime]
    regimes = _apart(of_votes, terms[:after], voters, REGIMES)
    changes = _apart(of_doubts, terms[after:], doubters, _EITHER)
    opinion[DISAGREEMENT] = max(regimes, changes)
    opinion[AMBIGUITY] = min(spread / LN_REGIMES, 1.0)
    opinion[DRIFT] = noisy_or(alarms)


def agree(votes: FloatArray, doubts: FloatArray, alarms: FloatArray) -> FloatArray:
    """The opinion of detectors of equal weight about one stream, as a new array of shape (8,).

    The changepoint score (column `CHANGE`) is left at 0; it belongs to one detector alone.
    Raises `BadInput` when a shape is wrong or there is no vote at all.
    """
    if votes.ndim != 2 or votes.shape[1] != REGIMES or not votes.shape[0]:  # noqa: PLR2004
        raise BadInput("votes", f"have shape {votes.shape}", "(voters, 4), with at least one voter")
    opinion = np.zeros(OPINION)
    room = np.empty((ROOM, places(len(votes), len(doubts))))
    opine(votes, np.ones(len(votes)), doubts, np.ones(len(doubts)), alarms, opinion, room)
    return opinion
