"""The paper venue as a process of its own, on a Unix socket, so that a client may die beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from swarm.adapters.paper import wire
from swarm.adapters.paper.exchange import PaperExchange

_HEARD, _SILENT = b"true", b"null"
_TICK = 0.001  #: seconds between looks at what is due while requests are under way


@asynccontextmanager
async def serving(
    exchange: PaperExchange, path: Path, clock: Callable[[], int]
) -> AsyncIterator[asyncio.Server]:
    """Serve until the block ends. clock: integer nanoseconds; path: of the socket."""
    clients: set[asyncio.Task[None]] = set()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            clients.add(task)
        try:
            while line := await reader.readline():
                answer = _answer(exchange, line, clock())
                if answer is not None:
                    writer.write(answer + b"\n")
                    await writer.drain()
        except (ConnectionError, ValueError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # a client that broke off or sent a line without an end, or the end of serving
        finally:
            clients.discard(task) if task is not None else None
            writer.close()

    server = await asyncio.start_unix_server(attend, path, limit=wire.LINE_BYTES)
    beat = asyncio.create_task(_advance(exchange, clock))
    try:
        yield server
    finally:
        beat.cancel()
        server.close()
        for task in list(clients):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beat


async def _advance(exchange: PaperExchange, clock: Callable[[], int]) -> None:
    while True:
        exchange.advance(clock())
        await asyncio.sleep(_TICK)


def _answer(exchange: PaperExchange, line: bytes, now_ns: int) -> bytes | None:
    """The answer to one request; None to one that wants none. What cannot be read is silence."""
    try:
        asked = json.loads(line)
        kind, value = asked["do"], asked.get("with")
    except (ValueError, TypeError, KeyError, RecursionError):
        return _SILENT
    if kind == "submit":
        order = wire.read(wire.ORDER, json.dumps(value).encode())
        return _HEARD if order is not None and exchange.submit(order, now_ns) else _SILENT
    if kind == "cancel" and isinstance(value, list):
        for one in value:
            exchange.cancel(str(one), now_ns)
        return None
    if kind == "cancel-all":
        exchange.cancel_all(now_ns)
        return None
    if not exchange.reachable(now_ns):
        return _SILENT
    return _reading(exchange, kind, value)


def _reading(exchange: PaperExchange, kind: object, value: object) -> bytes:
    if kind == "reports" and type(value) is int:
        after = max(0, value)
        part = tuple(exchange.reports[after : after + wire.REPORTS_MOST])
        return wire.write(wire.REPORTS, part)
    if kind == "books":
        return wire.write(wire.BOOKS, exchange.books_now())
    if kind == "market":
        return wire.write(wire.MARKET, exchange.market())
    return _SILENT
