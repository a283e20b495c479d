"""Spans of time as people write them behind an option."""

from datetime import timedelta

import pytest

from swarm.cli.errors import Usage
from swarm.cli.options import span_of


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("7d", timedelta(days=7)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("0d30m", timedelta(minutes=30)),
        ("3650d", timedelta(days=3650)),
        ("1h30m", timedelta(hours=1, minutes=30)),
    ],
)
def test_a_span_may_have_days(text, span):
    assert span_of("--since", text) == span


@pytest.mark.parametrize(
    "text", ["d", "1.5d", "12h1d", "1d1d", "-1d", "1day", "1d ", "3651d", "9999999d", "1d" * 20]
)
def test_what_is_no_span_is_refused_with_its_option(text):
    with pytest.raises(Usage, match="--since"):
        span_of("--since", text)
