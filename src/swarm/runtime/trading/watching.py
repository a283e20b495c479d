"""Keeps the monitor's process alive, hears its alerts, and knows when nobody watches."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from swarm.runtime.events import Event
from swarm.runtime.trading.place import TradingPlace

SILENT = 5.0  #: seconds without a beat, after which the monitor hangs; RTS 6 allows an alert five
AGAIN = 0.5  #: seconds before it is started again
ENDS_WITHIN = 2.0
log = structlog.get_logger()


def arguments(place: TradingPlace, sockets: Mapping[str, Path]) -> list[str]:
    """What the monitor's command line says about this order path."""
    said = [
        "--limits", place.limits, "--signature", place.signature, "--roster", place.roster,
        "--measures", place.measures, "--kill-file", place.kills,
    ]  # fmt: skip
    venues = [word for name, path in sockets.items() for word in ("--venue", f"{name}={path}")]
    return [*map(str, said), *venues]


class Watching:
    """One monitor at a time. told: an alert as the monitor wrote it."""

    def __init__(
        self,
        place: TradingPlace,
        sockets: Mapping[str, Path],
        told: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self._arguments = arguments(place, sockets)
        self._told = told
        self._child: Process | None = None
        self._said = place.folder / "monitor.err"
        self._renewed = False
        self.alive = False  #: whether its newest beat is recent

    async def run(self) -> None:
        """Start it whenever it is not there; until cancelled, and then it is ended."""
        try:
            while True:
                try:
                    self._child = await self._begin()
                    await self._hear(self._child)
                finally:
                    self.alive = False
                    await self._end()
                if not self._renewed:
                    log.error(Event.SERVICE_LOST, service="trading monitor", said=str(self._said))
                    await asyncio.sleep(AGAIN)
                self._renewed = False
        finally:
            await self._end()

    async def _begin(self) -> Process:
        with self._said.open("wb") as said:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "swarm.runtime.trading.watcher", *self._arguments,
                "--beat", "1", stdin=PIPE, stdout=PIPE, stderr=said,
            )  # fmt: skip

    def renew(self) -> None:
        """End it: it is started again, with the limits that are in force now."""
        if self._child is not None and self._child.stdin is not None:
            self._renewed = True
            self._child.stdin.close()

    async def _hear(self, child: Process) -> None:
        """Until it ends, or says nothing any more."""
        assert child.stdout is not None  # noqa: S101 - asked for above
        first = True
        while True:
            try:
                # It imports and verifies before its first beat.
                async with asyncio.timeout(6 * SILENT if first else SILENT):
                    line = await child.stdout.readline()
            except TimeoutError:
                return
            if not line:
                return
            first = False
            self.alive = True
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict) and "alert" in said:
                    await self._told(said)

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
