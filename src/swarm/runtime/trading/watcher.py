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

from pydantic import TypeAdapter, ValidationError

from swarm.adapters.paper.client import SocketVenue
from swarm.adapters.postgres.store.trading.limit_sets import read_limit_set
from swarm.regime.controls.events import LedgerEvent, MetricsSeen, RegimeSeen
from swarm.regime.limits.in_force import put_in_force
from swarm.regime.limits.limit_set import canonical_bytes, content_hash
from swarm.regime.limits.people import Roster
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.monitor import Monitor, Raised
from swarm.runtime.trading.signatures import signer_of

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
    held = put_in_force(
        limits,
        signed_hash=content_hash(limits),
        signer=signer_of(canonical_bytes(limits), signature, roster),
        roster=roster,
    )
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


async def watch(monitor: Monitor, every: float) -> None:
    """Look until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    while not ended.done():
        for raised in await monitor.look():
            print(line_of(raised), flush=True)  # noqa: T201 - alerts are its output
        await asyncio.wait({ended}, timeout=every)


def main(argv: Sequence[str] | None = None) -> int:
    """Watch; gives the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("limits", "signature", "roster", "measures", "kill-file"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--venue", action="append", required=True, metavar="NAME=SOCKET")
    parser.add_argument("--every", type=float, default=0.05, help="seconds between two looks")
    arguments = parser.parse_args(argv)
    asyncio.run(watch(monitor_of(arguments), arguments.every))
    return 0


if __name__ == "__main__":
    sys.exit(main())
