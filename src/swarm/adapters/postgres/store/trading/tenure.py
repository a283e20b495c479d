"""One order path at a time on a chain: a session's lock, gone when its process or network is.

The fence of a chain keeps two writers from mixing; without this each would take it from the other
again and again, and neither could trade.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection

from swarm.adapters.postgres.connect import connect_async, describe
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.failures import translate
from swarm.adapters.postgres.store.errors import ChainHeld
from swarm.adapters.postgres.store.statements import statements

_NAME_BYTES = 63  #: of an application's name in Postgres


class Tenure:
    """The tenure of one chain. me: what another who wants it is told."""

    def __init__(self, database: Database, chain: str, me: str) -> None:
        self._dsn, self._chain = database.dsn, chain
        self._me = me.encode()[:_NAME_BYTES].decode(errors="ignore")
        self._session: AsyncConnection[Any] | None = None

    async def hold(self) -> None:
        """Have it, or have it again after the database was away. Raises ChainHeld, Unavailable."""
        if self._session is not None:
            with contextlib.suppress(psycopg.Error):
                await self._session.execute("select")
                return
            await self.__aexit__(None, None, None)
        try:
            session = await connect_async(self._dsn)
            holder = await self._taken(session)
        except psycopg.Error as error:
            raise translate(error, f"holding a chain in {describe(self._dsn)}") from error
        if holder is not None:
            raise ChainHeld(f"the chain {self._chain!r} is held by {holder}")

    async def _taken(self, session: AsyncConnection[Any]) -> str | None:
        """Take it with this session, or say who has it."""
        asked, sql = {"chain": self._chain, "me": self._me}, statements("gate")
        try:
            await session.execute(sql["name_session"], asked)
            found = await session.execute(sql["hold_chain"], asked)
            if (await found.fetchone() or (False,))[0]:
                self._session = session
                return None
            found = await session.execute(sql["who_holds_chain"], asked)
            (holder,) = await found.fetchone() or ("somebody who has just let go",)
            return str(holder)
        finally:
            if self._session is None:
                await session.close()

    async def __aenter__(self) -> Self:
        await self.hold()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        try:
            # By closing alone it is let go when the server gets to it, and who begins anew at once
            # is refused.
            with contextlib.suppress(psycopg.Error):
                await session.execute("select pg_advisory_unlock_all()")
        finally:
            await session.close()
