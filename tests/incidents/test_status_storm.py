"""A status whose timestamp moved woke its own controller: 21 reconciles every 20 seconds."""

import pytest

pytestmark = pytest.mark.req("API-7")


async def test_no_status_is_written_without_a_change_and_no_swarm_wakes_itself(place):
    swarm = await place.apply("shop")
    assert [tick.status is not None for tick in await place.tick()] == [True]
    before = await place.status("shop")
    for _ in range(100):
        await place.bell.ring(swarm)
        (tick,) = await place.tick()
        assert tick.status is None
    assert await place.status("shop") == before
    assert not (await place.ticks.agenda()).swarms


async def test_a_change_is_written_as_it_happens_and_never_again(place):
    swarm = await place.apply("shop")
    await place.tick()
    await place.need(swarm, 1)
    writes = []
    for _ in range(20):
        await place.bell.ring(swarm)
        writes += [tick.status is not None for tick in await place.tick()]
    # The mission opens, then its run is ordered; after that nobody has anything new to say.
    assert 1 <= sum(writes) <= 2
    assert not any(writes[2:])
