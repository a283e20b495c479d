"""Schedulers went on creating runs behind a full queue: 341 stood blocked, and all looked healthy.

The backlog of one swarm starved the other one, too.
"""

from datetime import timedelta

import pytest

from swarm.ports.reply import Later

pytestmark = pytest.mark.req("LOOP-5")
NO_ROOM = Later(
    delay=timedelta(minutes=5), reason="Capacity", detail="no room for a run", capacity=True
)


async def test_blocked_runs_stop_dispatch_and_say_so_at_the_next_tick(place):
    blocked = await place.apply("blocked")
    await place.need(blocked, *range(300))
    dispatched = set()
    for _ in range(30):
        await place.bell.ring(blocked)
        await place.tick()
        for claim in await place.claim(50):
            dispatched.add(claim.order.key)
            await place.orders.begin(claim)
            await place.orders.postpone(claim, NO_ROOM)
    assert 1 <= len(dispatched) <= 4
    missions = await place.look.rows("missions")
    assert len(missions) <= 4, "300 needs wait as needs, not as missions that hold budget"
    await place.tick()
    degraded = await place.condition("blocked", "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "Capacity"), "it looks healthy"
    assert "no room for a run" in degraded["message"]
    assert (await place.status("blocked"))["phase"] == "Degraded"


async def test_the_backlog_of_one_swarm_starves_no_other(place):
    loud, quiet = await place.apply("loud"), await place.apply("quiet")
    await place.need(loud, *range(300))
    await place.tick()
    await place.need(quiet, 1)
    await place.tick()
    claims = await place.claim(16)
    assert {claim.swarm for claim in claims} == {loud, quiet}
