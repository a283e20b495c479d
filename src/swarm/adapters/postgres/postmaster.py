"""The server process itself: start it, ask whether it answers, end it.

Alive means that a real connection answers `select 1`; a process id proves nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from .account import belong_to_folder
from .ballast import free_bytes
from .connect import connection_parameters
from .errors import DiskFull, ServerDidNotStart, ServerUnreachable
from .failures import first_line
from .options import server_arguments
from .spawn import spawn_as

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from .binaries import Binaries
    from .layout import Layout
    from .locks import FileLock

_LOG_KEPT_BYTES = 8 * 1024 * 1024

#: A starting server says so within milliseconds; on a disk that is overrun, within seconds.
_SILENCE_SECONDS = 60.0

#: One segment of write-ahead log and some files: with less, a start that failed failed for that.
_LEAST_TO_START = 20 * 1024 * 1024


#: Runs in the server's own directory. It first reads what COPY sends, else COPY fails on its pipe.
_STOP_COMMAND = "while read -r _; do :; done; read pid < postmaster.pid; kill -INT $pid"


#: What libpq says when nobody listens, or whoever did ends at that moment.
_GONE = ("No such file", "Connection refused", "closed the conn", "reset by peer", "Broken pipe")


class Answer(Enum):
    """What a connection attempt told us."""

    READY = "it answered a query"
    STARTING = "it answers that it is starting up or recovering"
    STOPPING = "it answers that it is shutting down"
    SILENT = "it takes a connection and says nothing: stopped, or the machine is overrun"
    NOBODY = "nobody listens"


def ask(layout: Layout) -> Answer:
    """One real connection and one real query. Raises ServerUnreachable when it turns us away."""
    if not layout.socket.exists():
        return Answer.NOBODY
    try:
        with psycopg.connect(**_parameters(layout)) as connection:
            connection.execute("select 1")
    except psycopg.errors.ConnectionTimeout:
        return Answer.SILENT
    except psycopg.OperationalError as error:
        words = str(error)
        if "the database system is shutting down" in words:
            return Answer.STOPPING
        if "the database system is" in words:
            return Answer.STARTING
        if any(sign in words for sign in _GONE):
            return Answer.NOBODY
        raise ServerUnreachable(f"{layout.socket}: {first_line(error)}") from error
    return Answer.READY


def launch(
    binaries: Binaries, layout: Layout, lock: FileLock, extra: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the postmaster with the `server` lock as inherited descriptor; wait until it answers.

    There is no time limit while it says that it is starting: recovery takes as long as its log is.
    Raises DiskFull, ServerUnreachable, or ServerDidNotStart with the end of the server's log.
    """
    shorten_log(layout.log)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    log = os.open(layout.log, flags, 0o600)
    try:
        belong_to_folder(log, layout.log.parent)
        begin = os.fstat(log).st_size
        process = spawn_as(
            layout.account,
            server_arguments(binaries, layout, extra),
            output=log,
            keep=lock.fd,
        )
    finally:
        os.close(log)
    try:
        _wait_until_ready(layout, process, begin)
    except BaseException:
        # Also when we are interrupted: a server that nobody uses must not stay behind.
        process.send_signal(signal.SIGQUIT)
        process.wait()
        raise
    return process


def _wait_until_ready(layout: Layout, process: subprocess.Popen[bytes], begin: int) -> None:
    begun = time.monotonic()
    silent_since = begun
    while (answer := ask(layout)) is not Answer.READY:
        now = time.monotonic()
        if answer is Answer.STARTING:
            silent_since = now
        elif now - silent_since > _SILENCE_SECONDS:
            raise ServerUnreachable(f"the server runs, but nobody answers on {layout.socket}")
        if process.poll() is not None:
            raise _why_it_ended(layout, begin, process.returncode)
        # Quick while it may be a matter of milliseconds, slow while it replays its log.
        time.sleep(min(0.001 + (now - begun) / 50, 0.1))


def request_stop(layout: Layout) -> None:
    """Ask the server behind our socket for a fast shutdown: sessions end, everything is on disk.

    The request is made inside the server, by SQL, so that it cannot reach a process that merely
    has the same number: the pid file may be read in another pid namespace, or be stale.
    """
    try:
        with psycopg.connect(**_parameters(layout)) as connection:
            connection.execute(sql.SQL("copy (select) to program {}").format(_STOP_COMMAND))
    except psycopg.Error:
        return  # it is going down, with our session in it; the caller waits for the lock


def server_processes(layout: Layout) -> dict[int, bool]:
    """The processes that hold the `server` lock, and whether each is a postmaster.

    All processes of a server inherited the lock, and so did an initdb. Linux only, else empty.
    """
    lock = str(layout.locks.server().path)
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = any(os.readlink(fd) == lock for fd in (process / "fd").iterdir())  # noqa: PTH115
            words = (process / "cmdline").read_bytes().split(b"\0") if held else []
        except OSError:
            continue  # it ended meanwhile, or is not ours to look at
        if held:
            # A backend has another title; initdb's own servers have other first words.
            found[int(process.name)] = words[0].endswith(b"/postgres") and words[1:2] == [b"-D"]
    return found


def evict(layout: Layout) -> None:
    """Make whoever holds the cluster quit at once; what was committed is recovered at the start.

    For a postmaster whose socket somebody deleted or that hangs while stopping, for backends that
    outlived a killed postmaster because they were computing, for an initdb that hangs.
    """
    processes = server_processes(layout)
    postmasters = [pid for pid, is_postmaster in processes.items() if is_postmaster]
    for pid in postmasters or processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGQUIT)


def shorten_log(log: Path) -> None:
    """Keep one copy of a grown log and empty it; the running server appends to the same file.

    No link is followed: the folder is the server's account's, and we may be root.
    """
    kept = log.with_suffix(".log.1")
    with suppress(OSError):  # no log yet, or no room for a copy: never a reason to fail
        grown = os.open(log, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(grown, "r+b") as file:
            if os.fstat(grown).st_size <= _LOG_KEPT_BYTES:
                return
            kept.unlink(missing_ok=True)
            copy = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(copy, "wb") as older:
                    belong_to_folder(copy, kept.parent)
                    shutil.copyfileobj(file, older)
            except OSError:
                kept.unlink()  # half a copy would keep from the server what is left of the disk
                raise
            os.ftruncate(grown, 0)


def _parameters(layout: Layout) -> dict[str, Any]:
    # Through connection_parameters: a PGOPTIONS of the user's shell must not reach our server.
    settings = {"search_path": "pg_catalog"}
    return connection_parameters(layout.dsn, settings) | {"connect_timeout": 5, "autocommit": True}


def _why_it_ended(layout: Layout, begin: int, code: int) -> Exception:
    with layout.log.open("rb") as file:
        file.seek(begin)
        words = file.read(64_000).decode(errors="replace").strip()
    full = free_bytes(layout.data) < _LEAST_TO_START  # then the log could not be written either
    if full or "No space left on device" in words or "Disk quota exceeded" in words:
        return DiskFull(f"the server cannot start: no space left for {layout.cluster}")
    tail = "\n".join(words.splitlines()[-8:])
    return ServerDidNotStart(f"the server ended with status {code}; {layout.log} says:\n{tail}")
