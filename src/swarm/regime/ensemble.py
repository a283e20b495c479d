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

from swarm.regime.elementary import dlog
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

_ALARM_ENTROPY: Final = 0.1985152433458726
"""That of both, since they are each other's complement."""

# The columns of an opinion, after the pooled posterior in columns 0 to 3.
DISAGREEMENT: Final = 4
AMBIGUITY: Final = 5
DRIFT: Final = 6
CHANGE: Final = 7
OPINION: Final = 8
"""Floats of one opinion: posterior (4), disagreement, ambiguity, drift and changepoint scores."""


@inner
def entropy(distribution: FloatArray) -> float:
    """Entropy of a distribution over anything, in nats; empty places add nothing."""
    total = 0.0
    for place in range(distribution.shape[0]):
        p = distribution[place]
        if p > 0.0:
            total -= p * dlog(p)
    return total


@inner
def binary_entropy(p: float) -> float:
    """Entropy of one yes or no with probability p of yes, in nats."""
    if p <= 0.0 or p >= 1.0:
        return 0.0
    if p in (QUIET, ALARM):  # half of all that is asked; saves two logarithms
        return _ALARM_ENTROPY
    q = 1.0 - p
    return -p * dlog(p) - q * dlog(q)


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
def pool(votes: FloatArray, weights: FloatArray, pooled: FloatArray) -> float:
    """The weighted mean of the votes into `pooled`; gives the divergence among them, in [0, 1].

    votes:   shape (V, 4), each a distribution; one that is not usable has no weight.
    weights: shape (V,), at least 0; 0 for a detector that has nothing to say at this tick.
    pooled:  shape (4,), written; uniform when nobody had anything to say.
    """
    total = 0.0
    heard = 0
    for regime in range(REGIMES):
        pooled[regime] = 0.0
    for voter in range(votes.shape[0]):
        if weights[voter] > 0.0 and usable_vote(votes[voter]):
            total += weights[voter]
            heard += 1
            for regime in range(REGIMES):
                pooled[regime] += weights[voter] * votes[voter, regime]
    if total <= 0.0:
        for regime in range(REGIMES):
            pooled[regime] = 1.0 / REGIMES
        return 0.0
    for regime in range(REGIMES):
        pooled[regime] /= total
    # A single voter has nobody to disagree with.
    return _apart(votes, weights, total, pooled) if heard > 1 else 0.0


@inner
def _apart(votes: FloatArray, weights: FloatArray, total: float, pooled: FloatArray) -> float:
    within = 0.0
    bound = dlog(total)
    for voter in range(votes.shape[0]):
        if weights[voter] > 0.0 and usable_vote(votes[voter]):
            share = weights[voter] / total
            within += share * entropy(votes[voter])
            bound -= share * _log(weights[voter])
    return _ratio(entropy(pooled) - within, bound)


@inner
def divergence(doubts: FloatArray, weights: FloatArray) -> float:
    """How far apart the detectors are about "the active regime no longer holds", in [0, 1].

    doubts:  shape (D,), probabilities; one that is not in [0, 1] has no weight.
    weights: shape (D,), at least 0.
    """
    total = 0.0
    mean = 0.0
    for voter in range(doubts.shape[0]):
        if weights[voter] > 0.0 and doubts[voter] >= 0.0 and doubts[voter] <= 1.0:
            total += weights[voter]
            mean += weights[voter] * doubts[voter]
    if total <= 0.0:
        return 0.0
    within = 0.0
    bound = dlog(total)
    for voter in range(doubts.shape[0]):
        if weights[voter] > 0.0 and doubts[voter] >= 0.0 and doubts[voter] <= 1.0:
            share = weights[voter] / total
            within += share * binary_entropy(doubts[voter])
            bound -= share * _log(weights[voter])
    return _ratio(binary_entropy(mean / total) - within, bound)


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


@inner
def _log(weight: float) -> float:
    return 0.0 if weight == 1.0 else dlog(weight)  # equal weights are the rule


@inner
def _ratio(part: float, whole: float) -> float:
    # A single voter has nobody to disagree with; rounding may leave the whole a hair above zero,
    # and the divergence of equals a hair below.
    return min(max(part / whole, 0.0), 1.0) if whole > LEAST_BOUND else 0.0


@inner
def opine(
    votes: FloatArray,
    vote_weights: FloatArray,
    doubts: FloatArray,
    doubt_weights: FloatArray,
    alarms: FloatArray,
    opinion: FloatArray,
) -> None:
    """One stream's opinion, written into `opinion`, all but the changepoint score.

    votes, vote_weights:   shape (V, 4) and (V,), see `pool`.
    doubts, doubt_weights: shape (D,) and (D,), see `divergence`.
    alarms:                shape (N,), of the drift-type detectors, see `noisy_or`.
    opinion:               shape (8,); columns by the constants of this module.

    Cost: 4 logarithms for each vote, 2 for each doubt that is no yes or no, and 8 more.
    """
    regimes = pool(votes, vote_weights, opinion[:REGIMES])
    changes = divergence(doubts, doubt_weights)
    opinion[DISAGREEMENT] = max(regimes, changes)
    opinion[AMBIGUITY] = min(entropy(opinion[:REGIMES]) / LN_REGIMES, 1.0)
    opinion[DRIFT] = noisy_or(alarms)


def agree(votes: FloatArray, doubts: FloatArray, alarms: FloatArray) -> FloatArray:
    """The opinion of detectors of equal weight about one stream, as a new array of shape (8,).

    The changepoint score (column `CHANGE`) is left at 0; it belongs to one detector alone.
    Raises `BadInput` when a shape is wrong or there is no vote at all.
    """
    if votes.ndim != 2 or votes.shape[1] != REGIMES or not votes.shape[0]:  # noqa: PLR2004
        raise BadInput("votes", f"have shape {votes.shape}", "(voters, 4), with at least one voter")
    opinion = np.zeros(OPINION)
    opine(votes, np.ones(len(votes)), doubts, np.ones(len(doubts)), alarms, opinion)
    return opinion
