"""The egress client against real servers on loopback, opened by explicit allow entries."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import ssl
import subprocess
import zlib
from datetime import timedelta

import httpcore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm.adapters.feeds.client import EgressClient
from swarm.adapters.feeds.decoding import Decoder
from swarm.adapters.feeds.errors import (
    BadEncoding,
    BadStatus,
    BlockedAddress,
    BlockedHost,
    BlockedPort,
    BlockedScheme,
    BlockedUrl,
    EgressRefused,
    HostNotFound,
    HostUnreachable,
    TooLarge,
    TooManyRedirects,
    TooSlow,
    WrongContentType,
)
from swarm.adapters.feeds.guard import Egress
from swarm.contract.errors import SourceDown
from swarm.testing.loopback import http, serve

pytestmark = pytest.mark.req("LOOP-2")
BIG = 50_000_000


class Answers:
    """A resolver that gives another answer to each question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host, port):
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def test_bytes_come_back_with_their_marks(fetch, loopback, wanted):
    answer = http(b'{"a": 1}', kind="application/json; charset=utf-8", etag='"v1"')
    async with serve(lambda _: answer) as server:
        got = await fetch(loopback(server), wanted(f"{server.url}/x?y=1"))
    assert got.content == b'{"a": 1}'
    assert (got.media_type, got.charset, got.etag) == ("application/json", "utf-8", '"v1"')
    assert got.sha256 == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert server.requests[0].target == "/x?y=1"


async def test_known_bytes_are_asked_for_conditionally(fetch, loopback, wanted):
    def answer(request):
        same = request.headers.get("if-none-match") == '"v1"'
        return http(status="304 Not Modified") if same else http(b"{}", etag='"v1"')

    async with serve(answer) as server:
        got = await fetch(
            loopback(server), wanted(server.url, etag='"v1"', modified="Mon, 02 Mar 2026")
        )
    assert got.unchanged
    assert got.etag == '"v1"'
    assert server.requests[0].headers["if-modified-since"] == "Mon, 02 Mar 2026"


async def test_an_unchanged_answer_nobody_asked_for_is_an_error(fetch, loopback, wanted):
    async with serve(lambda _: http(status="304 Not Modified")) as server:
        with pytest.raises(BadStatus, match="304"):
            await fetch(loopback(server), wanted(server.url))


# --- redirects ----------------------------------------------------------------------------------


async def test_five_redirects_are_followed_and_six_are_not(fetch, loopback, wanted):
    def answer(request):
        left = int(request.target.strip("/"))
        if left == 0:
            return http(b"{}")
        return http(status="302 Found", location=f"/{left - 1}")

    async with serve(answer) as server:
        assert (await fetch(loopback(server), wanted(f"{server.url}/5"))).content == b"{}"
        with pytest.raises(TooManyRedirects):
            await fetch(loopback(server), wanted(f"{server.url}/6"))
    assert len(server.requests) == 12


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        ("http://169.254.169.254/latest/meta-data/", BlockedAddress),
        ("https://169.254.169.254/", BlockedAddress),
        ("http://[::1]:80/", BlockedAddress),
        ("file:///etc/passwd", BlockedScheme),
        ("gopher://127.0.0.1:6379/_FLUSHALL", BlockedScheme),
        ("https://evil.test/", BlockedHost),
        ("//evil.test/", BlockedScheme),
        ("http://127.0.0.1:1/", BlockedAddress),
        ("https://allowed.test:22/", BlockedPort),
        ("https://user:secret@allowed.test/", BlockedUrl),
        ("http://allowed.test/", BlockedScheme),
        ("https://[broken", BlockedHost),
        ("javascript:1", BlockedUrl),
        ("http://[::1", BlockedUrl),
        ("http://xn--/", BlockedUrl),
    ],
)
async def test_a_redirect_passes_the_same_checks(target, refusal, fetch, loopback, wanted):
    async with serve(lambda _: http(status="301 Moved", location=target)) as server:
        egress = loopback(server, hosts=("allowed.test",))
        with pytest.raises(refusal) as caught:
            await fetch(egress, wanted(server.url))
    assert type(caught.value) is refusal
    assert len(server.requests) == 1


