"""A source that reads the result files of tests when they have changed."""

from __future__ import annotations

import asyncio
import glob
import hashlib
import json
import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from swarm.adapters.local.sources import junit
from swarm.adapters.local.sources.errors import OutputTooLarge, ResultsMissing, ResultsUnreadable
from swarm.adapters.local.sources.report import Report
from swarm.adapters.local.sources.settings import ResultsSettings
from swarm.contract.errors import SourceDown
from swarm.core.policy.cleaning import Form
from swarm.ports.gathering import Gathering, in_readings
from swarm.ports.signal_line import Bearing
from swarm.ports.source_settings import Place
from swarm.ports.sources import Reading

MOST_FILES = 1_000
_Files = dict[str, tuple[str, Report | None]]


class ResultsSource:
    """Implements `ports.sources.Source` for `kind = "junit"`.

    A file is known by its content: the same results written again are no news, and the same
    failure in later results is (its id holds the file's hash).
    """

    def __init__(self, settings: ResultsSettings, place: Place) -> None:
        self.name = settings.name
        self._settings = settings
        self._place = place
        self._root = settings.workdir

    async def read(self, cursor: str) -> AsyncIterator[Reading]:
        """The failures in files that changed. Raises ResultsMissing and its like."""
        files, refused = await asyncio.to_thread(self._read_files, _known(cursor))
        gathering = await asyncio.to_thread(self._gather, files, refused)
        after = json.dumps({"v": 1, "files": {path: seen[0] for path, seen in files.items()}})
        refused += gathering.refusals.all()
        # A file that can be read says something, also that nothing failed.
        for reading in in_readings(gathering.signals, (cursor, after), tuple(refused), known=True):
            yield reading

    def _gather(self, files: _Files, refused: list[str]) -> Gathering:
        bearing = Bearing(origin=self.name, form=Form.PLAIN, read_at=self._place.now())
        gathering = Gathering(self._settings, self._place, bearing)
        most = self._settings.max_signals
        for path, (digest, report) in files.items():
            if report is None:
                continue
            refused += report.refusals.all()
            for line in report.lines[:most]:
                gathering.take(line.title[:80], line, f"{_short(line.id)}@{digest}")
            if (left := len(report.lines) - most) > 0:
                refused.append(f"{path}: {left} more failures than `max_signals` allows")
        return gathering

    def _read_files(self, known: dict[str, str]) -> tuple[_Files, list[str]]:
        """Every file's hash and, where it changed, what it says; and what could not be read."""
        patterns = [str(self._root / Path(name).expanduser()) for name in self._settings.files]
        names = {name for pattern in patterns for name in glob.glob(pattern)}  # noqa: PTH207
        paths = sorted(Path(name) for name in names)
        if not paths:
            raise ResultsMissing(f"no file matches {', '.join(patterns)[:300]}")
        if len(paths) > MOST_FILES:
            raise OutputTooLarge(f"{len(paths)} result files, {MOST_FILES} may be")
        self._check_age(paths)
        found: _Files = {}
        broken: list[SourceDown] = []
        for path in paths:
            below = path.is_relative_to(self._root)
            name = str(path.relative_to(self._root) if below else path)
            try:
                data = _read(path, self._settings.max_bytes)
                digest = hashlib.sha256(data).hexdigest()[:16]
                same = known.get(name) == digest
                found[name] = (digest, None if same else junit.parse(data, self._root, name))
            except (ResultsUnreadable, OutputTooLarge) as error:
                broken.append(error)
        if broken and not found:
            raise broken[0]
        return found, [error.message for error in broken]

    def _check_age(self, paths: list[Path]) -> None:
        if self._settings.max_age is None:
            return
        try:
            newest = max(path.stat().st_mtime for path in paths)
        except OSError as error:
            raise ResultsMissing(f"{error.filename}: {error.strerror}") from error
        age = self._place.now() - datetime.fromtimestamp(newest, UTC)
        if age > self._settings.max_age:
            raise ResultsMissing(f"the newest result is {age} old, {self._settings.max_age} may be")


def _read(path: Path, most: int) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe that somebody left there would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ResultsUnreadable(f"{path} is no plain file")
            data = file.read(most + 1)
    except OSError as error:
        raise ResultsUnreadable(f"{path}: {error.strerror}") from error
    if len(data) > most:
        raise OutputTooLarge(f"{path} has more than {most} bytes")
    return data


def _known(cursor: str) -> dict[str, str]:
    try:
        data = json.loads(cursor) if cursor else {}
        return dict(data["files"]) if data.get("v") == 1 else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
