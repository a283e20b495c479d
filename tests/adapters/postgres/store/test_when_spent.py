"""Agents at work when a window is overdrawn: all who share it hear of it, and are charged."""

from datetime import timedelta

import pytest

from swarm.core.decide import decide
from swarm.core.nouns import OutcomeKind
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.store import BudgetTerms

pytestmark = pytest.mark.req("FAIL-5")

HOUR = timedelta(hours=1)


@pytest.fixture
async def shared(world, make):
    """Two Swarms on one budget, each with an agent at work; gives both Swarms and the claims."""
    agents = (AgentBinding(name="tidy", cost=20),)
    world.script.installation = Installation(agents=agents)
    world.script.budget = BudgetTerms(name="default-budget", cap=100, when_spent="stop")
    swarms, claims = [], []
    for number in range(2):
        world.swarm = (await world.desk.apply(make.manifest(f"swarm-{number}"))).swarm
        swarms.append(world.swarm)
        await world.sql("update swarm set due_at = null where id <> %s", world.swarm)
        await world.sql("delete from wake")
        await world.open_mission(f"n-{number}", make.start_run, reserve=40)
        (claim,) = await world.orders.claim("a", 1, HOUR)
        await world.orders.begin(claim)
        claims.append(claim)
    await world.sql("delete from wake")
    return swarms, claims


async def until_quiet(world):
    """What the real decisions come to."""
    for _ in range(10):
        if await world.ticks.tick(decide, world.script.bind, "a") is None:
            return
    raise AssertionError("it never came to rest")


async def test_who_overdraws_a_window_has_the_agents_of_all_that_share_it_stopped(
    world, make, shared
):
    swarms, (first, second) = shared
    await world.orders.settle(first, make.run_ended(first.order, cost=70))
    assert {swarm for (swarm,) in await world.sql("select swarm from wake")} == set(swarms)
    world.swarm = swarms[1]
    await until_quiet(world)
    ((kind, reason, counts, cost),) = await world.sql(
        "select outcome, reason, counts_as_failure, cost from outcome where mission = %s",
        second.order.mission,
    )
    assert (kind, reason, counts, cost) == (OutcomeKind.REFUSED, "BudgetExhausted", False, 20)
    assert await world.one("select count(*) from decision where key = %s", second.order.key) == 0
    ((reserved, spent, ends),) = await world.sql("select reserved, spent, window_end from budget")
    assert (reserved, spent) == (0, 90)
    rests = await world.one("select not_before from need where id = 'n-1' and state = 'open'")
    assert rests == ends


async def test_a_run_within_the_window_wakes_nobody_else(world, make, shared):
    swarms, (first, _) = shared
    await world.orders.settle(first, make.run_ended(first.order, cost=25))
    assert {swarm for (swarm,) in await world.sql("select swarm from wake")} == {swarms[0]}


async def test_a_budget_that_lets_finish_ends_nobody(world, make, shared):
    _, (first, second) = shared
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    await world.orders.settle(first, make.run_ended(first.order, cost=70))
    await until_quiet(world)
    await world.orders.settle(second, make.run_ended(second.order, cost=15))
    assert await world.one("select spent from budget") == 85
