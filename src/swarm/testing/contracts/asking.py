"""Asking a port as the controller does: again and again, until it is done or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from swarm.core.evidence import Fact
from swarm.ports.reply import Done, Later, No, Reply

Asked = TypeVar("Asked")

#: Suites do not wait as long as an adapter asks for; asking too early must be harmless anyway.
_SHORT = timedelta(milliseconds=50)
WITHIN = timedelta(seconds=60)
PAPER = "a world of paper has nothing that could be so"


async def answer(
    ask: Callable[[Asked], Awaitable[Reply]], order: Asked, within: timedelta
) -> Done | No:
    """The final answer. Fails with the last `Later` when there is none in time."""
    last: Reply | None = None
    try:
        async with asyncio.timeout(within.total_seconds()):
            while True:
                last = await ask(order)
                if not isinstance(last, Later):
                    return last
                await asyncio.sleep(min(last.delay, _SHORT).total_seconds())
    except TimeoutError:
        raise AssertionError(f"no final answer to {order}; the last one was {last}") from None


async def fact(
    ask: Callable[[Asked], Awaitable[Reply]],
    order: Asked,
    within: timedelta = WITHIN,
) -> Fact:
    """The fact of the final answer, which must be Done."""
    said = await answer(ask, order, within)
    assert isinstance(said, Done), f"refused: {said}"  # noqa: S101 - a suite asserts
    return said.fact
