"""Connections that only ever go to addresses that were checked. Below redirects and below TLS.

The name is resolved once, every answer is checked, and the connection is made to the checked
address itself; so a second resolution cannot give another answer. TLS still verifies the name.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable, Sequence
from typing import Never, Protocol

import httpcore

from swarm.adapters.feeds.errors import HostNotFound
from swarm.adapters.feeds.guard import Egress

MOST_ADDRESSES = 4  #: addresses tried one after the other; more only serve to waste our time


class Resolver(Protocol):
    """Turns a host name into addresses. Needed by: the guarded network."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host, as text; raises HostNotFound when there is none."""


class SystemResolver:
    """The machine's own resolver, one thread per question.

    Why not the loop's thread pool: it has few threads, a name server that never answers would
    hold them all, and every other source would wait behind it. The threads are daemons, because
    a question that hangs must not hold up the end of the program either.
    """

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host, as text; raises HostNotFound when there is none."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def settle(found: list[str] | OSError) -> None:
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def ask() -> None:
            try:
                infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found: list[str] | OSError = [str(info[4][0]) for info in infos]
            except (OSError, UnicodeError) as error:
                found = error if isinstance(error, OSError) else OSError(str(error))
            with contextlib.suppress(RuntimeError):  # the loop is gone, nobody waits any more
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
        try:
            found = await answer
        except OSError as error:
            raise HostNotFound(f"{host!r} has no address: {error.strerror or error}") from error
        if not found:
            raise HostNotFound(f"{host!r} has no address")
        return found


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """The only way out: resolves once, checks all answers, connects to a checked address."""

    def __init__(self, egress: Egress, resolver: Resolver) -> None:
        self._egress = egress
        self._resolver = resolver
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the host; raises BlockedAddress, HostNotFound or httpcore's own errors."""
        answers = await self._resolver.resolve(host, port)
        checked = self._egress.check_answers(host, port, answers)[:MOST_ADDRESSES]
        share = None if timeout is None else timeout / len(checked)
        failure: Exception = HostNotFound(f"{host!r} has no address")
        for address in checked:
            try:
                return await self._sockets.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_args: object, **_more: object) -> Never:
        """Refuse: no address of ours names a socket file."""
        raise httpcore.ConnectError("socket files are not contacted")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks between retries; there are none here."""
        await asyncio.sleep(seconds)
