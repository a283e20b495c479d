"""The monitor's process: `python -m swarm.runtime.trading.watcher`. One JSON line for each alert.

It ends when its standard input ends, so that it never outlives whoever supervises it by accident,
and with exit status 1 on anything that would leave it blind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from swarm.adapters.paper.client import SocketVenue
from swarm.adapters.postgres.store.trading.limit_sets import read_limit_set
from swarm.regime.controls.events import LedgerEvent, MetricsSeen, RegimeSeen
from swarm.regime.limits.people import Roster
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.loading import proven
from swarm.runtime.trading.monitor import Monitor, Raised

_MEASURES = TypeAdapter(tuple[RegimeSeen, MetricsSeen])
_ROSTER = TypeAdapter(Roster)


def measures_in(path: Path) -> Callable[[], tuple[LedgerEvent, ...]]:
    """Reads the newest regime and metrics from a file that is replaced whole.

    One that is missing or unreadable is nothing known, which the limits say loudly.
    """

    def read() -> tuple[LedgerEvent, ...]:
        try:
            return _MEASURES.validate_json(path.read_bytes(), strict=True)
        except (OSError, ValidationError):
            return ()

    return read


def monitor_of(arguments: argparse.Namespace) -> Monitor:
    """The monitor that the command line describes. Raises what limits and signatures raise."""
    limits = read_limit_set(arguments.limits.read_bytes())
    roster = _ROSTER.validate_json(arguments.roster.read_bytes())
    signature = arguments.signature.read_text(encoding="utf-8")
    held = proven(limits, signature, roster)
    venues = {}
    for binding in arguments.venue:
        name, _, socket = binding.partition("=")
        venues[name] = SocketVenue(name, Path(socket))
    return Monitor(
        limits=held,
        venues=venues,
        clock=time.time_ns,
        measures=measures_in(arguments.measures),
        kill_file=KillFile(arguments.kill_file),
    )


def line_of(raised: Raised) -> str:
    """One alert as a JSON line."""
    return json.dumps({**asdict(raised), "lag_ms": raised.lag_ns / 1e6})


async def watch(
    monitor: Monitor,
    every: float,
    ended: asyncio.Future[Any],
    beat: float,
    told: Callable[[str], None],
) -> None:
    """Look until `ended` is done; an alert is told as one JSON line.

    beat: a line after so many seconds, so that a hang is seen; 0 is none.
    """
    beaten = float("-inf")
    while not ended.done():
        for raised in await monitor.look():
            told(line_of(raised))
        if beat and time.monotonic() - beaten >= beat:
            beaten = time.monotonic()
            told(json.dumps({"beat_ns": monitor.clock()}))
        await asyncio.wait({ended}, timeout=every)


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("limits", "signature", "roster", "measures", "kill-file"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--venue", action="append", required=True, metavar="NAME=SOCKET")
    parser.add_argument("--every", type=float, default=0.05, help="seconds between two looks")
    parser.add_argument("--beat", type=float, default=0, help="seconds between two signs of life")
    return parser.parse_args(words)


async def _until_input_ends(monitor: Monitor, arguments: argparse.Namespace) -> None:
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await watch(monitor, arguments.every, ended, arguments.beat, _print)


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - alerts are its output


def main(argv: Sequence[str] | None = None) -> int:
    """Watch; gives the exit status."""
    arguments = parsed(argv)
    monitor = monitor_of(arguments)  # first: one that would be blind does not start
    asyncio.run(_until_input_ends(monitor, arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
