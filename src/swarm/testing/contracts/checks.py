"""The promises of `ports.hands.Checks`."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
import unicodedata
from typing import Protocol

import pytest

from swarm.core.decision import RunCheck
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.ids import evidence_id
from swarm.ports.hands import Checks
from swarm.ports.reply import Done
from swarm.testing.contracts.asking import fact

LARGEST_DETAIL = 8 * 1024


class ChecksWorld(Protocol):
    """Where checks can run. `kind` is one of green, red, endless, loud and unbound.

    green and red end with that result; endless never ends by itself and has a deadline of about
    a second; loud is red and prints megabytes with escape sequences; unbound names no check.
    """

    def port(self) -> Checks:
        """A new adapter on the same ground, as another controller or after a restart."""

    def order(self, kind: str) -> RunCheck:
        """The order of this kind; the same one at every call."""

    def effects(self, kind: str) -> int:
        """How often this kind's command was really started, asked of the world itself."""

    def alive(self) -> int:
        """How many processes of checks are alive on this machine."""


async def _ended(world: ChecksWorld, kind: str) -> CheckEnded:
    said = await fact(world.port().check, world.order(kind))
    assert isinstance(said, CheckEnded)
    return said


class ChecksContract:
    """Inherit it and provide a fixture `world` that is a `ChecksWorld`."""

    @pytest.mark.req("GATE-2")
    @pytest.mark.parametrize(
        ("kind", "result"),
        [
            ("green", CheckResult.GREEN),
            ("red", CheckResult.RED),
            ("endless", CheckResult.NEVER_REPORTED),
            ("unbound", CheckResult.NOT_CONFIGURED),
        ],
    )
    async def test_a_check_says_what_it_saw_on_the_exact_commit(
        self, world: ChecksWorld, kind: str, result: CheckResult
    ) -> None:
        """Four answers, none of which can be taken for another one."""
        order = world.order(kind)
        ended = await _ended(world, kind)
        assert ended.result is result
        assert (ended.check, ended.commit) == (order.check, order.commit)
        assert ended.id == evidence_id(order.key)

    @pytest.mark.req("OWN-3")
    async def test_an_order_that_was_carried_out_answers_the_same_without_a_second_effect(
        self, world: ChecksWorld
    ) -> None:
        """The key makes doing it twice harmless, also for another controller."""
        first = await _ended(world, "green")
        runs = world.effects("green")
        assert await _ended(world, "green") == first
        assert world.effects("green") == runs == 1

    @pytest.mark.req("OWN-3", "OWN-4")
    async def test_controllers_that_ask_at_once_get_one_fact_from_one_run(
        self, world: ChecksWorld
    ) -> None:
        """Whoever asks first starts it; the others find it."""
        ports = [world.port() for _ in range(4)]
        order = world.order("green")
        facts = await asyncio.gather(*(fact(port.check, order) for port in ports))
        assert all(item == facts[0] for item in facts)
        assert world.effects("green") == 1

    @pytest.mark.req("LOOP-11")
    async def test_a_caller_that_gives_up_loses_nothing(self, world: ChecksWorld) -> None:
        """Asked once by one controller that then goes away; another one gets the answer."""
        await world.port().check(world.order("green"))
        ended = await _ended(world, "green")
        assert ended.result is CheckResult.GREEN
        assert world.effects("green") == 1

    @pytest.mark.req("LOOP-7")
    async def test_a_red_check_comes_with_short_and_harmless_output(
        self, world: ChecksWorld
    ) -> None:
        """The next attempt is shown the detail, and a terminal prints it."""
        ended = await _ended(world, "loud")
        assert ended.result is CheckResult.RED
        assert 0 < len(ended.detail.encode()) <= LARGEST_DETAIL
        hidden = [c for c in ended.detail if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"}]
        assert set(hidden) <= {"\n", "\t"}

    async def test_stopping_ends_everything_and_is_success_when_nothing_is_there(
        self, world: ChecksWorld
    ) -> None:
        """Twice, and before it was started, too. It is no answer: asked again, it begins anew."""
        port, order = world.port(), world.order("endless")
        await port.stop(order.key)
        assert not isinstance(await port.check(order), Done)
        await port.stop(order.key)
        await port.stop(order.key)
        for _ in range(100):
            if world.alive() == 0:
                break
            await asyncio.sleep(0.05)
        assert world.alive() == 0
        assert (await _ended(world, "endless")).result is CheckResult.NEVER_REPORTED
