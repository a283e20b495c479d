"""One HTTP/1.1 exchange with a version: one connection, framing by h11, silence limited.

No connection is kept for the next request: a version that closes an idle one just as we use it
would be blamed for an error, and a loopback connection costs a tenth of a millisecond.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

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

    async def open(self, host: str, port: int) -> None:
        """Connect. Raises NotSent."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._reader, self._writer = await asyncio.open_connection(host, port)
        except OSError as error:  # a timeout is one too
            raise NotSent(str(error)) from error

    async def answer(self, request: h11.Request, content: AsyncIterator[bytes] | None) -> Answer:
        """Send the request and wait for the head of the answer. Raises Broken."""
        try:
            await self._send(request, content)
            while True:
                event = await self._next()
                if isinstance(event, h11.Response):
                    return Answer(status=event.status_code, headers=list(event.headers))
                if not isinstance(event, h11.InformationalResponse):
                    raise Broken("the connection ended before an answer")
        except h11.ProtocolError as error:
            raise Broken(str(error)) from error

    async def _send(self, request: h11.Request, content: AsyncIterator[bytes] | None) -> None:
        # A version may answer before it has read everything, and close: its answer still counts.
        with suppress(ConnectionError):
            await self._write(request)
            if content is not None:
                async for chunk in content:
                    await self._write(h11.Data(data=chunk))
            await self._write(h11.EndOfMessage())

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
                async with asyncio.timeout(self._silence):
                    data = await self._reader.read(_CHUNK)
            except OSError as error:  # reset, or silent for too long
                raise Broken(str(error) or "silent for too long") from error
            self._http.receive_data(data)

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
        """Close the connection at once; what was sent is sent."""
        if self._writer is not None:
            self._writer.close()
