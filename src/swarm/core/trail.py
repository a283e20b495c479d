"""The trail: what happened, one hash chain per mission, so that a later edit shows.

hash = SHA-256 over the hash before it, chain, seq, time, kind, actor and the exact text of the
body, each with its length in front, so that no two different events give the same bytes. The
newest hash and seq are also kept with the mission (the head): a cut tail shows as well.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LENGTH = struct.Struct(">i")
_NUMBERS = struct.Struct(">qq")


class EventKind(StrEnum):
    """Every kind of event in a trail. Noun, then what happened to it."""

    SWARM_APPLIED = "swarm.applied"
    SWARM_DELETED = "swarm.deleted"
    SHADOW_SET = "shadow.set"
    POLICY_BOUND = "policy.bound"
    NEED_REOPENED = "need.reopened"
    NEED_REJECTED = "need.rejected"
    NEED_DONE = "need.done"
    MISSION_OPENED = "mission.opened"
    MISSION_SETTLED = "mission.settled"
    ORDER_ISSUED = "order.issued"
    ORDER_WAITS = "order.waits"
    ORDER_VOIDED = "order.voided"
    EVIDENCE_SEEN = "evidence.seen"
    VERDICT_GIVEN = "verdict.given"
    APPROVAL_ASKED = "approval.asked"
    APPROVAL_ANSWERED = "approval.answered"
    APPROVAL_USED = "approval.used"
    APPROVAL_LAPSED = "approval.lapsed"
    FREEZE_OPENED = "freeze.opened"
    FREEZE_EXTENDED = "freeze.extended"
    FREEZE_REQUALIFIED = "freeze.requalified"
    FREEZE_TOKEN_GIVEN = "freeze.token-given"  # noqa: S105 - the name of an event
    FREEZE_LIFTED = "freeze.lifted"
    LEARNED = "learned"


class FaultKind(StrEnum):
    """What is wrong with a chain at one place."""

    EDITED = "edited"  #: the event does not hash to what is stored with it
    REMOVED = "removed"  #: one or more events before this one are missing
    MOVED = "moved"  #: events were put into another order
    CUT = "cut"  #: the newest events are missing: the head knows more
    HEAD = "head"  #: the events hold together, but not with the head
    REWRITTEN = "rewritten"  #: what is there holds together, and is not what was sealed
    UNSIGNED = "unsigned"  #: a seal bears no signature of the key that it names
    UNKNOWN_KEY = "unknown-key"  #: nobody here knows the key that a seal names: it proves nothing
    ROLLED_BACK = "rolled-back"  #: the database is older than what was published from it


class Event(NamedTuple):
    """One event as stored. `hash` is 32 bytes, `body` canonical JSON text."""

    seq: int
    at: datetime
    kind: str
    actor: str
    body: str
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the mission says about its own chain; seq 0 and no bytes before the first event."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first place where a chain does not hold, and what is wrong there."""

    chain: str
    seq: int
    kind: FaultKind
    detail: str


def canonical(body: Any) -> str:
    """One text for one value: sorted names, no spaces, nothing that JSON cannot say."""
    return json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def link(prev: bytes, chain: str, seq: int, event: tuple[datetime, str, str, str]) -> bytes:
    """The hash of one event, 32 bytes.

    prev:  hash of the event before it; empty for the first.
    event: time (aware), kind, actor and body. Microseconds count; finer time does not exist here.
    """
    at, kind, actor, body = event
    name, what, who, text = chain.encode(), kind.encode(), actor.encode(), body.encode()
    fields = (
        _LENGTH.pack(len(prev)), prev, _LENGTH.pack(len(name)), name,
        _NUMBERS.pack(seq, (at - _EPOCH) // _MICROSECOND),
        _LENGTH.pack(len(what)), what, _LENGTH.pack(len(who)), who, _LENGTH.pack(len(text)), text,
    )  # fmt: skip
    return hashlib.sha256(b"".join(fields)).digest()


def verify(chain: str, events: Iterable[Event], head: Head) -> Fault | None:
    """The first fault of a chain in the order its events are stored; None when it holds.

    events: all of the chain, by seq; two of one seq in any order.
    Cost: one SHA-256 of about 400 bytes per event.
    """
    prev, expected = b"", 1
    rest = iter(events)
    for event in rest:
        if event.seq > expected:
            detail = f"events {expected} to {event.seq - 1} are missing"
            return Fault(chain=chain, seq=expected, kind=FaultKind.REMOVED, detail=detail)
        if event.seq < expected:
            detail = f"seq {event.seq} stands where {expected} should be"
            return Fault(chain=chain, seq=event.seq, kind=FaultKind.MOVED, detail=detail)
        if not _fits(prev, chain, expected, event):
            return _broken(prev, chain, event, rest)
        prev, expected = event.hash, expected + 1
    return _against_head(chain, prev, expected - 1, head)


def _fits(prev: bytes, chain: str, seq: int, event: Event) -> bool:
    return link(prev, chain, seq, (event.at, event.kind, event.actor, event.body)) == event.hash


def _broken(prev: bytes, chain: str, event: Event, rest: Iterable[Event]) -> Fault:
    for later in rest:
        if _fits(prev, chain, event.seq, later):
            detail = f"what belongs here stands at seq {later.seq}"
            return Fault(chain=chain, seq=event.seq, kind=FaultKind.MOVED, detail=detail)
    detail = f"event {event.seq} ({event.kind}) is not what was written there"
    return Fault(chain=chain, seq=event.seq, kind=FaultKind.EDITED, detail=detail)


def _against_head(chain: str, prev: bytes, last: int, head: Head) -> Fault | None:
    if last < head.seq:
        detail = f"the head knows {head.seq} events, {last} are there"
        return Fault(chain=chain, seq=last + 1, kind=FaultKind.CUT, detail=detail)
    if last > head.seq or prev != head.hash:
        detail = f"the head says {head.seq} events ending in {head.hash.hex()[:12] or 'nothing'}"
        return Fault(chain=chain, seq=last, kind=FaultKind.HEAD, detail=detail)
    return None
