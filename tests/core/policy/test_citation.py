"""Threat T2: mirrors and repeats are no second opinion."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.policy.citation import (
    SUSPICIOUS_MOST,
    Claim,
    Counts,
    confidence,
    degraded,
    explain,
    ground,
    mirrors,
    worth,
)

pytestmark = pytest.mark.req("GATE-1", "LOOP-3")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ARTICLE = (
    "The parser of version 4.2 reads beyond the end of its buffer when a header is longer than "
    "sixteen kilobytes. Upgrade to 4.2.1, or set the limit for headers below that size. The fault "
    "was found by an auditor and reported in private in the second week of January."
)
RETOLD = (
    "A security firm says that overlong headers crash release 4.2 of the popular library; the "
    "maintainers published a corrected release this morning and ask everybody to move to it soon, "
    "since scanners that look for the weakness have already been seen in the wild."
)


def claim(origin: str, text: str = ARTICLE, trust: float = 0.5, **changes) -> Claim:
    plain = {"origin": origin, "citation": f"https://{origin}/1", "external": True, "at": NOON}
    return Claim(**{**plain, "text": text, "trust": trust, **changes})


def tool(origin: str, trust: float = 0.6) -> Claim:
    return claim(
        origin, "`os` imported but unused", trust, citation="a.py:1@c0ffee", external=False
    )


def test_two_mirrors_of_one_article_are_one_citation():
    grounds = ground([claim("one.test"), claim("two.test", ARTICLE.upper() + " Copyright.")])
    assert (grounds.citations, grounds.origins) == (1, ("one.test",))
    assert grounds.confidence == pytest.approx(0.5)
    assert explain(grounds, 2) == (
        "1 of 2 independent citations (two.test is a mirror of one.test)"
    )


def test_two_reports_in_their_own_words_are_two():
    grounds = ground([claim("one.test"), claim("two.test", RETOLD)])
    assert grounds.citations == 2
    assert grounds.confidence == pytest.approx(0.75)


def test_one_origin_counts_once_however_often_it_speaks():
    grounds = ground([claim("one.test"), claim("one.test", RETOLD), claim("one.test", "x" * 99)])
    assert (grounds.citations, grounds.confidence) == (1, 0.5)
    assert [term.counts for term in grounds.terms[1:]] == [Counts.SAME_ORIGIN] * 2


def test_two_tools_that_say_the_same_are_two():
    """They read the code themselves; neither copies from the other."""
    grounds = ground([tool("ruff"), tool("reference-search")])
    assert (grounds.citations, grounds.origins) == (2, ("reference-search", "ruff"))
    assert grounds.confidence == pytest.approx(0.84)
    assert grounds.anchored


@pytest.mark.parametrize("external", [True, False])
def test_what_cannot_be_looked_up_counts_for_nothing(external):
    grounds = ground([claim("one.test", citation="", external=external, trust=1.0)])
    assert (grounds.citations, grounds.confidence, grounds.anchored) == (0, 0.0, False)
    assert grounds.terms[0].counts is Counts.UNCITED


def test_nothing_said_is_nothing_known():
    assert (ground([]).citations, ground([]).confidence) == (0, 0.0)


def test_the_stronger_counts_and_of_equals_the_earlier():
    """So a mirror that was put up later cannot push aside what it repeats."""
    later = NOON + timedelta(hours=1)
    grounds = ground([claim("a-mirror.test", at=later), claim("original.test")])
    assert grounds.origins == ("original.test",)
    grounds = ground([claim("weak.test", trust=0.2), claim("strong.test", trust=0.7, at=later)])
    assert grounds.origins == ("strong.test",)


def test_a_text_between_two_others_does_not_make_them_one():
    """A hostile source must not be able to lower what others' citations are worth."""
    both = ARTICLE[: len(ARTICLE) // 2] + RETOLD[len(RETOLD) // 2 :]
    honest = [claim("one.test"), claim("two.test", RETOLD)]
    grounds = ground([*honest, claim("bridge.test", both, trust=0.4)])
    assert {"one.test", "two.test"} <= set(grounds.origins)


@pytest.mark.parametrize(
    ("claims", "citations"),
    [
        pytest.param([claim("one.test", "")], 1, id="forgotten-and-alone"),
        pytest.param([claim("one.test"), claim("two.test", "")], 1, id="forgotten-beside-another"),
        pytest.param([tool("ruff"), claim("one.test", "")], 2, id="forgotten-beside-a-tool"),
        pytest.param(
            [claim("one.test"), claim("ruff", "", 0.4, external=False)],
            2,
            id="a-tool-without-words",
        ),
        pytest.param(
            [claim("one.test"), claim("ruff", trust=0.4, external=False)],
            2,
            id="a-tool-in-a-sites-words",
        ),
        pytest.param(
            [claim("ruff", external=False), claim("one.test", trust=0.4)],
            2,
            id="a-site-in-a-tools-words",
        ),
        pytest.param(
            [claim("one.test", trust=0.9, citation=""), claim("two.test")], 1, id="a-rumour-first"
        ),
    ],
)
def test_only_what_a_site_said_that_counts_can_be_repeated(claims, citations):
    assert ground(claims).citations == citations


@pytest.mark.parametrize(("length", "citations"), [(79, 2), (80, 1)])
def test_short_texts_must_be_equal_to_be_mirrors(length, citations):
    text = ARTICLE[:length]
    nearly = text[:-1] + "_"
    assert ground([claim("one.test", text), claim("two.test", nearly)]).citations == citations


@pytest.mark.parametrize(
    ("trusts", "anchored"),
    [((0.5, 0.5), False), ((0.79, 0.7), False), ((0.8, 0.1), True)],
)
def test_what_is_risky_needs_a_source_of_a_trusted_tier(trusts, anchored):
    first, second = trusts
    grounds = ground([claim("a.test", trust=first), claim("b.test", RETOLD, trust=second)])
    assert grounds.anchored is anchored


@pytest.mark.parametrize(
    ("trust", "stated", "value"),
    [(0.6, None, 0.6), (0.6, 0.9, 0.6), (0.6, 1.0, 0.6), (0.6, 0.2, 0.2), (0.6, 0.0, 0.0)],
)
def test_a_statements_own_confidence_lowers_and_never_raises(trust, stated, value):
    assert worth(trust, stated, (), external=True) == value


@pytest.mark.parametrize(
    ("flags", "external", "value"),
    [
        (("hidden_text",), True, SUSPICIOUS_MOST),
        (("invisible_unicode", "truncated"), True, SUSPICIOUS_MOST),
        (("truncated",), True, 0.9),
        (("control_characters",), True, 0.9),
        (("hidden_text",), False, 0.9),
    ],
)
def test_hidden_text_from_outside_caps_what_it_is_worth(flags, external, value):
    assert worth(0.9, None, flags, external=external) == value


def test_two_suspicious_statements_do_not_reach_the_default():
    assert confidence([SUSPICIOUS_MOST] * 2) < 0.75
    assert confidence([SUSPICIOUS_MOST] * 4) < 0.75


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ARTICLE, ARTICLE, True),
        (ARTICLE, "  " + ARTICLE.replace(" ", "\n") + "\n", True),
        (ARTICLE, ARTICLE + " Read more on our site.", True),
        (ARTICLE, ARTICLE.replace("January", "February"), True),
        (ARTICLE, RETOLD, False),
        ("short text", "short text", True),
        ("short text", "short texts", False),
        ("", "", True),
    ],
)
def test_a_mirror_says_nearly_the_same_words(one, other, same):
    assert mirrors(one, other) is same
    assert mirrors(other, one) is same


