"""An event loop whose time jumps to the next thing that happens, in an order that a seed shuffles.

Nothing outside exists for it: no sockets, no threads, no executor. A day of a system that mostly
waits takes about a second, and the same seed gives the same day.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import Context
from heapq import heappop
from typing import Any, NoReturn

RESOLUTION = 1e-6  #: seconds; what is due within it is due now, whatever floats make of sums


class NothingLeft(RuntimeError):
    """Everybody waits for what can never come: no timer is set and nothing is ready."""


class LeavesTheSimulation(RuntimeError):
    """Code asked for a thread, a process or a socket, which no seed could repeat."""


class _Jump(selectors.SelectSelector):
    """Where asyncio would wait for the outside; here it only keeps the time, in seconds."""

    now = 0.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Virtual time from 0.0 s on; what is ready at one instant runs in a seeded order."""

    _ready: Any  # of BaseEventLoop: a deque of handles
    _scheduled: Any  # a heap of timers
    _stopping: bool
    _asyncgens: Any

    def __init__(self, seed: int) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._order = random.Random(seed)  # noqa: S311 - a seeded order, no secret
        self.faults: list[Mapping[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.faults.append(context))

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._jump.now

    def _run_once(self) -> None:
        """One instant: jump to it, shuffle all that is due at it, run it."""
        ready, timers = self._ready, self._scheduled
        while timers and timers[0]._cancelled:  # noqa: SLF001 - asyncio's own heap
            heappop(timers)._scheduled = False  # noqa: SLF001
        if not ready and not self._stopping:
            if not timers:
                raise NothingLeft("no timer is set and nothing is ready")
            self._jump.now = max(self._jump.now, timers[0]._when)  # noqa: SLF001
        end = self._jump.now + RESOLUTION
        while timers and timers[0]._when < end:  # noqa: SLF001
            timer = heappop(timers)
            timer._scheduled = False  # noqa: SLF001
            ready.append(timer)
        if (count := len(ready)) > 1:
            mixed = list(ready)
            self._order.shuffle(mixed)
            ready.clear()
            ready.extend(mixed)
        for _ in range(count):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001
                handle._run()  # noqa: SLF001

    def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, None]) -> None:
        self._asyncgens.discard(agen)
        if not self.is_closed():
            self.call_soon(self.create_task, agen.aclose())  # its own hook asks for a thread

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]
        """Refuse: a thread runs when it likes."""
        raise LeavesTheSimulation("run_in_executor")

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> NoReturn:
        """Refuse: there is one thread."""
        raise LeavesTheSimulation(f"call_soon_threadsafe({callback!r}, {args!r}, {context!r})")
