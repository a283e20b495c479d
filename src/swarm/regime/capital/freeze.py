"""The freeze of capital: what trips it, and the long way back.

Missions that fail or break a rule freeze the Swarm itself, in `core.policy.freeze`. Both are held
to the thresholds of the profile.

A freeze ends by being lifted, never by the clock. First the window must have come and a shadow
stage must have passed, with a signed token where a throttle or the kill switch tripped (RTS 6,
Article 15(3): a person re-enables it). Then one percent of the capital must prove itself. Every
new trip starts all of that again. Times are integer nanoseconds UTC, handed in.

Drawdown is intraday: the fall of equity from the opening of the session (numerator), over the
equity at the opening (denominator), both net of costs, with open positions at their mark and
without deposits or withdrawals, from the opening to now (window).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from swarm.contract.profiles import Thresholds
from swarm.regime.errors import BadInput
from swarm.regime.nouns import Posture, Rung

_PPM = 1_000_000


class Trip(StrEnum):
    """What freezes at once."""

    DRAWDOWN = "drawdown"  #: as far since the session opened as the profile says
    EQUITY_UNKNOWN = "equity-unknown"  #: whether it has fallen cannot be said
    HARD_LIMIT = "hard-limit"  #: a limit of the regime is breached
    THROTTLE = "throttle"  #: the repeated-execution throttle latched
    KILL = "kill"  #: somebody pulled the switch


NEED_TOKEN = frozenset({Trip.THROTTLE, Trip.KILL})
"""Trips that only a designated person may undo."""


class Unmet(StrEnum):
    """What a freeze still waits for."""

    NOT_OVER = "not-over"  #: its shortest time has not passed
    OUTSIDE_WINDOW = "outside-window"  #: nobody opened a resume window that is open now
    NO_SHADOW_PROOF = "no-shadow-proof"  #: no shadow stage has passed since the last trip
    NO_TOKEN = "no-token"  # noqa: S105 - a word  #: no verified token of a person since the last trip
    NO_ONE_PERCENT_PROOF = "no-one-percent-proof"  #: one percent has not yet proven itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is watched at one tick. drawdown_ppm: as `Measures` say it; None when not known."""

    drawdown_ppm: int | None
    breaches: int = 0
    throttled: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeProof:
    """What speaks for resuming; each time is when it happened, None when it did not.

    window: from when, and until before when, resuming was explicitly allowed.
    token:  when a verified token of a listed person arrived; verifying is done elsewhere.
    """

    window: tuple[int, int] | None = None
    shadow_passed: int | None = None
    one_percent_passed: int | None = None
    token: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeLatch:
    """Held from the first trip until lifted; empty trips mean that nothing is held.

    trips:   all of them since the latch closed, sorted.
    last:    when the last one came. What was proven before it counts for nothing.
    until:   the shortest time has passed from here on.
    probing: since when one percent is being tried; None while all is held.
    """

    trips: tuple[Trip, ...] = ()
    last: int = 0
    until: int = 0
    probing: int | None = None

    @property
    def ceiling(self) -> Rung:
        """The highest rung that is left."""
        if not self.trips:
            return Rung.FULL
        return Rung.SHADOW if self.probing is None else Rung.ONE

    def posture(self, of_detectors: Posture) -> Posture:
        """The posture with the freeze laid on top of what the detectors say."""
        if not self.trips:
            return of_detectors
        return Posture.FROZEN if self.probing is None else Posture.DEFENSIVE


def drawdown_limit(held_to: Thresholds) -> int | None:
    """The drawdown that freezes, in ppm of the opening equity; None: the profile says none."""
    limit = held_to.intraday_drawdown
    return None if limit is None else round(-limit * _PPM)


def tripped(health: Health, held_to: Thresholds) -> frozenset[Trip]:
    """Everything in what is watched that freezes. What is not known freezes too."""
    limit, fallen = drawdown_limit(held_to), health.drawdown_ppm
    found = set()
    for trip, is_so in (
        (Trip.EQUITY_UNKNOWN, limit is not None and fallen is None),
        # At the limit, not only beyond it.
        (Trip.DRAWDOWN, limit is not None and fallen is not None and fallen >= limit),
        (Trip.HARD_LIMIT, health.breaches >= 1),
        (Trip.THROTTLE, health.throttled),
        (Trip.KILL, health.killed),
    ):
        if is_so:
            found.add(trip)
    return frozenset(found)


def trip(latch: FreezeLatch, trips: Iterable[Trip], now: int, shortest: int) -> FreezeLatch:
    """The latch after these trips at `now`; unchanged without any. shortest: nanoseconds held."""
    if shortest <= 0:
        raise BadInput("shortest", f"is {shortest}", "nanoseconds above 0")
    if not (new := set(trips)):
        return latch
    return FreezeLatch(
        trips=tuple(sorted(new | set(latch.trips))),
        last=max(now, latch.last),
        until=max(now + shortest, latch.until),
    )


def resume(
    latch: FreezeLatch, proof: ResumeProof, now: int
) -> tuple[FreezeLatch, tuple[Unmet, ...]]:
    """One step back, if everything for it is there: held, then one percent, then free.

    Gives what is still unmet; empty when the step was made or nothing is held.
    """
    if not latch.trips:
        return latch, ()
    if latch.probing is not None:
        if not _since(proof.one_percent_passed, latch.probing, now):
            return latch, (Unmet.NO_ONE_PERCENT_PROOF,)
        return FreezeLatch(), ()
    unmet = _unmet(latch, proof, now)
    return (latch, unmet) if unmet else (replace(latch, probing=now), ())


def _unmet(latch: FreezeLatch, proof: ResumeProof, now: int) -> tuple[Unmet, ...]:
    in_window = proof.window is not None and proof.window[0] <= now < proof.window[1]
    needs_token = not NEED_TOKEN.isdisjoint(latch.trips)
    found = (
        (Unmet.NOT_OVER, now < latch.until),
        (Unmet.OUTSIDE_WINDOW, not in_window),
        (Unmet.NO_SHADOW_PROOF, not _since(proof.shadow_passed, latch.last, now)),
        (Unmet.NO_TOKEN, needs_token and not _since(proof.token, latch.last, now)),
    )
    return tuple(unmet for unmet, is_so in found if is_so)


def _since(happened: int | None, after: int, now: int) -> bool:
    """Whether it happened after that and not in the future."""
    return happened is not None and after < happened <= now
