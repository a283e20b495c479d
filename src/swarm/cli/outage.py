"""An outage of the database while a verb keeps looking: told once, and waited out."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from swarm.cli.output import complain
from swarm.contract.errors import Unavailable

T = TypeVar("T")


class Outage:
    """What a verb that waits for something asks through, so that a restart does not end it."""

    def __init__(self) -> None:
        self._told = False

    async def asked(self, look: Awaitable[T]) -> T | None:
        """What a look gives; None while nothing answers, which is told at its beginning alone."""
        try:
            found = await look
        except Unavailable as error:
            if not self._told:
                complain(f"no answer from the database: {error.message}; trying again")
            self._told = True
            return None
        self._told = False
        return found
