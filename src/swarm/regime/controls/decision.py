"""What the gate answers, and every reason it may give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from swarm.regime.nouns import Regime, Rung


class Ruling(StrEnum):
    """The answer of the gate."""

    ACCEPT = "accept"  #: it may be sent, once it is written down
    REJECT = "reject"  #: it may not, for the reasons given
    REPEAT = "repeat"  #: this id was decided before; the earlier decision stands, nothing is sent

    def __bool__(self) -> bool:
        raise TypeError("a ruling has three values; compare it")


class Control(Enum):
    """A control with the number under which the rules list it."""

    MALFORMED = 0  #: the order itself cannot be read
    CAPITAL = 1  #: credit and capital thresholds
    COLLAR = 2  #: price collar, per order and over a period
    NOTIONAL = 3  #: largest value of an order
    QUANTITY = 4  #: largest volume of an order, and no instrument without limits
    MESSAGES = 5  #: messages in a period
    THROTTLE = 6  #: repeated execution
    DUPLICATE = 7  #: duplicate orders
    LEDGER = 8  #: the ledger does not know what is really out there
    PERMISSION = 9  #: permissions and restricted instruments
    REGULATORY = 10  #: halts, sessions, short sales
    RISK = 11  #: own thresholds by regime
    OVERRIDE = 12  #: an override that does not fit
    KILL = 13  #: the kill switch
    RECONCILIATION = 16  #: our books and the venue's differ
    RUNG = 19  #: how far a strategy of this rung may spread
    RELEASE = 20  #: revisions that nobody signed off
    CONTROL = 25  #: limits that are not in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason against an order.

    reason: CamelCase, stable.    detail: what was found and what would be right, for people.
    """

    control: Control
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A latch that this decision throws: the strategy is off until a person switches it on."""

    strategy: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """The answer to one order, with all that it was decided from.

    refusals:    every control that said no; empty when it was accepted.
    flags:       what was let through and should be looked at.
    overridden:  the control that an override set aside for this one order.
    limits_hash: the LimitSet; empty when none was in force.
    """

    order: str
    order_hash: str
    ruling: Ruling
    refusals: tuple[Refusal, ...]
    flags: tuple[str, ...]
    trips: tuple[Trip, ...]
    overridden: Control | None
    limits_hash: str
    regime: Regime | None
    rung: Rung | None
    at_ns: int
