"""Spans of time as people write them behind an option."""

from datetime import timedelta

import pytest

from swarm.cli.desk import home_of
from swarm.cli.errors import NothingHere, Usage
from swarm.cli.options import span_of


def test_the_folder_that_was_named_is_the_one_that_is_missed(tmp_path, monkeypatch):
    """Nobody looked above it, and a person who reads so looks at the wrong place."""
    monkeypatch.setenv("SWARM_HOME", str(tmp_path))
    with pytest.raises(NothingHere) as missed:
        home_of(None)
    assert missed.value.message == f"no swarm.toml in {tmp_path}"
    monkeypatch.delenv("SWARM_HOME")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NothingHere) as missed:
        home_of(None)
    assert missed.value.message == f"no swarm.toml in {tmp_path} or above it"


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
