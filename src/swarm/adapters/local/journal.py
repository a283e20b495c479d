"""An append-only file of JSON lines with one line for each key, shared by several processes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LARGEST = 64 * 1024 * 1024


class Journal:
    """Adds a line for a key once, whoever asks first and however often it is asked again.

    The file is moved to `NAME.1` when it has grown over `largest` bytes; keys of both files count.
    A line that a crash cut off is removed by the next writer, as if it had never been begun.
    """

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        self.path = path
        self._largest = largest
        self._lines: dict[str, dict[str, Any]] = {}
        self._inode = 0
        self._offset = 0

    def find(self, key: str) -> dict[str, Any] | None:
        """The line of this key, or None."""
        with self._locked():
            return self._lines.get(key)

    def add(self, key: str, data: dict[str, Any]) -> dict[str, Any]:
        """Add `data` as the line of this key unless there is one; returns the line that counts."""
        with self._locked():
            if (known := self._lines.get(key)) is not None:
                return known
            if self._offset > self._largest:
                self.path.rename(self.path.with_name(self.path.name + ".1"))
                self._inode = self._offset = 0
            line = {"key": key, **data}
            handle = os.open(
                self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(handle, "ab") as file:
                # Whatever stands behind the last whole line was cut off by a crash.
                file.truncate(self._offset)
                file.write(json.dumps(line, ensure_ascii=True).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._read()
            return self._lines[key]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self.path.with_name(self.path.name + ".lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._read()
            yield
        finally:
            os.close(handle)

    def _read(self) -> None:
        """Take in what was added since the last look, by anybody."""
        if not self.path.exists():
            self._inode = self._offset = 0
            return
        about = self.path.stat()
        if about.st_ino != self._inode or about.st_size < self._offset:
            self._inode, self._offset = about.st_ino, 0
            older = self.path.with_name(self.path.name + ".1")
            self._lines = {}
            if older.exists():
                self._take(older.read_bytes())
        with self.path.open("rb") as file:
            file.seek(self._offset)
            self._offset += self._take(file.read())

    def _take(self, data: bytes) -> int:
        whole = data.rfind(b"\n") + 1
        for text in data[:whole].splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue  # somebody edited the file; his line is not ours
            if isinstance(line, dict) and isinstance(line.get("key"), str):
                self._lines.setdefault(line["key"], line)
        return whole
