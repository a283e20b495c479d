"""One statement as it crosses the border: typed, limited, cleaned, and then a `Signal`.

`SignalLine` is also the documented format of a command source: one JSON object per line.
Whatever a parser finds in a feed, a report or an API takes this form first, so that there is one
door and one set of refusals.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from swarm.core.ids import MissionId, signal_id
from swarm.core.nouns import Risk, Signal
from swarm.core.policy.citation import worth
from swarm.core.policy.cleaning import Flag, Form, clean, clean_line, joined
from swarm.ports.source_settings import (
    ClassName,
    Cost,
    Place,
    RiskClass,
    Share,
    SourceSettings,
    Value,
)

TITLE, BODY, CITATION, LABEL, PATHS = 300, 8_000, 2_000, 200, 200
FIELD = 262_144  #: characters of one field that are read at all; what is kept is far less

_T = TypeVar("_T")
_MISSION = r"^m-[0-9a-f]{20}$"
_RULE = re.compile(r"[^\w.:/@+-]+")


class SignalLine(BaseModel):
    """One statement: what somebody found, and where it can be looked up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=FIELD, description="What it is, in one line.")
    body: str = Field(default="", max_length=FIELD, description="The whole of it, as evidence.")
    id: str = Field(
        default="",
        max_length=2_000,
        description="Your own id for it. The same id is the same statement, and counts once."
        " Empty: derived from rule, paths and title.",
    )
    citation: str = Field(
        default="",
        max_length=FIELD,
        description="Where it can be looked up: a URL. Empty with `path`: path:line@commit.",
    )
    path: str = Field(default="", max_length=4_096, description="File in the repository.")
    line: int = Field(default=0, ge=0, le=2**31, description="Line in that file, from 1.")
    paths: tuple[Annotated[str, Field(max_length=4_096)], ...] = Field(
        default=(), max_length=PATHS, description="Further files that it is about."
    )
    rule: str = Field(
        default="",
        max_length=LABEL,
        description="Id of the rule that was broken. Statements with the same rule and the same"
        " files are one need, whoever made them.",
    )
    author: str = Field(default="", max_length=FIELD, description="Who said it.")
    observed_at: datetime | None = Field(
        default=None, description="When it was said, with a time zone. Empty: when it was read."
    )
    mission_class: ClassName | None = Field(
        default=None, description="Mission class, instead of the one in the settings."
    )
    risk: RiskClass | None = Field(
        default=None, description="Risk class 0 to 3; it can raise what the settings say."
    )
    value: Value | None = Field(default=None, description="Value of acting on it, in points.")
    cost: Cost | None = Field(
        default=None, description="Expected cost, in micro-units of the currency."
    )
    confidence: Share | None = Field(
        default=None,
        description="How sure you are, 0 to 1. It can lower the trust of the settings, not raise.",
    )
    caused_by: Annotated[str, Field(pattern=_MISSION)] | None = Field(
        default=None, description="Id of the mission that caused it, if one did."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """What a reading knows about all its statements.

    origin:   who stands behind them, unless the settings name somebody.
    form:     how their text is meant to be read.
    commit:   the commit that paths and lines refer to; empty when there is none.
    read_at:  when they were read.
    """

    origin: str
    form: Form
    read_at: datetime
    commit: str = ""


def refusal(where: str, error: ValidationError) -> str:
    """What was wrong with one entry, in one short harmless line; never the whole input."""
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "the entry"
    given = clean_line(repr(first.get("input"))[:200], Form.PLAIN, 60).text
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return clean_line(
        f"{where}: {field}: {first['msg']}, found {given}{more}", Form.PLAIN, 400
    ).text


def to_signal(
    line: SignalLine, settings: SourceSettings, place: Place, bearing: Bearing, external_id: str
) -> Signal:
    """Clean a statement and make it a signal.

    external_id: the source's id for it, already made unique for this time.
    Raises ValueError when nothing visible is left of the title, or a path leaves the repository.
    """
    title = clean_line(line.title, bearing.form, TITLE)
    if not title.text:
        raise ValueError("title: nothing visible is left of it")
    body = clean(line.body, bearing.form, BODY)
    author = clean_line(line.author, bearing.form, LABEL)
    where = clean_line(line.citation or _place_of(line, bearing.commit), Form.PLAIN, CITATION)
    rule = _RULE.sub("-", clean_line(line.rule, Form.PLAIN, LABEL).text).strip("-")
    means = settings.for_rule(rule)
    flags = joined((title.flags, body.flags, author.flags, where.flags))
    content = f"{title.text}\x00{body.text}\x00{where.text}"
    return Signal(
        id=signal_id(place.swarm, settings.name, external_id),
        source=settings.name,
        external_id=external_id,
        title=title.text,
        body=body.text,
        # A citation that had to be cut leads nowhere.
        citation="" if Flag.TRUNCATED in where.flags else where.text,
        origin=settings.origin or bearing.origin,
        author=author.text,
        external=settings.external,
        trust=worth(settings.trust, line.confidence, flags, external=settings.external),
        observed_at=_observed(line.observed_at, bearing.read_at),
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
        mission_class=line.mission_class
        or (means.mission_class if means else None)
        or settings.mission_class,
        repo=settings.repo,
        paths=tuple(sorted({inside(path) for path in (line.path, *line.paths) if path})),
        rule=rule,
        risk=max(_first(means.risk if means else None, settings.risk), line.risk or Risk.R0),
        value=_first(line.value, means.value if means else None, settings.value),
        cost=_first(line.cost, means.cost if means else None, settings.cost),
        caused_by=MissionId(line.caused_by) if line.caused_by else None,
        flags=flags,
    )


def inside(path: str) -> str:
    """The path as git writes it, relative to the repository's top; ValueError if it leaves it."""
    plain = PurePosixPath(path)
    if clean_line(path, Form.PLAIN, 4_096).text != path or "\\" in path:
        raise ValueError("path: holds characters that no path of ours has")
    if plain.is_absolute() or ".." in plain.parts or str(plain) == ".":
        raise ValueError(f"path: {path[:80]!r} is outside the repository")
    return str(plain)


def _place_of(line: SignalLine, commit: str) -> str:
    if not line.path:
        return ""
    where = inside(line.path) + (f":{line.line}" if line.line else "")
    return f"{where}@{commit}" if commit else where


def _observed(said: datetime | None, read_at: datetime) -> datetime:
    """When it was said, never later than now: a date ahead would keep a need hot for ever."""
    if said is None:
        return read_at
    aware = said if said.tzinfo else said.replace(tzinfo=UTC)
    try:
        return min(aware.astimezone(UTC), read_at)
    except OverflowError:
        # A time zone can push the first and the last day of the calendar out of it.
        raise ValueError("observed_at: is outside the calendar in UTC") from None


def _first(*choices: _T | None) -> _T:
    return next(choice for choice in choices if choice is not None)
