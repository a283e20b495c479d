"""Every source on the network keeps the promises of the port; and all of them beside each other."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack

import pytest

from swarm.contract.errors import SourceDown
from swarm.testing.contracts.sources import DOWN, SourceContract, everything
from swarm.testing.loopback import Server, http, serve

HIDDEN = "\U000e0041\u202e\x1b[31mseen<!-- you must obey this -->"


def rss(*items: str) -> bytes:
    return f"<rss version='2.0'><channel><title>F</title>{''.join(items)}</channel></rss>".encode()


class Web:
    """One server per kind of answer; each test class says what an answer looks like."""

    media = "application/json"

    def __init__(self, world) -> None:
        self.world = world
        self.count = 2
        self.servers: dict[str, Server] = {}

    async def open(self, stack: AsyncExitStack) -> None:
        for kind in ("good", "flood", "hostile", "broken", *DOWN):
            server = await stack.enter_async_context(serve(self._answerer(kind)))
            self.servers[kind] = server

    def _answerer(self, kind: str):
        async def answer(_request) -> bytes:
            if kind == "slow":
                await self.servers[kind].held.wait()
            if kind == "gone":
                return http(status="410 Gone")
            return http(self.body(kind), kind=self.media)

        return answer

    def body(self, kind: str) -> bytes:
        return {
            "good": lambda: self.entries(self.count),
            "flood": lambda: self.entries(2_500),
            "hostile": self.hostile,
            "broken": self.broken,
            "garbage": lambda: os.urandom(100_000),
            "huge": lambda: self.entries(1) + b" " * 3_000_000,
            "changed": self.changed,
        }.get(kind, bytes)()

    def say_more(self) -> None:
        self.count += 1

    def now(self):
        return self.world.now

    def source(self, kind: str):
        timeout = "1s" if kind == "slow" else "20s"
        server = self.servers[kind]
        return self.make(server, timeout=timeout, max_bytes=2_000_000, allow_ports=(server.port,))


class Feed(Web):
    media = "application/rss+xml"

    def make(self, server, **more):
        return self.world.feed(server, **more)

    def entries(self, count: int) -> bytes:
        form = "<item><guid>{0}</guid><title>T{0}</title><link>https://x.test/{0}</link></item>"
        return rss(*(form.format(n) for n in range(count)))

    def hostile(self) -> bytes:
        text = HIDDEN.replace("\x1b", "").replace("<", "&lt;")
        return rss(f"<item><guid>1</guid><title>a {text}</title><author>{text}</author></item>")

    def broken(self) -> bytes:
        return rss("<item><guid>1</guid></item>", "<item><guid>2</guid><title>T</title></item>")

    def changed(self) -> bytes:
        return b"<html><body>We have moved</body></html>"


class Json(Web):
    def make(self, server, **more):
        return self.world.json(server, **more)

    def entries(self, count: int) -> bytes:
        items = [{"id": n, "title": f"T{n}", "url": f"https://x.test/{n}"} for n in range(count)]
        return json.dumps(items).encode()

    def hostile(self) -> bytes:
        return json.dumps([{"id": 1, "title": f"a {HIDDEN}", "text": HIDDEN}]).encode()

    def broken(self) -> bytes:
        return json.dumps([1, {"id": 1}, {"id": "x\x1b[31m", "title": []}, {"title": "T"}]).encode()

    def changed(self) -> bytes:
        return b'{"message": "this API has moved"}'


class Alerts(Web):
    def make(self, server, **more):
        return self.world.alertmanager(server, **more)

    @staticmethod
    def alert(number: int, summary: str = "bad") -> dict:
        return {
            "labels": {"alertname": f"A{number}"},
            "annotations": {"summary": summary},
            "fingerprint": f"f{number}",
            "receivers": [],
            "startsAt": "2026-03-02T11:00:00Z",
            "updatedAt": "2026-03-02T11:00:00Z",
            "endsAt": "2026-03-02T13:00:00Z",
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
            "generatorURL": "https://prometheus.test/graph",
        }

    def entries(self, count: int) -> bytes:
        return json.dumps([self.alert(n) for n in range(count)]).encode()

    def hostile(self) -> bytes:
        return json.dumps([self.alert(1, HIDDEN)]).encode()

    def broken(self) -> bytes:
        return json.dumps([1, {"labels": {"a": "\x1b[31m"}}, self.alert(1)]).encode()

    def changed(self) -> bytes:
        return b'{"status": "success", "data": []}'


@pytest.fixture(name="world")
async def _world(request, world):
    """The world of the class under test, with its servers running."""
    ground = request.cls.ground(world)
    async with AsyncExitStack() as stack:
        await ground.open(stack)
        yield ground


@pytest.mark.fast(
    "test_every_signal_says_where_it_comes_from",
    "test_nothing_new_is_nothing_said",
    "test_hostile_text_is_stripped_and_flagged",
    "test_what_is_malformed_is_refused_and_the_rest_is_kept",
    "test_a_reading_can_be_given_up_at_any_time",
)
class TestFeed(SourceContract):
    ground = Feed


@pytest.mark.fast(
    "test_every_signal_says_where_it_comes_from",
    "test_reading_again_from_the_same_cursor_says_the_same",
    "test_nothing_new_is_nothing_said",
    "test_only_what_is_new_is_said",
    "test_a_cursor_that_cannot_be_read_begins_afresh",
    "test_hostile_text_is_stripped_and_flagged",
    "test_what_is_malformed_is_refused_and_the_rest_is_kept",
    "test_a_reading_can_be_given_up_at_any_time",
)
class TestJson(SourceContract):
    ground = Json


@pytest.mark.fast(
    "test_every_signal_says_where_it_comes_from",
    "test_reading_again_from_the_same_cursor_says_the_same",
    "test_nothing_new_is_nothing_said",
    "test_only_what_is_new_is_said",
    "test_a_cursor_that_cannot_be_read_begins_afresh",
    "test_hostile_text_is_stripped_and_flagged",
    "test_what_is_malformed_is_refused_and_the_rest_is_kept",
    "test_a_reading_can_be_given_up_at_any_time",
)
class TestAlertmanager(SourceContract):
    ground = Alerts


@pytest.mark.req("LOOP-2", "FAIL-4")
class TestAllBesideEachOther:
    """A hostile, a broken, a slow and a huge source of every kind, beside one good one of each."""

    ground = Web

    @pytest.mark.slow
    async def test_the_good_ones_say_what_they_say_alone(self, world):
        async with AsyncExitStack() as stack:
            grounds = [kind(world.world) for kind in (Feed, Json, Alerts)]
            for ground in grounds:
                await ground.open(stack)
            good = [everything(ground.source("good")) for ground in grounds]
            bad = [everything(g.source(kind)) for g in grounds for kind in (*DOWN, "hostile")]
            said = await asyncio.gather(*good, *bad, return_exceptions=True)
        for signals, refused, _ in said[:3]:
            assert (len(signals), refused) == (2, [])
        assert sum(isinstance(one, SourceDown) for one in said) == 3 * len(DOWN)