async def test_a_token_stays_with_the_first_host(fetch, loopback, wanted):
    async with (
        serve(lambda _: http(b"{}")) as other,
        serve(lambda _: http(status="302 Found", location=other.url)) as server,
    ):
        await fetch(
            loopback(server, other), wanted(server.url, headers={"Authorization": "Bearer s3"})
        )
    assert server.requests[0].headers["authorization"] == "Bearer s3"
    assert "authorization" not in other.requests[0].headers
    assert "cookie" not in other.requests[0].headers


# --- names and addresses ------------------------------------------------------------------------


async def test_a_mixed_answer_is_refused_before_any_connection(fetch, wanted):
    async with serve(lambda _: http(b"{}")) as server:
        egress = Egress(hosts=frozenset({"feed.test"}), ports=frozenset({server.port}))
        with pytest.raises(BlockedAddress):
            await fetch(
                egress,
                wanted(f"https://feed.test:{server.port}/"),
                Answers(["93.184.215.14", "127.0.0.1"]),
            )
        assert server.connections == 0


async def test_the_address_that_was_checked_is_the_one_that_is_contacted(fetch, wanted):
    """Rebinding: the second answer leads elsewhere, so there must be no second question."""
    async with serve(lambda _: http(b"{}")) as honest:
        try:
            trap = serve(lambda _: http(b"[]"), "127.0.0.2", honest.port)
            async with trap as trapped:
                egress = Egress(hosts=frozenset(), internal=frozenset({("feed.test", honest.port)}))
                resolver = Answers(["127.0.0.1"], ["127.0.0.2"], ["169.254.169.254"])
                url = f"http://feed.test:{honest.port}/"
                assert (await fetch(egress, wanted(url), resolver)).content == b"{}"
                assert (resolver.asked, trapped.connections) == (1, 0)
        except OSError:
            pytest.skip("this system has no 127.0.0.2")


async def test_a_name_that_turns_inward_later_is_refused_then(fetch, wanted):
    async with serve(lambda _: http(b"{}")) as server:
        egress = Egress(hosts=frozenset(), internal=frozenset({("feed.test", server.port)}))
        resolver = Answers(["127.0.0.1"], ["169.254.169.254"])
        want = wanted(f"http://feed.test:{server.port}/")
        async with EgressClient(egress, resolver) as client:
            assert (await client.fetch(want)).content == b"{}"
            with pytest.raises(BlockedAddress):
                await client.fetch(want)


async def test_the_system_resolver_is_checked_like_any_other(fetch, wanted):
    egress = Egress(hosts=frozenset({"localhost"}))
    with pytest.raises(BlockedAddress, match="localhost"):
        await fetch(egress, wanted("https://localhost/"))


async def test_a_name_without_address_is_no_refusal(fetch, wanted):
    with pytest.raises(HostNotFound):
        await fetch(
            Egress(hosts=frozenset({"nowhere.invalid"})), wanted("https://nowhere.invalid/")
        )


async def test_the_next_address_is_tried_when_one_does_not_answer(fetch, wanted):
    async with serve(lambda _: http(b"{}")) as server:
        egress = Egress(hosts=frozenset(), internal=frozenset({("two.test", server.port)}))
        got = await fetch(
            egress, wanted(f"http://two.test:{server.port}/"), Answers(["::1", "127.0.0.1"])
        )
    assert got.content == b"{}"


async def test_proxies_of_the_environment_are_not_used(monkeypatch, fetch, loopback, wanted):
    async with serve(lambda _: http(b"{}")) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert (await fetch(loopback(server), wanted(server.url))).content == b"{}"


async def test_nobody_there_is_no_refusal(fetch, loopback, wanted):
    async with serve(lambda _: http(b"{}")) as server:
        egress = loopback(server)
    with pytest.raises(HostUnreachable):
        await fetch(egress, wanted(server.url))


# --- caps ---------------------------------------------------------------------------------------


