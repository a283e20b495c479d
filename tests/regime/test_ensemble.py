"""What the detectors say together, against hand calculation, scipy, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from swarm.regime import ensemble
from swarm.regime.ensemble import AMBIGUITY, DISAGREEMENT, DRIFT, agree
from swarm.regime.errors import BadInput

NOBODY = np.zeros(0)
#: Nothing so small that scipy's divergence, which some are held against, overflows.
said = st.floats(0.0, 1.0).map(lambda share: share if share > 1e-300 else 0.0)
votes_of_one = st.lists(said, min_size=4, max_size=4).filter(lambda v: sum(v) > 0.01)
shares = st.floats(0.0, 1.0)


def distributions(*rows):
    found = np.array(rows, dtype=float)
    return found / found.sum(axis=1, keepdims=True)


def test_certain_votes_for_different_regimes_disagree_as_much_as_can_be():
    opinion = agree(distributions([1, 0, 0, 0], [0, 1, 0, 0]), NOBODY, NOBODY)
    assert opinion[DISAGREEMENT] == pytest.approx(1.0, abs=1e-15)
    assert opinion[:4] == pytest.approx([0.5, 0.5, 0, 0])
    assert opinion[AMBIGUITY] == pytest.approx(0.5)


@given(votes_of_one)
def test_equal_votes_agree(vote):
    opinion = agree(distributions(vote, vote, vote), NOBODY, NOBODY)
    assert opinion[DISAGREEMENT] == pytest.approx(0.0, abs=1e-12)


@given(votes_of_one, votes_of_one)
def test_two_votes_disagree_by_the_jensen_shannon_divergence(one, other):
    """Over ln 2, the greatest that two equal voters can reach, which is what base 2 means."""
    both = distributions(one, other)
    expected = distance.jensenshannon(both[0], both[1], base=2) ** 2
    found = agree(both, NOBODY, NOBODY)[DISAGREEMENT]
    assert found == pytest.approx(np.nan_to_num(expected), abs=1e-9)


@given(st.lists(votes_of_one, min_size=1, max_size=4), st.lists(shares, max_size=5))
def test_every_score_is_a_share_and_the_posterior_a_distribution(votes, doubts):
    opinion = agree(distributions(*votes), np.array(doubts), np.array(doubts))
    assert np.all((opinion >= 0) & (opinion <= 1))
    assert abs(opinion[:4].sum() - 1) < 1e-9


@given(st.lists(votes_of_one, min_size=2, max_size=4), st.permutations(range(4)))
def test_renaming_the_regimes_changes_no_score(votes, order):
    plain = agree(distributions(*votes), NOBODY, NOBODY)
    renamed = agree(distributions(*votes)[:, list(order)], NOBODY, NOBODY)
    assert renamed[4:] == pytest.approx(plain[4:], abs=1e-12)
    assert renamed[:4] == pytest.approx(plain[list(order)], abs=1e-12)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param([np.nan] * 4, id="no-numbers"),
        pytest.param([1.5, -0.5, 0, 0], id="negative"),
        pytest.param([0.5, 0.4, 0, 0], id="mass-lost"),
        pytest.param([np.inf, 0, 0, 0], id="infinite"),
    ],
)
def test_a_broken_vote_has_no_weight(broken):
    votes = np.array([[0.7, 0.1, 0.1, 0.1], broken])
    assert agree(votes, NOBODY, NOBODY)[:4] == pytest.approx(votes[0])


@pytest.mark.req("REG-4")
def test_when_nobody_has_a_usable_vote_everything_is_equally_likely_and_wholly_ambiguous():
    opinion = agree(np.full((2, 4), np.nan), NOBODY, NOBODY)
    assert list(opinion[:4]) == [0.25] * 4
    assert opinion[AMBIGUITY] == pytest.approx(1.0)


def test_opposite_doubts_disagree_and_equal_ones_do_not():
    vote = distributions([1, 0, 0, 0])
    assert agree(vote, np.array([0.0, 1.0]), NOBODY)[DISAGREEMENT] == pytest.approx(1.0)
    assert agree(vote, np.array([0.7, 0.7]), NOBODY)[DISAGREEMENT] == pytest.approx(0.0, abs=1e-12)
    # H(.5) - (H(.9) + H(.1)) / 2 over ln 2, by hand: (.693147 - .325083) / .693147.
    assert agree(vote, np.array([0.9, 0.1]), NOBODY)[DISAGREEMENT] == pytest.approx(0.531004, 1e-5)


def test_a_doubt_that_is_no_probability_has_no_weight():
    vote, doubts = distributions([1, 0, 0, 0]), np.array([0.9, np.nan, 0.1, 7.0])
    assert agree(vote, doubts, NOBODY)[DISAGREEMENT] == pytest.approx(0.531004, 1e-5)


def test_weights_count():
    """Of two certain votes at 3 to 1 nothing is shared: they are as far apart as they can be."""
    opinion, room = np.zeros(8), np.empty((ensemble.ROOM, ensemble.places(2, 0)))
    both = distributions([1, 0, 0, 0], [0, 1, 0, 0])
    ensemble.opine(both, np.array([3.0, 1.0]), NOBODY, NOBODY, NOBODY, opinion, room)
    assert opinion[:4] == pytest.approx([0.75, 0.25, 0, 0])
    assert opinion[DISAGREEMENT] == pytest.approx(1.0)
    assert opinion[AMBIGUITY] == pytest.approx(0.405639)  # H(3/4, 1/4) over ln 4, by hand


def test_the_drift_score_is_the_chance_that_one_alarm_is_true():
    vote = distributions([1, 0, 0, 0])
    assert agree(vote, NOBODY, np.array([0.5, 0.2]))[DRIFT] == pytest.approx(0.6)
    assert agree(vote, NOBODY, NOBODY)[DRIFT] == 0.0


@pytest.mark.parametrize("shape", [(0, 4), (2, 3), (4,)])
def test_votes_of_another_shape_are_refused(shape):
    with pytest.raises(BadInput, match="votes have shape"):
        agree(np.zeros(shape), NOBODY, NOBODY)
