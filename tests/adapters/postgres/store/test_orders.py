"""Orders: one holder at a time, a freeze that bites in the claim, a fence that nobody passes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from swarm.adapters.postgres.store.errors import OrderHeld, StaleFence
from swarm.ports.reply import Later

LEASE = timedelta(seconds=30)


async def claim_one(world, lease=LEASE):
    (claim,) = await world.orders.claim("controller-a", 5, lease)
    return claim


async def expire(world):
    await world.sql("update decision set due_at = now() - interval '1 second' where owner <> ''")


async def freeze(world, mission_class="*"):
    await world.sql(
        "insert into frozen (id, swarm, mission_class, reason, detail, cause, since, needs_token,"
        " by) values ('f-1', %s, %s, 'Person', '', 'ann', now(), false, 'ann')",
        world.swarm,
        mission_class,
    )


@pytest.mark.req("OWN-4")
async def test_an_order_has_one_holder_until_its_lease_ends(world, make):
    await world.open_mission("n-1", make.start_run)
    first = await claim_one(world)
    assert await world.orders.claim("controller-b", 5, LEASE) == ()
    await expire(world)
    (second,) = await world.orders.claim("controller-b", 5, LEASE)
    assert second.order == first.order
    assert second.fence > first.fence
    assert second.tries == 2


@pytest.mark.req("OWN-4")
async def test_a_stale_holder_cannot_settle_anything(world, make):
    mission = await world.open_mission("n-1", make.start_run)
    stale = await claim_one(world)
    await expire(world)
    fresh = await claim_one(world)
    before = await world.one("select version from mission where id = %s", mission)
    with pytest.raises(StaleFence):
        await world.orders.settle(stale, make.run_ended(stale.order))
    assert await world.one("select count(*) from evidence") == 0
    assert await world.one("select version from mission where id = %s", mission) == before
    await world.orders.settle(fresh, make.run_ended(fresh.order))
    assert await world.one("select count(*) from evidence") == 1


@pytest.mark.req("OWN-3")
async def test_an_order_is_settled_once(world, make):
    await world.open_mission("n-1", make.start_run)
    claim = await claim_one(world)
    await world.orders.settle(claim, make.run_ended(claim.order))
    with pytest.raises(StaleFence):
        await world.orders.settle(claim, make.run_ended(claim.order))
    assert await world.orders.claim("controller-a", 5, LEASE) == ()


@pytest.mark.req("OWN-4")
async def test_a_fence_of_a_voided_order_does_not_fit_the_order_issued_again(world, make):
    """A fence is later than every claim before it, also of a row that is gone."""
    mission = await world.open_mission("n-1", make.start_run)
    old = await claim_one(world)
    await world.sql("delete from decision")
    await world.tick(make.nothing(orders=(make.start_run(mission),)))
    await claim_one(world)
    with pytest.raises(StaleFence):
        await world.orders.settle(old, make.run_ended(old.order))


async def test_settling_advances_the_mission_and_wakes_the_swarm(world, make):
    mission = await world.open_mission("n-1", make.start_run)
    claim = await claim_one(world)
    assert not (await world.ticks.agenda()).swarms
    fact = make.run_ended(claim.order)
    await world.orders.settle(claim, fact)
    assert (await world.ticks.agenda()).swarms
    await world.ticks.tick(world.script, world.script.bind, "a")
    (seen,) = world.script.seen[-1].missions
    assert (seen.id, seen.facts, seen.orders) == (mission, (fact,), ())


async def test_many_are_settled_at_once_and_the_stale_ones_come_back(world, make):
    mission = await world.open_mission(
        "n-1", make.start_run, make.run_check, lambda m: make.run_check(m, "c2")
    )
    claims = await world.orders.claim("controller-a", 5, LEASE)
    facts = {
        "start-run": make.run_ended,
        "run-check": make.check_ended,
    }
    pairs = [(claim, facts[claim.order.kind](claim.order)) for claim in claims]
    await world.orders.settle(*pairs[0])
    assert await world.orders.settle_all(pairs) == (pairs[0][0],)
    assert await world.one("select count(*) from evidence where mission = %s", mission) == 3


# --- freezes and policy --------------------------------------------------------------------------


@pytest.mark.req("FRZ-2")
@pytest.mark.parametrize("scope", ["*", "docs"])
async def test_a_freeze_holds_forward_orders_and_lets_protection_go_on(world, make, scope):
    await world.open_mission("n-1", make.start_run, make.run_check)
    await freeze(world, scope)
    (claim,) = await world.orders.claim("controller-a", 5, LEASE)
    assert claim.order.kind == "run-check"


@pytest.mark.req("FRZ-2")
async def test_a_freeze_of_another_class_holds_nothing(world, make):
    await world.open_mission("n-1", make.start_run)
    await freeze(world, "security")
    assert len(await world.orders.claim("controller-a", 5, LEASE)) == 1


@pytest.mark.req("FRZ-2")
async def test_whoever_prepares_for_long_learns_that_a_freeze_came_meanwhile(world, make):
    mission = await world.open_mission("n-1", make.start_run)
    claim = await claim_one(world)
    key = claim.order.key
    await world.orders.begin(claim)
    assert await world.orders.may_begin(key)
    await freeze(world, "security")
    assert await world.orders.may_begin(key)
    await world.sql("update frozen set mission_class = '*'")
    assert not await world.orders.may_begin(key)
    await world.tick(make.nothing(orders=(make.run_check(mission),)))
    check = await claim_one(world)
    assert not check.order.forward
    assert await world.orders.may_begin(check.order.key), "verification goes on"
    assert not await world.orders.may_begin("m-none/run/0")


@pytest.mark.req("FRZ-2")
async def test_a_freeze_between_claim_and_begin_still_bites(world, make):
    await world.open_mission("n-1", make.start_run)
    claim = await claim_one(world)
    await freeze(world)
    with pytest.raises(OrderHeld):
        await world.orders.begin(claim)
    assert await world.orders.claim("controller-a", 5, LEASE) == ()
    await world.sql("update frozen set lifted_at = now()")
    again = await claim_one(world)
    await world.orders.begin(again)


async def test_shadow_mode_holds_forward_orders(world, make):
    await world.open_mission("n-1", make.start_run)
    await world.sql("update swarm set shadow = true")
    assert await world.orders.claim("controller-a", 5, LEASE) == ()


@pytest.mark.req("MODE-6")
async def test_a_new_spec_holds_forward_orders_until_a_tick_decided_under_it(world, make):
    mission = await world.open_mission("n-1", make.start_run, make.run_check)
    await world.desk.apply(make.manifest(mode="lights-out"))
    (claim,) = await world.orders.claim("controller-a", 5, LEASE)
    assert claim.order.kind == "run-check"
    world.script.policy = "p2"
    again = make.start_run(mission, policy="p2")
    tick = await world.tick(make.nothing(orders=(again,)))
    assert tick.voided == (again.key,)
    assert world.script.seen[-1].missions[0].orders[0].kind == "run-check"
    assert tick.issued == (again,)
    assert (await claim_one(world)).order == again


async def test_orders_of_unknown_kinds_are_left_alone(world, make):
    await world.open_mission("n-1", make.start_run)
    await world.sql("update decision set kind = 'teleport'")
    assert await world.orders.claim("controller-a", 5, LEASE) == ()
    assert not (await world.ticks.agenda()).orders


# --- waiting -------------------------------------------------------------------------------------


async def test_a_postponed_order_says_why_it_waits_and_comes_back(world, make):
    await world.open_mission("n-1", make.start_run)
    claim = await claim_one(world)
    later = Later(delay=timedelta(minutes=5), reason="Quota", detail="try at noon", capacity=True)
    await world.orders.postpone(claim, later)
    assert await world.orders.claim("controller-a", 5, LEASE) == ()
    (order,) = (await world.snapshot()).missions[0].orders
    assert order.waits_because == "Quota: try at noon"
    assert order.next_try is not None
    with pytest.raises(StaleFence):
        await world.orders.settle(claim, make.run_ended(claim.order))
    await world.sql("update decision set due_at = now()")
    assert (await claim_one(world)).tries == 2


@pytest.mark.parametrize(
    ("waits", "wakes"),
    [
        pytest.param([("Running", False), ("Running", False)], [False, False], id="under-way"),
        pytest.param([("Quota", True), ("Quota", True)], [True, False], id="no-capacity"),
        pytest.param([("Quota", True), ("Missing", True)], [True, True], id="another-reason"),
        pytest.param([("Quota", True), ("Running", False)], [True, True], id="capacity-is-back"),
    ],
)
async def test_only_news_about_capacity_wake_the_swarm(world, make, waits, wakes):
    mission = await world.open_mission("n-1", make.start_run)
    for (reason, capacity), expected in zip(waits, wakes, strict=True):
        claim = await claim_one(world)
        later = Later(delay=timedelta(0), reason=reason, capacity=capacity)
        await world.orders.postpone(claim, later)
        assert (await world.ticks.agenda()).swarms is expected
        await world.sql("delete from wake")
    told = await world.one(
        "select count(*) from trail where kind = 'order.waits' and chain = %s", mission
    )
    assert told == sum(wakes)


async def test_a_heartbeat_keeps_the_lease_and_names_what_is_lost(world, make):
    await world.open_mission("n-1", make.start_run, make.run_check)
    claims = await world.orders.claim("controller-a", 5, LEASE)
    await expire(world)
    assert await world.orders.heartbeat(claims, LEASE) == ()
    assert await world.orders.claim("controller-b", 5, LEASE) == ()
    await expire(world)
    await world.orders.claim("controller-b", 1, LEASE)
    assert len(await world.orders.heartbeat(claims, LEASE)) == 1


async def test_a_released_order_is_due_at_once(world, make):
    await world.open_mission("n-1", make.start_run)
    claim = await claim_one(world)
    await world.orders.release([claim])
    assert (await claim_one(world)).order == claim.order


@pytest.mark.req("FAIL-6")
async def test_a_lease_from_a_clock_that_was_set_back_is_healed(world, make):
    await world.open_mission("n-1", make.start_run)
    await claim_one(world)
    await world.sql("update decision set due_at = now() + interval '1 hour'")
    assert await world.orders.heal() == 1
    await claim_one(world)


@pytest.mark.req("OWN-4", "LOOP-11")
async def test_what_the_dead_held_is_given_back_at_once_and_their_late_writes_are_refused(
    world, make
):
    mission = await world.open_mission("n-1", make.start_run)
    dead = await claim_one(world)
    assert await world.orders.claim("controller-b", 5, LEASE) == ()
    assert await world.orders.inherit(["controller-z", "controller-a"]) == 1
    with pytest.raises(StaleFence):
        await world.orders.settle(dead, make.run_ended(dead.order))
    assert await world.orders.heartbeat([dead], LEASE) == (dead,)
    (taken,) = await world.orders.claim("controller-b", 5, LEASE)
    assert taken.fence > dead.fence
    await world.orders.settle(taken, make.run_ended(taken.order))
    assert await world.one("select count(*) from evidence where mission = %s", mission) == 1


@pytest.mark.req("OWN-4")
async def test_nothing_is_taken_from_the_living_by_it(world, make):
    await world.open_mission("n-1", make.start_run)
    claim = await claim_one(world)
    assert await world.orders.inherit(["controller-b", "", "controller"]) == 0
    assert await world.orders.inherit([]) == 0
    await world.orders.settle(claim, make.run_ended(claim.order))


async def test_nothing_waits_for_the_time_by_which_a_clock_was_set_back(world, make):
    """Else a canary that is looked at every half minute would go unwatched for an hour."""
    await world.open_mission("n-1", make.start_run)
    await world.open_mission("n-2", make.start_run)
    waiting, held = await world.orders.claim("controller-a", 5, LEASE)
    later = Later(delay=timedelta(seconds=30), reason="Canary", detail="the next look")
    await world.orders.postpone(waiting, later)
    await world.sql("update decision set due_at = due_at + interval '1 hour'")
    await world.sql("update swarm set due_at = now() + interval '1 hour'")
    assert await world.orders.claim("controller-b", 5, LEASE) == ()

    await world.orders.clock_set_back()

    (again,) = await world.orders.claim("controller-b", 5, LEASE)
    assert again.order == waiting.order
    assert (await world.ticks.agenda()).swarms
    await world.orders.settle(held, make.run_ended(held.order))
