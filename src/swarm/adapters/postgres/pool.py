"""At most so many connections, handed out last-in first-out, opened by whoever needs one.

Why not psycopg_pool: after a failed attempt it waits a second and more before it tries again, and
its back-off runs apart from the caller's. A server restart here takes 0.06 s; the caller that
notices is the one that should try, with one back-off and one typed error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, pq

from .connect import connect_async

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A connection that nobody needed for this long is closed at the next hand-back, seconds.
IDLE_SECONDS = 300.0


class Pool:
    """Connections to one DSN. Belongs to one event loop."""

    def __init__(self, dsn: str, size: int, settings: Mapping[str, str] | None = None) -> None:
        self._dsn = dsn
        self._settings = settings
        self._slots = asyncio.Semaphore(size)
        self._idle: deque[tuple[float, AsyncConnection[Any]]] = deque()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in autocommit mode, for the caller alone. Errors are psycopg's own."""
        async with self._slots:
            connection = self._take() or await connect_async(self._dsn, self._settings)
            try:
                yield connection
            finally:
                await self._give_back(connection)

    async def forget_idle(self) -> None:
        """Close every connection that nobody uses: after a loss they are probably lost as well."""
        while self._idle:
            await self._idle.pop()[1].close()

    def _take(self) -> AsyncConnection[Any] | None:
        while self._idle:
            _, connection = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _give_back(self, connection: AsyncConnection[Any]) -> None:
        now = asyncio.get_running_loop().time()
        clean = connection.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if connection.closed or not clean:
            await connection.close()
        else:
            self._idle.append((now, connection))
        while self._idle and now - self._idle[0][0] > IDLE_SECONDS:
            await self._idle.popleft()[1].close()
