"""How needs grow: origins count once, confidence joins them, and closed needs open for a reason."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.contract.verdict import Answer
from swarm.core.gates import discovery_quality
from swarm.core.ids import NeedId, SignalId
from swarm.core.nouns import NeedState, Risk, Signal
from swarm.core.policy import ranking
from swarm.core.policy.backlog import Circumstances, Kept, Known, grow, warm
from swarm.testing.builders import spec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEEN = Circumstances(now=NOON)
NEED = NeedId("n-1")


def said(number=1, origin="ruff", **given):
    made = Signal(
        id=SignalId(f"g-{number}"), source=origin, external_id=str(number), title="t", body="b",
        citation="a.py:1", origin=origin, author="", external=False, trust=0.5, observed_at=NOON,
        content_hash="h", mission_class="docs", repo="orders",
    )  # fmt: skip
    return replace(made, **given)


def known(*signals, state=NeedState.OPEN, state_at=NOON):
    growth = grow(NEED, None, signals, SEEN)
    return Known(
        need=replace(growth.need, state=state),
        state_at=state_at,
        citations={cited.origin: cited for cited in growth.citations},
    )


def kept(of):
    need, origins = of.need, sorted(o for o, item in of.citations.items() if item.citation)
    return Kept(
        need.id, need.state, need.risk, need.value, need.cost, need.external, need.own_rounds,
        need.heat, need.confidence, need.first_seen, need.last_seen, need.signals, origins,
        [of.citations[origin].trust for origin in origins],
    )  # fmt: skip


@pytest.mark.req("LOOP-4")
@pytest.mark.parametrize(
    ("trusts", "expected"),
    [([0.5], 0.5), ([0.5, 0.6], 0.8), ([0.5, 0.5, 0.5], 0.875), ([1.0, 0.1], 1.0)],
)
def test_confidence_joins_independent_origins(trusts, expected):
    signals = [said(index, f"o{index}", trust=trust) for index, trust in enumerate(trusts)]
    assert grow(NEED, None, signals, SEEN).need.confidence == pytest.approx(expected)


@pytest.mark.req("GATE-1")
def test_what_cannot_be_looked_up_adds_no_confidence():
    need = grow(NEED, None, [said(1, trust=0.9, citation=""), said(2, citation="")], SEEN).need
    assert (need.confidence, need.citations, need.cited, need.heard) == (0.0, 0, False, 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_more_evidence_never_makes_less_confident(trusts, one_more):
    some = [said(index, f"o{index}", trust=trust) for index, trust in enumerate(trusts)]
    more = [*some, said(99, "new", trust=one_more)]
    before, after = grow(NEED, None, some, SEEN).need, grow(NEED, None, more, SEEN).need
    assert after.confidence >= before.confidence - 1e-12


STORY = (
    "The parser of release 4.2 reads one byte past the end of its buffer when a header has no"
    " colon, and a peer that sends such a header can make the service answer with an old request."
)
OWN_WORDS = (
    "We saw memory of earlier requests in replies after upgrading to 4.2; malformed headers without"
    " a separator trigger it every time, and going back to 4.1 made it stop on all three hosts."
)


def told(number, origin, body=STORY, **given):
    """What a site outside says."""
    return said(
        number, origin, external=True, title="Leak in 4.2", body=body,
        citation=f"https://{origin}/1", **given,
    )  # fmt: skip


def grown(known_need, *signals):
    """Grow as the store does: it hands over what the citing signals said."""
    return grow(NEED, known_need, signals, SEEN)


def remembered(growth, *signals):
    return Known(
        need=growth.need,
        state_at=NOON,
        citations={cited.origin: cited for cited in growth.citations},
        texts={signal.id: f"{signal.title}\n{signal.body}" for signal in signals},
    )


@pytest.mark.req("LOOP-3")
@pytest.mark.req("GATE-1")
def test_two_mirrors_of_one_article_are_one_citation_of_a_need():
    """T2: another domain with the same article proves nothing more."""
    copy = STORY.replace("an old request", "an older request")
    first = told(1, "news.example", observed_at=NOON - timedelta(hours=1))
    need = grown(None, first, told(2, "mirror.example", copy)).need
    assert (need.citations, need.heard) == (1, 2)
    assert need.origins == ("news.example",)
    assert need.confidence == pytest.approx(0.5)
    verdict = discovery_quality.judge(need, spec().discovery)
    assert (verdict.answer, verdict.reason) == (Answer.FAIL, "CitationsNotIndependent")
    assert verdict.detail.startswith("1 of 2 (news.example)")


@pytest.mark.req("LOOP-3")
def test_a_mirror_that_comes_later_is_known_by_what_the_first_said():
    first = told(1, "news.example")
    before = remembered(grown(None, first), first)
    assert grown(before, told(2, "mirror.example")).need.citations == 1
    other = grown(before, told(3, "blog.example", OWN_WORDS)).need
    assert (other.citations, other.origins) == (2, ("blog.example", "news.example"))


@pytest.mark.req("LOOP-3")
def test_a_text_that_nobody_remembers_lets_no_other_count_beside_it():
    """Absence of evidence: whether the new one repeats the forgotten one cannot be said."""
    before = remembered(grown(None, told(1, "news.example")))
    need = grown(before, told(2, "blog.example", OWN_WORDS)).need
    assert (need.citations, need.heard) == (1, 2)


@pytest.mark.req("GATE-1")
def test_a_mirror_reopens_no_rejected_need_and_an_own_report_does():
    first = told(1, "news.example")
    rejected = remembered(grown(None, first), first)
    rejected = rejected._replace(need=replace(rejected.need, state=NeedState.REJECTED))
    mirror = grown(rejected, told(2, "mirror.example", trust=0.7))
    assert (mirror.opened, mirror.need.origins) == (False, ("mirror.example",))
    assert grown(rejected, told(3, "blog.example", OWN_WORDS)).opened


@pytest.mark.req("GATE-1")
@pytest.mark.parametrize(
    ("risk", "trusts", "reason"),
    [
        pytest.param(Risk.R1, (0.6, 0.6), "EnoughEvidence", id="r1-does-not-ask"),
        pytest.param(Risk.R2, (0.6, 0.6), "NotAnchored", id="r2-asks"),
        pytest.param(Risk.R3, (0.79, 0.79), "NotAnchored", id="just-below-the-tier"),
        pytest.param(Risk.R2, (0.6, 0.8), "EnoughEvidence", id="one-of-the-tier"),
    ],
)
def test_what_is_risky_needs_one_source_of_a_trusted_tier(risk, trusts, reason):
    signals = (
        told(1, "news.example", trust=trusts[0], risk=risk),
        told(2, "blog.example", OWN_WORDS, trust=trusts[1], risk=risk),
    )
    assert discovery_quality.judge(grown(None, *signals).need, spec().discovery).reason == reason


@pytest.mark.req("GATE-1")
def test_one_origin_counts_once_with_its_strongest_claim():
    growth = grow(NEED, None, [said(1), said(2, trust=0.7), said(3, "pytest")], SEEN)
    assert growth.need.citations == 2
    assert growth.need.origins == ("pytest", "ruff")
    assert growth.need.confidence == pytest.approx(1 - 0.3 * 0.5)
    assert growth.cited_anew == 2
    assert growth.trusts == (0.5, 0.7), "of pytest and ruff, as the origins are sorted"


def test_a_need_takes_the_highest_risk_value_and_cost_it_hears_of():
    signals = [said(1, risk=Risk.R0, value=2.0, cost=5), said(2, risk=Risk.R3, value=1.0, cost=9)]
    need = grow(NEED, None, signals, SEEN).need
    assert (need.risk, need.value, need.cost) == (Risk.R3, 2.0, 9)


LITTLE = said(1, risk=Risk.R0, value=2.0, cost=5, observed_at=NOON - timedelta(hours=1))
MUCH = said(2, risk=Risk.R3, value=3.0, cost=9, external=True)


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize("signals", [(LITTLE, MUCH), (MUCH, LITTLE)], ids=["rising", "falling"])
def test_a_need_keeps_the_most_it_ever_heard_in_one_reading_or_in_two(signals):
    """What it may break, what it is worth, whether a stranger said it: none is ever lowered."""
    seen = Circumstances(now=NOON, own_rounds={MUCH.id: 2})
    once = grow(NEED, None, signals, seen).need
    first = grow(NEED, None, signals[:1], seen)
    before = Known(first.need, NOON, {cited.origin: cited for cited in first.citations})
    for need in (once, grow(NEED, before, signals[1:], seen).need):
        assert (need.risk, need.value, need.cost) == (Risk.R3, 3.0, 9)
        assert (need.external, need.own_rounds, need.last_seen) == (True, 2, NOON)


def test_what_our_own_work_did_not_cause_has_no_rounds():
    assert grow(NEED, None, [said(1), said(2)], SEEN).need.own_rounds == 0


def test_half_a_value_is_a_value():
    assert grow(NEED, None, [said(1, value=0.5)], SEEN).need.value == 0.5


@pytest.mark.parametrize("hours", [[-3, -1], [-1, -3]])
def test_a_reading_heats_at_the_latest_time_that_its_origin_says(hours):
    signals = [said(n, observed_at=NOON + timedelta(hours=h)) for n, h in enumerate(hours)]
    heat = grow(NEED, None, signals, SEEN).need.heat
    assert heat == ranking.deposit(None, NOON - timedelta(hours=1), 0.5)


@pytest.mark.parametrize("trusts", [[0.2, 0.7], [0.7, 0.2]])
def test_of_what_an_origin_says_at_one_time_the_strongest_heats(trusts):
    signals = [said(number, trust=trust) for number, trust in enumerate(trusts)]
    assert grow(NEED, None, signals, SEEN).need.heat == ranking.deposit(None, NOON, 0.7)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0])
def test_a_value_that_is_no_value_counts_as_one(value):
    need = grow(NEED, None, [said(1, value=value)], SEEN).need
    assert need.value == 1.0
    assert math.isfinite(need.rank)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_trust_that_is_no_trust_never_raises_confidence_above_one(trust):
    need = grow(NEED, None, [said(1, trust=trust)], SEEN).need
    assert 0.0 <= need.confidence <= 1.0
    assert math.isfinite(need.heat)


@pytest.mark.req("LOOP-10")
def test_learned_trust_changes_what_a_claim_is_worth():
    seen = Circumstances(now=NOON, trust={"ruff": 0.5})
    assert grow(NEED, None, [said(1)], seen).need.confidence == pytest.approx(0.25)


def test_repeating_oneself_in_one_reading_heats_once():
    loud = grow(NEED, None, [said(number) for number in range(500)], SEEN).need
    calm = grow(NEED, None, [said(1)], SEEN).need
    assert loud.heat == calm.heat
    assert loud.signals == 500


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize(
    ("state", "signal", "opens"),
    [
        pytest.param(NeedState.OPEN, said(2), False, id="open-stays-open"),
        pytest.param(NeedState.TAKEN, said(2, "new"), False, id="taken-stays-taken"),
        pytest.param(NeedState.REJECTED, said(2), False, id="rejected-same-origin"),
        pytest.param(NeedState.REJECTED, said(2, "new", citation=""), False, id="rejected-uncited"),
        pytest.param(NeedState.REJECTED, said(2, "new"), True, id="rejected-new-origin"),
        pytest.param(NeedState.EXPIRED, said(2), True, id="expired"),
        pytest.param(NeedState.DONE, said(2), False, id="done-said-before"),
        pytest.param(
            NeedState.DONE, said(2, observed_at=NOON + timedelta(seconds=1)), True,
            id="done-said-after",
        ),
    ],
)  # fmt: skip
def test_what_opens_a_need_again(state, signal, opens):
    growth = grow(NEED, known(said(1), state=state), [signal], SEEN)
    assert growth.opened is opens
    assert growth.need.state is (NeedState.OPEN if opens else state)


@pytest.mark.req("MODE-4")
@pytest.mark.parametrize(("rounds", "opens"), [(0, False), (3, False), (4, True)])
def test_a_loop_of_our_own_opens_again_for_its_next_round_alone(rounds, opens):
    """Others may say it again, and well: that makes it no less a loop of three rounds."""
    loop = known(said(1), state=NeedState.REJECTED)
    loop = loop._replace(need=replace(loop.need, own_rounds=3))
    more = said(2, "new")
    growth = grow(NEED, loop, [more], replace(SEEN, own_rounds={more.id: rounds}))
    assert growth.opened is opens


@pytest.mark.req("MODE-4")
@pytest.mark.parametrize("state", [NeedState.DONE, NeedState.EXPIRED])
def test_a_loop_that_was_not_rejected_opens_as_any_need_does(state):
    loop = known(said(1), state=state)
    loop = loop._replace(need=replace(loop.need, own_rounds=3))
    later = said(2, observed_at=NOON + timedelta(seconds=1))
    assert grow(NEED, loop, [later], SEEN).opened


@pytest.mark.req("LOOP-3")
def test_one_saying_after_it_was_done_is_enough_to_open_a_need_again():
    later = said(3, observed_at=NOON + timedelta(seconds=1))
    assert grow(NEED, known(said(1), state=NeedState.DONE), [said(2), later], SEEN).opened


@pytest.mark.req("LOOP-3")
def test_a_need_that_opens_again_does_not_rest():
    done = known(said(1), state=NeedState.EXPIRED)
    done = done._replace(need=replace(done.need, not_before=NOON + timedelta(hours=6)))
    assert grow(NEED, done, [said(2)], SEEN).need.not_before is None


def test_a_need_that_rests_goes_on_resting_when_it_is_said_again():
    before = known(said(1))
    resting = before._replace(need=replace(before.need, not_before=NOON + timedelta(hours=6)))
    assert grow(NEED, resting, [said(2, "new")], SEEN).need.not_before is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]), st.floats(0.01, 1), st.integers(-10, 0), st.booleans()
        ),
        min_size=1, max_size=8,
    ),
    st.integers(0, 8),
)  # fmt: skip
def test_two_readings_add_up_to_what_one_reading_says(claims, cut):
    """Evidence does not depend on how a source was cut into readings; only heat may (it is capped
    per reading)."""
    signals = [
        said(number, origin, trust=trust, observed_at=NOON + timedelta(hours=hours),
             citation="c" if has else "")
        for number, (origin, trust, hours, has) in enumerate(claims)
    ]  # fmt: skip
    first, second = signals[:cut], signals[cut:]
    whole = grow(NEED, None, signals, SEEN).need
    if not first or not second:
        return
    half = grow(NEED, None, first, SEEN)
    before = Known(
        need=half.need, state_at=NOON, citations={item.origin: item for item in half.citations}
    )
    both = grow(NEED, before, second, SEEN).need
    assert (both.citations, both.origins, both.signals) == (
        whole.citations, whole.origins, whole.signals,
    )  # fmt: skip
    assert both.confidence == pytest.approx(whole.confidence)
    assert both.heat >= whole.heat - 1e-9


def test_the_rank_is_the_static_one():
    need = grow(NEED, None, [said(1)], SEEN).need
    assert need.rank == ranking.static_rank(
        ranking.worth(value=1.0, cost=100_000, confidence=0.5, risk=Risk.R1),
        heat=need.heat,
        first_seen=NOON,
    )


SAID = st.builds(
    said,
    st.just(2),
    st.sampled_from(["ruff", "pytest"]),
    trust=st.floats(0, 1),
    value=st.sampled_from([0.5, 1.0, 2.0, math.nan]),
    cost=st.sampled_from([1, 100_000, 200_000]),
    risk=st.sampled_from(list(Risk)),
    external=st.booleans(),
    citation=st.sampled_from(["", "a.py:1"]),
    observed_at=st.integers(-700, 700).map(lambda hours: NOON + timedelta(hours=hours)),
)


@given(SAID, SAID, st.sampled_from(list(NeedState)))
def test_warming_is_growing_where_nothing_new_is_said(first, second, state):
    before = known(first, state=state)
    second = replace(second, id=SignalId("g-3"))
    warmth, growth = warm(kept(before), second, SEEN), grow(NEED, before, [second], SEEN)
    if warmth is None:
        return
    assert (growth.citations, growth.opened) == ((), False)
    need = growth.need
    assert warmth == (need.id, need.rank, need.heat, need.last_seen, need.signals)
    assert (
        replace(
            before.need,
            rank=need.rank,
            heat=need.heat,
            last_seen=need.last_seen,
            signals=need.signals,
        )
        == need
    )


@pytest.mark.parametrize("hours", [-2, 0])
@pytest.mark.parametrize("trust", [0.0, 0.5])
def test_plain_repetition_is_warming(hours, trust):
    before = known(said(1, observed_at=NOON - timedelta(hours=1)))
    again = said(2, trust=trust, observed_at=NOON + timedelta(hours=hours))
    need = grow(NEED, before, [again], SEEN).need
    assert warm(kept(before), again, SEEN) == (NEED, need.rank, need.heat, need.last_seen, 2)


@pytest.mark.parametrize(
    ("state", "signal", "warms"),
    [
        pytest.param(NeedState.OPEN, said(2, "new"), False, id="another-origin"),
        pytest.param(NeedState.OPEN, said(2, trust=0.6), False, id="a-stronger-claim"),
        pytest.param(
            NeedState.OPEN, said(2, trust=0.6, citation=""), True, id="nothing-to-look-up"
        ),
        pytest.param(NeedState.TAKEN, said(2), True, id="taken"),
        pytest.param(NeedState.DONE, said(2), False, id="done"),
        pytest.param(NeedState.OPEN, said(2, risk=Risk.R2), False, id="riskier"),
        pytest.param(NeedState.OPEN, said(2, value=2.0), False, id="worth-more"),
        pytest.param(NeedState.OPEN, said(2, cost=200_000), False, id="dearer"),
        pytest.param(NeedState.OPEN, said(2, external=True), False, id="said-by-a-stranger"),
        pytest.param(NeedState.OPEN, said(7), False, id="caused-by-our-own-work"),
    ],
)
def test_what_says_anything_more_is_no_mere_repetition(state, signal, warms):
    seen = Circumstances(now=NOON, own_rounds={SignalId("g-7"): 1})
    assert (warm(kept(known(said(1), state=state)), signal, seen) is not None) is warms


@given(SAID)
def test_a_first_signal_makes_what_growing_makes(signal):
    """The short way of one new signal against the long way, which takes several."""
    twin = replace(signal, id=SignalId("g-9"))
    short, long = grow(NEED, None, [signal], SEEN), grow(NEED, None, [signal, twin], SEEN)
    assert short.citations == long.citations
    assert (short.cited_anew, short.opened) == (long.cited_anew, long.opened)
    assert short.trusts == long.trusts
    assert short.need == replace(long.need, signals=1)
