"""Normalize: what changes from one saying to the next is taken out, what matters stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.ids import SignalId
from swarm.core.loop.normalize import (
    LIKENESS_FROM,
    comparable,
    fingerprint,
    is_finding,
    normal,
    scope_of,
    text_of,
    whole,
)
from swarm.core.nouns import Signal

SIGNAL = Signal(
    id=SignalId("g-1"), source="ruff", external_id="1", title="unused import", body="in a.py",
    citation="a.py:1", origin="ruff", author="", external=False, trust=0.5,
    observed_at=datetime(2026, 3, 1, tzinfo=UTC), content_hash="h", mission_class="docs",
    repo="orders", paths=("b.py", "a.py"), rule="F401",
)  # fmt: skip
TEXT = replace(SIGNAL, rule="", paths=())


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("at 2026-03-01T12:00:05.123Z", "at 2026-04-30 01:59:59+02:00", id="times"),
        pytest.param("at 12:00:05", "at 7:45", id="clock-times"),
        pytest.param("restarted 3 times", "restarted 1,204 times", id="counts"),
        pytest.param("took 30ms", "took 1.5s", id="durations"),
        pytest.param("uses 20% of 4GB", "uses 97.5% of 16GB", id="shares-and-sizes"),
        pytest.param("in a.py:12:3", "in a.py:97:14", id="line-numbers"),
        pytest.param("commit 9f31c2ab", "commit 0a1b2c3d4e5f60718293a4b5", id="commits"),
        pytest.param("at 0x7ffe12", "at 0xDEADBEEF", id="addresses"),
        pytest.param(
            "id 123e4567-e89b-12d3-a456-426614174000",
            "id 00000000-0000-0000-0000-000000000001",
            id="uuids",
        ),
        pytest.param("pod orders-7f9c8-x2x9z down", "pod orders-5d4b1-q7w8e down", id="pod-names"),
        pytest.param("Grüße  an\n\talle", "GRÜSSE an alle", id="case-and-spaces"),
        pytest.param("caf\u00e9", "cafe\u0301", id="unicode-forms"),
    ],
)
def test_what_changes_each_time_does_not_make_another_need(one, other):
    assert normal(one) == normal(other)


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("rule F401", "rule F841", id="codes"),
        pytest.param("utf8", "utf16", id="names-with-a-number"),
        pytest.param("uses http2", "uses http3", id="versions-in-a-word"),
        pytest.param("service orders is down", "service billing is down", id="words"),
        pytest.param("a decade of facades", "a decade of faces", id="words-of-hex-letters"),
    ],
)
def test_what_matters_makes_another_need(one, other):
    assert normal(one) != normal(other)


@given(st.text(max_size=300))
def test_normalising_twice_changes_nothing(text):
    once = normal(text)
    assert normal(once) == once


@given(st.text(max_size=200), st.sampled_from(["  ", "\n", "\t \n"]))
def test_spaces_and_case_never_matter(text, space):
    assert normal(f"{space}{text}{space}") == normal(text)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_number_alone_never_matters(one, other):
    assert normal(f"failed after {one} tries") == normal(f"failed after {other} tries")


@given(st.text(max_size=2_000, alphabet=st.characters()))
def test_any_text_has_a_fingerprint_that_can_be_hashed(text):
    fingerprint(replace(TEXT, title=text)).encode()
    fingerprint(replace(SIGNAL, rule=text or "x")).encode()


@pytest.mark.req("LOOP-3")
def test_a_finding_is_known_by_rule_and_paths_whatever_its_words():
    assert is_finding(SIGNAL)
    same = replace(SIGNAL, title="other words", body="", paths=("a.py", "b.py"))
    assert fingerprint(same) == fingerprint(SIGNAL)


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize(
    "other",
    [{"rule": "F841"}, {"paths": ("a.py",)}, {"repo": "billing"}, {"mission_class": "security"}],
    ids=lambda other: next(iter(other)),
)
def test_a_finding_elsewhere_is_another_need(other):
    assert fingerprint(replace(SIGNAL, **other)) != fingerprint(SIGNAL)
    assert scope_of(replace(SIGNAL, **other)) != scope_of(SIGNAL)


def test_a_rule_alone_does_not_make_a_finding_but_keeps_texts_apart():
    alert = replace(TEXT, rule="DiskFull")
    assert not is_finding(alert)
    assert fingerprint(alert) != fingerprint(replace(alert, rule="HighLatency"))
    assert fingerprint(alert) == fingerprint(replace(alert, citation="elsewhere", source="x"))


def test_title_and_body_both_count():
    assert text_of(TEXT) == "unused import in a.py"
    assert fingerprint(TEXT) != fingerprint(replace(TEXT, body="in c.py"))


def test_short_texts_are_only_compared_for_equality():
    assert not comparable("x" * (LIKENESS_FROM - 1))
    assert comparable("x" * LIKENESS_FROM)


@pytest.mark.parametrize("text", ["9" * 20_000, "a1" * 10_000, "1:" * 10_000, "f" * 20_000])
def test_a_text_made_to_be_slow_is_not(text):
    """Patterns must not backtrack: this would time out."""
    for _ in range(20):
        normal(text)


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize(
    ("rule", "paths", "finding"),
    [("F401", ("a.py",), True), ("", ("a.py",), False), ("F401", (), False), ("", (), False)],
)
def test_a_finding_names_both_its_rule_and_its_place(rule, paths, finding):
    assert is_finding(replace(SIGNAL, rule=rule, paths=paths)) is finding


def test_half_a_character_is_replaced_and_whole_ones_stay():
    assert whole("ü\ud800") == "ü?"
    assert whole("plain") == "plain"
