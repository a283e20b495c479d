"""What agents and checks of a mission printed, as it lies in their jobs' folders.

Reading only: jobs are started, judged and removed by their adapters. What is shown has secrets of
known forms masked and control characters made visible, as everything that comes from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from swarm.adapters.local.process.folder import JobFolder, is_locked, read_json, result_in
from swarm.adapters.local.process.redact import masked, plain
from swarm.adapters.local.process.spec import JobResult

STREAMS = ("stdout", "stderr")
MOST = 16 << 20  #: bytes read at a time; much more than is kept of one stream
_RUN = re.compile(r"-run-(\d+)$")
_KEY_BEGINS, _KEY_ENDS = b"-----BEGIN ", b"-----END "


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStart:
    """One start of one job. what: `run 0` or `check lint`; result: None while it has not ended."""

    what: str
    key: str
    number: int
    folder: Path
    began: datetime
    result: JobResult | None
    alive: bool

    @property
    def sentence(self) -> str:
        """How it stands, for people."""
        if self.result is None:
            return "at work" if self.alive else "its supervisor vanished"
        code = "" if self.result.exit_code is None else f" {self.result.exit_code}"
        return f"{self.result.ended}{code} after {self.result.seconds:.1f} s"


def starts(jobs: Path, mission: str) -> list[JobStart]:
    """Every start of every run and check of a mission that still lies here, oldest first.

    jobs: the installation's folder of jobs.
    """
    found: list[JobStart] = []
    for room in ("runs", "checks"):
        for named in (jobs / room / "jobs").glob("*/key"):
            try:
                key = named.read_text(encoding="utf-8")
            except OSError:
                continue  # swept away at this moment
            what = _what(key, mission)
            if what:
                found += _of_job(JobFolder(jobs / room / "jobs", key), what)
    return sorted(found, key=lambda one: (one.began, one.what, one.number))


def _what(key: str, mission: str) -> str:
    """A job's key in words; "" when it belongs to another mission."""
    run = _RUN.search(key)
    if run and key == f"{mission}{run[0]}":
        return f"run {run[1]}"
    parts = key.split("/")
    if parts[:2] == [mission, "check"] and len(parts) > 3:  # noqa: PLR2004 - mission/check/commit/name
        return f"check {'/'.join(parts[3:])}"
    return ""


def _of_job(job: JobFolder, what: str) -> Iterator[JobStart]:
    for number in job.generations():
        folder = job.generation(number)
        record = read_json(folder / "supervisor.json")
        if record is None:
            continue
        alive = is_locked(folder / "alive")  # before the result: it may be written in between
        yield JobStart(
            what=what,
            key=job.key,
            number=number,
            folder=folder,
            began=datetime.fromisoformat(record["at"]),
            result=result_in(folder),
            alive=alive,
        )


class Tail:
    """Reads one stream of one start on and on, in whole lines, fit to be shown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._held = b""

    def lines(self, *, to_the_end: bool) -> list[str]:
        """What was printed since the last call.

        to_the_end: also the last line without its end, and a key that was never closed, masked.
        """
        data = self._held + self._read()
        cut = len(data) if to_the_end else data.rfind(b"\n") + 1
        begun = data.rfind(_KEY_BEGINS, 0, cut)
        if begun >= 0 and not to_the_end and data.find(_KEY_ENDS, begun, cut) < 0:
            # A line of a key cannot be told from any line of base64: wait for the whole.
            cut = data.rfind(b"\n", 0, begun) + 1
        self._held = data[cut:]
        return plain(masked(data[:cut].decode("utf-8", "replace"))).splitlines()

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(MOST)
        except OSError:
            return b""
        self._offset += len(data)
        return data
