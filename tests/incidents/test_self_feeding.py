"""Each repair raised an alert, and each alert became a need: the loop fed on its own work."""

from datetime import UTC, datetime

import pytest

from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.core.ids import MissionId, signal_id
from swarm.core.nouns import Risk, Signal
from swarm.ports.sources import Reading

ROUNDS = 6


async def alert(place, swarm, number, mission):
    """Two sources say what our own mission caused."""
    for source in ("ruff", "reference-search"):
        told = Signal(
            id=signal_id(swarm, source, str(number)), source=source, external_id=str(number),
            title=f"alert {number} fires", body="", citation=f"src/file{number}.py:1@main0",
            origin=source, author=source, external=False, trust=0.8,
            observed_at=datetime.now(UTC), content_hash=f"{source}-{number}",
            mission_class="tidy", repo="acme/shop", paths=(f"src/file{number}.py",), rule="F401",
            risk=Risk.R1, caused_by=MissionId(mission),
        )  # fmt: skip
        await PostgresIntake(place.database).ingest(
            swarm, source, Reading(signals=(told,), cursor=f"{number}")
        )


@pytest.mark.req("LOOP-5")
async def test_what_our_own_work_causes_again_and_again_is_taken_up_no_more(place):
    swarm = await place.apply("shop")
    await place.need(swarm, 0)
    await place.tick()
    known = {row["id"] for row in await place.look.rows("missions")}
    (last,) = known
    for number in range(1, ROUNDS):
        await alert(place, swarm, number, last)
        ticks = await place.tick()
        opened = {row["id"] for row in await place.look.rows("missions")} - known
        if not opened:
            break
        (last,) = opened
        known |= opened
    assert len(known) == 3, "the first, and two that our own work caused"
    (left,) = await place.look.rows("needs", state="open")
    assert left["own_rounds"] == 3
    passed = [one for tick in ticks for one in tick.plan.selected if one[0] == left["id"]]
    assert {reason for _, reason, _ in passed} == {"SelfCausedLoop"}, "it waits without a reason"
