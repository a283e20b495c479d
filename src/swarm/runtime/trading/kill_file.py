"""Kills on this machine's disk: one holds over a restart while the database is down.

It is a way in as well: the monitor, or a person at a shell, adds a line, and the order path sees it
before its next order, whatever else hangs.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from swarm.regime.controls.events import Killed, KillLifted
from swarm.runtime.trading.errors import KillFileUnreadable, KillFileUnwritable

_Line = Killed | KillLifted
_LINES: TypeAdapter[_Line] = TypeAdapter(_Line)


class KillFile:
    """One line for each kill and each lift, synced before `add` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = -1  # bytes that `news` has given out

    def add(self, event: _Line) -> None:
        """Write one. Raises KillFileUnwritable; what was killed stays killed all the same."""
        try:
            # A half line of a crash is ended first, so that it spoils itself and not this one.
            data = b"\n" + _LINES.dump_json(event) + b"\n"
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                if os.write(handle, data) < len(data):
                    raise OSError(errno.ENOSPC, "only a part of it was written")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise KillFileUnwritable(f"{self._path}: {error.strerror}") from error

    def news(self) -> tuple[_Line, ...]:
        """Everything, when the file has grown since the last call; else nothing. One stat."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        except OSError as error:
            raise KillFileUnreadable(f"{self._path}: {error.strerror}") from error
        if size == self._seen:
            return ()
        found = self.read()
        self._seen = size
        return found

    def read(self) -> tuple[_Line, ...]:
        """Everything that was written. Raises KillFileUnreadable, which means: do not trade."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise KillFileUnreadable(f"{self._path}: {error.strerror}") from error
        try:
            return tuple(_LINES.validate_json(line, strict=True) for line in lines if line.strip())
        except ValidationError as error:
            raise KillFileUnreadable(f"{self._path}: a line that is no kill") from error
