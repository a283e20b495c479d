"""Compares this machine's clock with the store's.

Facts carry the time of whoever saw them, and the store's clock says what time it is when they are
judged. A controller an hour behind would have every pause of a rollout over as it begins, and one
an hour ahead would have none end. Nothing that it says can be believed, so it does not work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from swarm.contract.errors import Unavailable
from swarm.runtime.errors import ClockWrong

EVERY = timedelta(minutes=1)
#: What the simulation lives with, and far more than any machine that keeps time is off.
TOLERATED = timedelta(seconds=30)


class ClockKeeper:
    """Looks before anything is begun, and every minute from then on.

    ours:   this machine's time.    stores: the store's time, asked of it.
    """

    def __init__(
        self,
        ours: Callable[[], datetime],
        stores: Callable[[], Awaitable[datetime]],
        *,
        every: timedelta = EVERY,
    ) -> None:
        self._ours, self._stores, self._every = ours, stores, every

    async def prepare(self) -> None:
        """Raises ClockWrong when this controller must not begin."""
        await self.look()

    async def run(self) -> None:
        """Watch until cancelled. Raises ClockWrong, which ends the controller."""
        while True:
            await asyncio.sleep(self._every.total_seconds())
            await self.look()

    async def look(self) -> None:
        """Look once. A store that does not answer says nothing about the time."""
        try:
            apart = await difference(self._ours, self._stores)
        except Unavailable:
            return
        if abs(apart) > TOLERATED:
            raise ClockWrong(told(apart))


async def difference(
    ours: Callable[[], datetime], stores: Callable[[], Awaitable[datetime]]
) -> timedelta:
    """How far this machine is ahead of the store at least; behind is below zero.

    The answer was given at some time between asking and hearing, so no delay of it counts.
    """
    asked = ours()
    said = await stores()
    heard = ours()
    if said < asked:
        return asked - said
    return min(heard - said, timedelta(0))


def told(apart: timedelta) -> str:
    """The difference in words."""
    which = "ahead of" if apart > timedelta(0) else "behind"
    return f"this machine's clock is {abs(apart).total_seconds():.0f} s {which} the database's"
