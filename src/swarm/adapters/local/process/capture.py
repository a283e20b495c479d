"""Keeps the beginning and the end of what a command prints, whatever it prints."""

from __future__ import annotations

import os
from pathlib import Path

LONGEST_NOTE = 64 * 1024  #: a tool says in one short line what a step cost
MOST_NOTES = 4 * 1024 * 1024  #: 10,000 steps of 400 bytes
CUT = "\n[... {count} bytes left out here ...]\n"


class Capture:
    """Drains one pipe into one file: its first third at once, its last two thirds at the end.

    The end counts for more, because both a failing check and an agent's result speak last.
    """

    def __init__(self, pipe: int, path: Path, keep: int) -> None:
        self.pipe = pipe
        self.printed = 0
        self.open = True
        self._head = keep // 3
        self._tail_size = keep - self._head
        self._tail = bytearray()
        self._dropped = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.set_blocking(pipe, False)
        self._notes: Notes | None = None

    def note(self, path: Path, mark: bytes) -> None:
        """From now on, keep every line that holds `mark` in this file as well, at once."""
        self._notes = Notes(path, mark)

    def drain(self, most: int = 1 << 20) -> int:
        """Take what is there, at most `most` bytes; returns how many. Ends at end of file."""
        taken = 0
        while taken < most:
            try:
                data = os.read(self.pipe, 1 << 16)
            except BlockingIOError:
                break
            if not data:
                self.open = False
                break
            taken += len(data)
            self._keep(data)
        return taken

    def _keep(self, data: bytes) -> None:
        self.printed += len(data)
        if self._notes is not None:
            self._notes.take(data)
        if self._head > 0:
            head, data = data[: self._head], data[self._head :]
            self._put(head)
            self._head -= len(head)
        self._tail += data
        # Twice the size before cutting: moving the bytes at every read would be quadratic.
        if len(self._tail) > 2 * self._tail_size:
            self._cut()

    def _cut(self) -> None:
        surplus = len(self._tail) - self._tail_size
        if surplus > 0:
            del self._tail[:surplus]
            self._dropped += surplus

    def _put(self, data: bytes) -> None:
        _put(self._file, data)

    def close(self) -> None:
        """Write the end, with a line that says how much is missing before it."""
        self._cut()
        if self._dropped:
            self._put(CUT.format(count=self._dropped).encode())
        self._put(bytes(self._tail))
        os.close(self._file)
        os.close(self.pipe)
        if self._notes is not None:
            self._notes.close()


class Notes:
    """Lines that hold a mark, whole and in their order, in a file that can be read meanwhile."""

    def __init__(self, path: Path, mark: bytes) -> None:
        self._mark = mark
        self._line = bytearray()
        self._too_long = False
        self._left = MOST_NOTES
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def take(self, data: bytes) -> None:
        """The next bytes of the stream."""
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._add(part)
            if not self._too_long and self._mark in self._line:
                self._keep(bytes(self._line) + b"\n")
            self._line.clear()
            self._too_long = False
        self._add(rest)

    def _add(self, part: bytes) -> None:
        if len(self._line) + len(part) > LONGEST_NOTE:
            self._too_long = True
        else:
            self._line += part

    def _keep(self, line: bytes) -> None:
        if len(line) <= self._left:
            self._left -= len(line)
            _put(self._file, line)

    def close(self) -> None:
        """Nothing comes any more; a last line without an end is kept too."""
        if self._line:
            self.take(b"\n")
        os.close(self._file)


def _put(file: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(file, view) :]
    except OSError:
        return  # a full disk loses output, it must not lose the result
