"""A paper venue in this process, and one behind a socket."""

import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from swarm.adapters.paper.client import SocketVenue
from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.adapters.paper.server import serving
from swarm.adapters.paper.venue import PaperVenue
from swarm.testing.trading import NOON

LATENCY = 1_000_000


class Ground:
    """A venue with a millisecond of latency, on a clock that the test turns."""

    def __init__(self, rules=None):
        self.now = NOON
        self.exchange = PaperExchange(["ACME"], rules or PaperRules(latency_ns=LATENCY))

    def clock(self):
        return self.now

    def port(self):
        return PaperVenue("paper", self.exchange, self.clock)

    async def quote(self, side, price, quantity):
        self.exchange.quote("ACME", side, price, quantity, self.now)

    async def settle(self):
        self.now += 2 * LATENCY

    async def take_away(self):
        self.exchange.rules = replace(self.exchange.rules, outages=((0, 2**62),))

    async def give_back(self):
        self.exchange.rules = replace(self.exchange.rules, outages=())


class SocketGround(Ground):
    """The same behind a socket; while it is taken away nobody listens there."""

    def __init__(self, path):
        super().__init__(PaperRules())
        self.path = path
        self.ports = []
        self.stack = AsyncExitStack()

    def clock(self):
        return time.time_ns()

    def port(self):
        self.ports.append(SocketVenue("paper", self.path))
        return self.ports[-1]

    async def quote(self, side, price, quantity):
        await self.settle()
        self.exchange.quote("ACME", side, price, quantity, self.clock())

    async def settle(self):
        # A question on the same connections: what was sent before it has been read by then.
        for port in self.ports:
            await port.market()

    async def take_away(self):
        await self.stack.aclose()
        self.path.unlink(missing_ok=True)

    async def give_back(self):
        self.stack = AsyncExitStack()
        await self.stack.enter_async_context(serving(self.exchange, self.path, self.clock))


@pytest.fixture
async def socket_ground():
    folder = Path(tempfile.mkdtemp(prefix="swarm-paper-"))  # pytest's own path may be too long
    ground = SocketGround(folder / "venue")
    await ground.give_back()
    yield ground
    for port in ground.ports:
        await port.close()
    await ground.take_away()
    shutil.rmtree(folder)


@pytest.fixture
def ground():
    return Ground()
