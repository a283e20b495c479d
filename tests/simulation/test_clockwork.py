"""The loop, the keyed decisions and the line: what the simulation itself stands on."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from swarm.contract.errors import Unavailable
from swarm.testing.simulation.chance import Chance, Fault
from swarm.testing.simulation.clockwork import LeavesTheSimulation, NothingLeft, VirtualLoop
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.mix import draw


def run(work, seed=1):
    loop = VirtualLoop(seed)
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def order_of(names):
    seen = []

    async def one(name):
        await asyncio.sleep(1)
        seen.append(name)

    await asyncio.gather(*(one(name) for name in names))
    return "".join(seen)


def test_a_year_takes_no_time_and_every_timer_is_exact():
    async def wait():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(365 * 86_400)
        return loop.time()

    assert run(wait()) == 365 * 86_400


def test_what_is_due_at_one_instant_runs_in_the_order_of_the_seed():
    orders = {seed: run(order_of("abcdefgh"), seed) for seed in range(8)}
    assert orders == {seed: run(order_of("abcdefgh"), seed) for seed in range(8)}
    assert len(set(orders.values())) > 4
    assert all(sorted(order) == list("abcdefgh") for order in orders.values())


def test_a_thread_is_refused():
    async def leave():
        await asyncio.to_thread(print)

    with pytest.raises(LeavesTheSimulation):
        run(leave())


def test_waiting_for_what_cannot_come_is_told():
    async def wait():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingLeft):
        run(wait())


def test_a_decision_depends_on_seed_and_point_alone():
    """Whatever was asked before, and whatever is switched off elsewhere."""
    weights = {Fault.LOST: 0.5}
    points = [f"c1.land.{number}" for number in range(50)]
    plain, other = Chance(7), Chance(7, off={"c1.land.3"})
    first = {point: plain.fault(point, weights) for point in points}
    second = {point: other.fault(point, weights) for point in reversed(points)}
    assert second.pop("c1.land.3") is None
    first.pop("c1.land.3")
    assert first == second
    assert Chance(7, only={"c1.land.3"}).fault("c1.land.4", {Fault.LOST: 1.0}) is None
    assert {Chance(8).fault(point, weights) for point in points} == {None, Fault.LOST}


def test_a_call_keeps_its_name_whatever_life_asks_and_whatever_went_otherwise_before():
    """What is left out moves times by seconds and lives by one: what stays must still be met."""
    mission = "m-41c0ab22e4261da32afb"
    plain, other = Chance(7), Chance(7)
    assert plain.call("c1", "land", mission, 10.0) == "m-41c0ab.land.1"
    assert other.call("c2", "land", mission, 4_000.0) == "m-41c0ab.land.1"
    assert other.call("c1", "land", mission, 4_100.0) == "m-41c0ab.land.2"
    assert [plain.call("c1", "agenda", "", at) for at in (0.0, 599.0, 600.0)] == [
        "c1.agenda.0.1", "c1.agenda.0.2", "c1.agenda.1.1",
    ]  # fmt: skip
    assert other.call("c1", "agenda", "", 650.0) == "c1.agenda.1.1"


def test_every_fault_is_left_out_by_some_seeds_and_used_by_others():
    used = Counter(
        fault
        for mix in (draw(seed) for seed in range(100))
        for fault in {*mix.store, *mix.world, *mix.rates}
    )
    assert set(used) == set(Fault)
    calls = {Fault.LOST, Fault.REPLY_LOST, Fault.SLOW, Fault.TWICE, Fault.STALE}
    calls |= {Fault.CRASH_BEFORE, Fault.CRASH_AFTER}
    assert all(40 <= used[fault] <= 85 for fault in set(Fault) - calls)
    assert all(used[fault] < 100 for fault in calls)


class Wire:
    """A line on which exactly one fault happens at every call."""

    def __init__(self, fault, *, repeats=False):
        weights = {fault: 1.0} if fault else {}
        self.peer = Peer(weights=weights, latency=0.01, patience=5, slow=(60, 90), repeats=repeats)
        self.done, self.crashed, self.marks = [], [], []
        self.line = Line("c1", Chance(1), self.marks.append, lambda: self.crashed.append(True))

    async def call(self):
        def effect():
            self.done.append(asyncio.get_running_loop().time())
            return len(self.done)

        return await self.line.call("land", effect, self.peer, lambda: -1)


@pytest.mark.parametrize(
    ("fault", "answer", "times"),
    [
        pytest.param(None, 1, 1, id="well"),
        pytest.param(Fault.LOST, Unavailable, 0, id="lost"),
        pytest.param(Fault.REPLY_LOST, Unavailable, 1, id="reply-lost"),
        pytest.param(Fault.SLOW, 1, 1, id="slow"),
        pytest.param(Fault.STALE, -1, 0, id="stale"),
    ],
)
def test_a_fault_does_what_its_name_says(fault, answer, times):
    async def go():
        wire = Wire(fault)
        if answer is Unavailable:
            with pytest.raises(Unavailable):
                await wire.call()
        else:
            assert await wire.call() == answer
        assert len(wire.done) == times
        assert fault is not Fault.SLOW or wire.done[0] > 60

    run(go())


def test_a_doubled_request_arrives_once_more_later_and_a_repeated_transaction_at_once():
    async def go():
        doubled, repeated = Wire(Fault.TWICE), Wire(Fault.TWICE, repeats=True)
        assert await doubled.call() == 1
        assert await repeated.call() == 2
        assert len(doubled.done) == 1
        await asyncio.sleep(100)
        assert len(doubled.done) == 2

    run(go())


@pytest.mark.parametrize(("fault", "times"), [(Fault.CRASH_BEFORE, 0), (Fault.CRASH_AFTER, 1)])
def test_a_caller_that_crashes_never_goes_on(fault, times):
    async def go():
        wire = Wire(fault)
        call = asyncio.create_task(wire.call())
        await asyncio.sleep(1_000)
        assert wire.crashed == [True]
        assert len(wire.done) == times
        assert not call.done()
        call.cancel()

    run(go())


def test_what_was_sent_before_the_line_was_cut_still_arrives_and_nothing_after():
    async def go():
        wire = Wire(Fault.SLOW)
        call = asyncio.create_task(wire.call())
        await asyncio.sleep(1)
        wire.line.cut()
        call.cancel()
        await asyncio.sleep(200)
        assert len(wire.done) == 1
        with pytest.raises(Unavailable):
            await wire.call()
        assert len(wire.done) == 1

    run(go())


def test_a_controller_that_stands_still_hears_nothing_until_it_moves_again():
    async def go():
        wire = Wire(None)
        wire.line.hold()
        call = asyncio.create_task(wire.call())
        await asyncio.sleep(300)
        assert not wire.done
        wire.line.go_on()
        assert await call == 1

    run(go())
