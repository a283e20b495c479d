"""Forwards one request to one version, streaming both ways, and counts how it ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import h11

from swarm.adapters.local.service.asking import LOOPBACK, REVISION_HEADER
from swarm.adapters.local.service.exposition import ERROR, FAILOVER, OK, Counters
from swarm.adapters.local.service.routing import Route, Routes
from swarm.adapters.local.service.upstream import Answer, Broken, Exchange, Headers, NotSent

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Of the connection, not of the message: RFC 9110 section 7.6.1, and Expect, which the server
# side has answered already.
_HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
    b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect",
})  # fmt: skip
# A client may list any name with `connection`, but without these there is no message to send on.
_KEPT = frozenset({b"host", b"content-length"})
_SERVER_ERROR = 500


class ClientGone(Exception):
    """The client went away before its request, or our answer, was whole."""


class Forwarder:
    """The proxy's public side, an ASGI application."""

    def __init__(self, routes: Routes, counters: Counters, silence: float) -> None:
        self._routes = routes
        self._counters = counters
        self._silence = silence
        self.in_flight: Counter[int] = Counter()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] == "CONNECT":  # no version's business, so none is blamed for it
            await _refuse(send, 405, b"no tunnels are opened here\n")
            return
        route = self._routes.pick()
        if route is None:
            await _refuse(send, 503, b"no version of this service is running\n")
            return
        failed = await self._serve(route, (scope, receive, send), counted=True)
        if not failed:
            return
        stable = self._routes.stable
        # A dead canary is counted, and its user is served by the stable version: the request
        # never left us, so nothing happens twice.
        if route.arm == "canary" and stable is not None:
            failed = await self._serve(stable, (scope, receive, send), counted=False)
        if failed:
            await _refuse(send, 502, b"this version of the service does not answer\n")

    async def _serve(
        self,
        route: Route,
        exchange: tuple[MutableMapping[str, Any], Receive, Send],
        *,
        counted: bool,
    ) -> bool:
        """True when the request could not be sent at all; otherwise the client was answered."""
        scope, receive, send = exchange
        began, outcome, started = time.perf_counter(), ERROR, False
        self.in_flight[route.port] += 1
        upstream = Exchange(self._silence)
        try:
            await upstream.open(LOOPBACK, route.port)
            answer = await upstream.answer(*_request(scope, receive))
            await send(_start(answer, route))
            started = True
            await _stream(answer, upstream, receive, send)
            outcome = OK if answer.status < _SERVER_ERROR else ERROR
        except NotSent:
            return True
        except ClientGone:
            outcome = OK  # no fault of the version
        except Broken:
            if started:
                raise  # the server side then cuts the connection, as it must
            await _refuse(send, 502, b"this version of the service broke the connection\n")
        finally:
            upstream.close()
            self.in_flight[route.port] -= 1
            if not self.in_flight[route.port]:
                del self.in_flight[route.port]
            seconds = time.perf_counter() - began
            self._counters.count(route.revision, outcome if counted else FAILOVER, seconds)
        return False


def _request(
    scope: MutableMapping[str, Any], receive: Receive
) -> tuple[h11.Request, AsyncIterator[bytes] | None]:
    """The request as it goes on to the version, and its body if it has one."""
    headers: Headers = scope["headers"]
    names = dict(headers)
    kept = _end_to_end(headers)
    chunked = b"transfer-encoding" in names
    if chunked:
        kept.append((b"transfer-encoding", b"chunked"))
    if b"host" not in names:  # HTTP/1.0 asks for none, and we go on in HTTP/1.1
        kept.append((b"host", b"%b:%d" % (scope["server"][0].encode(), scope["server"][1])))
    if scope.get("client"):
        kept.append((b"x-forwarded-for", str(scope["client"][0]).encode()))
    kept.append((b"connection", b"close"))
    target = scope["raw_path"] or b"/"
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    request = h11.Request(method=scope["method"].encode("ascii"), target=target, headers=kept)
    has_body = chunked or names.get(b"content-length", b"0") != b"0"
    return request, _body(receive) if has_body else None


async def _stream(answer: Answer, upstream: Exchange, receive: Receive, send: Send) -> None:
    """Pass the answer on. One without a length may never end, so its client is watched."""
    endless = not any(name.lower() == b"content-length" for name, _ in answer.headers)
    gone = asyncio.ensure_future(_disconnected(receive, upstream)) if endless else None
    try:
        async for chunk in upstream.body():
            if gone is not None and gone.done():
                raise ClientGone
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if gone is not None:
            gone.cancel()


async def _disconnected(receive: Receive, upstream: Exchange) -> None:
    await upstream.sent()  # what comes until then is the version's
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            return


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    headers = list(headers)
    dropped = set(_HOP_BY_HOP)
    for name, value in headers:
        if name.lower() == b"connection":
            dropped.update(part.strip().lower() for part in value.split(b","))
    dropped -= _KEPT
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _start(answer: Answer, route: Route) -> Message:
    headers = [(n.lower(), v) for n, v in _end_to_end(answer.headers)]
    headers.append((REVISION_HEADER.encode(), route.revision.encode()))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _refuse(send: Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
