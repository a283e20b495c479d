"""Options that many verbs share, each defined once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token

from swarm.cli.complete import missions, needs, swarms
from swarm.cli.errors import Usage
from swarm.cli.output import Form

LIMIT_MOST = 100_000
_DAYS = re.compile(r"^([0-9]{1,6})d(?=[0-9]|$)")
LONGEST = timedelta(days=3_650)  #: of any span that people write: beyond, calendars run out


def _whole(kind: object, tokens: Sequence[Token]) -> int:
    """A whole number and nothing that could be rounded to one: 299.5 is no tick."""
    del kind
    text = tokens[0].value
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


WHOLE = Parameter(converter=_whole)
Output = Annotated[Form, Parameter(name=["--output", "-o"], help="Output format.")]
File = Annotated[
    str,
    Parameter(
        name=["--file", "-f"],
        help="Manifest to read; - is standard input.",
        allow_leading_hyphen=True,
    ),
]
Home = Annotated[
    Path | None,
    Parameter(name="--home", help="Installation folder; default: the nearest with a swarm.toml."),
]
Reason = Annotated[str, Parameter(name="--reason", help="Why; recorded in the audit trail.")]
Swarm = Annotated[
    str,
    Parameter(
        name=["--swarm", "-s"],
        help="The Swarm; may be left out if there is only one.",
        completer=swarms,
    ),
]
SwarmName = Annotated[
    str, Parameter(help="The Swarm; may be left out if there is only one.", completer=swarms)
]
Limit = Annotated[int, WHOLE, Parameter(help="How many at most.")]
Mission = Annotated[
    str, Parameter(help="The mission, by any unique prefix of its id.", completer=missions)
]
Need = Annotated[str, Parameter(help="The need, by any unique prefix of its id.", completer=needs)]


def span_of(option: str, text: str) -> timedelta:
    """A duration that was given as an option. Raises `Usage`, which names the option.

    Days, as in `7d` and `1d12h`, are for people: an object's durations know none.
    """
    from swarm.contract.duration import parse_duration  # noqa: PLC0415
    from swarm.contract.errors import InvalidDuration  # noqa: PLC0415

    try:
        span = parse_duration(_DAYS.sub(lambda found: f"{int(found[1]) * 24}h", text))
    except InvalidDuration as error:
        raise Usage(f"{option} {text[:60]!r}: {error.message}", remedy=error.fix) from error
    if span > LONGEST:
        raise Usage(f"{option} {text!r} is more than {LONGEST.days} days")
    return span


def limited(limit: int) -> int:
    """A limit that makes sense. Raises `Usage`."""
    if not 1 <= limit <= LIMIT_MOST:
        raise Usage(f"--limit is {limit}; it is 1 to {LIMIT_MOST}")
    return limit
