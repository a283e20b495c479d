"""Discover: which sources are due, and how each one stands (LOOP-1, LOOP-2, FAIL-4).

Times are planned in slots, one per cadence. A slot's time is derived by hash, so that sources and
Swarms spread over the cadence, two replicas plan the same, and nothing has to be stored. A late
tick runs once: slots that passed meanwhile are not made up for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from swarm.core.ids import SwarmId
from swarm.core.snapshot import SourceState

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
JITTER = 0.1  #: of the cadence, added anew to each slot: it breaks up herds that formed elsewhere
LEAST_PAUSE = 0.5  #: of the cadence between two readings, also after a late one
DARK_AFTER = 3  #: failures in a row: one lost packet or one restart is no outage
#: Of a source that keeps failing, unless its cadence is longer. While it is dark nothing risky
#: lands, so that it is back must not go unnoticed for longer than people would wait.
LONGEST_PAUSE = timedelta(minutes=10)
LONGEST_ASKED = timedelta(days=1)  #: that a server may ask us to stay away


class Health(StrEnum):
    """How a source stands."""

    NEW = "new"  #: never asked
    OK = "ok"  #: it answered the last time
    QUIET = "quiet"  #: it answers, and has said nothing new for longer than its settings allow
    FAILING = "failing"  #: it did not answer the last time, or the last two
    DARK = "dark"  #: it has not answered several times in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often one source is read.

    every:       the cadence, or the source's own.
    quiet_after: a source without news for so long is quiet; None: silence is no alarm.
    """

    swarm: SwarmId
    source: str
    every: timedelta
    quiet_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStanding:
    """What is known about one source.

    failures:  in a row.                   due: when it is read next; None: at once.
    news_at:   the last reading that brought something new, or the first reading.
    dark_since: the first of the failures in a row, once there were enough of them.
    """

    source: str
    failures: int = 0
    failing_since: datetime | None = None
    dark_since: datetime | None = None
    answered_at: datetime | None = None
    news_at: datetime | None = None
    due: datetime | None = None
    detail: str = ""


def next_due(pace: Pace, after: datetime) -> datetime:
    """When a source that was read at `after` is read again: its first slot after half a cadence."""
    earliest = after + pace.every * LEAST_PAUSE
    begin = EPOCH + _phase(pace)
    slot = (earliest - begin) // pace.every
    # The slot that contains `earliest` may lie before it or, by its jitter, after it.
    here = _slot_time(pace, begin, slot)
    return here if here > earliest else _slot_time(pace, begin, slot + 1)


def due(standings: Iterable[SourceStanding], now: datetime) -> tuple[str, ...]:
    """The sources to read now, the longest waiting first; each one once, however late it is."""
    waiting = [one for one in standings if one.due is None or one.due <= now]
    waiting.sort(key=lambda one: (one.due or EPOCH, one.source))
    return tuple(one.source for one in waiting)


def look_again(standings: Iterable[SourceStanding]) -> datetime | None:
    """When the next source is due; None when there is none that waits for its time."""
    return min((one.due for one in standings if one.due is not None), default=None)


def answered(before: SourceStanding, pace: Pace, at: datetime, *, news: bool) -> SourceStanding:
    """How a source stands after it answered; `news`: it brought something that was not known."""
    return SourceStanding(
        source=before.source,
        answered_at=at,
        news_at=at if news or before.news_at is None else before.news_at,
        due=next_due(pace, at),
    )


def failed(
    before: SourceStanding, pace: Pace, at: datetime, detail: str, asked: timedelta | None = None
) -> SourceStanding:
    """How a source stands after it did not answer.

    asked: how long it told us to stay away; heeded up to a day.
    """
    failures = before.failures + 1
    since = before.failing_since or at
    pause = back_off(pace, failures)
    if asked is not None:
        pause = max(pause, min(asked, LONGEST_ASKED))
    return replace(
        before,
        failures=failures,
        failing_since=since,
        dark_since=since if failures >= DARK_AFTER else None,
        due=at + pause,
        detail=detail[:500],
    )


def stuck(before: SourceStanding, pace: Pace, at: datetime, detail: str) -> SourceStanding:
    """How a source stands that only a person can mend: one failure is certain.

    It is dark at once, and looked at with every cadence, so that it is back soon after.
    """
    first = failed(replace(before, failures=0), pace, at, detail)
    return replace(first, failures=DARK_AFTER, dark_since=first.failing_since)


def back_off(pace: Pace, failures: int) -> timedelta:
    """The pause after so many failures in a row: the cadence, doubling, up to ten minutes.

    Never shorter than the cadence, so a failing source costs no more than a good one; up to a
    tenth longer, by hash, so that what failed together does not come back together.
    """
    longest = max(LONGEST_PAUSE, pace.every)
    doubled: int = 2 ** min(failures - 1, 20)
    pause = min(pace.every * doubled, longest)
    return pause * (1 + JITTER * _share(pace, f"failure {failures}"))


def health(standing: SourceStanding, pace: Pace, now: datetime) -> Health:
    """How a source stands at `now`, in one word."""
    if standing.dark_since is not None:
        return Health.DARK
    if standing.failures:
        return Health.FAILING
    if standing.news_at is None:
        return Health.NEW
    silent = now - standing.news_at
    return Health.QUIET if pace.quiet_after and silent > pace.quiet_after else Health.OK


def state_of(standing: SourceStanding) -> SourceState:
    """The source as the snapshot shows it to the other steps of the loop."""
    return SourceState(
        name=standing.source,
        answered=standing.answered_at is not None,
        dark_since=standing.dark_since,
        detail=standing.detail,
    )


def restored(state: SourceState) -> SourceStanding:
    """What a restarted controller knows of a source: a dark one stays dark until it answers."""
    dark = state.dark_since
    return SourceStanding(
        source=state.name,
        failures=DARK_AFTER if dark else 0,
        failing_since=dark,
        dark_since=dark,
        detail=state.detail,
    )


def _slot_time(pace: Pace, begin: datetime, slot: int) -> datetime:
    jitter = pace.every * (JITTER * _share(pace, f"slot {slot}"))
    return begin + pace.every * slot + jitter


@lru_cache(maxsize=4_096)
def _phase(pace: Pace) -> timedelta:
    return pace.every * _share(pace, "phase")


def _share(pace: Pace, what: str) -> float:
    """A fixed number in [0, 1) for one purpose, the same in every process and release."""
    told = f"{pace.swarm}\x00{pace.source}\x00{what}".encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:6], "big") / 2**48
