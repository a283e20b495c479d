"""What an installation file says about trading: who may do what, on which venues, with how much."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from swarm.contract.rules import Span
from swarm.ports.source_settings import Name, SettingsBlock
from swarm.regime.limits.errors import RosterInvalid
from swarm.regime.limits.people import Person, Role, Roster
from swarm.runtime.errors import BadSettings
from swarm.runtime.settings_paths import anchored

MICRO = 1_000_000
_Key = Annotated[
    str, Field(pattern=r"^ssh-ed25519 [A-Za-z0-9+/]{60,100}={0,2}( .*)?$", max_length=500)
]
_Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class PersonSettings(SettingsBlock):
    """One person, or one machine, that may do something to the controls."""

    roles: tuple[Role, ...] = Field(
        min_length=1,
        max_length=8,
        description="What they are in the firm; docs/CONTROLS.md says which role may do what.",
    )
    keys: tuple[_Key, ...] = Field(
        default=(),
        max_length=20,
        description="Public key lines whose signatures are theirs, as `ssh-keygen -t ed25519`"
        " writes them.",
    )
    account: _Text = Field(
        default="",
        description="Their account on this machine; it says who asks for a kill. Unset: their"
        " name here.",
    )


class VenueSettings(SettingsBlock):
    """One venue that orders may go to, under the name that the limit set uses."""

    kind: Literal["paper"] = Field(
        default="paper", description="What it is; `paper` is the simulated exchange."
    )
    socket: Path = Field(description="Unix socket of its process.")


class TradingSettings(SettingsBlock):
    """The order path of this installation. Without this table nothing trades."""

    capital: Decimal = Field(
        gt=0,
        le=10**12,
        decimal_places=6,
        description="Money that trading began with, in the currency of the limit set. Falls from"
        " the day's opening equity are measured on it.",
    )
    people: dict[str, PersonSettings] = Field(
        min_length=1,
        max_length=500,
        description="Who may sign limits, stop, switch on again, override and certify, by name.",
    )
    venues: dict[str, VenueSettings] = Field(
        min_length=1, max_length=50, description="Where orders may go, by name."
    )
    limits: Name = Field(default="firm", description="Name of the limit set that is in force.")
    chain: Name = Field(
        default="trading", description="Name of the hash chain that every decision is written to."
    )
    stream: _Text = Field(
        default="",
        description="Stored stream whose regime counts. Unset: `uncertain` counts, whose limits"
        " are the strictest.",
    )
    channel: _Text = Field(
        default="", description="Channel that is told each alert of the monitor. Unset: the log."
    )
    measured_over: Annotated[timedelta, Span(least="1m", most="24h")] = Field(
        default=timedelta(hours=1),
        description="Slippage, impact, refusals and errors are means over so long.",
    )
    impact_after: Annotated[timedelta, Span(least="100ms", most="1h")] = Field(
        default=timedelta(seconds=5),
        description="How long after a fill the price shows what our trade left.",
    )
    follow_every: Annotated[timedelta, Span(least="10ms", most="1s")] = Field(
        default=timedelta(milliseconds=50),
        description="Pause between two readings of a venue's reports and prices.",
    )
    agree_every: Annotated[timedelta, Span(least="100ms", most="1m")] = Field(
        default=timedelta(seconds=1), description="Pause between two comparisons of all books."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            self.roster()
        except RosterInvalid as error:
            raise ValueError(error.message) from error
        accounts = [one.account or name for name, one in self.people.items()]
        if doubled := sorted({one for one in accounts if accounts.count(one) > 1}):
            raise ValueError(f"people: two people have the account {doubled[0]!r}")
        return self

    @property
    def capital_micro(self) -> int:
        """The capital in micro-units."""
        return int(self.capital * MICRO)

    def roster(self) -> Roster:
        """The people as the controls take them. Raises RosterInvalid."""
        return Roster(
            people=tuple(
                # Without its comment: a key is one person's, however the line ends.
                Person(
                    id=name,
                    roles=frozenset(one.roles),
                    keys=tuple(" ".join(key.split()[:2]) for key in one.keys),
                )
                for name, one in sorted(self.people.items())
            )
        )

    def person_of(self, account: str) -> str:
        """Whom an account of this machine speaks for; the account itself when nobody lists it."""
        names = (name for name, one in self.people.items() if (one.account or name) == account)
        return next(names, account)


def read_alone(path: Path) -> TradingSettings | None:
    """The table [trading] of an installation file, whatever else it says; None without one.

    For what speaks with the order path alone, and for stopping: it takes a third of the time, and
    a mistake in another table must not be in the way. The environment is not asked. Raises
    BadSettings.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("trading")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    if table is None:
        return None
    try:
        return anchored(TradingSettings.model_validate(table), path.absolute().parent)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("trading", *map(str, first["loc"])))
        raise BadSettings(f"{path}: {where}: {first['msg']}") from error