def chunked(parts, kind="application/json", **headers):
    head = http(b"", kind=kind, transfer_encoding="chunked", **headers)
    head = b"\r\n".join(
        line for line in head.split(b"\r\n") if not line.startswith(b"content-length")
    )
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head + body + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(b"x" * 100_001), id="announced"),
        pytest.param(chunked([b"x" * 10_000] * 11), id="in-chunks"),
        pytest.param(http(gzip.compress(bytes(BIG)), content_encoding="gzip"), id="gzip-bomb"),
        pytest.param(
            http(gzip.compress(bytes(90_000)) * 2, content_encoding="gzip"), id="gzip-twice"
        ),
        pytest.param(
            http(zlib.compress(bytes(BIG)), content_encoding="deflate"), id="deflate-bomb"
        ),
        pytest.param(http(b"{}", x_long="h" * 40_000), id="long-header"),
    ],
)
async def test_more_than_may_be_is_not_taken(answer, fetch, loopback, wanted):
    async with serve(lambda _: answer) as server:
        with pytest.raises(TooLarge):
            await fetch(loopback(server), wanted(server.url))


async def test_endless_headers_end(fetch, loopback, wanted):
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(20_000))
    async with serve(lambda _: head) as server:
        with pytest.raises((TooLarge, HostUnreachable)):
            await fetch(loopback(server), wanted(server.url))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b'{"a":1}', mtime=0), "gzip"),
        (gzip.compress(b'{"a"', mtime=0) + gzip.compress(b":1}", mtime=0), "gzip"),
        (zlib.compress(b'{"a":1}'), "deflate"),
        (zlib.compress(b'{"a":1}', wbits=-15), "deflate"),
        (b'{"a":1}', "identity"),
    ],
)
async def test_compressed_answers_are_unpacked(body, encoding, fetch, loopback, wanted):
    async with serve(lambda _: http(body, content_encoding=encoding)) as server:
        assert (await fetch(loopback(server), wanted(server.url))).content == b'{"a":1}'


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"no gzip", "gzip"),
        (gzip.compress(b"half", mtime=0)[:-9], "gzip"),
        (b"x", "br"),
        (b"x", "gzip, gzip"),
    ],
)
async def test_damaged_or_unknown_compression_is_refused(body, encoding, fetch, loopback, wanted):
    async with serve(lambda _: http(body, content_encoding=encoding)) as server:
        with pytest.raises(BadEncoding):
            await fetch(loopback(server), wanted(server.url))


async def test_a_server_that_never_answers_is_given_up(fetch, loopback, wanted):
    async def silence(_request):
        await server.held.wait()
        return b""

    async with serve(silence) as server:
        with pytest.raises(TooSlow):
            await fetch(loopback(server), wanted(server.url, timeout=timedelta(seconds=0.2)))


async def test_a_server_that_drips_is_given_up_too(fetch, wanted):
    """Each byte arrives in time; only a deadline over the whole answer ends this."""

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            writer.close()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    egress = Egress(hosts=frozenset(), internal=frozenset({("127.0.0.1", port)}))
    with pytest.raises(TooSlow):
        await fetch(egress, wanted(f"http://127.0.0.1:{port}/", timeout=timedelta(seconds=0.3)))
    listening.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x01\x02",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-type: application/json\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\nz",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
async def test_what_is_no_http_is_a_source_that_is_down(raw, fetch, loopback, wanted):
    async with serve(lambda _: raw) as server:
        with pytest.raises((HostUnreachable, WrongContentType)):
            await fetch(loopback(server), wanted(server.url))


WIRE = (b"HTTP/1.1 200 OK\r\n", b"content-type: application/json\r\n", b"content-length: 3\r\n")
WIRE += (b"transfer-encoding: chunked\r\n", b"content-encoding: gzip\r\n", b"\r\n", b"3\r\n{ }\r\n")
WIRE += (
    b"HTTP/1.1 302 Found\r\n",
    b"location: /\r\n",
    b"location: http://10.0.0.1/\r\n",
    b"0\r\n\r\n",
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(raw=st.binary(max_size=60) | st.lists(st.sampled_from(WIRE), max_size=9).map(b"".join))
async def test_no_bytes_on_the_wire_are_more_than_a_source_that_is_down(
    raw, fetch, loopback, wanted
):
    async with serve(lambda _: raw) as server:
        try:
            got = await fetch(loopback(server), wanted(server.url))
        except (SourceDown, EgressRefused):
            return
    assert len(got.content) <= 100_000


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "", "application/jsonx"])
async def test_another_type_is_refused(kind, fetch, loopback, wanted):
    async with serve(lambda _: http(b"<html>", kind=kind)) as server:
        with pytest.raises(WrongContentType):
            await fetch(loopback(server), wanted(server.url))


