"""What a port may answer: Done, Later, No. "The world said no" and "we could not ask" differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from swarm.core.evidence import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The order is carried out, now or by an earlier try; `fact` says what was seen."""

    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Not yet, or we could not ask. The order stands and is tried again after `delay`.

    capacity: quota, a missing binary or a broken outside system: backs off, raises a
              condition and counts for neither retries nor freezes (law 4).
    spent:    micro-units that the work says it cost until now; 0 where it does not say.
    """

    delay: timedelta
    reason: str
    detail: str = ""
    capacity: bool = False
    spent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class No:
    """The world said no. Only this is final; it becomes an `OrderRefused` fact."""

    reason: str
    detail: str = ""


Reply = Done | Later | No
