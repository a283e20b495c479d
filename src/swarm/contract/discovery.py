"""`spec.discovery`: where needs come from, and how much evidence each one owes."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from swarm.contract.block import WHOLE, Block, Line, Url
from swarm.contract.rules import Distinct, Fault


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise Fault(wrong="this is true or false", right="write a number from 0 to 1").error()
    # Adding zero turns -0.0 into 0.0, so that both have one canonical spelling.
    return value + 0.0 if isinstance(value, float) else value


class Source(Block):
    """A source of signals, by name.

    What the name means (a feed, a scanner, an API) is bound in the installation file, never here.
    """

    name: Line = Field(
        description="Name under which the installation binds a connector.",
        examples=["github-issues"],
    )
    kind: Line | None = Field(
        default=None,
        description="Kind of source, for readers and older controllers; not needed to find it.",
        examples=["rss"],
    )
    url: Url | None = Field(
        default=None,
        description="Address of the source, for readers and older controllers.",
        examples=["https://example.com/feed.xml"],
    )


class Discovery(Block):
    """Where needs come from, and how much evidence each one owes before it may be worked on."""

    sources: Annotated[tuple[Source, ...], Field(max_length=64), Distinct(key="name")] = Field(
        default=(), description="Internal and external sources that are read for signals."
    )
    min_citations: Annotated[int, Field(strict=True, ge=1, le=100), WHOLE] = Field(
        default=2,
        description="Distinct independent origins that must support a need. Repeats of one text"
        " count once.",
        examples=[2],
    )
    min_confidence: Annotated[
        float, Field(strict=True, ge=0, le=1, allow_inf_nan=False), BeforeValidator(_number)
    ] = Field(
        default=0.75,
        description="Least confidence, from 0 to 1, below which a need is refused with a reason.",
        examples=[0.75],
    )
