"""One HTTP/1.1 exchange with a version: one connection, framing by h11, silence limited.

No connection is kept for the next request: a version that closes an idle one just as we use it
would be blamed for an error, and a loopback connection costs a tenth of a millisecond.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import h11

Headers = list[tuple[bytes, bytes]]
_CONNECT_SECONDS = 2.0
_CHUNK = 65_536


class NotSent(Exception):
    """No connection came about; the version has seen nothing of the request."""


class Broken(Exception):
    """The version closed, fell silent or spoke no HTTP in the middle of the exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The head of a version's answer."""

    status: int
    headers: Headers


class Exchange:
    """A request to a port and its answer. Use `open`, then `answer`, then `body`, then `close`."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._http = h11.Connection(our_role=h11.CLIENT)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._sending: asyncio.Future[None] | None = None
        self._waiting: asyncio.Timeout | None = None

    async def open(self, host: str, port: int) -> None:
        """Connect. Raises NotSent."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._reader, self._writer = await asyncio.open_connection(host, port)
        except OSError as error:  # a timeout is one too
            raise NotSent(str(error)) from error

    async def answer(self, request: h11.Request, content: AsyncIterator[bytes] | None) -> Answer:
        """Send the request and wait for the head of the answer. Raises Broken.

        A version may answer before it has read everything, and close, or read no more: its answer
        counts. So the content goes out beside, until it is all sent or this exchange is closed.
        """
        try:
            with suppress(ConnectionError):
                await self._write(request)
                if content is None:
                    await self._write(h11.EndOfMessage())
            if content is None:
                return await self._head()
            self._sending = asyncio.ensure_future(self._send(content))
            self._sending.add_done_callback(self._sent)
            return await self._head_beside(self._sending)
        except h11.ProtocolError as error:
            raise Broken(str(error)) from error

    async def _head_beside(self, sending: asyncio.Future[None]) -> Answer:
        head = asyncio.ensure_future(self._head())
        both: set[asyncio.Future[Any]] = {head, sending}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not head.done():
                sending.result()  # its failure is that of the exchange
            return await head
        finally:
            head.cancel()

    async def _head(self) -> Answer:
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return Answer(status=event.status_code, headers=list(event.headers))
            if not isinstance(event, h11.InformationalResponse):
                raise Broken("the connection ended before an answer")

    async def _send(self, content: AsyncIterator[bytes]) -> None:
        with suppress(ConnectionError):
            async for chunk in content:
                await self._write(h11.Data(data=chunk))
            await self._write(h11.EndOfMessage())

    def _sent(self, sending: asyncio.Future[None]) -> None:
        """From now on the version's silence counts."""
        if not sending.cancelled():
            sending.exception()  # told to whoever waits for the head; behind it nobody need know
        if self._waiting is not None:
            self._waiting.reschedule(self._until())

    async def sent(self) -> None:
        """Wait until nothing more of the content is asked for."""
        if self._sending is not None:
            await asyncio.wait({self._sending})

    async def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data and self._writer is not None:
            self._writer.write(data)
            try:
                async with asyncio.timeout(self._silence):
                    await self._writer.drain()
            except TimeoutError as error:
                raise Broken("the version does not read its request") from error

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is a class of its own
            try:
                async with asyncio.timeout_at(self._until()) as self._waiting:
                    data = await self._reader.read(_CHUNK)
            except OSError as error:  # reset, or silent for too long
                raise Broken(str(error) or "silent for too long") from error
            finally:
                self._waiting = None
            self._http.receive_data(data)

    def _until(self) -> float | None:
        """Until when it may be silent; while it reads its request, it may."""
        if self._sending is not None and not self._sending.done():
            return None
        return asyncio.get_running_loop().time() + self._silence

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body as it comes. Raises Broken when it ends early."""
        try:
            while True:
                event = await self._next()
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return
                else:
                    raise Broken("the connection ended within an answer")
        except h11.ProtocolError as error:
            raise Broken(str(error)) from error

    def close(self) -> None:
        """Close the connection at once, whatever of the request is still to be sent.

        One that first waits until a version reads stays open, and so do a file and a buffer, for as
        long as a version that hangs lives.
        """
        if self._sending is not None:
            self._sending.cancel()
        if self._writer is not None:
            self._writer.transport.abort()
