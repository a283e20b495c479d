"""What a port answered a while ago is answered again, wherever a real one may do so."""

import asyncio
from datetime import timedelta

import pytest

from swarm.contract.errors import Unavailable
from swarm.core.orders import Orders
from swarm.core.rollout.counts import ArmCounts
from swarm.ports.reply import Done
from swarm.testing.builders import NOON, mission, snapshot
from swarm.testing.simulation.chance import Chance, Fault
from swarm.testing.simulation.ground import Ground
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.mix import QUIET
from swarm.testing.simulation.ports import StorePorts
from swarm.testing.simulation.reach import Reach
from swarm.testing.simulation.replica import Watching
from swarm.testing.simulation.store import TwinStore

pytestmark = pytest.mark.req("FAIL-4")
STALE = Peer(weights={Fault.STALE: 1.0}, latency=0.0, patience=1, slow=(1, 1))
TARGET, HEAD = "shop/production", "head0001"


class Outside:
    """A target under a canary, asked over a line that always answers with what it said before."""

    def __init__(self):
        self.at = NOON
        self.chance = Chance(1)
        self.ground = Ground(self.now, self.chance, QUIET)
        self.line = Line("c1", self.chance, lambda _: None, lambda: None)
        store = StorePorts(TwinStore(clock=self.now), self.line, STALE)
        self.reach = Reach(self.ground, self.line, STALE, store, timedelta(0))
        self.orders = Orders(mission(), snapshot())
        self.place = self.ground.place(TARGET)
        self.place.split(self.at, HEAD, 10)

    def now(self):
        return self.at

    def look(self, number):
        self.at += timedelta(minutes=1)
        order = self.orders.take_look(TARGET, HEAD, 1, number)
        reply = asyncio.run(self.reach.look(order))
        assert isinstance(reply, Done)
        return order, reply.fact

    def live(self, slot):
        self.at += timedelta(minutes=1)
        reply = asyncio.run(self.reach.live(self.orders.see_live(TARGET, slot)))
        return reply.fact


def test_counters_of_a_while_ago_answer_the_question_of_now():
    outside = Outside()
    _, first = outside.look(1)
    order, again = outside.look(2)
    assert isinstance(first.look.canary, ArmCounts)
    assert again.look.canary == first.look.canary, "a minute's traffic is not in it"
    assert (again.number, again.look.observed_at) == (order.number, outside.at)
    assert again.id != first.id
    assert [str(kind) for kind in outside.chance.injected.values()] == ["stale"], "first: no fault"


def test_a_target_is_said_to_run_what_it_ran():
    outside = Outside()
    assert outside.live("0").canary == HEAD
    outside.place.split(outside.at, "", 0)
    assert outside.live("1").canary == HEAD


def test_a_keeper_hears_of_drift_and_of_main_what_was_so_before():
    outside = Outside()
    watching = Watching(outside.ground, outside.line, STALE)

    async def ask():
        found = []
        for drift, main in (("", "main1"), ("another revision serves", "main2")):
            outside.place.drift = drift
            outside.ground.push("shop", main)
            found.append((await watching.seen(TARGET), await watching.tip("shop")))
        return found

    first, second = asyncio.run(ask())
    assert first == second
    assert first[0].healthy
    assert first[1] == "main1"


def test_who_never_answered_has_nothing_to_repeat():
    outside = Outside()
    peer = Peer(weights={Fault.LOST: 1.0}, latency=0.0, patience=0, slow=(1, 1))
    with pytest.raises(Unavailable):
        asyncio.run(outside.line.read("seen", TARGET, lambda: "fresh", peer))
    assert asyncio.run(outside.line.read("seen", TARGET, lambda: "fresh", STALE)) == "fresh"


@pytest.mark.parametrize("percent", [0, 5, 100])
def test_a_drift_turns_what_is_tried_and_is_told(percent):
    """A flag alone would have shown that drift is told, and not what it does."""
    outside = Outside()
    outside.ground.turn(outside.place, percent)
    assert (outside.place.percent, outside.place.canary) == (percent, HEAD)
    assert outside.place.drift
    served, tried = outside.place.served, outside.place.tried
    outside.at += timedelta(minutes=1)
    outside.place.count(outside.at)
    assert (outside.place.tried > tried) is (percent > 0)
    assert (outside.place.served > served) is (percent < 100)


def test_a_target_on_which_nothing_is_tried_is_only_told():
    outside = Outside()
    outside.place.split(outside.at, "", 0)
    outside.ground.turn(outside.place, 5)
    assert (outside.place.percent, outside.place.canary) == (0, "")
