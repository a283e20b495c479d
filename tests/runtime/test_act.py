"""Who holds an order, and what is no answer: the real act, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from swarm.adapters.local.git.errors import MainDiverged
from swarm.contract.errors import Unavailable
from swarm.core.ids import swarm_id
from swarm.core.snapshot import Installation
from swarm.ports.store import Binding
from swarm.runtime.act import LEASE, Act
from swarm.runtime.events import Event
from swarm.runtime.hands import Hands
from swarm.testing.builders import spec
from swarm.testing.contracts.store import opened, shown
from swarm.testing.contracts.store_plans import plan, run_check
from swarm.testing.simulation.chance import Chance
from swarm.testing.simulation.clockwork import VirtualLoop
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.ports import StorePorts
from swarm.testing.simulation.store import TwinStore
from swarm.testing.world import World, WorldForge

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT_ONCE = Peer(weights={}, latency=0.0, patience=1, slow=(1, 1))
SECOND = timedelta(seconds=1)


class Workshop(World):
    """Checks take a while here.

    worked: how long each was worked on, in seconds.    shut: until when nobody can be reached.
    away: what is raised till then.                     fences: under which each was asked for.
    """

    def __init__(self, now):
        super().__init__(now)
        self.worked, self.shut, self.away, self.fences = [], now(), Unavailable, []

    async def check(self, order):
        began = self.now()
        self.fences.append(order.fence)
        if began < self.shut:
            raise self.away("no route to the workshop")
        try:
            return await super().check(order)
        finally:
            self.worked.append((self.now() - began) / SECOND)


class Cut:
    """A store that nobody reaches from `since` to `until`; each call is tried three times."""

    def __init__(self, orders, now, since, until):
        self._orders, self._now, self._since, self._until = orders, now, since, until

    def __getattr__(self, name):
        async def call(*words):
            for pause in (4, 4.5, 0):
                if not self._since <= self._now() < self._until:
                    return await getattr(self._orders, name)(*words)
                await asyncio.sleep(pause)
            raise Unavailable("no route to the store")

        return call


class Place:
    """One order to carry out, and controllers that could; each with a workshop of its own."""

    def __init__(self):
        self.store = TwinStore(clock=self.now)
        self.swarm, self.policy = swarm_id("default", "shop"), "policy-1"
        self.store.add(self.swarm, spec(), namespace="default", name="shop")
        self.orders = self.intake = self._line("people")

    def now(self):
        return NOON + timedelta(seconds=asyncio.get_running_loop().time())

    def _line(self, name):
        line = Line(name, Chance(1), lambda _: None, lambda: None)
        return StorePorts(self.store, line, AT_ONCE)

    async def tick(self, made):
        seen = []

        def decide(snapshot):
            seen.append(snapshot)
            return made

        def bind(*_):
            return Binding(installation=Installation(), policy_hash=self.policy)

        self.store.ring(self.swarm)
        return await self.orders.tick(decide, bind, "people"), seen[-1]

    async def issue(self):
        mission = await opened(self)
        order = run_check(mission, self.policy)
        await self.tick(plan(orders=[order]))
        return mission, order.key

    def controller(self, name, lasts):
        shop = Workshop(self.now)
        shop.delay = lasts
        hands = Hands(
            runs=shop, checks=shop, forge=WorldForge(shop), attestations=shop, targets=shop,
            metrics=shop, channel=shop, pages=shop, files=shop,
        )  # fmt: skip
        act = Act(self._line(name), hands, name, self.now, lambda: None)
        return act, shop


def in_virtual_time(story):
    loop = VirtualLoop(1)
    try:
        loop.run_until_complete(story())
    finally:
        loop.close()
    assert not loop.faults


@pytest.mark.req("OWN-4")
def test_work_that_outlasts_its_lease_stays_with_its_holder():
    """A run of an hour on a lease of seconds: nobody else begins it a second time."""

    async def story():
        place = Place()
        mission, _ = await place.issue()
        act, shop = place.controller("c1", lasts=timedelta(hours=1))
        other, idle = place.controller("c2", lasts=timedelta(0))
        keeping = asyncio.create_task(act.keep_leases())
        assert await act.claim() == 1
        while not shop.worked:
            assert await other.claim() == 0, "two work on one order"
            await asyncio.sleep(1)
        keeping.cancel()
        await asyncio.sleep(0)
        assert shop.worked == [pytest.approx(3_600)]
        assert not idle.worked
        assert len((await shown(place, mission)).facts) == 1

    in_virtual_time(story)


@pytest.mark.req("OWN-4")
def test_whoever_lost_an_order_stops_working_on_it():
    """Cut off for longer than the lease, it finds another holder there and lets go at once."""

    async def story():
        place = Place()
        mission, key = await place.issue()
        act, shop = place.controller("c1", lasts=timedelta(hours=1))
        heir, heirs_shop = place.controller("c2", lasts=timedelta(hours=2))
        keeping = [asyncio.create_task(one.keep_leases()) for one in (act, heir)]
        assert await act.claim() == 1
        await asyncio.sleep(60)
        place.store.at(place.swarm).orders[key].due_at = place.now()
        assert await heir.claim() == 1
        await asyncio.sleep(LEASE.total_seconds())
        assert [seconds < 60 + LEASE.total_seconds() for seconds in shop.worked] == [True]
        await asyncio.sleep(7_200)
        for task in keeping:
            task.cancel()
        assert heirs_shop.worked == [pytest.approx(7_200)]
        assert 0 < shop.fences[0] < heirs_shop.fences[0], "whoever comes late can be told apart"
        assert len((await shown(place, mission)).facts) == 1

    in_virtual_time(story)


@pytest.mark.req("OWN-4", "FAIL-6")
def test_what_ended_while_the_store_was_away_does_not_wait_for_its_lease():
    """The lease was extended by a call which the outage had kept waiting: nobody works on it."""

    async def story():
        place = Place()
        mission, key = await place.issue()
        back = place.now() + 13 * SECOND
        act, shop = place.controller("c1", lasts=3 * SECOND)
        act._orders = Cut(act._orders, place.now, place.now() + SECOND, back)
        keeping = asyncio.create_task(act.keep_leases())
        assert await act.claim() == 1
        await asyncio.sleep(13)
        while not (await shown(place, mission)).facts:
            await act.claim()
            await asyncio.sleep(0.5)
        assert place.now() - back < 10 * SECOND  # a round, and the work asked once more
        assert shop.journal[key] == 1, "it was done a second time"
        keeping.cancel()

    in_virtual_time(story)


@pytest.mark.req("FAIL-6")
@pytest.mark.parametrize(
    ("raised", "level"),
    [
        pytest.param(Unavailable("no route to the store"), "warning", id="an-outage"),
        pytest.param(KeyError("fact"), "error", id="a-fault-of-ours"),
    ],
)
def test_a_fault_of_ours_is_not_told_as_an_outage_is(raised, level):
    """Somebody has to mend it: an error, with the lines it came from; and the order stands."""

    class Broken:
        def __init__(self, orders):
            self._orders = orders

        def __getattr__(self, name):
            return getattr(self._orders, name)

        async def settle(self, claim, fact):
            raise raised

    async def story():
        place = Place()
        _, key = await place.issue()
        act, _ = place.controller("c1", lasts=timedelta(0))
        act._orders = Broken(act._orders)
        with capture_logs() as told:
            await act.claim()
            await asyncio.sleep(1)
        (failed,) = [line for line in told if line["event"] == Event.ORDER_FAILED]
        assert (failed["log_level"], failed["order"]) == (level, key)
        assert failed.get("exc_info") is (raised if level == "error" else None)
        assert key in place.store.at(place.swarm).orders

    in_virtual_time(story)


@pytest.mark.req("FAIL-6", "FAIL-1")
def test_a_port_that_cannot_be_reached_has_not_said_no():
    """Three hours of outage: the order waits with its reason, asked ever more rarely; then it is
    done, and nothing that was ever written says that anybody refused."""

    async def story():
        place = Place()
        mission, key = await place.issue()
        act, shop = place.controller("c1", lasts=timedelta(0))
        shop.shut = place.now() + timedelta(hours=3)
        tried = []
        while not shop.journal[key]:
            if await act.claim():
                tried.append(place.now())
                await asyncio.sleep(1)
                before = await shown(place, mission)
                assert [fact.kind for fact in before.facts] in ([], ["check-ended"])
                if not before.facts:
                    assert "no route to the workshop" in before.orders[0].waits_because
            await asyncio.sleep(1)
        waits = [later - earlier for earlier, later in pairwise(tried)]
        assert all(earlier <= later + 2 * SECOND for earlier, later in pairwise(waits))
        assert waits[0] <= timedelta(seconds=4)
        assert waits[-1] == pytest.approx(timedelta(minutes=5), abs=2 * SECOND)
        assert tried[-1] - shop.shut <= timedelta(minutes=5)

    in_virtual_time(story)


@pytest.mark.req("FAIL-6")
def test_what_a_person_is_mending_is_asked_again_soon():
    """Main had diverged for an hour; whoever mends it does not wait five minutes for us."""

    async def story():
        place = Place()
        _, key = await place.issue()
        act, shop = place.controller("c1", lasts=timedelta(0))
        shop.shut, shop.away = place.now() + timedelta(hours=1), MainDiverged
        while not shop.journal[key]:
            await act.claim()
            await asyncio.sleep(1)
        assert place.now() - shop.shut <= timedelta(seconds=32)

    in_virtual_time(story)
