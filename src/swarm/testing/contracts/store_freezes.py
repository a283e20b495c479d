"""The promises of `ports.store` about freezes."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from swarm.contract.errors import Refused
from swarm.core.decision import (
    LiftFreeze,
    MarkRequalified,
    OpenFreeze,
    OpenMission,
    Plan,
    Settle,
    VoidOrder,
)
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import FreezeId, MissionId, NeedId, evidence_id, order_key, run_id
from swarm.core.nouns import Freeze, MissionKind, Outcome, OutcomeKind
from swarm.core.policy.freeze import consecutive_failures
from swarm.core.reasons import Reason
from swarm.core.snapshot import Installation, Snapshot
from swarm.ports.reply import Later
from swarm.testing.contracts.store import MOMENT, StoreWorld, claimed, issued, opened, shown
from swarm.testing.contracts.store_plans import CLASS, LEASE, opening, plan, start_run


async def told(world: StoreWorld, made: Plan | None = None) -> Snapshot:
    """What decide is told after this plan was written down."""
    if made is not None:
        await world.tick(made)
    _, snapshot = await world.tick(plan())
    assert snapshot is not None
    return snapshot


def ended(number: int, at: datetime, *, counts: bool) -> tuple[OpenMission, Settle]:
    """A repair that was opened and failed."""
    opened = replace(
        opening(NeedId(""), at), id=MissionId(f"m-{number}"), need=None, kind=MissionKind.REMEDIATE
    )
    outcome = Outcome(
        kind=OutcomeKind.FAILED, at=at, reason=Reason.RUN_PRODUCED_NOTHING, detail="", attempts=1,
        cost=0, counts_as_failure=counts,
    )  # fmt: skip
    return opened, Settle(mission=opened.id, outcome=outcome, need_done=False)


def opening_freeze(cause: str, since: datetime) -> OpenFreeze:
    """A freeze of the class for this cause; every one has the same id."""
    hold = Freeze(
        id=FreezeId("f-1"), mission_class=CLASS, reason="RepeatedClassFailure", detail="",
        cause=cause, since=since, until=since + MOMENT,
    )  # fmt: skip
    return OpenFreeze(freeze=hold)


def ending_freeze(world: StoreWorld) -> tuple[MarkRequalified, LiftFreeze]:
    """Its proof and its end."""
    at, hold = world.now(), FreezeId("f-1")
    proof = MarkRequalified(freeze=hold, mission=MissionId("m-9"), began=at + MOMENT, at=at)
    return proof, LiftFreeze(freeze=hold, by="policy", at=at)


class FreezeContract:
    """Inherit it beside `StoreContract`, with the same fixture."""

    @pytest.mark.req("FRZ-1")
    @pytest.mark.parametrize("lifted", [False, True], ids=["open", "lifted"])
    async def test_the_same_freeze_again_changes_nothing_and_another_under_its_id_is_refused(
        self, world: StoreWorld, *, lifted: bool
    ) -> None:
        """Decided twice, it holds once. A freeze that comes not to be must be told of."""
        first = opening_freeze("m-1", world.now())
        await world.tick(plan(records=[first]))
        if lifted:
            await world.tick(plan(records=ending_freeze(world)))
        holds = (await told(world)).freezes
        assert [hold.cause for hold in holds] == ([] if lifted else ["m-1"])
        again, other = opening_freeze("m-1", world.now()), opening_freeze("m-2", world.now())
        ticked, _ = await world.tick(plan(records=[again, other]))
        assert ticked is not None
        assert ticked.refused == ((other, "FreezeIdTaken"),)
        assert (await told(world)).freezes == holds

    @pytest.mark.req("FRZ-3")
    async def test_a_freeze_that_was_extended_is_not_lifted_with_the_proof_of_before(
        self, world: StoreWorld
    ) -> None:
        """Whoever extends it may do so between the snapshot and this write."""
        proof, end = ending_freeze(world)
        await world.tick(plan(records=[opening_freeze("m-1", world.now()), proof]))
        await world.freeze(CLASS)
        (hold,) = (await told(world, plan(records=[end]))).freezes
        assert (hold.id, hold.requalified) == (FreezeId("f-1"), None)

    @pytest.mark.req("FRZ-3")
    async def test_only_what_began_after_a_freeze_was_extended_proves_it(
        self, world: StoreWorld
    ) -> None:
        """Whoever extends it may do so between the snapshot and this write."""
        await world.freeze(CLASS)
        (hold,) = (await told(world)).freezes
        assert hold.extended is None
        await world.freeze(CLASS)
        (hold,) = (await told(world)).freezes
        assert hold.extended is not None
        for began, proven in ((hold.extended, None), (hold.extended + MOMENT, "m-9")):
            proof = MarkRequalified(
                freeze=hold.id, mission=MissionId("m-9"), began=began, at=world.now()
            )
            (after,) = (await told(world, plan(records=[proof]))).freezes
            assert after.requalified == proven

    @pytest.mark.req("FRZ-2", "OWN-3")
    @pytest.mark.parametrize("held_by", ["freeze", "shadow"])
    @pytest.mark.parametrize("kind", ["land", "run"])
    async def test_what_was_begun_and_nobody_else_would_hear_of_is_asked_about_whatever_holds_it(
        self, world: StoreWorld, held_by: str, kind: str
    ) -> None:
        """Else a change that is on main goes unwatched, and an agent past its end and its cost."""
        mission = await issued(world, kind)
        await world.orders.begin(await claimed(world, MOMENT))
        stale = await claimed(world)
        assert (stale.begun, stale.lapsed) == (True, False)
        await (world.freeze(CLASS) if held_by == "freeze" else world.shadow())
        with pytest.raises(Refused):
            await world.orders.begin(stale)
        assert await world.due()
        later = await claimed(world)
        assert (later.begun, later.lapsed) == (True, True)
        await world.orders.begin(later)
        await world.orders.void(later)
        assert not (await shown(world, mission)).orders

    @pytest.mark.req("FRZ-2")
    @pytest.mark.parametrize("held_by", ["freeze", "shadow"])
    @pytest.mark.parametrize("kind", ["land", "run"])
    async def test_what_was_not_begun_waits_for_whatever_holds_it(
        self, world: StoreWorld, held_by: str, kind: str
    ) -> None:
        """There is nothing to ask."""
        await issued(world, kind)
        await (world.freeze(CLASS) if held_by == "freeze" else world.shadow())
        assert not await world.due()
        assert await world.orders.claim("c", 5, LEASE) == ()

    @pytest.mark.req("FRZ-1", "FRZ-2")
    @pytest.mark.parametrize(
        "how", ["not begun", "without capacity", "in hand", "at work", "ended"]
    )
    async def test_a_run_is_taken_back_only_while_nobody_is_at_work_on_it(
        self, world: StoreWorld, how: str
    ) -> None:
        """It may be begun between the snapshot and this write; taken back, it may come again."""
        mission = await issued(world, "run")
        void = VoidOrder(
            mission=MissionId(mission), order=order_key(mission, "run", "0"), reason=Reason.FROZEN
        )
        claim = await claimed(world)
        if how != "not begun":
            await world.orders.begin(claim)
        if how in {"without capacity", "in hand"}:
            await world.orders.postpone(claim, Later(delay=MOMENT, reason="Quota", capacity=True))
        if how == "in hand":  # it is asked again, and may have begun to work by now
            await claimed(world)
        if how == "ended":
            fact = RunEnded(
                id=evidence_id(void.order), at=world.now(), source="c",
                run=run_id(void.mission, 0), attempt=0, result=RunResult.NOTHING,
            )  # fmt: skip
            await world.orders.settle(claim, fact)
        version = (await shown(world, mission)).version
        ticked, _ = await world.tick(plan(records=[void]))
        assert ticked is not None
        free = how in {"not begun", "without capacity"}
        refused = [] if free else [(void, "OrderInHand")]
        assert (list(ticked.applied), list(ticked.refused)) == ([void] if free else [], refused)
        after = await shown(world, mission)
        assert after.version > version  # it is decided anew, whatever came of it
        assert len(after.orders) == (how in {"in hand", "at work"})
        if free:
            with pytest.raises(Refused):
                await world.orders.begin(claim)
            again, _ = await world.tick(plan(orders=[start_run(mission, world.policy)]))
            assert again is not None
            assert [order.key for order in again.issued] == [void.order]

    @pytest.mark.req("FRZ-1")
    async def test_a_row_of_failures_is_known_as_long_as_any_limit_may_be(
        self, world: StoreWorld
    ) -> None:
        """Also behind endings that neither make it longer nor break it."""
        at, most, others = world.now(), 100, 64
        endings = [
            record
            for number in range(most + others)
            for record in ended(number, at + number * MOMENT, counts=number < most)
        ]
        assert consecutive_failures((await told(world, plan(records=endings))).settled) == most

    @pytest.mark.req("FRZ-3")
    async def test_a_try_to_prove_a_freeze_is_known_behind_any_number_of_neutral_endings(
        self, world: StoreWorld
    ) -> None:
        """Else it is opened once more, and refused because it is there, at each tick."""
        await world.freeze(CLASS)
        (hold,) = (await told(world)).freezes
        at = world.now()
        opening_, end = ended(0, at, counts=False)
        proof = replace(opening_, kind=MissionKind.REQUALIFY, freeze=hold.id)
        records = [proof, end]
        for number in range(1, 70):
            records += ended(number, at + number * MOMENT, counts=False)
        settled = (await told(world, plan(records=records))).settled
        assert [one.mission for one in settled if one.kind is MissionKind.REQUALIFY] == [proof.id]

    @pytest.mark.req("FRZ-1", "FAIL-3")
    async def test_a_class_that_seldom_comes_has_its_row_behind_any_number_of_others(
        self, world: StoreWorld
    ) -> None:
        """It fails each month, and others deliver each hour: that is in a row all the same."""
        at, row, others = world.now(), Installation().class_freeze_after, 130
        await opened(world)  # a class is known by its needs
        records = [one for n in range(row) for one in ended(n, at + n * MOMENT, counts=True)]
        for number in range(row, row + others):
            opening_, end = ended(number, at + number * MOMENT, counts=True)
            records += [replace(opening_, mission_class="busy"), end]
        settled = (await told(world, plan(records=records))).settled
        assert consecutive_failures(settled, CLASS) == row
