from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.feeds.client import EgressClient, Wanted
from swarm.adapters.feeds.guard import Egress
from swarm.core.ids import swarm_id
from swarm.ports.source_settings import Place

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def place() -> Place:
    return Place(swarm=swarm_id("default", "demo"), now=lambda: NOON)


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
