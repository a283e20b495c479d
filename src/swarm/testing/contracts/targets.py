"""The promises of `ports.hands.Targets` and `ports.hands.Metrics`, which see the same target."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import pytest

from swarm.contract.errors import Unavailable
from swarm.core.decision import Abort, Promote, SeeLive, SetTraffic, Sync, TakeLook
from swarm.core.evidence import (
    Aborted,
    Fact,
    LiveSeen,
    LookTaken,
    Promoted,
    Synced,
    TrafficSet,
)
from swarm.core.ids import MissionId, evidence_id, order_key
from swarm.core.rollout.counts import Absent
from swarm.ports.hands import Metrics, Targets
from swarm.ports.reply import Later, No, Reply
from swarm.testing.contracts.asking import PAPER, WITHIN, answer, fact

HALF, WHOLE = 50, 100
Asked = TypeVar("Asked")


class Port(Targets, Metrics, Protocol):
    """Both ports in one."""


class TargetsWorld(Protocol):
    """A target that runs `old`, and two further revisions: `new` is sound, `sick` never healthy.

    real: whether requests can be sent to it. A world of paper, where every revision is healthy and
          nothing serves, says False.
    """

    target: str
    repo: str
    old: str
    new: str
    sick: str
    real: bool

    def port(self) -> Port:
        """A new adapter on the same ground, as another controller or after a restart."""

    async def served(self) -> set[str]:
        """The revisions that answer many real requests."""

    def processes(self) -> int:
        """How many processes of the target are alive."""


class _Orders:
    """Orders of one rollout of one revision."""

    def __init__(self, world: TargetsWorld, revision: str) -> None:
        self._world, self._revision = world, revision

    def _about(self, verb: str, *parts: str) -> dict[str, Any]:
        mission = MissionId("m-1")
        return {
            "key": order_key(mission, verb, self._revision, *parts),
            "mission": mission,
            "mission_class": "tidy",
            "policy_hash": "p",
            "target": self._world.target,
        }

    def sync(self, fence: int = 0) -> Sync:
        return Sync(
            **self._about("sync"), fence=fence, repo=self._world.repo, revision=self._revision
        )

    def split(self, percent: int, fence: int = 0) -> SetTraffic:
        about = self._about("traffic", str(percent))
        return SetTraffic(**about, fence=fence, revision=self._revision, step=0, percent=percent)

    def look(self, number: int = 0) -> TakeLook:
        about = self._about("look", str(number))
        return TakeLook(**about, revision=self._revision, step=0, number=number)

    def promote(self, fence: int = 0) -> Promote:
        return Promote(**self._about("promote"), fence=fence, revision=self._revision)

    def abort(self, fence: int = 0) -> Abort:
        stable, repo = self._world.old, self._world.repo
        return Abort(
            **self._about("abort"), fence=fence, repo=repo, revision=self._revision, stable=stable
        )

    def live(self, name: str = "") -> SeeLive:
        return SeeLive(**self._about("live", name))


async def _serves(world: TargetsWorld, *revisions: str) -> bool:
    return not world.real or await world.served() == set(revisions)


async def _is_late(ask: Callable[[Asked], Awaitable[Reply]], order: Asked) -> bool:
    """Whether it is to be asked again, under a newer claim."""
    try:
        return isinstance(await ask(order), Later)
    except Unavailable:
        return True


def _same(one: Fact, other: Fact) -> bool:
    """The same fact, whenever it was seen and whatever was counted by then."""
    if isinstance(one, Synced) and isinstance(other, Synced):
        one = replace(one, before=other.before)
    return replace(one, at=other.at) == other


async def _synced(world: TargetsWorld, revision: str) -> Synced:
    said = await fact(world.port().sync, _Orders(world, revision).sync())
    assert isinstance(said, Synced)
    return said


@pytest.mark.req("GATE-5", "LOOP-9")
class TargetsContract:
    """Inherit it and provide a fixture `world` that is a `TargetsWorld`."""

    async def test_a_new_revision_comes_up_beside_the_stable_one_without_traffic(
        self, world: TargetsWorld
    ) -> None:
        """Repeated, by another controller too, it starts nothing more."""
        said = await _synced(world, world.new)
        assert said.id == evidence_id(_Orders(world, world.new).sync().key)
        assert (said.healthy, said.stable, said.revision) == (True, world.old, world.new)
        assert await _serves(world, world.old)
        alive = world.processes()
        assert _same(await _synced(world, world.new), said)
        assert world.processes() == alive

    async def test_a_sick_revision_is_a_fact_and_takes_no_traffic(
        self, world: TargetsWorld
    ) -> None:
        """The stable version goes on as if nothing had been."""
        if not world.real:
            pytest.skip(PAPER)
        said = await _synced(world, world.sick)
        assert (said.healthy, said.stable) == (False, world.old)
        assert said.detail
        assert await _serves(world, world.old)

    async def test_traffic_is_split_promoted_and_seen(self, world: TargetsWorld) -> None:
        """Each fact is told once its state is in force, and not before."""
        await _synced(world, world.new)
        orders, port = _Orders(world, world.new), world.port()
        split = await fact(port.set_traffic, orders.split(HALF))
        assert isinstance(split, TrafficSet)
        assert split.percent == HALF
        assert await _serves(world, world.old, world.new)
        look = await fact(port.look, orders.look())
        assert isinstance(look, LookTaken)
        assert (look.look.traffic_percent, look.number) == (HALF, 0)
        assert not isinstance(look.look.canary, Absent)
        assert not isinstance(look.look.stable, Absent)
        promoted = await fact(port.promote, orders.promote())
        assert isinstance(promoted, Promoted)
        assert promoted.revision == world.new
        assert await _serves(world, world.new)
        live = await fact(port.live, orders.live())
        assert isinstance(live, LiveSeen)
        assert (live.stable, live.canary, live.healthy) == (world.new, "", True)

    @pytest.mark.req("OWN-3")
    async def test_repeating_any_order_changes_nothing(self, world: TargetsWorld) -> None:
        """Another controller never heard that it was carried out."""
        orders = _Orders(world, world.new)
        await _synced(world, world.new)
        split = await fact(world.port().set_traffic, orders.split(HALF))
        assert _same(await fact(world.port().set_traffic, orders.split(HALF)), split)
        promoted = await fact(world.port().promote, orders.promote())
        alive = world.processes()
        assert _same(await fact(world.port().promote, orders.promote()), promoted)
        assert world.processes() == alive
        assert await _serves(world, world.new)

    @pytest.mark.req("OWN-4")
    async def test_no_step_forward_comes_after_one_that_was_claimed_later(
        self, world: TargetsWorld
    ) -> None:
        """Whoever sent it stood still in between. Claimed anew, it is; a way back always is."""
        orders = _Orders(world, world.new)
        await fact(world.port().sync, orders.sync(fence=3))
        await fact(world.port().set_traffic, orders.split(HALF, fence=5))
        assert await _is_late(world.port().promote, orders.promote(fence=4))
        assert await _is_late(world.port().set_traffic, orders.split(WHOLE, fence=4))
        assert await _serves(world, world.old, world.new)
        await fact(world.port().set_traffic, orders.split(WHOLE, fence=6))
        said = await fact(world.port().abort, orders.abort(fence=2))
        assert isinstance(said, Aborted)
        assert said.proven
        assert await _serves(world, world.old)

    @pytest.mark.req("FAIL-2")
    async def test_an_abort_proves_that_the_stable_revision_answers(
        self, world: TargetsWorld
    ) -> None:
        """And it does again when it is asked for again."""
        await _synced(world, world.new)
        orders = _Orders(world, world.new)
        await fact(world.port().set_traffic, orders.split(HALF))
        said = await fact(world.port().abort, orders.abort())
        assert isinstance(said, Aborted)
        assert (said.serving, said.proven, said.revision) == (world.old, True, world.new)
        assert await _serves(world, world.old)
        again = await fact(world.port().abort, orders.abort())
        assert isinstance(again, Aborted)
        assert (again.serving, again.proven) == (world.old, True)

    @pytest.mark.req("FAIL-2")
    async def test_an_abort_after_promotion_goes_back(self, world: TargetsWorld) -> None:
        """What was retired is brought up again, and is proven before it is told."""
        await _synced(world, world.new)
        orders = _Orders(world, world.new)
        await fact(world.port().set_traffic, orders.split(WHOLE))
        await fact(world.port().promote, orders.promote())
        said = await fact(world.port().abort, orders.abort())
        assert isinstance(said, Aborted)
        assert (said.serving, said.proven) == (world.old, True)
        assert await _serves(world, world.old)
        live = await fact(world.port().live, orders.live("after"))
        assert isinstance(live, LiveSeen)
        assert live.stable == world.old

    async def test_an_arm_that_does_not_run_is_absent_and_never_zero(
        self, world: TargetsWorld
    ) -> None:
        """A judgement must not take silence for health."""
        if not world.real:
            pytest.skip(PAPER)
        said = await fact(world.port().look, _Orders(world, world.new).look())
        assert isinstance(said, LookTaken)
        assert isinstance(said.look.canary, Absent)
        assert said.look.traffic_percent == 0

    async def test_a_look_at_one_revision_counts_no_other_in_its_place(
        self, world: TargetsWorld
    ) -> None:
        """What another version answered is no evidence for this one."""
        if not world.real:
            pytest.skip(PAPER)
        await fact(world.port().sync, _Orders(world, world.new).sync())
        tried = await fact(world.port().look, _Orders(world, world.new).look())
        other = await fact(world.port().look, _Orders(world, world.old).look())
        assert isinstance(tried, LookTaken)
        assert isinstance(other, LookTaken)
        assert not isinstance(tried.look.canary, Absent)
        assert isinstance(other.look.canary, Absent)

    async def test_a_target_that_nobody_bound_is_refused_for_good(
        self, world: TargetsWorld
    ) -> None:
        """By every method, and nothing is touched."""
        if not world.real:
            pytest.skip(PAPER)
        orders, port = _Orders(world, world.new), world.port()
        asked = [
            answer(port.sync, replace(orders.sync(), target="who"), WITHIN),
            answer(port.set_traffic, replace(orders.split(HALF), target="who"), WITHIN),
            answer(port.promote, replace(orders.promote(), target="who"), WITHIN),
            answer(port.abort, replace(orders.abort(), target="who"), WITHIN),
            answer(port.live, replace(orders.live(), target="who"), WITHIN),
            answer(port.look, replace(orders.look(), target="who"), WITHIN),
        ]
        for question in asked:
            assert isinstance(await question, No)
        assert await _serves(world, world.old)
