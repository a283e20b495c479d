"""One exchange with a version that answers early, reads nothing, or says nothing."""

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import h11
import pytest

from swarm.adapters.local.service.upstream import Broken, Exchange

LARGE = 200 * 65_536  #: far more than all buffers on the way hold
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"


@asynccontextmanager
async def version(serve):
    """The port of a version that serves so, one connection after the other."""
    working = set()

    async def begun(reader, writer):
        working.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(begun, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in working:
            task.cancel()


def post(length):
    headers = [("host", "x"), ("content-length", str(length))]
    return h11.Request(method="POST", target="/", headers=headers)


async def parts(length, pause=0.0, size=65_536):
    for start in range(0, length, size):
        await asyncio.sleep(pause)
        yield b"x" * min(size, length - start)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


async def asked(port, length, silence=5.0, **how):
    """Status and body of the answer to a POST of so many bytes."""
    exchange = Exchange(silence)
    await exchange.open("127.0.0.1", port)
    try:
        answer = await exchange.answer(post(length), parts(length, **how))
        return answer.status, b"".join([part async for part in exchange.body()])
    finally:
        exchange.close()


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize("then", [0.0, 60.0], ids=["closes", "reads-no-more"])
async def test_a_version_that_refuses_a_request_before_it_is_whole_has_answered(then):
    """It says 401 or 413 and is no broken version: a 502 would count against the canary."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(TOO_LARGE)
        await writer.drain()
        await asyncio.sleep(then)

    async with version(serve) as port:
        for _ in range(5):
            assert await asked(port, LARGE) == (413, b"no")


async def test_a_version_that_reads_nothing_costs_no_open_file_once_it_was_given_up():
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen(100)
        before = open_files()
        for _ in range(3):
            with pytest.raises(Broken, match="does not read"):
                await asked(hung.getsockname()[1], LARGE, silence=0.1)
        await asyncio.sleep(0.1)
        assert open_files() == before


async def test_a_version_may_be_silent_while_it_reads_and_not_behind_that():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(10)
        if answers:
            writer.write(b"HTTP/1.1 204 Fine\r\n\r\n")
            await writer.drain()
        await asyncio.sleep(60)

    async with version(serve) as port:
        answers = True
        assert await asked(port, 10, silence=0.2, pause=0.05, size=1) == (204, b"")
        answers = False
        async with asyncio.timeout(5):
            with pytest.raises(Broken, match="silent"):
                await asked(port, 10, silence=0.2, pause=0.05, size=1)
