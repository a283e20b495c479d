"""What the proxy passes on, byte for byte, and what it counts."""

import asyncio
import json
import socket
from itertools import pairwise
from pathlib import Path

import httpcore
import pytest

from swarm.adapters.local.service.exposition import EDGES, Counters
from swarm.adapters.local.service.routing import Route, Routes

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture(scope="module")
def running(bench_class, tmp_path_factory):
    """One target for all tests of this file: nothing here changes it."""
    bench = bench_class(tmp_path_factory.mktemp("forwarding"))
    asyncio.run(bench.up())
    yield bench
    asyncio.run(bench.service.clean())
    assert bench.processes() == {}


@pytest.fixture
async def up(running):
    """The target, and what it had counted before."""
    running.before = (await running.service.read_look()).stable
    return running


async def counted(up):
    """(all, bad) requests since the test began."""
    now = (await up.service.read_look()).stable
    return now.total - up.before.total, now.bad - up.before.bad


@pytest.mark.fast("GET")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
async def test_method_path_query_headers_and_body_arrive(up, method):
    body = b"hello" if method in {"POST", "PUT", "PATCH"} else None
    status, headers, said = await up.get(
        "/echo/a%20b?x=1&y=%2F", method=method, content=body, headers={"X-Mine": "1"}
    )
    said = json.loads(said)
    assert status == 200
    assert (said["method"], said["path"]) == (method, "/echo/a%20b?x=1&y=%2F")
    assert said["headers"]["x-mine"] == "1"
    assert said["headers"]["host"] == f"127.0.0.1:{up.settings.port}"
    assert said["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert said["body"] == (body or b"").decode()
    assert ("x-app", "yes") in headers
    assert ("x-swarm-revision", OLD) in headers
    assert [v for n, v in headers if n == "set-cookie"] == ["a=1", "b=2"]


async def test_a_chunked_request_arrives_whole(up):
    async def parts():
        for part in (b"one ", b"two ", b"three"):
            yield part

    _, _, said = await up.get("/echo", method="POST", content=parts())
    assert json.loads(said)["body"] == "one two three"


async def test_headers_of_the_connection_stay_with_it(up):
    _, headers, said = await up.get(
        "/echo", headers={"Connection": "x-private, close", "X-Private": "1", "TE": "trailers"}
    )
    names = json.loads(said)["headers"]
    assert not {"x-private", "te"} & set(names)
    assert "transfer-encoding" not in dict(headers)


@pytest.mark.slow
async def test_a_streamed_answer_arrives_as_it_comes(up):
    status, _, body = await up.get("/stream")
    assert (status, body) == (200, b"onetwothree")


@pytest.mark.slow
async def test_an_answer_cut_off_is_cut_off_for_the_client_and_counted(up):
    with pytest.raises(httpcore.RemoteProtocolError):
        await up.get("/cut")
    assert await counted(up) == (1, 1)


@pytest.mark.slow
@pytest.mark.req("GATE-5")
async def test_a_version_that_says_nothing_is_an_error_after_the_timeout(make):
    target = make(request_timeout="200ms")
    await target.up()
    status, _, _ = await target.get("/slow")
    look = await target.service.read_look()
    assert status == 502
    assert (look.stable.total, look.stable.bad) == (1, 1)


@pytest.mark.slow
async def test_a_client_that_goes_away_is_no_error_of_the_version(up):
    client = socket.create_connection(("127.0.0.1", up.settings.port))
    client.sendall(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
    await asyncio.sleep(0.2)
    client.close()
    for _ in range(100):
        if (await counted(up))[0]:
            break
        await asyncio.sleep(0.05)
    assert await counted(up) == (1, 0)


@pytest.mark.fast("no-host")
@pytest.mark.parametrize(
    ("sent", "status", "total"),
    [
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", 200, 1, id="no-host"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: host\r\n\r\n", 200, 1, id="host"),
        pytest.param(
            b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: content-length\r\n"
            b"content-length: 2\r\n\r\nhi",
            *(200, 1),
            id="length",
        ),
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n", 405, 0, id="tunnel"),
    ],
)
@pytest.mark.req("GATE-5")
async def test_an_odd_client_is_no_error_of_the_version(up, sent, status, total):
    """Monitors speak HTTP/1.0, and whoever likes may list any header with `connection`."""
    with socket.create_connection(("127.0.0.1", up.settings.port)) as client:
        client.settimeout(5)
        client.sendall(sent)
        said = await asyncio.to_thread(client.recv, 4096)
    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert await counted(up) == (total, 0)


@pytest.mark.fast("bad-header")
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n", id="bad-header"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="tls"),
        pytest.param(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n"
            b"transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
            id="two-lengths",
        ),
        pytest.param(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", id="endless-path"),
    ],
)
async def test_nonsense_is_refused_and_the_proxy_goes_on(up, sent):
    client = socket.create_connection(("127.0.0.1", up.settings.port))
    client.settimeout(5)
    client.sendall(sent)
    client.shutdown(socket.SHUT_WR)
    await asyncio.to_thread(client.recv, 4096)
    client.close()
    assert await up.traffic(3) == {OLD: 3}


@pytest.mark.slow
async def test_without_any_version_the_proxy_says_so(target):
    await target.up()
    await target.service.stop()
    target.folder.joinpath("state.json").unlink()
    await target.service._parts.front.ensure()
    status, _, body = await target.get("/")
    assert (status, body) == (503, b"no version of this service is running\n")


def listening(port):
    """Addresses that this machine listens at with this port, as the kernel writes them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    at = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {address for address, number in at if int(number, 16) == port}


async def test_only_loopback_can_reach_it(up):
    assert listening(up.settings.port) == {"0100007F"}


@pytest.mark.fast("0")
@pytest.mark.req("GATE-5")
@pytest.mark.parametrize("percent", [0, 1, 10, 30, 100])
def test_the_split_is_drawn_for_each_request(tmp_path, percent):
    routes = Routes(tmp_path)
    routes.stable = Route(arm="stable", revision=OLD, port=1)
    routes.canary = Route(arm="canary", revision=NEW, port=2)
    routes.percent = percent
    canary = sum(routes.pick() is routes.canary for _ in range(20_000))
    spread = (20_000 * percent / 100 * (1 - percent / 100)) ** 0.5
    assert abs(canary - 200 * percent) <= 5 * spread


def test_without_a_canary_everything_goes_to_the_stable_version(tmp_path):
    routes = Routes(tmp_path)
    routes.stable = Route(arm="stable", revision=OLD, port=1)
    routes.percent = 100
    assert routes.pick() is routes.stable


@pytest.mark.slow
def test_versions_that_went_vanish_from_the_counters(tmp_path):
    counters, routes = Counters("e"), Routes(tmp_path)
    routes.stable = Route(arm="stable", revision=OLD, port=1)
    routes.canary = Route(arm="canary", revision=NEW, port=2)
    counters.follow(routes)
    counters.count(NEW, "ok", 0.01)
    routes.canary = None
    counters.follow(routes)
    counters.count(NEW, "ok", 0.01)
    text = b"".join(counters.text()).decode()
    assert OLD in text
    assert NEW not in text


@pytest.mark.slow
def test_neighbouring_edges_differ_by_less_than_a_fifth():
    """A rise of p95 by 15 % must move requests across an edge."""
    assert EDGES[0] == 0.0001
    assert EDGES[-1] > 60
    assert all(b / a < 1.2 for a, b in pairwise(EDGES))
