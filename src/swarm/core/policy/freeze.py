"""When a scope is held, what opens a hold, and what lifts one. Fails closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from swarm.core.ids import SwarmId, freeze_id
from swarm.core.nouns import Freeze, MissionKind, OutcomeKind, ResumeRule, Settled
from swarm.core.reasons import Reason

EVERYTHING = "*"
#: What the checklist says where nothing can be proven, and who lists a repository changes that.
NO_REPOSITORY = "; not before spec.delivery.repoAllowlist names a repository to prove it on"
#: Endings of which the mission's own work is the cause: it did what policy forbids.
VIOLATIONS = frozenset({Reason.CHANGE_REFUSED, Reason.EXCLUSIVE_CONTROL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of a resume checklist."""

    text: str
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When failures freeze, and for how long.

    violations_after: violations of policy in a row that freeze the swarm; None: they are failures
    like others.
    """

    swarm_after: int
    class_after: int
    duration: timedelta
    needs_token: bool
    violations_after: int | None = None


def holding(freezes: Sequence[Freeze], mission_class: str) -> Freeze | None:
    """The freeze that holds this class, the one that lasts longest first; None if none does.

    A freeze whose window has passed still holds: it ends by being lifted, not by the clock.
    """
    return longest([hold for hold in freezes if hold.covers(mission_class)])


def longest(freezes: Sequence[Freeze]) -> Freeze | None:
    """The one that lasts longest; None where there is none."""
    if not freezes:
        return None
    endless = datetime.max.replace(tzinfo=freezes[0].since.tzinfo)
    return max(freezes, key=lambda hold: (hold.until or endless, hold.id))


def checklist(hold: Freeze, now: datetime, rule: ResumeRule) -> tuple[Item, ...]:
    """What must be true before the hold may be lifted (FRZ-3, FRZ-5)."""
    if hold.until is None:
        window = Item(text="window: open-ended; a person ends it with `swarmctl resume`", done=True)
    else:
        window = Item(
            text=f"window: ends {hold.until:%Y-%m-%d %H:%M:%S} UTC", done=now >= hold.until
        )
    proven = hold.requalified is not None
    proof = Item(
        text="requalification: required checks green on main and targets healthy"
        + (NO_REPOSITORY if not (proven or rule.provable) else ""),
        done=proven,
    )
    token = (Item(text="reset token given with --token", done=False),) if hold.needs_token else ()
    return (window, proof, *token, *_resume_window(rule, now))


def _resume_window(rule: ResumeRule, now: datetime) -> tuple[Item, ...]:
    if not rule.required:
        return ()
    when = "none is set; say one in swarm.toml as `resume_window` of [loop]"
    if rule.window is not None:
        when = f"each day {rule.window}"
    return (Item(text=f"resume window: {when}", done=rule.allows(now)),)


def lifts_by_itself(hold: Freeze, now: datetime, rule: ResumeRule) -> bool:
    """True when everything of the checklist is done and no person must end it."""
    return hold.until is not None and all(item.done for item in checklist(hold, now, rule))


def wants_requalification(hold: Freeze, now: datetime) -> bool:
    """True when the window has passed (or has no end) and the proof is still missing."""
    return hold.requalified is None and (hold.until is None or now >= hold.until)


def consecutive_failures(settled: Sequence[Settled], mission_class: str | None = None) -> int:
    """Failures in a row at the end of the history, of one class or of the whole swarm.

    Neutral endings (rejected by a person, capacity) neither count nor break the row. A delivery
    breaks it, and so does a requalification of the scope: one class that proved itself says
    nothing about the others.
    """
    scope, row = mission_class or EVERYTHING, 0
    for item in _since_success(settled, scope):
        row += item.counts_as_failure and item.kind is not MissionKind.REQUALIFY
    return row


def consecutive_violations(settled: Sequence[Settled]) -> int:
    """Missions in a row whose work broke a rule; broken by what breaks a row of failures."""
    return sum(item.reason in VIOLATIONS for item in _since_success(settled, EVERYTHING))


def _since_success(settled: Sequence[Settled], scope: str) -> Iterator[Settled]:
    """What ended in the scope since it last delivered or requalified, newest first."""
    for item in reversed(settled):
        if scope != EVERYTHING and item.mission_class not in {scope, EVERYTHING}:
            continue
        if item.kind is MissionKind.REQUALIFY and item.mission_class not in {scope, EVERYTHING}:
            continue
        if item.outcome is OutcomeKind.DELIVERED:
            break
        yield item


def opened_by(
    last: Settled, history: Sequence[Settled], swarm: SwarmId, limits: Limits
) -> tuple[Freeze, ...]:
    """The freezes that this ending opens, given the history before it (FRZ-1, FRZ-5, FAIL-3)."""
    if last.kind is MissionKind.REQUALIFY:
        return ()
    rows = [*history, last]
    if last.reason in VIOLATIONS and limits.violations_after is not None:
        broken = consecutive_violations(rows)
        if broken >= limits.violations_after:
            why = ("PolicyViolation", f"{last.mission} ended as {last.reason}, {broken} in a row")
            return (_freeze(last, swarm, limits, EVERYTHING, why),)
    if not last.counts_as_failure:
        return ()
    opened = []
    in_all, in_class = consecutive_failures(rows), consecutive_failures(rows, last.mission_class)
    if in_class >= limits.class_after:
        why = ("RepeatedClassFailure", f"{in_class} in a row, the last one {last.mission}")
        opened.append(_freeze(last, swarm, limits, last.mission_class, why))
    if in_all >= limits.swarm_after:
        why = ("RepeatedMissionFailure", f"{in_all} in a row, the last one {last.mission}")
        opened.append(_freeze(last, swarm, limits, EVERYTHING, why))
    return tuple(opened)


def _freeze(
    last: Settled, swarm: SwarmId, limits: Limits, scope: str, why: tuple[str, str]
) -> Freeze:
    reason, detail = why
    return Freeze(
        id=freeze_id(swarm, scope, f"{reason}:{last.mission}"),
        mission_class=scope,
        reason=reason,
        detail=detail,
        cause=last.mission,
        since=last.at,
        until=last.at + limits.duration,
        needs_token=limits.needs_token,
    )
