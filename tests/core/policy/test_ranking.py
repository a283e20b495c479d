"""Ranking: the order never changes by waiting, nothing starves, and the printed terms add up."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.nouns import Risk
from swarm.core.policy import ranking
from swarm.testing.builders import NOON, need

DAY = timedelta(days=1)
LEAST_TRUST = 1e-3  #: a deposit never weighs less
LOOK_BACK = timedelta(days=7)  #: a saying never heats as if it were older
DEPOSITS_MOST = 1_000_000  #: fresh sayings of a newcomer that the bound allows for

values = st.floats(1e-9, 1e9)
costs = st.integers(0, 10**15)
confidences = st.floats(0, 1)
risks = st.sampled_from(Risk)
times = st.timedeltas(timedelta(0), timedelta(days=3650)).map(lambda span: NOON + span)
deposits = st.lists(
    st.tuples(
        st.timedeltas(-timedelta(days=20), timedelta(days=20)).map(lambda span: NOON + span),
        st.floats(LEAST_TRUST, 1.0),
    ),
    min_size=1,
    max_size=12,
)


def heat_of(said):
    heat = None
    for at, weight in said:
        heat = ranking.deposit(heat, at, weight)
    return heat


@st.composite
def needs(draw, number=1):
    seen = draw(times)
    return need(
        number,
        value=draw(values),
        cost=draw(costs),
        confidence=draw(confidences),
        risk=draw(risks),
        heat=heat_of([(seen, draw(st.floats(LEAST_TRUST, 1.0)))]),
        first_seen=seen,
    )


def raw(one):
    """The rank before it is rounded: the sum of its terms at the fixed epoch."""
    return math.fsum(term for _, term in ranking.terms(one, ranking.EPOCH))


def score(one, now, bias=0.0):
    return math.fsum(term for _, term in ranking.terms(one, now, bias))


@pytest.mark.req("LOOP-4")
def test_every_term_of_a_score_has_a_name():
    names = [name for name, _ in ranking.terms(need(), NOON)]
    assert names == ["value", "confidence", "pheromone", "cost", "risk", "waiting", "learned"]


@pytest.mark.req("LOOP-4")
@given(one=needs(), later=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_the_printed_terms_add_up_to_the_rank_and_what_waiting_gave_everyone(one, later):
    """Between two instants every score moves by the same: 2 nats a day, ageing less decay."""
    now = one.first_seen + later
    gained = (now - ranking.EPOCH) / ranking.AGE_TAU - (now - ranking.EPOCH) / ranking.PHEROMONE_TAU
    assert score(one, now) == pytest.approx(raw(one) + gained, abs=1e-6)


@pytest.mark.req("LOOP-4")
@given(one=needs())
def test_the_indexed_rank_is_the_sum_rounded_down_by_less_than_a_sixteenth(one):
    assert -1e-9 <= raw(one) - one.rank < 1 / 16 + 1e-9
    assert (one.rank * 16).is_integer()


@pytest.mark.req("LOOP-5")
@given(
    one=needs(1), other=needs(2), spans=st.lists(st.timedeltas(-90 * DAY, 900 * DAY), min_size=2)
)
def test_waiting_never_changes_the_order_of_two_needs(one, other, spans):
    gaps = [score(one, NOON + span) - score(other, NOON + span) for span in spans]
    assert max(gaps) - min(gaps) < 1e-6


BOUND = timedelta(days=47)
"""An eligible need outranks every need that is first seen this much later.

Ageing gives 3 nats a day and a newcomer's heat takes one back, so 2 nats a day are gained. At most
20.7 of value, 6.9 of confidence, 30.0 of cost, 1.5 of risk, 2.0 of learning, 6.9 of least trust,
7.0 of a saying as old as we believe, 13.8 of a million fresh sayings and 0.1 of rounding stand
against it: 88.9 nats, 44.5 days, and the rest is slack.
"""


@pytest.mark.req("LOOP-5")
@given(seen=times, gap=st.timedeltas(BOUND, 4 * BOUND), sayings=st.integers(1, DEPOSITS_MOST))
def test_the_worst_old_need_overtakes_the_best_newcomer_within_the_bound(seen, gap, sayings):
    old = need(
        1, value=1e-9, cost=10**15, confidence=0.0, risk=Risk.R3, first_seen=seen,
        heat=ranking.deposit(None, seen - LOOK_BACK, LEAST_TRUST),
    )  # fmt: skip
    late = seen + gap
    new = need(
        2, value=1e9, cost=0, confidence=1.0, risk=Risk.R0, first_seen=late,
        heat=ranking.deposit(None, late) + math.log(sayings),
    )  # fmt: skip
    assert old.rank - ranking.BIAS_MAX > new.rank + ranking.BIAS_MAX


@pytest.mark.req("LOOP-5")
def test_half_of_the_bound_would_not_do():
    """The bound is of the right size: without it the best newcomers would stand before the rest."""
    oldest = ranking.deposit(None, NOON - LOOK_BACK, LEAST_TRUST)
    old = need(1, value=1e-9, cost=10**15, confidence=0.0, risk=Risk.R3, heat=oldest)
    late = NOON + BOUND / 2
    new = need(
        2, value=1e9, cost=0, confidence=1.0, risk=Risk.R0, first_seen=late,
        heat=ranking.deposit(None, late),
    )  # fmt: skip
    assert new.rank > old.rank


@pytest.mark.req("LOOP-4")
@given(said=deposits, order=st.randoms(use_true_random=False))
def test_deposits_commute_and_associate(said, order):
    shuffled = list(said)
    order.shuffle(shuffled)
    half = len(shuffled) // 2
    assert heat_of(shuffled) == pytest.approx(heat_of(said), abs=1e-9)
    if half:
        left, right = heat_of(shuffled[:half]), heat_of(shuffled[half:])
        joined = max(left, right) + math.log1p(math.exp(-abs(left - right)))
        assert joined == pytest.approx(heat_of(said), abs=1e-9)


@pytest.mark.req("LOOP-4")
@given(said=deposits, later=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_pheromone_is_the_directly_decayed_sum(said, later):
    now = max(at for at, _ in said) + later
    direct = math.fsum(
        weight * math.exp(-(now - at) / ranking.PHEROMONE_TAU) for at, weight in said
    )
    assert ranking.pheromone(heat_of(said), now) == pytest.approx(direct, rel=1e-9)


@pytest.mark.req("LOOP-4")
@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param({"value": 2.0}, {"value": 1.0}, id="worth-more"),
        pytest.param({"confidence": 0.9}, {"confidence": 0.8}, id="surer"),
        pytest.param({"cost": 50_000}, {"cost": 100_000}, id="cheaper"),
        pytest.param({"risk": Risk.R0}, {"risk": Risk.R1}, id="less-risky"),
        pytest.param({"first_seen": NOON - DAY}, {"first_seen": NOON}, id="waiting-longer"),
        pytest.param(
            {"heat": heat_of([(NOON, 1.0)] * 2)}, {"heat": heat_of([(NOON, 1.0)])}, id="said-twice"
        ),
    ],
)
def test_each_term_works_in_its_direction(better, worse):
    assert need(1, **better).rank > need(2, **worse).rank


@pytest.mark.req("LOOP-4")
def test_thirty_years_on_the_order_of_two_needs_an_hour_apart_still_shows():
    late = NOON + timedelta(days=365 * 30)
    old, new = (
        need(number, first_seen=at, heat=ranking.deposit(None, at))
        for number, at in ((1, late), (2, late + timedelta(hours=1)))
    )
    assert old.rank > new.rank
