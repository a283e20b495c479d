"""An append-only file of JSON lines with one line for each key, shared by several processes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

LARGEST = 64 * 1024 * 1024


class Journal:
    """Adds a line for a key once, whoever asks first and however often it is asked again.

    The file is moved to `NAME.1` when it has grown over `largest` bytes; keys of both files count.
    A line that a crash cut off is removed by the next writer, as if it had never been begun.
    """

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        self.path = path
        self._older = path.with_name(path.name + ".1")
        self._largest = largest
        #: Where the line of each key begins; below zero: in the older file, at -1 minus the place.
        #: Not the lines themselves: a controller that works for months would hold both files.
        self._places: dict[str, int] = {}
        self._inode: int | None = None  #: 0: there is no file; None: nobody looked yet
        self._offset = 0

    def find(self, key: str) -> dict[str, Any] | None:
        """The line of this key, or None."""
        with self._locked():
            return self._line(key)

    def add(self, key: str, data: dict[str, Any]) -> dict[str, Any]:
        """Add `data` as the line of this key unless there is one; returns the line that counts."""
        with self._locked():
            if (known := self._line(key)) is not None:
                return known
            if self._offset > self._largest:
                self.path.rename(self._older)
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
            return line

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

    def _line(self, key: str) -> dict[str, Any] | None:
        place = self._places.get(key)
        if place is None:
            return None
        with (self.path if place >= 0 else self._older).open("rb") as file:
            file.seek(place if place >= 0 else -1 - place)
            line: dict[str, Any] = json.loads(file.readline())
        return line

    def _read(self) -> None:
        """Take in what was added since the last look, by anybody."""
        about = self.path.stat() if self.path.exists() else None
        inode, size = (about.st_ino, about.st_size) if about else (0, 0)
        if inode != self._inode or size < self._offset:
            self._inode, self._offset, self._places = inode, 0, {}
            if self._older.exists():
                with self._older.open("rb") as file:
                    self._take(file, lambda at: -1 - at)
        if about is not None:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                self._offset = self._take(file, lambda at: at)

    def _take(self, file: BinaryIO, placed: Callable[[int], int]) -> int:
        """Note where each whole line from here on begins; where the last of them ends."""
        at = file.tell()
        for text in file:
            if not text.endswith(b"\n"):
                break
            try:
                line = json.loads(text)
            except ValueError:
                line = None  # somebody edited the file; his line is not ours
            if isinstance(line, dict) and isinstance(line.get("key"), str):
                self._places.setdefault(line["key"], placed(at))
            at += len(text)
        return at
