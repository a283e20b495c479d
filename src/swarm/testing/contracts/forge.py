"""The promises of `ports.hands.Forge`."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import pytest

from swarm.core.decision import Land, Restage, Revert, SeeMain
from swarm.core.evidence import Fact, Landed, MainSeen, Restaged, Reverted
from swarm.core.ids import MissionId, evidence_id, order_key
from swarm.core.nouns import Change
from swarm.ports.hands import Forge
from swarm.ports.reply import Done, Later, No
from swarm.testing.contracts.asking import PAPER, WITHIN, answer, fact

Kind = TypeVar("Kind", bound=Fact)
MINE, THEIRS = "mine", "theirs"
NOWHERE = "0123456789" * 4  #: a well-formed commit id that no repository has


class ForgeWorld(Protocol):
    """Where changes can land: one repository with a main, and missions that changed something.

    clashes: whether two changes of the same place can conflict there. A world of paper, where
             everything applies and every id is a commit, says False.
    """

    repo: str
    clashes: bool

    def port(self) -> Forge:
        """A new adapter on the same ground, as another controller or after a restart."""

    async def change(self, mission: MissionId, place: str) -> Change:
        """What a run of this mission left at `place`, on top of main as it stands."""

    def main(self) -> str:
        """Where main stands, asked of the world itself."""

    def moves(self) -> int:
        """How often main was moved since the world began."""


def _about(world: ForgeWorld, mission: MissionId, verb: str, *parts: str) -> dict[str, Any]:
    return {
        "key": order_key(mission, verb, *parts),
        "mission": mission,
        "mission_class": "tidy",
        "policy_hash": "p",
        "repo": world.repo,
    }


def _land(world: ForgeWorld, change: Change, mission: str = MINE) -> Land:
    about = _about(world, MissionId(f"m-{mission}"), "land", change.head)
    return Land(**about, head=change.head, base=change.base)


def _restage(world: ForgeWorld, change: Change, onto: str) -> Restage:
    about = _about(world, MissionId(f"m-{MINE}"), "restage", change.head, onto)
    return Restage(**about, change=change, onto=onto)


def _revert(world: ForgeWorld, commit: str) -> Revert:
    return Revert(**_about(world, MissionId(f"m-{MINE}"), "revert", commit), commit=commit)


async def _made(world: ForgeWorld, mission: str = MINE, place: str = "") -> Change:
    return await world.change(MissionId(f"m-{mission}"), place or mission)


async def _landed(world: ForgeWorld, change: Change, mission: str = MINE) -> Landed:
    said = await fact(world.port().land, _land(world, change, mission))
    assert isinstance(said, Landed)
    return said


def _same(one: Fact, other: Fact) -> bool:
    """The same fact, whenever it was seen."""
    return replace(one, at=other.at) == other


class ForgeContract:
    """Inherit it and provide a fixture `world` that is a `ForgeWorld`."""

    @pytest.mark.req("LOOP-8")
    async def test_landing_moves_main_from_base_to_head_once(self, world: ForgeWorld) -> None:
        """Repeated, by another controller too, it is the same fact and no second move."""
        change = await _made(world)
        first = await _landed(world, change)
        assert (first.landed, first.main, world.main()) == (True, change.head, change.head)
        assert first.id == evidence_id(_land(world, change).key)
        assert _same(await _landed(world, change), first)
        assert (world.main(), world.moves()) == (change.head, 1)

    @pytest.mark.req("OWN-3")
    async def test_the_same_answer_comes_back_when_main_moved_on(self, world: ForgeWorld) -> None:
        """A controller that never heard the first answer is not told that it lost."""
        change = await _made(world)
        first = await _landed(world, change)
        await _landed(world, await _made(world, THEIRS), THEIRS)
        assert _same(await _landed(world, change), first)
        assert world.moves() == 2  # noqa: PLR2004 - one for each change

    @pytest.mark.req("MODE-6")
    async def test_from_head_to_head_it_only_says_whether_it_landed(
        self, world: ForgeWorld
    ) -> None:
        """Nothing moves, and what did not land may land afterwards."""
        change = await _made(world)
        order = _land(world, change)
        question = replace(order, base=order.head)
        said = await fact(world.port().land, question)
        assert isinstance(said, Landed)
        assert (said.landed, world.moves()) == (False, 0)
        landed = await _landed(world, change)
        assert landed.landed
        said = await fact(world.port().land, question)
        assert isinstance(said, Landed)
        assert (said.landed, world.moves()) == (True, 1)

    @pytest.mark.req("OWN-4", "MODE-6")
    async def test_what_was_asked_after_lands_under_no_older_fence(self, world: ForgeWorld) -> None:
        """A request that was under way all the time comes too late; an order issued anew lands."""
        change = await _made(world)
        order = replace(_land(world, change), fence=2)
        question = replace(order, base=order.head, fence=3)
        said = await fact(world.port().land, question)
        assert isinstance(said, Landed)
        assert not said.landed
        assert isinstance(await world.port().land(order), Later)
        assert (world.main(), world.moves()) == (change.base, 0)
        said = await fact(world.port().land, replace(order, fence=4))
        assert isinstance(said, Landed)
        assert (said.landed, world.moves()) == (True, 1)

    @pytest.mark.req("LOOP-8")
    async def test_a_main_that_moved_is_told_and_left_alone(self, world: ForgeWorld) -> None:
        """Compare and swap: what was tested on another main never lands."""
        mine = await _made(world)
        theirs = await _made(world, THEIRS)
        await _landed(world, theirs, THEIRS)
        said = await _landed(world, mine)
        assert (said.landed, said.main) == (False, theirs.head)
        assert (world.main(), world.moves()) == (theirs.head, 1)

    @pytest.mark.req("OWN-3", "OWN-4")
    async def test_of_changes_that_land_at_once_one_lands(self, world: ForgeWorld) -> None:
        """Four controllers, two changes of one base, each asked for twice."""
        changes = {MINE: await _made(world), THEIRS: await _made(world, THEIRS)}
        facts = await asyncio.gather(
            *(_landed(world, change, name) for name, change in changes.items() for _ in range(2))
        )
        won = {said.commit for said in facts if said.landed}
        lost = {said.commit for said in facts if not said.landed}
        assert (len(won), len(lost), won & lost) == (1, 1, set())
        assert {world.main()} == won
        assert world.moves() == 1

    @pytest.mark.req("LOOP-8")
    async def test_a_restaged_change_stands_on_the_new_main_and_lands(
        self, world: ForgeWorld
    ) -> None:
        """Asked twice, it is the same exact commit: it was tested once."""
        mine, theirs = await _made(world), await _made(world, THEIRS)
        await _landed(world, theirs, THEIRS)
        order = _restage(world, mine, theirs.head)
        said = await fact(world.port().restage, order)
        assert isinstance(said, Restaged)
        assert (said.old_head, said.onto) == (mine.head, theirs.head)
        assert said.change is not None
        assert (said.change.base, said.change.paths) == (theirs.head, mine.paths)
        again = await fact(world.port().restage, order)
        assert _same(again, said)
        assert (await _landed(world, said.change)).landed
        assert world.main() == said.change.head

    async def test_a_conflict_is_a_fact_and_says_where(self, world: ForgeWorld) -> None:
        """It is the agent's to mend, and no error of anybody."""
        if not world.clashes:
            pytest.skip(PAPER)
        mine, theirs = await _made(world), await _made(world, THEIRS, place=MINE)
        await _landed(world, theirs, THEIRS)
        said = await fact(world.port().restage, _restage(world, mine, theirs.head))
        assert isinstance(said, Restaged)
        assert said.change is None
        assert said.detail
        assert world.main() == theirs.head

    @pytest.mark.req("FAIL-2")
    async def test_a_revert_is_one_new_commit_on_main(self, world: ForgeWorld) -> None:
        """History is kept, and undoing twice undoes nothing else."""
        change = await _made(world)
        await _landed(world, change)
        order = _revert(world, change.head)
        said = await fact(world.port().revert, order)
        assert isinstance(said, Reverted)
        assert (said.undone, said.reverted) == (change.head, True)
        assert said.commit == world.main() != change.base
        assert _same(await fact(world.port().revert, order), said)
        assert world.moves() == 2  # noqa: PLR2004 - there and back

    async def test_main_is_seen_where_it_stands(self, world: ForgeWorld) -> None:
        """A look that moves nothing."""
        order = SeeMain(**_about(world, MissionId("m-look"), "see-main"))
        said = await fact(world.port().main, order)
        assert isinstance(said, MainSeen)
        assert (said.commit, world.moves()) == (world.main(), 0)

    async def test_a_commit_that_nobody_knows_is_refused_for_good(self, world: ForgeWorld) -> None:
        """Asking again would not make it known."""
        if not world.clashes:
            pytest.skip(PAPER)
        about = _about(world, MissionId("m-x"), "land", NOWHERE)
        land = Land(**about, head=NOWHERE, base=world.main())
        assert isinstance(await answer(world.port().land, land, WITHIN), No)
        revert = _revert(world, NOWHERE)
        assert not isinstance(await answer(world.port().revert, revert, WITHIN), Done)
        assert world.moves() == 0
