"""The generated pages say what the code says."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import pytest
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings

import generate_docs
import settings_table
from swarm.cli.sentences import sentences


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_a_page_is_what_the_code_says(name):
    path = generate_docs.DOCS / name
    assert path.exists(), f"run `python tools/generate_docs.py`: docs/{name} is missing"
    assert path.read_text(encoding="utf-8") == generate_docs.PAGES[name](), f"{name} is stale"


class Colour(StrEnum):
    """Sample: a note behind a member, and one in two lines above it."""

    RED = "Red"  #: stop
    #: go on, but
    #: look around
    AMBER = "Amber"


class Mute(StrEnum):
    """Sample: one member says nothing."""

    LOUD = "Loud"  #: heard
    QUIET = "Quiet"


def test_the_sentence_beside_a_member_is_read():
    assert sentences(Colour) == {"Red": "stop", "Amber": "go on, but look around"}


def test_a_member_without_a_sentence_ends_the_program():
    with pytest.raises(SystemExit, match="Quiet"):
        list(generate_docs.rows(Mute))


class Agent(BaseModel):
    """What to run."""

    run: list[str] = Field(min_length=1, description="What to run.")


class Sample(BaseSettings):
    """Sample settings."""

    port: int = Field(8420, ge=1, le=65535, description="Where to | listen.")
    agents: dict[str, Agent] = Field(default={}, description="Agents by name.")
    pause: timedelta = Field(default=timedelta(minutes=90), description="How long to rest.")
    first: Agent = Field(default=Agent(run=["true"]), description="What to run.")


def rows_of(kind: type[BaseSettings]) -> list[str]:
    schema = kind.model_json_schema()
    return list(settings_table.rows(schema, schema.get("$defs", {}), ""))


def test_settings_are_told_with_type_bounds_default_and_meaning():
    assert rows_of(Sample) == [
        "| `port` | integer, at least 1, at most 65535 | `8420` | Where to \\| listen. |",
        "| `agents` | blocks by name | `{}` | Agents by name. |",
        "| `agents.NAME.run` | list of string, at least 1 entry | required | What to run. |",
        '| `pause` | duration | `"1h30m"` | How long to rest. |',
        "| `first` | block | as below | What to run. |",
        "| `first.run` | list of string, at least 1 entry | required | What to run. |",
    ]


def test_a_setting_without_a_description_ends_the_program():
    class Silent(BaseSettings):
        """Sample settings with a gap."""

        port: int = 1

    with pytest.raises(SystemExit, match="port"):
        rows_of(Silent)
