"""The way to run transactions: whole, repeated when the database asks for it, with typed errors."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

import psycopg
from psycopg import AsyncConnection, sql

from swarm.contract.errors import SwarmError

from .connect import connect_async, describe
from .errors import DatabaseUnavailable
from .failures import Failure, classify, is_environment, translate
from .pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
    from types import TracebackType

T = TypeVar("T")

POOL_SIZE = 8

#: No attempt begins later than this, and one into a black hole takes 3 s: known within 10 s.
PATIENCE = timedelta(seconds=6.5)

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 1.0  #: work goes on within five seconds of the database's return, all in all


class Database:
    """A Postgres database, embedded or not.

    dsn:      any libpq connection string.
    size:     most connections at once; a replica has at most 8.
    patience: `run` begins no further attempt after it, and says DatabaseUnavailable.
    settings: server-side session settings that override ours.
    revive:   called in a thread when the connection was lost; `EmbeddedServer.revive` fits.
    """

    def __init__(
        self,
        dsn: str,
        *,
        size: int = POOL_SIZE,
        patience: timedelta = PATIENCE,
        settings: Mapping[str, str] | None = None,
        revive: Callable[[], object] | None = None,
    ) -> None:
        self.dsn = dsn
        self.lost_since: float | None = None  #: event-loop time of the first failure of an outage
        self._known = False  #: we were let in once
        self._pool = Pool(dsn, size, settings)
        self._settings = settings
        self._patience = patience.total_seconds()
        self._revive = revive
        self._reviving: asyncio.Task[object] | None = None

    async def run(self, tx: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
        """Run `tx` in one transaction and commit; again from its beginning when that may help.

        `tx` must be idempotent: when the connection breaks during the commit, nobody knows whether
        it happened, and it is run again. What `tx` raises rolls back and passes; so do psycopg's
        errors that speak of the statement (unique violations and the like).
        Raises DatabaseUnavailable, DiskFull, StatementTooSlow, DataCorrupted, and DatabaseRefused
        where it was never let in, or may not do what it wants.
        """

        async def whole(connection: AsyncConnection[Any]) -> T:
            async with connection.transaction():
                return await tx(connection)

        return await self.attempt(whole)

    async def attempt(self, whole: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
        """As `run`, of a transaction that begins and ends itself, together with its statements.

        What it leaves open is rolled back: its connection is closed.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        pause = _FIRST_PAUSE
        while True:
            try:
                async with self._pool.connection() as connection:
                    result = await whole(connection)
            except psycopg.Error as error:
                failure = classify(error)
                if failure is Failure.FINAL:
                    if is_environment(error):
                        raise translate(error, describe(self.dsn), known=self._known) from error
                    raise
                spent = loop.time() - begun
                if spent >= self._patience:
                    raise self._gave_up(error, spent) from error
                if failure is Failure.LOST:
                    await self._after_loss(self._patience - spent)
            else:
                self.lost_since, self._known = None, True
                return result
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, _LONGEST_PAUSE)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection[Any], None]:
        """One autocommit connection of the pool, for what cannot run in a transaction. No retry."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except psycopg.Error as error:
            if is_environment(error):
                raise translate(error, describe(self.dsn)) from error
            raise

    async def listen(self, channel: str) -> AsyncIterator[str]:
        """Payloads sent to `channel`, on a connection of its own, for ever.

        An empty payload comes with each connection, when it is lost, and with each attempt that
        fails: hints may be missed, so look. The first look after a loss may still be answered, by
        a connection that is cut a moment later; the next is not.
        It is only a hint; the reader needs a slow poll behind it.
        Who listens notices first when the server is gone, so an embedded one is brought back here.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                connection = await connect_async(self.dsn, self._settings)
                try:
                    await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
                    pause, self._known = _FIRST_PAUSE, True
                    yield ""
                    while True:
                        await _readable(connection)
                        async for notice in connection.notifies(timeout=0):
                            yield notice.payload
                finally:
                    await connection.close()
            except psycopg.Error as error:
                if classify(error) is not Failure.LOST:
                    doing = f"listening on {describe(self.dsn)}"
                    raise translate(error, doing, known=self._known) from error
                yield ""  # a reader with nothing to do would learn of the loss at its next poll
                # Why it cannot be brought back is told to those who ask it something.
                with suppress(SwarmError):
                    await self._after_loss(self._patience)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def close(self) -> None:
        """Close what is idle. Call when no `run` is under way."""
        await self._pool.forget_idle()

    async def _after_loss(self, remaining: float) -> None:
        """Drop the other connections too, and bring the embedded server back when it is ours."""
        if self.lost_since is None:
            self.lost_since = asyncio.get_running_loop().time()
        await self._pool.forget_idle()
        if self._revive is None:
            return
        if self._reviving is None or self._reviving.done():
            self._reviving = asyncio.create_task(asyncio.to_thread(self._revive))
            # Its error reaches those who wait for it; when nobody does any more, nobody must.
            self._reviving.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Shielded: recovery may take longer than this caller waits, and others wait for it too. One
        # who woke before this caller may have begun the next one by now: each asks his own.
        reviving = self._reviving
        done, _ = await asyncio.wait({reviving}, timeout=remaining)
        if done:
            reviving.result()

    def _gave_up(self, error: psycopg.Error, spent: float) -> Exception:
        translated = translate(error, f"{describe(self.dsn)}, tried for {spent:.1f} s")
        if isinstance(translated, DatabaseUnavailable):
            return translated
        return DatabaseUnavailable(str(translated))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _readable(connection: AsyncConnection[Any]) -> None:
    """Wait until the server sent something, or the network died.

    Not psycopg's own wait: it wakes ten times a second, which a quiet swarm would always pay for.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    descriptor = connection.fileno()
    loop.add_reader(descriptor, wake)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
