"""`ports.venue.Venue` over the socket of a paper venue in another process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from swarm.adapters.paper import wire
from swarm.ports.venue import Dispatched, MarketSeen, Report, Unreachable, VenueBooks
from swarm.regime.controls.order import TradeOrder

T = TypeVar("T")

_PATIENCE = 2.0  #: seconds without an answer, after which nothing was heard


class SocketVenue:
    """One client. It connects when it is asked something, and anew after a connection was lost."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def name(self) -> str:
        """As limits and permissions name it."""
        return self._name

    async def submit(self, order: TradeOrder) -> Dispatched | Unreachable:
        """Send an order under its own id."""
        said = await self._ask("submit", wire.write(wire.ORDER, order))
        return said if isinstance(said, Unreachable) else Dispatched(count=1)

    async def cancel(self, orders: Sequence[str]) -> Dispatched | Unreachable:
        """Ask for these to be cancelled, in one message; no answer is waited for."""
        return await self._tell("cancel", json.dumps(list(orders)).encode(), len(orders))

    async def cancel_all(self) -> Dispatched | Unreachable:
        """Ask for everything of ours to be cancelled; no answer is waited for."""
        return await self._tell("cancel-all", b"null", 1)

    async def reports(self, after: int) -> tuple[Report, ...] | Unreachable:
        """The reports behind that number, at most a few thousand at once."""
        return await self._read("reports", b"%d" % after, wire.REPORTS)

    async def books(self) -> VenueBooks | Unreachable:
        """Working orders and positions."""
        return await self._read("books", b"null", wire.BOOKS)

    async def market(self) -> tuple[MarketSeen, ...] | Unreachable:
        """Every instrument now."""
        return await self._read("market", b"null", wire.MARKET)

    async def close(self) -> None:
        """Give the connection back."""
        self._drop()

    async def _read(self, what: str, value: bytes, kind: type[T]) -> T | Unreachable:
        said = await self._ask(what, value)
        if isinstance(said, Unreachable):
            return said
        found = wire.read(kind, said)
        return Unreachable(detail=f"{self._name}: unreadable answer") if found is None else found

    async def _tell(self, what: str, value: bytes, count: int) -> Dispatched | Unreachable:
        """Hand a request to the connection. What came of it stands in the reports."""
        try:
            async with asyncio.timeout(_PATIENCE), self._turn:
                _, writer = await self._connected()
                writer.write(b'{"do":"%b","with":%b}\n' % (what.encode(), value))
                await writer.drain()
        except (OSError, TimeoutError) as error:
            self._drop()
            return Unreachable(detail=f"{self._name}: {error or 'no answer'}")
        return Dispatched(count=count)

    async def _ask(self, what: str, value: bytes) -> bytes | Unreachable:
        try:
            async with asyncio.timeout(_PATIENCE), self._turn:
                reader, writer = await self._connected()
                writer.write(b'{"do":"%b","with":%b}\n' % (what.encode(), value))
                await writer.drain()
                line = (await reader.readline()).strip()
        except (OSError, TimeoutError, ValueError) as error:
            self._drop()
            return Unreachable(detail=f"{self._name}: {error or 'no answer'}")
        if not line:
            self._drop()
            return Unreachable(detail=f"{self._name}: the connection was closed")
        return Unreachable(detail=f"{self._name} does not answer") if line == b"null" else line

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[1].is_closing():
            self._streams = await asyncio.open_unix_connection(self._path, limit=wire.LINE_BYTES)
        return self._streams

    def _drop(self) -> None:
        # An answer that is still to come must never be read as the answer to the next question.
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
