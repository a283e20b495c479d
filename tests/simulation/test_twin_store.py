"""The simulated store keeps the promises of the real one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from swarm.core.ids import FreezeId, swarm_id
from swarm.core.nouns import Freeze
from swarm.core.snapshot import Installation
from swarm.ports.store import Binding
from swarm.testing.builders import spec
from swarm.testing.contracts.store import StoreContract
from swarm.testing.contracts.store_freezes import FreezeContract
from swarm.testing.contracts.store_money import MoneyContract
from swarm.testing.contracts.store_plans import LEASE, run_check
from swarm.testing.paper_rows import PaperOrder
from swarm.testing.simulation.chance import Chance
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.ports import StorePorts
from swarm.testing.simulation.store import TwinStore

PEER = Peer(weights={}, latency=0.0, patience=1, slow=(1, 1))


class TwinWorld:
    """A twin under the real clock, on a line where nothing goes wrong."""

    def __init__(self):
        self.slept = timedelta()
        self.store = TwinStore(clock=self.now)
        self.swarm, self.policy, self.budget = swarm_id("default", "shop"), "policy-1", None
        self.store.add(self.swarm, spec(), namespace="default", name="shop")
        line = Line("c", Chance(1), lambda _: None, lambda: None)
        self.orders = self.intake = self.ports = StorePorts(self.store, line, PEER)

    def now(self):
        return datetime.now(UTC) + self.slept

    async def sleep(self, by):
        self.slept += by

    async def tick(self, made):
        seen = []

        def decide(snapshot):
            seen.append(snapshot)
            return made

        def bind(*_):
            bound = {"policy_hash": self.policy, "budget": self.budget}
            return Binding(installation=Installation(), **bound)

        self.store.ring(self.swarm)
        ticked = await self.ports.tick(decide, bind, "c")
        return ticked, (seen[-1] if seen else None)

    async def due(self):
        return (await self.ports.agenda()).orders

    async def freeze(self, mission_class):
        hold = Freeze(
            id=FreezeId(f"f-{self.now().isoformat()}"), mission_class=mission_class,
            reason="Person", detail="", cause="alice", since=self.now(), until=None,
        )  # fmt: skip
        self.store.at(self.swarm).freeze(hold)

    async def shadow(self):
        self.store.at(self.swarm).change(shadow=True)


class TestTwinStore(StoreContract, FreezeContract, MoneyContract):
    @pytest.fixture
    def world(self):
        return TwinWorld()


def test_a_store_that_is_down_is_no_answer():
    from swarm.contract.errors import Unavailable

    world = TwinWorld()
    world.store.down = True
    for ask in (world.store.agenda, lambda: world.store.ring(world.swarm)):
        with pytest.raises(Unavailable):
            ask()


def test_a_key_that_comes_back_at_the_same_instant_has_a_higher_fence():
    """Seeds 23, 60, 78: an order was voided, issued and claimed again within one microsecond."""
    noon, world, order = datetime(2026, 3, 2, 12, tzinfo=UTC), TwinWorld(), run_check("m-1", "p")
    world.store.clock = lambda: noon
    fences = []
    for _ in range(2):
        world.store.at(world.swarm).orders[order.key] = PaperOrder(order, noon, noon)
        fences += [claim.fence for claim in world.store.claim("c", 1, LEASE)]
    assert fences[0] < fences[1]
