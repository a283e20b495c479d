"""How long to wait before trying again what could not be done for lack of capacity."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from swarm.adapters.local.process.folder import JobFolder

SHORTEST = timedelta(seconds=15)
LONGEST = timedelta(minutes=15)
_NAME = "waiting"


def left(job: JobFolder, now: datetime) -> tuple[timedelta, str]:
    """(what is left of the pause, why); no time when it is over or there is none."""
    data = job.outcome(_NAME)
    if data is None:
        return timedelta(0), ""
    return max(timedelta(0), datetime.fromisoformat(data["until"]) - now), str(data["why"])


def wait(job: JobFolder, now: datetime, why: str, *, generation: int = 0) -> timedelta:
    """Begin the next pause, twice as long as the trouble has lasted so far; returns its length.

    generation: the start that met the trouble; 0 for trouble before anything was started.

    It is kept with the job where the disk has room, so neither a restart nor another controller
    shortens it.
    """
    data = job.outcome(_NAME) or {}
    since = datetime.fromisoformat(data.get("since", now.isoformat()))
    pause = min(max(now - since, SHORTEST), LONGEST)
    kept = {"since": since.isoformat(), "until": (now + pause).isoformat(), "why": why}
    # A full disk is such a trouble, and has no room for the note: the order itself still waits.
    with suppress(OSError):
        job.keep({**kept, "generation": generation}, _NAME)
    return pause


def begun(job: JobFolder, generation: int) -> bool:
    """True when the pause after this start has begun already, so it is not begun twice."""
    return (job.outcome(_NAME) or {}).get("generation") == generation


def over(job: JobFolder) -> None:
    """The trouble has passed; the next one starts with a short pause again."""
    job.forget(_NAME)
