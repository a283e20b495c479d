"""Looks from a Prometheus: the published API contract, and a real server where one is installed."""

import asyncio
import json
import math
import shutil
import subprocess
import time
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from swarm.adapters.local.service.asking import ask
from swarm.adapters.local.service.errors import BadQuery, MetricsUnreadable
from swarm.adapters.local.service.queries import PrometheusReader
from swarm.adapters.local.service.versions import free_port
from swarm.core.rollout.counts import Absent, AbsentWhy

from .prometheus import ENDLESS, LATENCY, settings, vector

OLD, NEW = "a" * 40, "b" * 40
pytestmark = pytest.mark.req("GATE-5")


@pytest.mark.slow
async def test_a_look_reads_both_arms_at_one_time(server):
    answers = {"total": vector(({}, "1000")), "bad": vector(({}, "10"))}
    look = await server.reader(answers).look(OLD, NEW, 10)
    assert (look.stable.total, look.stable.bad, look.traffic_percent) == (1000, 10, 10)
    assert look.canary.total == 1000
    assert {path for path, _, _ in server.asked} == {"/api/v1/query"}
    assert len({form["time"] for _, _, form in server.asked}) == 1
    assert sum(OLD in form["query"] for _, _, form in server.asked) == 2


async def test_a_look_at_an_earlier_time_asks_for_that_time(server):
    answers = {"total": vector(({}, "1000")), "bad": vector(({}, "10"))}
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    look = await server.reader(answers).look(OLD, None, 0, at)
    assert (look.observed_at, look.serving().counts.total) == (at, 1000)
    assert {form["time"] for _, _, form in server.asked} == {"1772366400.000"}


@pytest.mark.parametrize(
    ("total", "bad", "why"),
    [
        pytest.param(vector(), vector(({}, "1")), AbsentWhy.NOT_REPORTED, id="no-total"),
        pytest.param(vector(({}, "9")), vector(), AbsentWhy.NOT_REPORTED, id="no-bad-series"),
        pytest.param(
            vector(({}, "NaN")), vector(({}, "0")), AbsentWhy.NOT_A_NUMBER, id="nan-is-no-traffic"
        ),
    ],
)
async def test_no_data_is_absent_and_never_zero(server, total, bad, why):
    look = await server.reader({"total": total, "bad": bad}).look(OLD, None, 10)
    assert isinstance(look.stable, Absent)
    assert look.stable.why is why
    assert isinstance(look.canary, Absent)


async def test_buckets_become_a_histogram(server):
    rows = [({"le": "0.1"}, "5"), ({"le": "+Inf"}, "9"), ({"le": "0.5"}, "8")]
    answers = {"total": vector(({}, "9")), "bad": vector(({}, "0")), "latency": vector(*rows)}
    look = await server.reader(answers, latency=LATENCY).look(OLD, None, 10)
    assert look.stable.latency.edges == (0.1, 0.5)
    assert look.stable.latency.cumulative == (5, 8)
    assert look.stable.latency.total == 9


async def test_a_scalar_is_a_number_too(server):
    scalar = 200, {"status": "success", "data": {"resultType": "scalar", "result": [1.0, "7"]}}
    look = await server.reader({"total": scalar, "bad": scalar}).look(OLD, None, 10)
    assert look.stable.total == 7


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        pytest.param(
            (400, {"status": "error", "errorType": "bad_data", "error": "parse error"}),
            BadQuery,
            "parse error",
            id="refused-query",
        ),
        pytest.param(
            (503, {"status": "error", "errorType": "timeout", "error": "query timed out"}),
            MetricsUnreadable,
            "timed out",
            id="timeout",
        ),
        pytest.param((502, "<html>bad gateway"), MetricsUnreadable, "502", id="no-prometheus"),
        pytest.param((200, "[]"), MetricsUnreadable, "format", id="no-envelope"),
        pytest.param(
            (200, {"status": "success", "data": {"resultType": "matrix", "result": []}}),
            MetricsUnreadable,
            "format",
            id="matrix",
        ),
        pytest.param(
            (200, {**vector(({}, "1"))[1], "warnings": ["partial response"]}),
            MetricsUnreadable,
            "partial response",
            id="partial",
        ),
        pytest.param(
            vector(({"pod": "a"}, "1"), ({"pod": "b"}, "2")), BadQuery, "2 series", id="two-series"
        ),
    ],
)
async def test_what_is_no_clear_answer_is_an_error_and_no_look(server, answer, error, says):
    with pytest.raises(error, match=says):
        await server.reader({"total": answer, "bad": answer}).look(OLD, None, 10)


async def test_buckets_with_further_labels_are_refused(server):
    rows = [({"le": "0.1", "pod": "a"}, "5"), ({"le": "+Inf", "pod": "a"}, "9")]
    answers = {"total": vector(({}, "9")), "bad": vector(({}, "0")), "latency": vector(*rows)}
    with pytest.raises(BadQuery, match="sum by"):
        await server.reader(answers, latency=LATENCY).look(OLD, None, 10)


@pytest.mark.parametrize("edge", ["fast", "", "NaN"])
async def test_a_bucket_without_an_edge_is_refused(server, edge):
    rows = [({"le": edge}, "5"), ({"le": "+Inf"}, "9")]
    answers = {"total": vector(({}, "9")), "bad": vector(({}, "0")), "latency": vector(*rows)}
    with pytest.raises(BadQuery, match="one series per `le`"):
        await server.reader(answers, latency=LATENCY).look(OLD, None, 10)


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://:9090", "http://p:0", "http://p:65536", "http://p:x", "ftp://p", "p"],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValidationError, match="url"):
        settings(url=url)


