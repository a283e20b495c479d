"""The promises of `ports.store` about freezes."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import pytest

from swarm.core.decision import MarkRequalified, Plan
from swarm.core.ids import MissionId
from swarm.core.snapshot import Snapshot
from swarm.testing.contracts.store import MOMENT, StoreWorld
from swarm.testing.contracts.store_plans import CLASS, plan


async def told(world: StoreWorld, made: Plan | None = None) -> Snapshot:
    """What decide is told after this plan was written down."""
    if made is not None:
        await world.tick(made)
    _, snapshot = await world.tick(plan())
    assert snapshot is not None
    return snapshot


class FreezeContract:
    """Inherit it beside `StoreContract`, with the same fixture."""

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
