"""Keeps the beginning and the end of what a command prints, whatever it prints."""

from __future__ import annotations

import os
from pathlib import Path

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
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            return  # a full disk loses output, it must not lose the result

    def close(self) -> None:
        """Write the end, with a line that says how much is missing before it."""
        self._cut()
        if self._dropped:
            self._put(CUT.format(count=self._dropped).encode())
        self._put(bytes(self._tail))
        os.close(self._file)
        os.close(self.pipe)