def test_a_flood_is_weighed_in_bounded_time():
    words = [f"word{n}" for n in range(500)]
    chooser = random.Random(1)
    claims = [claim(f"s{n}.test", " ".join(chooser.sample(words, 60)), 0.01) for n in range(300)]
    grounds = ground(claims)
    assert grounds.citations == 64
    assert sum(term.counts is Counts.SURPLUS for term in grounds.terms) == 236


CLAIMS = st.lists(
    st.builds(
        claim,
        st.sampled_from(["a.test", "b.test", "c.test", "d.test"]),
        st.sampled_from([ARTICLE, RETOLD, ARTICLE + " More.", "short", ""]),
        st.floats(0, 1),
        external=st.booleans(),
        citation=st.sampled_from(["", "https://x.test/1"]),
        at=st.sampled_from([NOON, NOON + timedelta(hours=1)]),
    ),
    max_size=8,
)


@given(CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_claims_does_not_matter(claims, chooser):
    shuffled = list(claims)
    chooser.shuffle(shuffled)
    assert ground(shuffled) == ground(claims)


@given(CLAIMS)
def test_the_sum_stays_within_its_bounds(claims):
    grounds = ground(claims)
    assert 0 <= grounds.confidence <= 1
    assert grounds.citations == len(set(grounds.origins)) <= len({c.origin for c in claims})
    assert len(grounds.terms) == len(claims)
    independent = [term.trust for term in grounds.terms if term.counts is Counts.INDEPENDENT]
    assert max(independent, default=0) <= grounds.confidence + 1e-9
    assert grounds.confidence <= sum(independent) + 1e-9


@given(CLAIMS)
def test_repeating_what_was_said_adds_nothing(claims):
    claims = [replace(c, external=True) for c in claims]
    echo = [claim(f"echo{n}.test", c.text, c.trust * 0.9, at=NOON + timedelta(days=1))
            for n, c in enumerate(claims) if c.citation]  # fmt: skip
    before, after = ground(claims), ground([*claims, *echo])
    assert after.confidence <= before.confidence + 1e-9
    assert after.citations == before.citations


@pytest.mark.req("FAIL-4")
@pytest.mark.parametrize(
    ("dark", "sources", "value"), [(0, 3, 0.84), (3, 3, 0.756), (1, 2, 0.798), (0, 0, 0.84)]
)
def test_in_an_outage_the_loop_goes_on_a_little_less_sure(dark, sources, value):
    """Two independent statements of 0.6 make 0.84: enough for 0.75 in any outage."""
    assert degraded(0.84, dark, sources) == pytest.approx(value)


@pytest.mark.req("FAIL-4")
def test_what_only_just_passed_waits_for_the_end_of_the_outage():
    assert degraded(0.76, 1, 2) < 0.75


@pytest.mark.req("FAIL-4")
@given(st.floats(0, 1), st.integers(0, 9), st.integers(1, 9))
def test_an_outage_never_makes_anything_surer(sure, dark, sources):
    assert 0 <= degraded(sure, dark + 1, sources) <= degraded(sure, dark, sources) <= sure
