"""Whose turn it is: adopt the server that answers, start one when none can be alive, end one.

Every function here is called with the `start` lock held, so nobody else starts or ends one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .cluster import leave_no_socket
from .errors import ServerUnreachable
from .postmaster import Answer, ask, evict, request_stop, server_processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .layout import Layout
    from .locks import FileLock

#: A process that holds the data folder while nobody listens for so long is a left-over.
STRAY_SECONDS = 5.0

#: A shutdown writes out at most 1 GB of pages; after a minute it hangs. Recovery has no such limit.
STOPPING_SECONDS = 60.0

#: One that takes connections and says nothing may only be slow; then a person must look.
SILENT_SECONDS = 60.0

_EVICTION_SECONDS = 15.0


def adopt_or_start(layout: Layout, start: Callable[[FileLock], None]) -> None:
    """Return when a server answers. `start` is called with the `server` lock when none is alive.

    Raises ServerUnreachable when one is alive, does not answer, and cannot be ended.
    """
    patience = _Patience(layout)
    while True:
        with layout.locks.server() as lock:
            if lock.try_exclusive():
                start(lock)
                return
        answer = ask(layout)
        if answer is Answer.READY:
            return
        patience.wait(answer)


def end(layout: Layout, child: Callable[[], bool]) -> None:
    """Fast shutdown, and wait until the last process of the server is gone.

    `child` asks our own child process to stop; False when the server is not our child.

    It is asked only when it answers queries: a fast shutdown that met a server in the middle of
    its own restart was seen to hang for ever (18.4). One that recovers is waited for.
    """
    patience = _Patience(layout)
    asked = False
    while True:
        with layout.locks.server() as lock:
            if lock.try_exclusive():
                leave_no_socket(layout)
                return
        answer = Answer.STOPPING if asked else ask(layout)
        if answer is Answer.READY:
            if not child():
                request_stop(layout)
            asked = True
        patience.wait(answer)


class _Patience:
    """How long each answer is borne: then whoever holds the cluster is made to let go."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._answer: Answer | None = None
        self._since = self._begun = time.monotonic()
        self._evicted = False

    def wait(self, answer: Answer) -> None:
        """Sleep a little; evict, or raise ServerUnreachable, when `answer` has lasted too long."""
        now = time.monotonic()
        if answer is not self._answer:
            self._answer, self._since = answer, now
        lasted = now - self._since
        limit = {
            Answer.NOBODY: STRAY_SECONDS,
            Answer.STOPPING: STOPPING_SECONDS,
            Answer.SILENT: SILENT_SECONDS,
        }.get(answer)
        if limit is not None and lasted > limit:
            if self._evicted or answer is Answer.SILENT:
                raise self._unreachable()
            evict(self._layout)
            self._evicted = True
            self._since = now - limit + _EVICTION_SECONDS
        # Each question makes a dying or starting server write a line into its log.
        time.sleep(min(0.001 + (now - self._begun) / 50, 0.1))

    def _unreachable(self) -> ServerUnreachable:
        pids = ", ".join(map(str, server_processes(self._layout))) or "unknown here"
        return ServerUnreachable(
            f"a server process holds {self._layout.cluster} and does not "
            f"answer (process ids: {pids})"
        )
