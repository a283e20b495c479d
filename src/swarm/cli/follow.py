"""Verbs that follow what happens end when nobody reads them any more, as `tail -f` does."""

from __future__ import annotations

import contextlib
import io
import select
import sys

_LEFT = select.POLLERR | select.POLLHUP


async def pause(seconds: float) -> None:
    """Wait between two looks. Raises BrokenPipeError when whoever read the output has left.

    A quiet Swarm gives nothing to write, so that writing alone would never find it out.
    """
    import asyncio  # noqa: PLC0415 - a verb that only looks loads no event loop

    await asyncio.sleep(seconds)
    with contextlib.suppress(io.UnsupportedOperation, AttributeError):
        output = select.poll()
        output.register(sys.stdout.fileno(), 0)
        if any(event & _LEFT for _, event in output.poll(0)):
            raise BrokenPipeError
