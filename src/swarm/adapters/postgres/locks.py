"""Kernel file locks (flock): they vanish with the last process that holds them, never go stale.

Three of them guard one data folder. `start` serialises whoever starts or stops the server; `users`
is held shared by each process that uses it; `server` is inherited by the postmaster and by
every backend, so that whoever can take it has proof that no server process is alive, in any pid
namespace of this host.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from .account import belong_to_folder
from .errors import DataDirectoryUnusable, DiskFull, FileSystemRefused, StartBusy

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

#: A start waits out crash recovery, which may replay gigabytes; ten minutes means that it hangs.
PATIENCE_SECONDS = 600.0

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


class FileLock:
    """One open file and the flock on it. Closing gives the lock up, unless a child inherited it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = -1

    def try_exclusive(self) -> bool:
        """Take the lock alone, without waiting; False when anyone else holds it in any form."""
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take the lock together with other sharers, without waiting."""
        return self._try(fcntl.LOCK_SH)

    def _try(self, how: int) -> bool:
        if self.fd < 0:
            self.fd = _open(self.path)
        try:
            fcntl.flock(self.fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            return False
        except OSError as error:
            self.close()
            if error.errno in _NO_LOCKS_HERE:
                raise FileSystemRefused(
                    f"{self.path.parent}: this file system has no working file locks ({error})"
                ) from error
            raise
        return True

    def wait_exclusive(self, patience: float = PATIENCE_SECONDS) -> None:
        """Take the lock alone; wait up to `patience` seconds, else `StartBusy`."""
        deadline = time.monotonic() + patience
        pause = 0.001
        while not self.try_exclusive():
            if time.monotonic() > deadline:
                raise StartBusy(f"{self.path} has been held for more than {patience:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)

    def close(self) -> None:
        """Let go. Descriptors that children inherited keep the lock held until they end."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class ServerLocks:
    """The three locks of one data folder, by name. Each call opens the file anew."""

    folder: Path

    def start(self) -> FileLock:
        """Serialises starting and stopping; held for milliseconds."""
        return FileLock(self.folder / "start")

    def users(self) -> FileLock:
        """Held shared by every process that uses the server; the last one out gets it alone."""
        return FileLock(self.folder / "users")

    def server(self) -> FileLock:
        """Held by every process of the server itself."""
        return FileLock(self.folder / "server")


def prove_locks_hold(folder: Path) -> None:
    """Refuse a file system on which two openings of one file can both hold its exclusive lock."""
    path = folder / f"proof-{os.getpid()}-{threading.get_ident()}"
    with FileLock(path) as first, FileLock(path) as second:
        if first.try_exclusive() and second.try_exclusive():
            raise FileSystemRefused(f"{folder}: two processes can hold the same lock here")
    path.unlink(missing_ok=True)


def _open(path: Path) -> int:
    # O_NOFOLLOW: root may be starting in a folder that another user owns.
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        belong_to_folder(descriptor, path.parent)
    except OSError as error:
        words = f"{path}: {error.strerror or error}"
        if error.errno in OUT_OF_SPACE:
            raise DiskFull(words) from error
        raise DataDirectoryUnusable(words) from error
    return descriptor
