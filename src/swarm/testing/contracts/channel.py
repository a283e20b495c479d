"""The promises of `ports.hands.Channel`."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Protocol

import pytest

from swarm.core.decision import Notify
from swarm.core.evidence import Notified
from swarm.core.ids import evidence_id
from swarm.ports.hands import Channel
from swarm.ports.reply import Later
from swarm.testing.contracts.asking import fact


class ChannelWorld(Protocol):
    """Where messages arrive. `kind` is one of bound, unbound and hostile.

    bound goes to a channel that works unless it is broken; unbound names none; hostile is bound
    and its text holds control characters and line ends.
    """

    def port(self) -> Channel:
        """A new adapter on the same ground, as another controller or after a restart."""

    def order(self, kind: str) -> Notify:
        """The order of this kind; the same one at every call."""

    def heard(self, kind: str) -> list[str]:
        """The texts that the owner really got for this kind, asked of the target itself."""

    def take_away(self) -> None:
        """The target answers no more, until it is given back."""

    def give_back(self) -> None:
        """The target works again."""


async def _said(world: ChannelWorld, kind: str) -> Notified:
    said = await fact(world.port().notify, world.order(kind), timedelta(seconds=20))
    assert isinstance(said, Notified)
    return said


class ChannelContract:
    """Inherit it and provide a fixture `world` that is a `ChannelWorld`."""

    async def test_one_thing_is_said_once(self, world: ChannelWorld) -> None:
        """And says so with the fact of its order."""
        said = await _said(world, "bound")
        assert said.id == evidence_id(world.order("bound").key)
        assert said.channel == world.order("bound").channel
        assert world.heard("bound") == [world.order("bound").text]

    @pytest.mark.req("OWN-3")
    async def test_saying_it_again_says_nothing_new(self, world: ChannelWorld) -> None:
        """Also by another controller, and by several at once."""
        first = await _said(world, "bound")
        ports = [world.port() for _ in range(4)]
        order = world.order("bound")
        again = await asyncio.gather(*(fact(port.notify, order) for port in ports))
        assert all(item == first for item in again)
        assert len(world.heard("bound")) == 1

    @pytest.mark.req("OWN-3")
    async def test_controllers_that_speak_at_once_say_it_once(self, world: ChannelWorld) -> None:
        """Nobody was first, yet one message arrives."""
        ports = [world.port() for _ in range(4)]
        order = world.order("bound")
        facts = await asyncio.gather(*(fact(port.notify, order) for port in ports))
        assert all(item == facts[0] for item in facts)
        assert len(world.heard("bound")) == 1

    async def test_a_channel_that_nobody_bound_is_the_log(self, world: ChannelWorld) -> None:
        """The fact says so, and never that the owner was reached."""
        said = await _said(world, "unbound")
        assert said.channel != world.order("unbound").channel

    @pytest.mark.req("FAIL-6")
    async def test_a_broken_target_is_tried_again(self, world: ChannelWorld) -> None:
        """It is no refusal, counts for nothing, and is delivered once it is back."""
        world.take_away()
        said = await world.port().notify(world.order("bound"))
        assert isinstance(said, Later)
        assert said.capacity
        assert said.delay > timedelta(0)
        world.give_back()
        await _said(world, "bound")
        assert world.heard("bound") == [world.order("bound").text]

    async def test_hostile_text_arrives_as_text(self, world: ChannelWorld) -> None:
        """One message stays one message, whatever it holds."""
        await _said(world, "hostile")
        assert len(world.heard("hostile")) == 1
