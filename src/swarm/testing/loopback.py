"""A real HTTP server on loopback that answers, byte for byte, what a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Handler = Callable[["Request"], "Awaitable[bytes] | bytes"]


class Request:
    """What a client sent: method, target and headers (names in lower case)."""

    def __init__(self, raw: bytes) -> None:
        head, _, _ = raw.decode("latin-1").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}


class Server:
    """One port. `connections` and `requests` tell what really arrived.

    held: set when the server closes; a handler that should never answer waits for it.
    """

    def __init__(self, answer: Handler) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[Request] = []
        self.port = 0
        self.held = asyncio.Event()

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def entry(self) -> str:
        """It as an allow entry, host:port."""
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection once."""
        self.connections += 1
        try:
            request = Request(await reader.readuntil(b"\r\n\r\n"))
            self.requests.append(request)
            said = self.answer(request)
            writer.write(said if isinstance(said, bytes) else await said)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which is what some tests are about
        finally:
            writer.close()


@asynccontextmanager
async def serve(
    answer: Handler,
    host: str = "127.0.0.1",
    port: int = 0,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Server]:
    """A server that runs inside the block. Port 0 takes any free one."""
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, host, port, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.held.set()
        listening.close()


def http(
    body: bytes = b"", *, status: str = "200 OK", kind: str = "application/json", **headers: str
) -> bytes:
    """An HTTP/1.1 answer; underscores in header names become hyphens."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body
