"""What goes on after a controller has ended: agents and checks, each bounded in time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from swarm.adapters.local.process.folder import read_json
from swarm.adapters.local.process.jobs import Jobs

ROOMS = {"runs": "agent", "checks": "check"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One job that is alive. what: `agent` or `check`; until: when it is ended at the latest."""

    what: str
    key: str
    until: datetime | None


def work_left(jobs: Path) -> list[Left]:
    """What is alive below an installation's folder of jobs."""
    found = []
    for room, what in ROOMS.items():
        workshop = Jobs(jobs / room / "jobs")
        found += [
            Left(what=what, key=key, until=_until(workshop.job(key).state().folder))
            for key in workshop.at_work()
        ]
    return found


def _until(generation: Path | None) -> datetime | None:
    """The end of its time; None while it is being started."""
    record = read_json(generation / "supervisor.json") if generation else None
    spec = read_json(generation / "spec.json") if generation else None
    if record is None or spec is None:
        return None
    return datetime.fromisoformat(record["at"]) + timedelta(seconds=spec["wall"])


def end_work(jobs: Path) -> list[Left]:
    """End everything that is alive there, and say what that was.

    It is nobody's failure: what is still wanted begins anew with the next controller.
    """
    left = work_left(jobs)

    async def end() -> None:
        workshops = {what: Jobs(jobs / room / "jobs") for room, what in ROOMS.items()}
        await asyncio.gather(*(workshops[one.what].stop(one.key) for one in left))
        for workshop in workshops.values():
            workshop.close()

    asyncio.run(end())
    return left
