from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.feeds.build import source
from swarm.adapters.feeds.client import EgressClient, Wanted
from swarm.adapters.feeds.guard import Egress
from swarm.adapters.feeds.settings import AlertmanagerSettings, FeedSettings, JsonSettings
from swarm.core.ids import swarm_id
from swarm.ports.source_settings import Place

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def wanted():
    def make(url: str, **changes) -> Wanted:
        plain = {"url": url, "types": frozenset({"application/json"}), "max_bytes": 100_000}
        plain |= {"timeout": timedelta(seconds=5), "headers": {}}
        return Wanted(**{**plain, **changes})

    return make


@pytest.fixture
def fetch():
    async def once(egress: Egress, want: Wanted, resolver=None):
        async with EgressClient(egress, resolver) as client:
            return await client.fetch(want)

    return once


@pytest.fixture
def loopback():
    """The rules that open exactly these servers."""

    def make(*servers, hosts: tuple[str, ...] = ()) -> Egress:
        entries = frozenset(("127.0.0.1", server.port) for server in servers)
        return Egress(hosts=frozenset(hosts), internal=entries)

    return make


class World:
    """Settings to a source on a loopback server, a clock set by hand, and what was read."""

    def __init__(self) -> None:
        self.now = NOON
        self.secrets: dict[str, str] = {}
        self.place = Place(
            swarm=swarm_id("default", "demo"), now=lambda: self.now, secret=self.secrets.get
        )

    def feed(self, server, path: str = "/feed", **settings):
        return self._source(FeedSettings, "feed", server, path, settings)

    def json(self, server, path: str = "/items", **settings):
        fields = {"title": "/title", "id": "/id", "body": "/text", "link": "/url"}
        settings.setdefault("fields", fields)
        return self._source(JsonSettings, "json", server, path, settings)

    def alertmanager(self, server, **settings):
        return self._source(AlertmanagerSettings, "alertmanager", server, "", settings)

    def _source(self, kind, name, server, path, settings):
        plain = {"kind": name, "name": name, "url": server.url + path, "timeout": "5s"}
        plain["allow_internal"] = (server.entry,)
        return source(kind(**{**plain, **settings}), self.place)

    async def read(self, from_source, cursor: str = ""):
        """All signals, the refused entries, and the cursor after the reading."""
        signals, refused = [], []
        async for reading in from_source.read(cursor):
            assert len(reading.signals) <= 1_000
            signals += reading.signals
            refused += reading.refused
            cursor = reading.cursor
        return signals, refused, cursor


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def as_json():
    def make(value) -> bytes:
        return json.dumps(value).encode()

    return make
