import re
from contextlib import nullcontext
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.contract.duration import (
    MAX_LENGTH,
    PATTERN,
    format_duration,
    parse_duration,
    parse_nanoseconds,
)
from swarm.contract.errors import InvalidDuration

pytestmark = pytest.mark.req("API-4")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("0m", 0),
        ("0s", 0),
        ("90s", 90),
        ("60m", 3600),
        ("0.5h", 1800),
        ("1.5h1.5m", 5490),
        ("250ms", 0.25),
        ("1m1h", 3660),
        ("1h1h", 7200),
        ("007s", 7),
        ("2562047h", 2562047 * 3600),
    ],
)
def test_a_duration_is_a_sum_of_its_parts(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "5",
            "5 m",
            "5 minutes",
            "1d",
            "2w",
            "P1D",
            "5M",
            "1h 30m",
            "1h30",
            "-5m",
            "+5m",
        ),
        *(
            "1us",
            "1ns",
            "1µs",
            ".5s",
            "1.s",
            "1..5s",
            "1,5h",
            "1e3s",
            "\u0665m",
            "m",
            "h1",
            "5m\n",
            "\n5m",
        ),
        *("0", "inf", "1h30m!", "5mm", "0x5m"),
    ],
)
def test_another_grammar_is_refused_with_an_example_of_the_right_one(text):
    with pytest.raises(InvalidDuration) as refusal:
        parse_duration(text)
    assert "is not a duration" in refusal.value.wrong
    assert "1h30m" in refusal.value.right


def test_more_than_go_can_hold_is_refused():
    assert parse_nanoseconds("2562047h47m16.854775807s") <= 2**63 - 1
    with pytest.raises(InvalidDuration, match="longer than a duration can be"):
        parse_duration("2562048h")
    with pytest.raises(InvalidDuration, match="longer than a duration can be"):
        parse_duration("9" * (MAX_LENGTH - 1) + "h")


def test_a_text_longer_than_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(InvalidDuration, match="at most 32 characters, this one has 33"):
        parse_duration("0" * MAX_LENGTH + "s")


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        pytest.param("0.9999999999s", 999_999_999, id="below-a-nanosecond-is-cut"),
        pytest.param("0." + "9" * 29 + "s", 1_000_000_000, id="go-rounds-its-18th-digit-up"),
        pytest.param("0.1h", 360_000_000_000, id="a-tenth-of-an-hour"),
        pytest.param("0.000001ms", 1, id="one-nanosecond"),
    ],
)
def test_fractions_are_cut_where_go_cuts_them(text, nanoseconds):
    """Else the API server and this program would disagree next to a bound."""
    assert parse_nanoseconds(text) == nanoseconds


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0m"),
        (timedelta(minutes=5), "5m"),
        (timedelta(minutes=60), "1h"),
        (timedelta(seconds=5400), "1h30m"),
        (timedelta(days=2), "48h"),
        (timedelta(milliseconds=1500), "1s500ms"),
        (timedelta(microseconds=1), "0.001ms"),
        (timedelta(microseconds=1_500), "1.5ms"),
        (timedelta(hours=1, microseconds=250), "1h0.25ms"),
    ],
)
def test_there_is_one_canonical_spelling(span, text):
    assert format_duration(span) == text


def test_a_span_that_the_grammar_cannot_say_is_refused():
    with pytest.raises(InvalidDuration, match="negative"):
        format_duration(timedelta(seconds=-1))
    with pytest.raises(InvalidDuration, match="longer"):
        format_duration(timedelta(days=200_000))


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=106_000)))
def test_every_span_survives_being_written_and_read(span):
    text = format_duration(span)
    assert len(text) <= MAX_LENGTH
    assert parse_duration(text) == span


@given(
    st.lists(st.tuples(st.integers(0, 10**5), st.sampled_from(["ms", "s", "m", "h"])), min_size=1)
)
def test_the_order_of_the_parts_does_not_matter(parts):
    texts = [f"{number}{unit}" for number, unit in parts][:3]
    assert parse_duration("".join(texts)) == parse_duration("".join(reversed(texts)))


@given(st.text(alphabet="0123456789.smh ", max_size=7))
def test_a_text_of_the_grammar_is_a_duration_and_no_other(text):
    is_one = re.fullmatch(PATTERN, text) is not None and len(text) <= MAX_LENGTH
    with nullcontext() if is_one else pytest.raises(InvalidDuration):
        assert parse_duration(text) >= timedelta(0)
