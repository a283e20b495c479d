"""The single way to fetch bytes from the network: checked, capped, timed, redirects by hand."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import httpcore
import httpx

from swarm.adapters.feeds.decoding import ACCEPTED, Decoder
from swarm.adapters.feeds.errors import (
    BadStatus,
    BlockedUrl,
    HostUnreachable,
    TooLarge,
    TooManyRedirects,
    TooSlow,
    WrongContentType,
)
from swarm.adapters.feeds.guard import Egress
from swarm.adapters.feeds.network import GuardedNetwork, Resolver, SystemResolver

MOST_REDIRECTS = 5
MOST_HEADER_BYTES = 32 * 1024
MOST_HEADERS = 100
LONGEST_RETRY = timedelta(days=1)
_REDIRECTS = {301, 302, 303, 307, 308}
_NOT_MODIFIED = 304
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One fetch.

    types:   media types that will do; a `+json` stands for every type that ends so.
    headers: sent to the first host only, never after a redirect to another.
    timeout: for everything together: resolving, redirects and the whole body.
    """

    url: str
    types: frozenset[str]
    max_bytes: int
    timeout: timedelta
    headers: Mapping[str, str]
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came back. `content` is decompressed; `unchanged` is the answer to a known etag."""

    url: str
    content: bytes
    media_type: str
    charset: str
    etag: str
    modified: str
    sha256: str
    unchanged: bool = False
    redirects: tuple[str, ...] = ()


class _Transport(httpx.AsyncBaseTransport):
    """httpx over a httpcore pool with our network; httpx's own transport takes no network."""

    def __init__(self, network: GuardedNetwork, context: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context, network_backend=network, max_connections=4, retries=0
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


class EgressClient:
    """Fetches for one source, within its rules. Use as an async context."""

    def __init__(
        self, egress: Egress, resolver: Resolver | None = None, *, ca_file: Path | None = None
    ) -> None:
        self._egress = egress
        network = GuardedNetwork(egress, resolver or SystemResolver())
        self._client = httpx.AsyncClient(
            transport=_Transport(network, _context(ca_file)),
            trust_env=False,  # no proxy, no netrc, no certificate store from the environment
            follow_redirects=False,
            timeout=None,  # noqa: S113 - one deadline over everything, see `fetch`
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def fetch(self, wanted: Wanted) -> Fetched:
        """Fetch one address. Raises EgressRefused and its kinds, or a kind of SourceDown."""
        seconds = wanted.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(wanted)
        except TimeoutError:
            raise TooSlow(f"{_host(wanted.url)} did not answer within {seconds:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            said = str(error) or type(error).__name__
            raise HostUnreachable(f"{_host(wanted.url)}: {said[:200]}") from error

    async def _follow(self, wanted: Wanted) -> Fetched:
        url = self._egress.check_url(wanted.url)
        first = url
        passed: list[str] = []
        for _ in range(MOST_REDIRECTS + 1):
            same = (url.scheme, url.host, url.port) == (first.scheme, first.host, first.port)
            async with self._ask(url, wanted, own=same) as answer:
                _check_headers(answer.headers)
                if answer.status_code not in _REDIRECTS:
                    return replace(await _take(answer, url, wanted), redirects=tuple(passed))
                target = answer.headers.get("location", "")
            passed.append(str(url))
            try:
                url = self._egress.check_url(str(url.join(target)))
            except (httpx.InvalidURL, UnicodeError) as error:
                raise BlockedUrl(f"redirected to {target[:80]!r}, no address: {error}") from error
        raise TooManyRedirects(f"{first.host} redirects more than {MOST_REDIRECTS} times")

    @asynccontextmanager
    async def _ask(
        self, url: httpx.URL, wanted: Wanted, *, own: bool
    ) -> AsyncIterator[httpx.Response]:
        headers = {
            "user-agent": "swarmctl (+discovery)",
            "accept": ", ".join(sorted(t for t in wanted.types if not t.startswith("+"))),
            "accept-encoding": ACCEPTED,
        }
        # A mark that no header of ours can carry is not sent: then the whole answer comes again.
        if wanted.etag and wanted.etag.isascii():
            headers["if-none-match"] = wanted.etag
        if wanted.modified and wanted.modified.isascii():
            headers["if-modified-since"] = wanted.modified
        if own:
            headers |= {name.lower(): value for name, value in wanted.headers.items()}
        # The network divides this among a host's addresses: a dead one only costs its share.
        patience = httpx.Timeout(None, connect=wanted.timeout.total_seconds())
        request = self._client.build_request("GET", url, headers=headers, timeout=patience)
        try:
            answer = await self._client.send(request, stream=True)
        except (httpx.InvalidURL, httpx.RemoteProtocolError, UnicodeError) as error:
            # httpx reads where a redirect leads even when it is not to follow it.
            raise BlockedUrl(f"{url.host} redirects to no address: {str(error)[:200]}") from error
        try:
            yield answer
        finally:
            await answer.aclose()


def _check_headers(headers: httpx.Headers) -> None:
    size = sum(len(name) + len(value) for name, value in headers.raw)
    if size > MOST_HEADER_BYTES or len(headers.raw) > MOST_HEADERS:
        raise TooLarge(f"{len(headers.raw)} headers of {size} bytes are too much")


async def _take(answer: httpx.Response, url: httpx.URL, wanted: Wanted) -> Fetched:
    headers = answer.headers
    etag, modified = headers.get("etag", "")[:500], headers.get("last-modified", "")[:100]
    if answer.status_code == _NOT_MODIFIED and (wanted.etag or wanted.modified):
        return _fetched(
            url, b"", ("", ""), (etag or wanted.etag, modified or wanted.modified), unchanged=True
        )
    if answer.status_code != _OK:
        raise BadStatus(
            f"{url.host} answered {answer.status_code} {answer.reason_phrase[:40]}".rstrip(),
            status=answer.status_code,
            retry_after=_retry_after(headers.get("retry-after", "")),
        )
    kind = media_type(headers.get("content-type", ""))
    if not _accepts(wanted.types, kind):
        raise WrongContentType(f"{url.host} answered with {kind[:80] or 'no type'!r}")
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > wanted.max_bytes:
        raise TooLarge(f"{url.host} announces {announced[:20]} bytes, {wanted.max_bytes} may be")
    decoder = Decoder(headers.get("content-encoding", ""), wanted.max_bytes)
    async for part in answer.aiter_raw():
        decoder.feed(part)
    return _fetched(url, decoder.done(), (kind, answer.charset_encoding or ""), (etag, modified))


def _fetched(
    url: httpx.URL,
    content: bytes,
    types: tuple[str, str],
    marks: tuple[str, str],
    *,
    unchanged: bool = False,
) -> Fetched:
    return Fetched(
        url=str(url),
        content=content,
        media_type=types[0],
        charset=types[1],
        etag=marks[0],
        modified=marks[1],
        sha256=hashlib.sha256(content).hexdigest(),
        unchanged=unchanged,
    )


def media_type(header: str) -> str:
    """The type of a `Content-Type` header without its parameters, in lower case."""
    return header.partition(";")[0].strip().lower()


def _accepts(types: Iterable[str], kind: str) -> bool:
    return any(kind == t or (t.startswith("+") and kind.endswith(t)) for t in types)


def _retry_after(text: str) -> timedelta | None:
    """How long a server asked us to wait, at most a day; it may be seconds or a date."""
    try:
        if text.strip().isdecimal():
            return min(timedelta(seconds=int(text.strip()[:9])), LONGEST_RETRY)
        wait = parsedate_to_datetime(text) - datetime.now(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_RETRY)


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host[:200] or "the source"
    except (httpx.InvalidURL, ValueError):
        return "the source"


@functools.cache
def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
