"""A controller's seat in an installation: one holder, and whoever sat there before is dead.

The kernel lets go of a seat when the process ends, however it ends; a process that is only stopped
still holds it. So whoever gets the seat knows, without waiting for any lease, that everybody whose
name stands in its file will never write again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from swarm.runtime.errors import AlreadyRunning

FIRST = "controller"  #: the seat that `swarmctl up` takes
_NAMES_MOST = 100  #: of the dead; a lease of one before these has ended long ago


@dataclass(slots=True)
class Seat:
    """A seat that is held. former: names of the dead whose orders nobody gave back yet."""

    name: str
    former: tuple[str, ...]
    _path: Path
    _file: TextIO

    def gone(self) -> bool:
        """Whether its file was removed, or is another one by now, which somebody else may hold."""
        try:
            there = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # a disk that does not answer says nothing
        return not os.path.samestat(there, os.fstat(self._file.fileno()))

    def settled(self) -> None:
        """The orders of the dead were given back: forget them."""
        self.former = ()
        _write(self._file, [self.name])


@contextmanager
def taken(path: Path, name: str) -> Iterator[Seat]:
    """Take the seat of this file under a name that nobody had before; hold it while in the block.

    Raises `AlreadyRunning` while another process holds it.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another process holds {path}") from error
        file.seek(0)
        former = tuple(line for line in file.read().splitlines() if line)[-_NAMES_MOST:]
        # Our own name first: if we die before the orders are given back, our successor does it.
        _write(file, [*former, name])
        yield Seat(name, former, path, file)


def held(path: Path) -> bool:
    """Whether somebody sits there. Whoever comes at this very moment may be told that, too."""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def others_held(state: Path) -> list[str]:
    """Who sits here beside the first: second controllers by their seats, and a demo at work.

    state: the folder of the seats.
    """
    found = sorted(path for path in state.glob("*.lock") if path.stem != FIRST)
    return [path.stem for path in found if held(path)]


def _write(file: TextIO, names: list[str]) -> None:
    file.truncate(0)
    file.write("".join(f"{name}\n" for name in names))
    file.flush()
