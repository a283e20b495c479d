"""The promises of `ports.hands.Runs`."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Protocol

import pytest

from swarm.core.decision import StartRun
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import evidence_id
from swarm.ports.hands import Runs
from swarm.ports.reply import Done, Later
from swarm.testing.contracts.asking import fact


class RunsWorld(Protocol):
    """Where agents can work. `kind` is one of change, nothing, fail, endless, busy and hostile.

    change edits an allowed file; nothing ends well without a difference; fail ends with an error;
    endless never ends by itself and has a deadline of about a second; busy says that its provider
    has no capacity; hostile leaves a symbolic link.
    """

    def port(self) -> Runs:
        """A new adapter on the same ground, as another controller or after a restart."""

    def order(self, kind: str) -> StartRun:
        """The order of this kind; the same one at every call."""

    def effects(self, kind: str) -> int:
        """How often this kind's agent was really started, asked of the world itself."""

    def changes(self) -> int:
        """How many changes were really recorded, asked of the world itself."""

    def alive(self) -> int:
        """How many processes of agents are alive on this machine."""


async def _ended(world: RunsWorld, kind: str) -> RunEnded:
    said = await fact(world.port().run, world.order(kind))
    assert isinstance(said, RunEnded)
    return said


async def _none_alive(world: RunsWorld) -> bool:
    for _ in range(100):
        if world.alive() == 0:
            return True
        await asyncio.sleep(0.05)
    return False


class RunsContract:
    """Inherit it and provide a fixture `world` that is a `RunsWorld`."""

    @pytest.mark.req("OWN-1")
    @pytest.mark.parametrize(
        ("kind", "result"),
        [
            ("change", RunResult.CHANGED),
            ("nothing", RunResult.NOTHING),
            ("fail", RunResult.FAILED),
            ("endless", RunResult.TIMED_OUT),
            ("hostile", RunResult.REFUSED),
        ],
    )
    async def test_a_run_ends_in_exactly_one_way(
        self, world: RunsWorld, kind: str, result: RunResult
    ) -> None:
        """A change is there exactly when the result says so, and a refusal names what it broke."""
        order = world.order(kind)
        ended = await _ended(world, kind)
        assert ended.result is result
        assert (ended.run, ended.attempt) == (order.run, order.attempt)
        assert ended.id == evidence_id(order.key)
        assert (ended.change is not None) is (result is RunResult.CHANGED)
        assert bool(ended.violations) is (result is RunResult.REFUSED)
        assert world.changes() == (1 if result is RunResult.CHANGED else 0)
        assert await _none_alive(world)

    @pytest.mark.req("OWN-3")
    async def test_an_order_that_was_carried_out_answers_the_same_without_a_second_effect(
        self, world: RunsWorld
    ) -> None:
        """The key makes doing it twice harmless, also for another controller."""
        first = await _ended(world, "change")
        assert await _ended(world, "change") == first
        assert (world.effects("change"), world.changes()) == (1, 1)

    @pytest.mark.req("OWN-3", "OWN-4")
    async def test_controllers_that_ask_at_once_get_one_fact_from_one_run(
        self, world: RunsWorld
    ) -> None:
        """Whoever asks first starts it; the others find it."""
        ports = [world.port() for _ in range(4)]
        order = world.order("change")
        facts = await asyncio.gather(*(fact(port.run, order) for port in ports))
        assert all(item == facts[0] for item in facts)
        assert (world.effects("change"), world.changes()) == (1, 1)

    @pytest.mark.req("LOOP-11")
    async def test_a_caller_that_goes_away_loses_nothing(self, world: RunsWorld) -> None:
        """Asked once by one controller that then goes away; another one gets the answer."""
        await world.port().run(world.order("change"))
        assert (await _ended(world, "change")).result is RunResult.CHANGED
        assert world.effects("change") == 1

    @pytest.mark.req("FAIL-1")
    async def test_a_provider_without_capacity_is_no_result(self, world: RunsWorld) -> None:
        """It is asked again later, and counts for neither retries nor freezes."""
        port, order = world.port(), world.order("busy")
        said = await port.run(order)
        async with asyncio.timeout(30):
            while isinstance(said, Later) and not said.capacity:
                await asyncio.sleep(0.05)
                said = await port.run(order)
        assert isinstance(said, Later)
        assert said.delay > timedelta(0)
        assert said.detail
        assert world.effects("busy") == 1

    async def test_stopping_ends_everything_and_is_success_when_nothing_is_there(
        self, world: RunsWorld
    ) -> None:
        """Twice, and before it was started, too."""
        port, order = world.port(), world.order("endless")
        await port.stop(order.run)
        assert not isinstance(await port.run(order), Done)
        await port.stop(order.run)
        await port.stop(order.run)
        assert await _none_alive(world)

    @pytest.mark.req("FAIL-1")
    async def test_being_stopped_is_no_failure_of_the_run(self, world: RunsWorld) -> None:
        """Asked for again, it begins anew as the same attempt and ends in its own way."""
        port, order = world.port(), world.order("endless")
        await port.run(order)
        await port.stop(order.run)
        ended = await _ended(world, "endless")
        assert (ended.result, ended.attempt) == (RunResult.TIMED_OUT, order.attempt)
