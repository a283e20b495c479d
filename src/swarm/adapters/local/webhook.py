"""Posts one signed message to one configured address, and nowhere else.

The signature is HMAC-SHA256 over `TIMESTAMP.BODY`, hexadecimal, in `Swarm-Signature: v1=...`; a
receiver computes it over the raw body, compares in constant time and refuses old timestamps.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpcore

from swarm.adapters.local.errors import WebhookFailed

_FINE = range(200, 300)
_MOST_ADDRESSES = 4  #: tried one after the other; more only take the time of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is posted: the body, byte for byte the same at every try, and its key."""

    key: str
    body: bytes


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """The value of the `Swarm-Signature` header. `timestamp` is in seconds since 1970."""
    digest = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"v1={digest}"


def _refused(address: str, *, loopback: bool) -> str:
    """Why this address is not posted to; "" when it may be.

    Private networks are fine, since a person configured the address; link-local ones are not:
    there is no chat server, but there are metadata services.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return "" if loopback else "is on loopback, and allow_loopback is not set"
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return "is no address of a server"
    return ""


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to an address that was looked at, not to a name that may change meanwhile."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback
        self._real = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check every answer, connect to the first that takes the connection."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error.strerror}") from error
        addresses = [str(item[4][0]) for item in found]
        for address in addresses:
            if why := _refused(address, loopback=self._loopback):
                raise httpcore.ConnectError(f"{host} is {address}, which {why}")
        # `localhost` has two, of which a server mostly listens on one; so have many hosts, one of
        # which this network may not reach.
        addresses = addresses[:_MOST_ADDRESSES]
        share = None if timeout is None else timeout / len(addresses)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._real.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: a webhook is an address on the network."""
        del path, timeout, socket_options
        raise httpcore.ConnectError("a webhook is never a unix socket")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def post(
    url: str,
    message: Message,
    secret: bytes,
    *,
    at: datetime,
    patience: timedelta,
    loopback: bool,
) -> int:
    """Post once and give the status. No proxy, no redirect, no environment is looked at.

    patience: for the whole exchange. loopback: whether the address may be on this machine.
    Raises WebhookFailed with the reason when there was no answer between 200 and 299.
    """
    seconds = patience.total_seconds()
    stamp = int(at.timestamp())
    headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", "swarmctl"),
        ("Idempotency-Key", message.key),
        ("Swarm-Timestamp", str(stamp)),
        ("Swarm-Signature", signature(secret, stamp, message.body)),
    ]
    times = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    pool = httpcore.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(), network_backend=_Guarded(loopback=loopback)
    )
    # The body of the answer is not read: nothing in it could change what happens here.
    exchange = pool.stream(
        "POST", url, headers=headers, content=message.body, extensions={"timeout": times}
    )
    try:
        async with asyncio.timeout(seconds), pool, exchange as answer:
            status = answer.status
    except TimeoutError as error:
        raise WebhookFailed(f"no answer within {seconds:g} s") from error
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise WebhookFailed(str(error) or type(error).__name__) from error
    except (OSError, ssl.SSLError) as error:
        raise WebhookFailed(str(error)) from error
    if status not in _FINE:
        raise WebhookFailed(f"it answered {status}")
    return status