async def test_a_family_of_types_is_understood(fetch, loopback, wanted):
    async with serve(lambda _: http(b"{}", kind="application/vnd.api+json; v=1")) as server:
        got = await fetch(loopback(server), wanted(server.url, types=frozenset({"+json"})))
    assert got.media_type == "application/vnd.api+json"


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [
        ("429 Too Many Requests", {"retry_after": "120"}, timedelta(minutes=2)),
        ("503 Unavailable", {"retry_after": "99999999999"}, timedelta(days=1)),
        ("503 Unavailable", {"retry_after": "Mon, 02 Mar 2020 00:00:00 GMT"}, timedelta(0)),
        ("500 Oops", {"retry_after": "soon"}, None),
        ("404 Not Found", {}, None),
        ("204 No Content", {}, None),
    ],
)
async def test_an_error_says_its_status_and_how_long_to_stay_away(
    status, header, wait, fetch, loopback, wanted
):
    async with serve(lambda _: http(b"", status=status, **header)) as server:
        with pytest.raises(BadStatus, match=status[:3]) as caught:
            await fetch(loopback(server), wanted(server.url))
    assert caught.value.retry_after == wait


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for feed.test, made by openssl, and nothing that anybody trusts by default."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    command += ["-subj", "/CN=feed.test", "-addext", "subjectAltName=DNS:feed.test"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, str(folder / "cert.pem")


async def test_certificates_are_verified_against_the_name_and_not_the_address(
    authority, fetch, wanted
):
    context, ca_file = authority
    async with serve(lambda _: http(b"{}"), context=context) as server:
        names = frozenset({("feed.test", server.port), ("other.test", server.port)})
        egress = Egress(hosts=frozenset(), internal=names)
        resolver = Answers(["127.0.0.1"])
        async with EgressClient(egress, resolver, ca_file=ca_file) as client:
            want = wanted(f"https://feed.test:{server.port}/")
            assert (await client.fetch(want)).content == b"{}"
            with pytest.raises(HostUnreachable, match=r"(?i)hostname|certificate"):
                await client.fetch(wanted(f"https://other.test:{server.port}/"))
        async with EgressClient(egress, resolver) as client:
            with pytest.raises(HostUnreachable, match=r"(?i)certificate"):
                await client.fetch(want)


async def test_a_mark_that_no_header_can_carry_is_not_sent_back(fetch, loopback, wanted):
    """Kept with the cursor, it would make every later reading fail."""
    head = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "\xe9"\r\n'
    answer = head + b"Last-Modified: gestern fr\xfch\r\nContent-Length: 2\r\n\r\n{}"
    async with serve(lambda _: answer) as server:
        first = await fetch(loopback(server), wanted(server.url))
        marks = {"etag": first.etag, "modified": first.modified}
        again = await fetch(loopback(server), wanted(server.url, **marks))
    assert again.content == b"{}"
    assert "if-none-match" not in server.requests[1].headers


async def test_an_address_that_never_answers_costs_only_its_share_of_the_time(
    fetch, wanted, monkeypatch
):
    """Such a host would otherwise be dark for as long as its dead address is told first."""
    real = httpcore.AnyIOBackend.connect_tcp

    async def connect(self, host, port, share=None, *rest):
        if host == "127.0.0.2":
            await asyncio.sleep(60 if share is None else share)
            raise httpcore.ConnectTimeout("nobody took it")
        return await real(self, host, port, share, *rest)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    async with serve(lambda _: http(b"{}")) as server:
        egress = Egress(hosts=frozenset(), internal=frozenset({("two.example", server.port)}))
        url = f"http://two.example:{server.port}/"
        two = Answers(["127.0.0.2", "127.0.0.1"])
        got = await fetch(egress, wanted(url, timeout=timedelta(seconds=2)), two)
    assert got.content == b"{}"


@pytest.mark.parametrize("window", [zlib.MAX_WBITS, -zlib.MAX_WBITS], ids=["zlib", "raw"])
@pytest.mark.parametrize("size", range(262_144, 262_144 + 520, 52))
def test_what_unpacks_to_just_over_a_step_is_whole(window, size):
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    decoder = Decoder("deflate", BIG)
    decoder.feed(packer.compress(b"a" * size) + packer.flush())
    assert len(decoder.done()) == size
