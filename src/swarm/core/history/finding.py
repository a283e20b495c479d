"""What the checker says: each rule by name, what broke it, and how much it looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from swarm.core.history.journal import History
from swarm.core.history.log import Log


class Rule(StrEnum):
    """The nine promises that every history must keep."""

    ONCE = "once"  #: no effect happened twice, and every mission ended in one outcome
    GATES = "gates"  #: nothing landed or went on without its gates' pass for that very commit
    FREEZE = "freeze"  #: nothing began while a freeze held its class, and none ended too early
    BUDGET = "budget"  #: reserved and spent never exceeded the window's cap
    FENCE = "fence"  #: whoever held an order before did not write after whoever held it later
    ROLLBACK = (
        "rollback"  #: every rollback had its reason, and what failed or is unwatched went back
    )
    RETRIES = "retries"  #: at most three fix attempts followed a first run
    RISK = "risk"  #: R3 was done only where it is allowed, or with a person's approval
    MODE = "mode"  #: shadow wrote nothing, and what a person must approve waited for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken promise. key: the order, or else the mission, that it is about."""

    rule: Rule
    at: datetime
    mission: str
    key: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.at:%Y-%m-%d %H:%M:%S} {self.key}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Every violation in the order of time, and how many things each rule looked at.

    A rule that looked at nothing proved nothing: it reads "not examined", never "kept".
    unjudged: what a rule met and could not judge, because the log does not say what it asks.
    """

    violations: tuple[Violation, ...]
    examined: Mapping[Rule, int]
    unjudged: Mapping[Rule, int] = field(default_factory=dict)

    def counts(self) -> Iterator[tuple[Rule, int]]:
        """Every rule with how many things it looked at."""
        return ((rule, self.examined.get(rule, 0)) for rule in Rule)

    @property
    def unexamined(self) -> tuple[Rule, ...]:
        """Rules about which this history says nothing."""
        return tuple(rule for rule in Rule if not self.examined.get(rule))


@dataclass(slots=True)
class Bench:
    """What the rules share: the history, its log sorted, and a place for what they find."""

    history: History
    log: Log
    violations: list[Violation] = field(default_factory=list)
    examined: dict[Rule, int] = field(default_factory=dict)
    unjudged: dict[Rule, int] = field(default_factory=dict)

    def look(self, rule: Rule, count: int = 1) -> None:
        """Note that a rule looked at something."""
        self.examined[rule] = self.examined.get(rule, 0) + count

    def cannot_judge(self, rule: Rule) -> None:
        """Note that a rule met something about which the log does not say enough."""
        self.unjudged[rule] = self.unjudged.get(rule, 0) + 1

    def broken(self, rule: Rule, at: datetime, about: tuple[str, str], detail: str) -> None:
        """Note a violation. about: mission and key."""
        mission, key = about
        self.violations.append(
            Violation(rule=rule, at=at, mission=mission, key=key or mission, detail=detail)
        )
