"""Blocked runs could not be deleted: 340 that had never begun were removed by hand (P64)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.adapters.postgres.store.desk.people import People
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.core.snapshot import AgentBinding
from swarm.ports.reply import Later

pytestmark = pytest.mark.req("OWN-4", "FAIL-1")
NO_ROOM = Later(
    delay=timedelta(hours=1), reason="Capacity", detail="no room for a run", capacity=True
)


def paid(bind):
    """The same installation, but its agent costs money, which each mission reserves."""

    def made(swarm, spec):
        bound = bind(swarm, spec)
        agents = (AgentBinding(name="tidy", cost=1_000),)
        return replace(bound, installation=replace(bound.installation, agents=agents))

    return made


async def blocked(place, *, tried, needs):
    """A swarm whose runs stand before a full queue. tried: they were handed out once."""
    place.bind = paid(place.bind)
    swarm = await place.apply("blocked")
    await place.need(swarm, *range(needs))
    await place.tick()
    for claim in await place.claim(50) if tried else ():
        await place.orders.begin(claim)
        await place.orders.postpone(claim, NO_ROOM)
    await place.tick()
    (budget,) = await place.look.rows("budgets")
    assert budget["reserved"] > 0
    return await place.look.rows("missions")


async def ended(place):
    """Tick once, with nobody to carry anything out; what is left of missions, orders, money."""
    await place.tick()
    missions = {(row["outcome"], row["reason"]) for row in await place.look.rows("missions")}
    claims = [claim.order.kind for claim in await place.claim(50)]
    budgets = [row["reserved"] for row in await place.look.rows("budgets")]
    return missions, claims, budgets


@pytest.mark.parametrize("tried", [False, True], ids=["never-handed-out", "turned-away"])
async def test_missions_that_never_ran_end_at_a_word_and_leave_nothing(place, tried):
    missions = await blocked(place, tried=tried, needs=3)
    assert {row["outcome"] for row in missions} == {"open"}
    for row in missions:
        await People(place.database, "ann").say(row["id"], "cancel", "make room")
    assert await ended(place) == ({("rejected", "Cancelled")}, [], [0])


@pytest.mark.parametrize("tried", [False, True], ids=["never-handed-out", "turned-away"])
async def test_a_swarm_goes_at_once_although_its_queue_is_full(place, tried):
    missions = await blocked(place, tried=tried, needs=300)
    cancelled = await SwarmDesk(place.database, "ann").delete("default", "blocked", "not needed")
    assert set(cancelled) == {row["id"] for row in missions}
    assert await ended(place) == ({("rejected", "Cancelled")}, [], [0])
