"""Each repair raised an alert, and each alert became a need: the loop fed on its own work."""

from datetime import UTC, datetime

import pytest

from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.core.ids import MissionId, signal_id
from swarm.core.nouns import Risk, Signal
from swarm.ports.sources import Reading

ROUNDS = 6


async def alert(place, swarm, number, mission, sources=("ruff", "reference-search")):
    """Two sources say what our own mission caused; nobody's when it is None."""
    for source in sources:
        told = Signal(
            id=signal_id(swarm, source, str(number)), source=source, external_id=str(number),
            title=f"alert {number} fires", body="", citation=f"src/file{number}.py:1@main0",
            origin=source, author=source, external=False, trust=0.8,
            observed_at=datetime.now(UTC), content_hash=f"{source}-{number}",
            mission_class="tidy", repo="acme/shop", paths=(f"src/file{number}.py",), rule="F401",
            risk=Risk.R1, caused_by=MissionId(mission) if mission else None,
        )  # fmt: skip
        await PostgresIntake(place.database).ingest(
            swarm, source, Reading(signals=(told,), cursor=f"{number}")
        )


@pytest.mark.req("LOOP-5", "MODE-4")
async def test_what_our_own_work_causes_again_and_again_freezes_its_class_once(place):
    swarm = await place.apply("shop")
    await place.need(swarm, 0)
    await place.tick()
    known = {row["id"] for row in await place.look.rows("missions")}
    (last,) = known
    for number in range(1, ROUNDS):
        await alert(place, swarm, number, last)
        await place.tick()
        opened = {row["id"] for row in await place.look.rows("missions")} - known
        if not opened:
            break
        (last,) = opened
        known |= opened
    assert len(known) == 3, "the first, and two that our own work caused"
    assert not await place.look.rows("needs", state="open")
    (loop,) = await place.look.rows("needs", state="rejected")
    assert (loop["own_rounds"], loop["state_reason"].partition(":")[0]) == (3, "SelfCausedLoop")
    (hold,) = await place.look.rows("freezes", state="open")
    assert (hold["mission_class"], hold["reason"], hold["cause"]) == (
        "tidy", "SelfCausedLoop", loop["id"],
    )  # fmt: skip
    assert (await place.status("shop"))["freeze"]["reason"].startswith("SelfCausedLoop (tidy)")
    claims = await place.claim(16)
    assert not [claim for claim in claims if claim.order.forward], "the loop runs on"
    await place.sql("update frozen set lifted_at = now()")
    await alert(place, swarm, 3, None, sources=("pyflakes", "vulture"))
    await alert(place, swarm, ROUNDS, None)
    await place.tick()
    assert not await place.look.rows("freezes", state="open"), "frozen for what was answered"
    titles = {row["title"] for row in await place.look.rows("missions")} - {loop["title"]}
    assert f"alert {ROUNDS} fires" in titles, "the class works again"
    (loop,) = await place.look.rows("needs", state="rejected")
    assert loop["signals"] == 4, "what others say of it is kept"
