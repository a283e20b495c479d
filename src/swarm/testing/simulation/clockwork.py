"""An event loop whose time jumps to the next thing that happens, in an order that a seed shuffles.

Nothing outside exists for it: no sockets, no threads, no executor. A day of a system that mostly
waits takes about a second, and the same seed gives the same day.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any, NoReturn

RESOLUTION = 1e-6  #: seconds; what is due within it is due now, whatever floats make of sums


class NothingLeft(RuntimeError):
    """Everybody waits for what can never come: no timer is set and nothing is ready."""


class LeavesTheSimulation(RuntimeError):
    """Code asked for a thread, a process or a socket, which no seed could repeat."""


class Due:
    """Something to be run; a timer of asyncio's, as far as anybody asks."""

    __slots__ = ("args", "callback", "context")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args, self.context = args, context or copy_context()

    def cancel(self) -> None:
        """Never mind."""
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.callback is None


class VirtualLoop(asyncio.BaseEventLoop):
    """Virtual time from 0.0 s on; what is ready at one instant runs in a seeded order.

    Its queue and its heap are its own: a simulated day is made of little else, and handles of
    asyncio compare in Python.
    """

    _stopping: bool
    _asyncgens: Any

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.instant, self._number = 0.0, 0  #: instant: what `time` says
        self._soon: list[Due] = []
        self._timers: list[tuple[float, int, Due]] = []  # the number keeps handles uncompared
        self._order = random.Random(seed)  # noqa: S311 - a seeded order, no secret
        self.faults: list[Mapping[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.faults.append(context))

    def time(self) -> float:
        """Seconds since the beginning."""
        return self.instant

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Due:
        """Run it at the next turn of this instant."""
        due = Due(callback, args, context)
        self._soon.append(due)
        return due

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> Due:  # fmt: skip
        """Run it at that time."""
        due = Due(callback, args, context)
        self._number += 1
        heappush(self._timers, (when, self._number, due))
        return due

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> Due:  # fmt: skip
        """Run it so many seconds from now."""
        due = Due(callback, args, context)
        self._number += 1
        heappush(self._timers, (self.instant + delay, self._number, due))
        return due

    @staticmethod
    def get_debug() -> bool:
        """Never: each future asks, and there are hundreds of thousands in a day."""
        return False

    def _run_once(self) -> None:
        """Jump from instant to instant; shuffle all that is due at one, run it."""
        timers = self._timers
        while not self._stopping:
            while timers and timers[0][2].callback is None:
                heappop(timers)
            if not self._soon:
                if not timers:
                    raise NothingLeft("no timer is set and nothing is ready")
                self.instant = max(self.instant, timers[0][0])
            end = self.instant + RESOLUTION
            while timers and timers[0][0] < end:
                self._soon.append(heappop(timers)[2])
            turn, self._soon = self._soon, []
            if len(turn) > 1:
                self._order.shuffle(turn)
            for due in turn:
                if due.callback is None:
                    continue  # never mind
                try:
                    due.context.run(due.callback, *due.args)
                except Exception as error:  # noqa: BLE001 - whatever a callback raises is told
                    self.call_exception_handler({"message": "a callback", "exception": error})

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
