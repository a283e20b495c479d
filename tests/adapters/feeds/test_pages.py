"""Cited pages, fetched again over real sockets: said, edited, gone, out of reach."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from swarm.adapters.feeds.errors import BadStatus, HostUnreachable
from swarm.adapters.feeds.pages import WebPages
from swarm.adapters.feeds.settings import FeedSettings
from swarm.core.decision import ReadCitation
from swarm.core.ids import MissionId, OrderKey, evidence_id
from swarm.core.nouns import Cited
from swarm.ports.reply import Done, Later
from swarm.testing.loopback import http, serve

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TITLE = "Leak in 4.2"
BODY = "Headers without a colon leak memory. Upgrade to 4.2.1 as soon as you can!"
PAGE = f"<html><h1>{TITLE}</h1><p>Headers without a colon\nleak memory.</p></html>".encode()

pytestmark = pytest.mark.req("GATE-1")


def order(url, source="feed", **over):
    claim = {"origin": "news.example", "external": True, "trust": 0.8, "title": TITLE, "body": BODY}
    return ReadCitation(
        key=OrderKey(f"m-1/cite/{url}"), mission=MissionId("m-1"), mission_class="docs",
        policy_hash="p", forward=False, repo="app",
        cited=Cited(citation=url, source=source, **{**claim, **over}),
    )  # fmt: skip


def pages(server, **settings):
    plain = {"kind": "feed", "name": "feed", "url": f"{server.url}/feed", "timeout": "5s"}
    plain["allow_internal"] = (server.entry,)
    found = FeedSettings(**{**plain, **settings})
    return WebPages({"feed": found}, lambda: NOON, secret={"TOKEN": "s3cret"}.get)


async def test_a_page_that_still_says_it_is_kept_with_its_provenance():
    def answer(request):
        if request.target == "/old":
            return http(status="302 Found", location="/new")
        return http(PAGE, kind="text/html; charset=utf-8")

    async with serve(answer) as server:
        wanted = order(f"{server.url}/old")
        done = await pages(server).read(wanted)
    assert isinstance(done, Done)
    fact = done.fact
    assert (fact.id, fact.gone, fact.claims) == (evidence_id(wanted.key), False, True)
    assert fact.where == f"{server.url}/new"
    assert fact.redirects == (f"{server.url}/old",)
    assert (fact.media_type, fact.tier) == ("text/html", "trusted")
    assert fact.sha256 == hashlib.sha256(PAGE).hexdigest()
    said = ["leak in 4.2", "headers without a colon leak memory."]
    assert [one.sha256 for one in fact.excerpts] == [
        hashlib.sha256(text.encode()).hexdigest() for text in said
    ]


async def test_a_page_that_was_edited_says_so():
    async with serve(lambda _: http(b"<h1>Withdrawn</h1>", kind="text/html")) as server:
        done = await pages(server).read(order(f"{server.url}/1"))
    assert (done.fact.gone, done.fact.claims, done.fact.excerpts) == (False, False, ())


async def test_a_claim_in_a_hidden_element_is_not_said():
    hidden = f"<p style='display:none'>{TITLE}</p><p>Nothing to see</p>".encode()
    async with serve(lambda _: http(hidden, kind="text/html")) as server:
        done = await pages(server).read(order(f"{server.url}/1", body=""))
    assert done.fact.claims is False
    assert done.fact.flags == ("hidden_text",)


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_a_page_that_is_gone_is_a_fact(status):
    async with serve(lambda _: http(status=status)) as server:
        done = await pages(server).read(order(f"{server.url}/1"))
    assert (done.fact.gone, done.fact.claims) == (True, False)


@pytest.mark.parametrize("status", ["500 Oops", "403 Forbidden", "429 Slow down"])
async def test_an_error_of_the_server_is_no_answer(status):
    async with serve(lambda _: http(status=status)) as server:
        with pytest.raises(BadStatus):
            await pages(server).read(order(f"{server.url}/1"))


async def test_a_server_that_is_away_is_no_answer():
    async with serve(lambda _: http(PAGE)) as server:
        reader, wanted = pages(server), order(f"{server.url}/1")
    with pytest.raises(HostUnreachable):
        await reader.read(wanted)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("https://elsewhere.example/1", "BlockedHost", id="a-host-nobody-allowed"),
        pytest.param("http://169.254.169.254/latest", "BlockedAddress", id="metadata"),
        pytest.param("file:///etc/passwd", "BlockedScheme", id="a-file"),
        pytest.param("no address", "BlockedUrl", id="no-address"),
    ],
)
async def test_what_our_rules_forbid_is_waited_for_by_name(url, reason):
    async with serve(lambda _: http(PAGE)) as server:
        later = await pages(server).read(order(url))
        assert server.connections == 0
    assert isinstance(later, Later)
    assert (later.reason, later.capacity) == (reason, True)


async def test_a_source_that_nobody_binds_any_more_is_waited_for():
    async with serve(lambda _: http(PAGE)) as server:
        later = await pages(server).read(order(f"{server.url}/1", source="gone"))
    assert isinstance(later, Later)
    assert later.reason == "SourceNotBound"


async def test_the_sources_token_goes_to_its_own_place_alone():
    async with (
        serve(lambda _: http(PAGE, kind="text/html")) as own,
        serve(lambda _: http(PAGE, kind="text/html")) as other,
    ):
        reader = pages(own, token_env="TOKEN", allow_internal=(own.entry, other.entry))
        for server in (own, other):
            await reader.read(order(f"{server.url}/1"))
    assert own.requests[0].headers["authorization"] == "Bearer s3cret"
    assert "authorization" not in other.requests[0].headers
