"""A bounded load on loopback: so many requests a second, for so long, then it ends by itself.

python -m swarm.runtime.demo.traffic PORT --rate 150 --seconds 120
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time

MOST_PER_SECOND, MOST_SECONDS = 500, 600
REQUEST = b"GET /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


async def load(port: int, rate: float, seconds: float) -> int:
    """Ask /orders `rate` times a second on 127.0.0.1; returns how many requests were sent.

    Open loop: a slow service does not slow the load down. A burst of lateness is not made up
    for, so that a sleeping laptop does not wake into a storm.
    """
    rate, seconds = min(rate, MOST_PER_SECOND), min(seconds, MOST_SECONDS)
    ends = time.monotonic() + seconds
    pending: set[asyncio.Task[None]] = set()
    sent = 0
    due = time.monotonic()
    while (now := time.monotonic()) < ends:
        if now < due:
            await asyncio.sleep(due - now)
        due = max(due + 1 / rate, now - 1)
        task = asyncio.create_task(_ask(port))
        pending.add(task)
        task.add_done_callback(pending.discard)
        sent += 1
    await asyncio.gather(*pending)
    return sent


async def _ask(port: int) -> None:
    # What comes back is counted by the proxy; a load that judged would measure itself.
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(REQUEST)
                await reader.read()
            finally:
                writer.close()


def main() -> None:
    """Read the arguments and send the load."""
    parser = argparse.ArgumentParser(description="A bounded load on loopback.")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=150.0)
    parser.add_argument("--seconds", type=float, default=120.0)
    asked = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(load(asked.port, asked.rate, asked.seconds))


if __name__ == "__main__":
    main()
