"""What was begun, and could not be begun by now, is asked after and passes no gate."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from swarm.contract.errors import Unavailable
from swarm.core.decision import Land
from swarm.core.ids import mission_id, order_key, swarm_id
from swarm.core.nouns import Freeze
from swarm.core.snapshot import Installation
from swarm.ports.store import Binding
from swarm.runtime.act import Act
from swarm.runtime.hands import Hands
from swarm.testing.builders import spec
from swarm.testing.contracts.store_plans import plan
from swarm.testing.simulation.chance import Chance
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.ports import StorePorts
from swarm.testing.simulation.store import TwinStore
from swarm.testing.world import World, WorldForge

PEER = Peer(weights={}, latency=0.0, patience=1, slow=(1, 1))
SWARM, REPO = swarm_id("default", "shop"), "acme/shop"
MISSION = mission_id("need", 0)


class Forge(WorldForge):
    """A forge whose answer is lost, after the landing or instead of it."""

    def __init__(self, world):
        super().__init__(world)
        self.lost, self._really = "", self.land
        self.land = self.lossy

    async def lossy(self, order):
        lost, self.lost = self.lost, ""
        if lost != "request":
            reply = await self._really(order)
        if lost:
            raise Unavailable("no answer")
        return reply


class Stage:
    """A store, a world, and an act between them under a clock that the test turns."""

    def __init__(self):
        self.time, self.policy = datetime(2026, 3, 2, tzinfo=UTC), "p1"
        self.store = TwinStore(clock=self.now)
        self.store.add(SWARM, spec(), namespace="default", name="shop")
        self.ports = StorePorts(
            self.store, Line("c", Chance(1), lambda _: None, lambda: None), PEER
        )
        self.world = World(self.now)
        self.forge = Forge(self.world)
        self.act = Act(self.ports, hands(self.world, self.forge), "c", self.now, lambda: None)

    def now(self):
        return self.time

    async def tick(self, *orders):
        self.store.ring(SWARM)
        bound = Binding(installation=Installation(), policy_hash=self.policy)
        return await self.ports.tick(lambda _: plan(orders=orders), lambda *_: bound, "c")

    def settled(self):
        """What is settled from now on."""
        facts, real = [], self.ports.settle

        async def settle(claim, fact):
            facts.append(fact)
            await real(claim, fact)

        self.ports.settle = settle
        return facts

    def hold(self, by):
        paper = self.store.at(SWARM)
        if by == "freeze":
            paper.freeze(
                Freeze(
                    id="f-1",
                    mission_class="*",
                    reason="Person",
                    detail="",
                    cause="",
                    since=self.time,
                    until=None,
                )
            )
        else:
            paper.change(shadow=True)

    def let_go(self, by):
        paper = self.store.at(SWARM)
        if by == "freeze":
            paper.lift("f-1", "alice")
        else:
            paper.change(shadow=False)

    async def carry_out(self):
        self.time += timedelta(minutes=10)
        taken = await self.act.claim()
        flying = list(self.act._flying)
        await asyncio.gather(*flying)
        return taken


def hands(world, forge):
    return Hands(
        runs=world, checks=world, forge=forge, attestations=world, targets=world, metrics=world,
        channel=world, pages=world, files=world,
    )  # fmt: skip


def land(policy):
    return Land(
        key=order_key(MISSION, "land", "c1"), mission=MISSION, mission_class="tidy",
        policy_hash=policy, repo=REPO, base="main0000", head="c1",
    )  # fmt: skip


@pytest.mark.req("MODE-6")
async def test_a_landing_that_was_begun_and_never_happened_is_not_made_up_under_another_policy():
    """The new mode may ask for an approval that the old one did not."""
    stage = Stage()
    await stage.tick(land("p1"))
    stage.forge.lost = "request"
    assert await stage.carry_out() == 1
    stage.policy = "p2"
    await stage.tick()
    assert await stage.carry_out() == 1
    assert stage.world.tip(REPO) == "main0000"
    assert not stage.store.at(SWARM).orders
    assert await stage.carry_out() == 0
    ticked = await stage.tick(replace(land("p1"), policy_hash="p2"))
    assert len(ticked.issued) == 1
    assert await stage.carry_out() == 1
    assert stage.world.tip(REPO) == "c1"


@pytest.mark.req("MODE-6", "OWN-3")
async def test_a_landing_that_happened_is_learnt_of_under_another_policy():
    """A change on main that nobody knows of would be watched by nobody."""
    stage = Stage()
    await stage.tick(land("p1"))
    stage.forge.lost = "answer"
    assert await stage.carry_out() == 1
    assert stage.world.tip(REPO) == "c1"
    stage.policy = "p2"
    await stage.tick()
    settled = stage.settled()
    assert await stage.carry_out() == 1
    assert [(fact.commit, fact.landed) for fact in settled] == [("c1", True)]
    assert not stage.store.at(SWARM).orders


@pytest.mark.req("FRZ-2", "OWN-3")
@pytest.mark.parametrize("by", ["freeze", "shadow"])
async def test_a_landing_that_happened_is_learnt_of_while_a_hold_lasts(by):
    """Else it is watched by nobody until the hold ends, and rolled back by nobody."""
    stage = Stage()
    await stage.tick(land("p1"))
    stage.forge.lost = "answer"
    assert await stage.carry_out() == 1
    stage.hold(by)
    settled = stage.settled()
    assert await stage.carry_out() == 1
    assert [(fact.commit, fact.landed) for fact in settled] == [("c1", True)]


@pytest.mark.req("FRZ-2")
@pytest.mark.parametrize("by", ["freeze", "shadow"])
async def test_a_landing_that_was_begun_and_never_happened_is_not_made_up_while_a_hold_lasts(by):
    """It is taken back, and decided anew when the hold ends."""
    stage = Stage()
    await stage.tick(land("p1"))
    stage.forge.lost = "request"
    assert await stage.carry_out() == 1
    stage.hold(by)
    assert await stage.carry_out() == 1
    assert stage.world.tip(REPO) == "main0000"
    await stage.tick(land("p1"))
    assert await stage.carry_out() == 0
    stage.let_go(by)
    assert await stage.carry_out() == 1
    assert stage.world.tip(REPO) == "c1"
