"""What a history is made of: what the outside recorded, and what our own log says.

The outside is whatever carried orders out: a simulated world, Git and a service's state, a real
target. It knows nothing of verdicts and freezes; the log knows nothing of what really happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple


class Deed(StrEnum):
    """What can be done to the outside."""

    RUN = "run"  #: an agent was started
    LAND = "land"  #: main moved to a change
    SYNC = "sync"  #: a revision was started beside the stable one
    TRAFFIC = "traffic"  #: a revision got a share of the traffic
    PROMOTE = "promote"  #: a revision became the only one
    ABORT = "abort"  #: a revision was taken off
    REVERT = "revert"  #: a landed commit was undone on main
    NOTIFY = "notify"  #: a person was told


#: What begins or promotes something: a freeze and shadow mode hold it back.
FORWARD = frozenset({Deed.RUN, Deed.LAND, Deed.SYNC, Deed.TRAFFIC, Deed.PROMOTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One write that really changed the outside, as the outside recorded it.

    where:    repository, target or channel.    subject: run, commit or revision.
    begun_at: when the store allowed this very request; None where nobody knows.
    fence:    of the claim behind the request; None where the target does not see it.
    step:     rollout step of a share of traffic, from 0.
    risk:     0..3, of what the change touched; None where nobody told.
    """

    at: datetime
    deed: Deed
    mission: str
    key: str
    where: str = ""
    subject: str = ""
    begun_at: datetime | None = None
    fence: int | None = None
    step: int = 0
    percent: int = 0
    risk: int | None = None

    @property
    def asked(self) -> datetime:
        """The latest instant at which we could still have held it back."""
        return self.at if self.begun_at is None else self.begun_at


class Entry(NamedTuple):
    """One event of the trail. `body` is what the trail holds for its kind."""

    at: datetime
    swarm: str
    chain: str
    kind: str
    body: Mapping[str, Any]
    actor: str = ""


class Grip(NamedTuple):
    """One acceptance of a fence by the store: an order was claimed, begun or settled under it."""

    at: datetime
    key: str
    fence: int
    what: str


class Movement(NamedTuple):
    """One movement of money in a budget window, micro-units. what: reserve, spend or release."""

    at: datetime
    window: str
    mission: str
    what: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that one judgement is about, each part in the order of time.

    until:  the end of what is known. What should follow later is not missed.
    movements: everything that the ledger says; None where nobody asked it.
    caps:   micro-units per budget window.
    answer_within: how soon a failed gate after landing must have been answered outside.
    """

    entries: tuple[Entry, ...]
    effects: tuple[Effect, ...]
    until: datetime
    grips: tuple[Grip, ...] = ()
    movements: tuple[Movement, ...] | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    answer_within: timedelta = timedelta(hours=2)
