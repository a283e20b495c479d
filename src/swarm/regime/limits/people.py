"""Who may do what to the controls. One matrix, and no row of it lets an agent decide anything.

Source: RTS 6 Articles 15(3), 15(6) and 18; 17 CFR 240.15c3-5(c)(2)(iii), (d) and (e).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from swarm.regime.limits.errors import RosterInvalid


class Role(StrEnum):
    """What a person is in the firm."""

    TRADER = "trader"  #: sends orders, may stop everything
    RISK = "risk"  #: owns the limits, verifies overrides, re-enables what a control switched off
    SUPERVISOR = "supervisor"  #: authorises overrides, re-enables, lifts a kill
    ENGINEER = "engineer"  #: builds strategies, and decides nothing about them
    COMPLIANCE = "compliance"  #: signs assessments, reads everything
    CHIEF = "chief"  #: certifies once a year
    MONITOR = "monitor"  #: the independent watch; a machine that may only stop
    AGENT = "agent"  #: writes patches, and holds no other role


class Act(StrEnum):
    """What can be done to the controls."""

    SIGN_LIMITS = "sign-limits"  #: put a LimitSet in force
    SIGN_RELEASE = "sign-release"  #: let a revision of a strategy trade
    RE_ENABLE = "re-enable"  #: take a throttle's latch away
    LIFT_KILL = "lift-kill"  #: let orders out again after a kill
    CLEAR_BREAK = "clear-break"  #: accept the venue's books after a reconciliation break
    VERIFY_OVERRIDE = "verify-override"  #: the risk function's half of an override
    AUTHORISE_OVERRIDE = "authorise-override"  #: the named individual's half
    KILL = "kill"  #: stop and cancel
    SIGN_ASSESSMENT = "sign-assessment"  #: the annual self-assessment
    CERTIFY = "certify"  #: the chief executive's certificate


MATRIX: Final[Mapping[Act, frozenset[Role]]] = {
    Act.SIGN_LIMITS: frozenset({Role.RISK}),
    Act.SIGN_RELEASE: frozenset({Role.RISK, Role.SUPERVISOR}),
    Act.RE_ENABLE: frozenset({Role.RISK, Role.SUPERVISOR}),
    Act.LIFT_KILL: frozenset({Role.RISK, Role.SUPERVISOR}),
    Act.CLEAR_BREAK: frozenset({Role.RISK}),
    Act.VERIFY_OVERRIDE: frozenset({Role.RISK}),
    Act.AUTHORISE_OVERRIDE: frozenset({Role.SUPERVISOR}),
    # Never refused to somebody who is there: a needless stop costs less than a late one.
    Act.KILL: frozenset(Role) - {Role.AGENT},
    Act.SIGN_ASSESSMENT: frozenset({Role.COMPLIANCE, Role.RISK}),
    Act.CERTIFY: frozenset({Role.CHIEF}),
}
"""Which roles may do what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One listed person (or machine). keys: fingerprints of the keys that speak for them."""

    id: str
    roles: frozenset[Role]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The people that an installation lists. Raises RosterInvalid when it contradicts itself."""

    people: tuple[Person, ...]
    _by_id: Mapping[str, Person] = field(init=False, repr=False, compare=False)
    _by_key: Mapping[str, Person] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, Person] = {}
        by_key: dict[str, Person] = {}
        for person in self.people:
            if not person.id.strip() or person.id in by_id:
                raise RosterInvalid(f"{person.id!r} is no name, or is listed twice")
            by_id[person.id] = person
            if Role.AGENT in person.roles and len(person.roles) > 1:
                raise RosterInvalid(f"{person.id} is an agent and has another role as well")
            for key in person.keys:
                if key in by_key:
                    raise RosterInvalid(f"{person.id} and {by_key[key].id} share the key {key}")
                by_key[key] = person
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "_by_key", by_key)

    def holder(self, key: str) -> Person | None:
        """Whom a key speaks for."""
        return self._by_key.get(key)

    def may(self, who: str, act: Act) -> bool:
        """Whether a listed person has a role that allows it; somebody unlisted never may."""
        person = self._by_id.get(who)
        return person is not None and bool(person.roles & MATRIX[act])
