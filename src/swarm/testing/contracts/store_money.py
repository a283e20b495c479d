"""The promises of `ports.store` about what work costs before it ends."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

from dataclasses import replace

import pytest

from swarm.core.decision import Settle, VoidOrder
from swarm.core.ids import MissionId, order_key
from swarm.core.nouns import Outcome, OutcomeKind
from swarm.core.reasons import Reason
from swarm.ports.reply import Later
from swarm.ports.store import BudgetTerms
from swarm.testing.contracts.store import MOMENT, StoreWorld, claimed, reading, shown
from swarm.testing.contracts.store_freezes import told
from swarm.testing.contracts.store_plans import opening, plan, start_run

RESERVED = 60


async def at_work(world: StoreWorld, *spent: int, waits: bool) -> MissionId:
    """A mission whose run was begun and told these amounts. waits: the last without capacity."""
    world.budget = BudgetTerms(name="default-budget", cap=100)
    report = await world.intake.ingest(world.swarm, "linter", reading(world))
    record = replace(opening(report.opened[0], world.now()), reserve=RESERVED)
    await world.tick(plan(records=[record]))
    await world.tick(plan(orders=[start_run(record.id, world.policy)]))
    for number, amount in enumerate(spent, start=1):
        claim = await claimed(world)
        await world.orders.begin(claim)
        quota = waits and number == len(spent)
        later = Later(
            delay=MOMENT, reason="Quota" if quota else "Working", spent=amount, capacity=quota
        )
        await world.orders.postpone(claim, later)
    return record.id


class MoneyContract:
    """Inherit it beside `StoreContract`, with the same fixture."""

    @pytest.mark.req("FAIL-5")
    @pytest.mark.parametrize(
        ("told_of", "waits", "each", "spent"),
        [
            pytest.param((0,), False, 20, 20, id="it-told-nothing"),
            pytest.param((10, 45, 40), False, 20, 45, id="the-most-that-it-told-of"),
            pytest.param((10,), False, 20, 20, id="it-has-not-told-all-yet"),
            pytest.param((10, 0), True, 20, 10, id="it-ran-and-waits-for-capacity-now"),
            pytest.param((0,), True, 20, 0, id="it-never-ran"),
            pytest.param((70,), False, 20, 70, id="beyond-the-reservation"),
        ],
    )
    async def test_a_run_that_its_missions_end_cuts_off_is_charged(
        self, world: StoreWorld, *, told_of: tuple[int, ...], waits: bool, each: int, spent: int
    ) -> None:
        """Else a mission cancelled just in time would run for nothing (T18)."""
        mission = await at_work(world, *told_of, waits=waits)
        outcome = Outcome(
            kind=OutcomeKind.REJECTED, at=world.now(), reason=Reason.CANCELLED, detail="",
            attempts=1, cost=0, counts_as_failure=False,
        )  # fmt: skip
        end = Settle(mission=mission, outcome=outcome, need_done=False, run_cost=each)
        window = (await told(world, plan(records=[end]))).budget
        assert window is not None
        assert (window.reserved, window.spent) == (0, spent)

    @pytest.mark.req("FAIL-5", "FRZ-1")
    @pytest.mark.parametrize("spent", [0, 10])
    async def test_a_run_on_which_something_was_spent_is_not_taken_back(
        self, world: StoreWorld, *, spent: int
    ) -> None:
        """What it cost would be forgotten with it, and nobody would be charged for it."""
        mission = await at_work(world, spent, waits=True)
        (open_,) = (await shown(world, mission)).orders
        assert (open_.spent, open_.idle) == (spent, not spent)
        key = order_key(mission, "run", "0")
        void = VoidOrder(mission=mission, order=key, reason=Reason.FROZEN)
        ticked, _ = await world.tick(plan(records=[void]))
        assert ticked is not None
        assert ticked.refused == (((void, "OrderInHand"),) if spent else ())
        assert len((await shown(world, mission)).orders) == bool(spent)
