"""What every block of the Swarm object has in common, and the bounded texts it is made of.

Every text has a longest length and every list a largest size: the API server refuses CEL rules
over values without bounds, and an object that anyone may write should not be able to grow.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from swarm.contract.duration import parse_duration
from swarm.contract.rules import Span

# The classes are written with ASCII ranges only, because `\s` and `\w` mean different characters
# to Go (the API server), Rust (pydantic) and Python (tests).
LINE_PATTERN = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"
TEXT_PATTERN = r"^[\t\n\r ]*[^\x00-\x20\x7f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
OBJECT_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
REPOSITORY_PATTERN = r"^[A-Za-z0-9._~/:@+-]+$"
TARGET_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$"
ZONE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_+./-]*$"

PATTERN_MEANING = {
    LINE_PATTERN: "write one line without control characters and without spaces at its ends",
    TEXT_PATTERN: "write some visible text without control characters",
    NAME_PATTERN: "write lower-case letters, digits and '-', beginning and ending with one of the"
    " first two, such as orders-service",
    OBJECT_PATTERN: "write the name of an object: lower-case letters, digits, '-' and '.', such as"
    " default-budget",
    REPOSITORY_PATTERN: "write one repository by its exact name, such as acme/shop; wildcards and"
    " spaces are not understood",
    TARGET_PATTERN: "write the name of a deployment, such as core-platform",
    ZONE_PATTERN: "write a time zone of the IANA database, such as UTC or Europe/Paris",
}
"""What each pattern asks for, in words; the second half of every refusal by pattern."""

Line = Annotated[str, Field(min_length=1, max_length=256, pattern=LINE_PATTERN)]
Text = Annotated[str, Field(min_length=1, max_length=1024, pattern=TEXT_PATTERN)]
Url = Annotated[str, Field(min_length=1, max_length=2048, pattern=LINE_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=63, pattern=NAME_PATTERN)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=OBJECT_PATTERN)]
Repository = Annotated[str, Field(min_length=1, max_length=256, pattern=REPOSITORY_PATTERN)]
Target = Annotated[str, Field(min_length=1, max_length=253, pattern=TARGET_PATTERN)]
Zone = Annotated[str, Field(min_length=1, max_length=64, pattern=ZONE_PATTERN)]

# A year: no loop step, pause or freeze of a living product is longer, and a slip such as
# `999999h` is caught.
YEAR = "8760h"
POSITIVE_SPAN = Span(least="1s", most=YEAR)
PAUSE_SPAN = Span(least="0s", most=YEAR)


def _whole(value: object) -> object:
    # JSON has one kind of number: the API server takes 2.0 for an integer, so do we.
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Lets 2.0 stand for 2; everything else that is no integer is refused by strict mode."""


class Block(BaseModel):
    """A part of the Swarm object: frozen, closed, `camelCase` outside and `snake_case` inside."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        # Validators are built at first use: verbs that only name these types start faster.
        defer_build=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _absent_when_null(cls, data: Any) -> Any:
        """Treat null as left out, as the API server does before it fills in defaults."""
        if not isinstance(data, Mapping) or all(value is not None for value in data.values()):
            return data  # mostly so, and every tick makes dozens of blocks
        known = _names(cls)
        return {k: v for k, v in data.items() if v is not None or k not in known}


@cache
def _names(block: type[BaseModel]) -> frozenset[str | None]:
    """Every name that a field of a block has, inside and outside."""
    fields = block.model_fields.items()
    return frozenset(name for key, field in fields for name in (key, field.alias))


def span_field(default: str, description: str) -> Any:
    """A duration field whose default is spelled as the document spells it (`60m`, not `1h`)."""
    return Field(
        default=parse_duration(default),
        description=description,
        json_schema_extra={"default": default},
    )