async def test_a_name_that_is_none_is_told_as_a_server_that_cannot_be_asked():
    with pytest.raises(MetricsUnreadable):
        await PrometheusReader(settings(url="http://xn--/")).look(OLD, None, 10)


async def test_a_server_that_is_away_is_not_no_data():
    reader = PrometheusReader(settings(url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(MetricsUnreadable):
        await reader.look(OLD, NEW, 10)


async def test_an_endless_answer_is_cut(server):
    with pytest.raises(MetricsUnreadable, match="more than"):
        await server.reader({"total": (200, ENDLESS)}).look(OLD, None, 10)


async def test_a_token_is_read_from_its_file(server, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    answers = {"total": vector(({}, "1")), "bad": vector(({}, "0"))}
    await server.reader(answers, token_file=tmp_path / "token").look(OLD, None, 10)
    sent = {name.lower(): value for name, value in server.asked[0][1].items()}
    assert sent["authorization"] == "Bearer s3cret"


async def test_a_revision_that_would_change_the_query_is_refused(server):
    with pytest.raises(BadQuery, match="cannot be put into a query"):
        await server.reader({}).look('x"} or vector(0) or x{a="', None, 10)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("sum(http_requests_total)", "{revision} is missing", id="both-arms-the-same"),
        pytest.param('sum(rate(x{r="{revision}"}[1m]))', "rate() is not a counter", id="rate"),
        pytest.param('sum(increase(x{r="{revision}"}[1m]))', "increase()", id="increase"),
        pytest.param('sum(x{r="{revision}"}) or vector(0)', "no data", id="fallback-to-zero"),
        pytest.param('sum(x{r="{revision}"}) or on() vector(0)', "no data", id="fallback-on"),
    ],
)
def test_a_query_that_could_not_tell_the_truth_is_refused(query, says):
    with pytest.raises(ValidationError) as caught:
        settings(total=query)
    assert says in str(caught.value)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus is installed here")
async def test_a_real_prometheus_tells_what_the_proxy_counted(target, tmp_path):
    """The proxy is scraped by a real server, and its numbers are the proxy's own."""
    await target.up()
    await target.canary(40, fail_every=4)
    await target.traffic(100)
    own = await target.service.read_look()
    admin = json.loads((target.folder / "proxy.json").read_text())["admin_port"]
    port = free_port()
    server = start_prometheus(tmp_path, port, admin)
    try:
        await ready(port)
        reader = PrometheusReader(settings(url=f"http://127.0.0.1:{port}", latency=LATENCY))
        look = await settled(reader, own)
        assert (look.stable.total, look.stable.bad) == (own.stable.total, own.stable.bad)
        assert (look.canary.total, look.canary.bad) == (own.canary.total, own.canary.bad)
        assert look.canary.latency == own.canary.latency
        nothing = await reader.look("never-deployed", None, 10)
        assert isinstance(nothing.stable, Absent)
        broken = settings(url=f"http://127.0.0.1:{port}", total='sum(x{r="{revision}"}')
        with pytest.raises(BadQuery, match="parse error"):
            await PrometheusReader(broken).look(OLD, None, 10)
    finally:
        server.terminate()
        server.wait()


def start_prometheus(folder, port, scraped):
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        "- job_name: proxy\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]\n"
    )
    return subprocess.Popen(
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def ready(port):
    until = time.monotonic() + 30
    while (said := await ask(port, "/-/ready")) is None or not said.ok:
        assert time.monotonic() < until, "Prometheus did not start"
        await asyncio.sleep(0.1)


async def settled(reader, own):
    """The first look in which the server has scraped everything that was counted."""
    until = time.monotonic() + 20
    while True:
        look = await reader.look(OLD, NEW, 40)
        total = math.nan if isinstance(look.stable, Absent) else look.stable.total
        if total == own.stable.total or time.monotonic() > until:
            return look
        await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("[" * 100_000, id="nested-without-end"),
        pytest.param(vector((None, "1"))[1], id="no-labels"),
        pytest.param(vector(({}, 10**400))[1], id="no-float-holds-it"),
    ],
)
async def test_an_answer_that_is_none_is_unreadable_and_no_fault_of_ours(server, said):
    with pytest.raises(MetricsUnreadable, match="not in the format"):
        await server.reader({"total": (200, said), "bad": (200, said)}).look(OLD, None, 10)


@pytest.mark.parametrize("token", [b"", b"t\xf6k", "t\xf6k".encode(), b"two\nlines"])
async def test_a_token_that_no_header_can_carry_is_told(server, tmp_path, token):
    file = tmp_path / "token"
    file.write_bytes(token)
    with pytest.raises(MetricsUnreadable, match="holds no token"):
        await server.reader({}, token_file=file).look(OLD, None, 10)


async def test_an_answer_that_trickles_in_has_no_longer_than_the_timeout():
    async def trickle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await asyncio.sleep(0.05)
        writer.close()

    listening = await asyncio.start_server(trickle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    asking = PrometheusReader(settings(url=f"http://127.0.0.1:{port}", timeout="300ms"))
    began = time.monotonic()
    with pytest.raises(MetricsUnreadable, match=r"did not answer within 0\.3 s"):
        await asking.look(OLD, None, 10)
    assert time.monotonic() - began < 2
    listening.close()
