"""Ticks: serial per swarm, nothing lost, records only where the store allows them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.postgres.connect import connect_sync
from swarm.adapters.postgres.store import candidates
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.errors import StaleFence
from swarm.adapters.postgres.store.statements import statements
from swarm.contract.verdict import Answer, Verdict
from swarm.core.decision import (
    AskApproval,
    GiveVerdict,
    Learn,
    LiftFreeze,
    MarkRequalified,
    OpenFreeze,
    RejectNeed,
    Settle,
    Standing,
    UseApproval,
    VoidOrder,
)
from swarm.core.ids import approval_id, freeze_id
from swarm.core.nouns import Freeze, MissionKind, Outcome, OutcomeKind
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.reply import Later
from swarm.ports.store import BudgetTerms

HOUR = timedelta(hours=1)


def now():
    return datetime.now(UTC)


def outcome(kind=OutcomeKind.DELIVERED, **given):
    made = Outcome(
        kind=kind, reason="Delivered", detail="", at=now(), attempts=1, cost=5,
        counts_as_failure=kind is OutcomeKind.FAILED,
    )  # fmt: skip
    return replace(made, **given)


def settle(mission, kind=OutcomeKind.DELIVERED, **given):
    made = Settle(mission=mission, outcome=outcome(kind), need_done=kind is OutcomeKind.DELIVERED)
    return replace(made, **given)


async def tally(world):
    return await world.one("select coalesce(sum(open), 0)::int from tally")


async def really_open(world):
    return await world.one("select count(*)::int from need where state = 'open'")


# --- due and awake -------------------------------------------------------------------------------


async def test_a_quiet_swarm_is_not_due_and_nothing_is_written(world):
    await world.tick()
    assert await world.ticks.tick(world.script, world.script.bind, "a") is None
    agenda = await world.ticks.agenda()
    assert (agenda.swarms, agenda.orders, agenda.wait) == (False, False, None)


@pytest.mark.req("LOOP-1")
async def test_a_tick_looks_again_when_its_plan_says(world, make):
    await world.tick(make.nothing(look_again=now() + HOUR))
    agenda = await world.ticks.agenda()
    assert not agenda.swarms
    assert timedelta(minutes=59) < agenda.wait <= HOUR
    await world.sql("update swarm set due_at = now()")
    assert await world.ticks.tick(world.script, world.script.bind, "a") is not None


@pytest.mark.req("LOOP-1")
async def test_a_wake_up_during_a_tick_is_not_lost(world, make):
    """The ring commits after the tick has read; the tick must not swallow it."""
    loop = asyncio.get_running_loop()

    def ring_meanwhile(_snapshot):
        asyncio.run_coroutine_threadsafe(world.bell.ring(world.swarm), loop)
        return make.nothing()

    await world.tick(ring_meanwhile)
    for _ in range(100):
        if (await world.ticks.agenda()).swarms:
            break
        await asyncio.sleep(0.01)
    assert await world.ticks.tick(world.script, world.script.bind, "a") is not None


async def test_one_swarm_is_serial(world, make):
    """While one controller decides, another finds nothing to do; other swarms go on."""
    other = (await world.desk.apply(make.manifest("billing"))).swarm
    await world.ticks.tick(world.script, world.script.bind, "a")
    await world.ticks.tick(world.script, world.script.bind, "a")
    await world.bell.ring(world.swarm)
    async with world.database.connection() as held, held.transaction():
        await held.execute("select 1 from swarm where id = %s for no key update", (world.swarm,))
        assert await world.ticks.tick(world.script, world.script.bind, "b") is None
        await world.bell.ring(other)
        tick = await world.ticks.tick(world.script, world.script.bind, "b")
        assert tick.swarm == other
    assert (await world.ticks.tick(world.script, world.script.bind, "b")).swarm == world.swarm


async def test_the_bell_reaches_a_listener(world):
    heard = world.bell.listen()
    assert await asyncio.wait_for(anext(heard), 5) == ""
    await world.bell.ring(world.swarm)
    assert await asyncio.wait_for(anext(heard), 5) == world.swarm
    await heard.aclose()


async def test_a_decide_that_fails_writes_nothing_and_leaves_the_swarm_due(world):
    def broken(_snapshot):
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        await world.tick(broken)
    assert (await world.ticks.agenda()).swarms


# --- needs and missions --------------------------------------------------------------------------


@pytest.mark.req("LOOP-5")
async def test_the_best_needs_come_first_with_the_learned_bias_of_their_class(world, make):
    await world.need("n-a", "docs", rank=1.0)
    await world.need("n-b", "docs", rank=2.0)
    await world.need("n-c", "security", rank=1.5)
    assert [need.id for need in (await world.snapshot()).needs] == ["n-b", "n-c", "n-a"]
    learned = Learn(class_bias=(("security", 0.75),), source_trust=(), cause="m-1")
    await world.tick(make.nothing(records=(learned,)))
    snapshot = await world.snapshot()
    assert [need.id for need in snapshot.needs] == ["n-c", "n-b", "n-a"]
    assert snapshot.class_bias == (("security", 0.75),)
    assert snapshot.queued_needs == 3


@pytest.fixture
def short_list(monkeypatch):
    """Twelve candidates, and of a class at most three that cannot be taken."""
    monkeypatch.setattr(candidates, "NEEDS_READ", 12)
    monkeypatch.setattr(candidates, "NEEDS_TOLD", 3)


@pytest.mark.req("LOOP-5", "FRZ-1")
async def test_a_class_from_which_nothing_can_be_taken_does_not_fill_the_list(
    world, make, short_list
):
    """Two hundred needs of a frozen class, each of more worth, hid all others while it was held."""
    for number in range(15):
        await world.need(f"n-{number:02}", "deps", rank=9.0)
        await world.need(f"o-{number:02}", "odd", rank=8.0)
    await world.need("n-docs", "docs", rank=1.0)
    agents = (AgentBinding(name="tidy", classes=("deps", "docs")),)
    world.script.installation = Installation(agents=agents)
    await world.tick(make.nothing(records=(OpenFreeze(freeze=freeze(world.swarm, scope="deps")),)))
    shown = [need.id for need in (await world.snapshot()).needs]
    assert shown[0] == "n-docs"
    assert len(shown) == 1 + 3 + 3, "some of the others are shown, so that it can be said why not"


whatever_bars = pytest.mark.parametrize(
    "barred",
    [
        pytest.param("repo = 'acme/elsewhere'", id="a-repository-that-is-not-allowed"),
        pytest.param("repo = ''", id="no-repository"),
        pytest.param("rule = 'odd'", id="a-rule-that-no-agent-takes"),
        pytest.param("risk = 2", id="risky-while-a-source-is-dark"),
    ],
)
CHOOSY = Installation(
    agents=(
        AgentBinding(name="deps", classes=("deps",)),
        AgentBinding(name="tidy", classes=("docs",), rules=("F401",)),
    )
)


@pytest.mark.req("LOOP-5")
@whatever_bars
async def test_needs_that_cannot_be_taken_do_not_hide_one_that_can(world, make, short_list, barred):
    """However many of them there are, and of however much more worth, in the very same class."""
    await world.desk.apply(make.manifest(discovery={"sources": [{"name": "ruff"}]}))
    for number in range(15):
        await world.need(f"n-{number:02}", "docs", rank=9.0)
    await world.sql(f"update need set {barred}")
    await world.need("n-good", "docs", rank=1.0)
    await world.sql("update source set dark_since = now()")
    world.script.installation = CHOOSY
    shown = [need.id for need in (await world.snapshot()).needs]
    assert shown == ["n-good", "n-00", "n-01", "n-02"]


@pytest.mark.req("LOOP-5")
@whatever_bars
async def test_however_many_cannot_be_taken_their_rows_are_not_read(world, make, barred):
    """A tick took a second where no agent took the rules of 200,000 needs, each tick anew."""
    applied = make.manifest(discovery={"sources": [{"name": "ruff"}]})
    await world.desk.apply(applied)
    await world.need("n-0", "docs", rank=9.0, body="what was said of it" * 50)
    await world.sql(f"update need set {barred}")
    await world.need("n-good", "docs", rank=1.0)
    await world.sql("update source set dark_since = now()")
    rest = await world.one(
        "select string_agg(column_name, ', ') from information_schema.columns"
        " where table_schema = 'swarm' and table_name = 'need' and column_name <> 'id'"
    )
    best = statements("needs")["best"]
    asked = candidates.takeable(world.swarm, applied.spec, CHOOSY)
    async with world.database.connection() as connection:
        async with connection.transaction():
            # Else no page is known to be visible to all before its commit is written.
            await connection.execute("set local synchronous_commit = on")
            await connection.execute(
                f"insert into need (id, {rest}) select 'n-' || i, {rest}"
                " from need, generate_series(1, 5000) i where id = 'n-0'"
            )
        await connection.execute("vacuum analyze need")
        found = await (await connection.execute(best, asked)).fetchall()
        told = await connection.execute(f"explain (analyze, buffers, format json) {best}", asked)
        plan = (await told.fetchone())[0][0]["Plan"]
    assert [row[0] for row in found][:1] == ["n-good"]
    assert len(found) == 1 + candidates.NEEDS_TOLD
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 250, "5,000 rows lie on more"


async def test_of_the_candidates_only_those_that_changed_are_read_again(world):
    for id_, rank in (("n-a", 3.0), ("n-b", 2.0), ("n-c", 1.0)):
        await world.need(id_, rank=rank)
    first = {need.id: need for need in (await world.snapshot()).needs}
    await world.sql("update need set title = 'new words', rank = 9.0 where id = 'n-b'")
    await world.sql("update need set state = 'rejected' where id = 'n-c'")
    second = (await world.snapshot()).needs
    assert [(need.id, need.title) for need in second] == [
        ("n-b", "new words"),
        ("n-a", first["n-a"].title),
    ]
    assert second[1] is first["n-a"], "as it was read before"
    assert first["n-b"].title != "new words"


async def test_a_candidate_is_not_remembered_as_a_lost_transaction_left_it(world):
    """A row that a rolled-back transaction wrote is not the row that others write later."""
    await world.need("n-a")
    (before,) = (await world.snapshot()).needs
    async with world.database.connection() as connection:
        async with connection.transaction(force_rollback=True):
            await connection.execute("update need set title = 'never said' where id = 'n-a'")
        (kept,) = (await world.snapshot()).needs
        assert kept.title == before.title
        await connection.execute("update need set title = 'said' where id = 'n-a'")
    (after,) = (await world.snapshot()).needs
    assert after.title == "said"


async def test_a_need_that_rests_is_not_shown_and_wakes_the_swarm_when_it_has_rested(world):
    await world.need("n-a", not_before=now() + HOUR)
    assert (await world.snapshot()).needs == ()
    assert (await world.ticks.agenda()).wait <= HOUR


@pytest.mark.req("LOOP-5")
async def test_a_need_gets_one_mission(world, make):
    await world.need()
    first, twin = make.opening("n-1"), make.opening("n-1", round_=1)
    tick = await world.tick(make.nothing(records=(first, twin)))
    assert tick.applied == (first,)
    assert tick.refused == ((twin, "NeedNotOpen"),)
    assert tick.due is not None, "a refusal looks again soon"
    snapshot = await world.snapshot()
    assert snapshot.needs == ()
    (mission,) = snapshot.missions
    assert (mission.id, mission.need, mission.rule, mission.body) == (
        first.id,
        "n-1",
        "F401",
        "text",
    )
    assert mission.contract == make.CONTRACT
    assert await tally(world) == await really_open(world) == 0


async def test_orders_of_a_mission_that_was_refused_are_not_issued(world, make):
    await world.need(state="taken")
    record = make.opening("n-1")
    tick = await world.tick(make.nothing(records=(record,), orders=(make.start_run(record.id),)))
    assert tick.issued == ()


@pytest.mark.req("FAIL-6")
@pytest.mark.parametrize(
    ("kind", "due", "excused"),
    [
        ("run-check", "1 hour", True),
        ("run-check", "1 second", False),
        ("start-run", "1 hour", False),
    ],
)
async def test_a_check_that_nobody_was_awake_to_ask_was_not_silent(world, make, kind, due, excused):
    """Else whoever closes the lid over lunch finds each check of then red, green as it was."""
    await world.open_mission("n-1", make.start_run)
    await world.snapshot()
    await world.sql(
        f"update decision set kind = '{kind}', begun_at = now() - interval '2 hours',"
        f" due_at = now() - interval '{due}'"
    )
    (mission,) = (await world.snapshot()).missions
    since = mission.orders[0].begun_at
    assert (since is not None and now() - since < HOUR) is excused
    again = await world.snapshot()
    assert again.missions[0].orders[0].begun_at == since


async def test_an_order_is_issued_once(world, make):
    mission = await world.open_mission()
    order = make.start_run(mission)
    assert (await world.tick(make.nothing(orders=(order,)))).issued == (order,)
    assert (await world.tick(make.nothing(orders=(order,)))).issued == ()
    assert await world.one("select count(*) from decision") == 1


@pytest.mark.req("OWN-3")
async def test_a_settled_order_is_never_issued_again(world, make):
    mission = await world.open_mission("n-1", make.start_run)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.settle(claim, make.run_ended(claim.order))
    tick = await world.tick(make.nothing(orders=(make.start_run(mission),)))
    assert tick.issued == ()


@pytest.mark.parametrize(
    ("kind", "given", "state"),
    [
        pytest.param(OutcomeKind.DELIVERED, {}, "done", id="delivered"),
        pytest.param(OutcomeKind.REFUSED, {}, "rejected", id="refused-for-good"),
        pytest.param(OutcomeKind.FAILED, {"retry_need_at": now() + HOUR}, "open", id="try-later"),
    ],
)
async def test_an_outcome_settles_mission_and_need(world, make, kind, given, state):
    mission = await world.open_mission("n-1", make.start_run, make.run_check)
    await world.tick(make.nothing(records=(settle(mission, kind, **given),)))
    snapshot = await world.snapshot()
    assert snapshot.missions == ()
    assert [(item.mission, item.outcome) for item in snapshot.settled] == [(mission, kind)]
    assert await world.one("select state from need") == state
    assert await tally(world) == await really_open(world)
    left = await world.sql("select kind from decision")
    assert left == [("run-check",)], "what would begin something is gone, the rest goes on"


@pytest.mark.req("MODE-4")
async def test_a_repair_takes_over_the_need_in_the_same_tick(world, make):
    mission = await world.open_mission()
    ended = settle(mission, OutcomeKind.ROLLED_BACK, retry_need_at=now() + HOUR)
    repair = make.opening(
        "n-1", round_=-1, kind=MissionKind.REMEDIATE, parent=mission, depth=1, cause="canary"
    )
    tick = await world.tick(make.nothing(records=(repair, ended)))
    assert set(tick.applied) == {repair, ended}
    (open_,) = (await world.snapshot()).missions
    assert (open_.parent, open_.kind, open_.depth) == (mission, MissionKind.REMEDIATE, 1)
    assert await world.one("select state from need") == "taken"
    assert await tally(world) == await really_open(world)


@pytest.mark.req("VAL-4")
async def test_a_recommendation_opens_and_ends_in_one_tick(world, make):
    await world.need()
    record = make.opening("n-1")
    ended = settle(record.id, OutcomeKind.RECOMMENDED, retry_need_at=now() + HOUR)
    tick = await world.tick(make.nothing(records=(record, ended)))
    assert tick.applied == (record, ended)
    snapshot = await world.snapshot()
    assert (snapshot.missions, snapshot.needs) == ((), ())
    assert [item.outcome for item in snapshot.settled] == [OutcomeKind.RECOMMENDED]
    assert await world.one("select rounds from need") == 1


async def test_denied_revisions_are_remembered(world, make):
    mission = await world.open_mission()
    record = settle(mission, OutcomeKind.ROLLED_BACK, deny=(("web", "c1"),))
    await world.tick(make.nothing(records=(record,)))
    assert (await world.snapshot()).denied == {("web", "c1")}


@pytest.mark.req("GATE-1")
async def test_a_rejected_need_leaves_the_backlog(world, make):
    await world.need()
    record = RejectNeed(need="n-1", signals=1, reason="Uncited", detail="nothing", at=now())
    assert (await world.tick(make.nothing(records=(record,)))).applied == (record,)
    assert (await world.snapshot()).needs == ()
    assert await tally(world) == await really_open(world) == 0


async def test_a_rejection_that_evidence_overtook_is_refused_and_judged_again(world, make):
    await world.need("n-1", signals=2)
    await world.need("n-2")
    old, good = (
        RejectNeed(need=need, signals=1, reason="Uncited", detail="nothing", at=now())
        for need in ("n-1", "n-2")
    )
    tick = await world.tick(make.nothing(records=(old, good)))
    assert tick.refused == ((old, "NewEvidence"),)
    assert tick.applied == (good,)
    assert timedelta(0) < tick.due - tick.at <= timedelta(seconds=1)
    assert await tally(world) == await really_open(world) == 1


@pytest.mark.req("LOOP-11")
async def test_facts_that_only_a_newer_release_knows_are_left_out(world, make):
    """An absent fact makes a gate wait; a broken read would stop the whole swarm."""
    mission = await world.open_mission("n-1", make.start_run)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    fact = make.run_ended(claim.order)
    await world.orders.settle(claim, fact)
    for number, body in enumerate(
        ('{"kind": "quantum-proven", "id": "e-9"}', '{"kind": "run-ended", "shape": "other"}')
    ):
        await world.sql(
            "insert into evidence (id, mission, swarm, kind, at, body)"
            " values (%s, %s, %s, 'x', now(), %s)", f"e-{number}", mission, world.swarm, body,
        )  # fmt: skip
    await world.sql("update mission set version = version + 1, revision = revision + 1")
    assert (await world.snapshot()).missions[0].facts == (fact,)
    await world.sql(
        "update evidence set body = (body::jsonb || '{\"novel\": 1}')::json where id = %s", fact.id
    )
    await world.sql("update mission set revision = revision + 1")
    assert (await world.snapshot()).missions[0].facts == (fact,), "unknown fields are ignored"


@pytest.mark.req("LOOP-11")
async def test_a_spec_that_only_a_newer_release_can_read_stops_that_swarm_alone(world, make):
    other = (await world.desk.apply(make.manifest("billing"))).swarm
    await world.sql(
        "update swarm set spec = spec || '{\"telepathy\": true}', generation = generation + 1,"
        " spec_sha256 = 'newer' where id = %s", world.swarm,
    )  # fmt: skip
    await world.bell.ring(world.swarm)
    tick = await world.ticks.tick(world.script, world.script.bind, "a")
    assert tick.swarm == other
    assert await world.ticks.tick(world.script, world.script.bind, "a") is None
    assert "telepathy" in world.ticks.unreadable[world.swarm]
    assert not (await world.ticks.agenda()).swarms, "no reason to spin"
    await world.desk.apply(make.manifest())
    assert (await world.ticks.agenda()).swarms, "applied again, it can be read"
    assert (await world.ticks.tick(world.script, world.script.bind, "a")).swarm == world.swarm


@pytest.mark.req("LOOP-11")
async def test_many_that_only_a_newer_release_can_read_hide_no_other(world, make):
    """They stay due; none of them may take a place among those that are looked at."""
    many = 40
    for number in range(many):
        await world.desk.apply(make.manifest(f"newer-{number}"))
    await world.sql(
        "update swarm set spec = spec || '{\"telepathy\": true}', spec_sha256 = 'newer'"
    )
    other = (await world.desk.apply(make.manifest("billing"))).swarm
    await world.bell.ring(other)
    assert (await world.ticks.tick(world.script, world.script.bind, "a")).swarm == other
    assert len(world.ticks.unreadable) == many + 1
    await world.sql("update swarm set due_at = now() where id = %s", other)
    assert (await world.ticks.tick(world.script, world.script.bind, "a")).swarm == other


async def test_a_window_that_is_made_longer_ends_later_though_it_began_at_the_same_time(world):
    """It ended when the shorter one did: an exhausted budget was looked at without a pause then."""
    hour = timedelta(hours=1)
    hours = (now() - datetime(1970, 1, 1, tzinfo=UTC)) // hour
    ends = []
    for window in (hour, hours * hour):  # the second of this length began with this hour
        world.script.budget = BudgetTerms(name="default-budget", cap=100, window=window)
        ends.append((await world.snapshot()).budget.window_ends)
    assert ends[1] - ends[0] == (hours - 1) * hour
    assert await world.one("select count(*) from budget") == 1


async def test_an_order_of_the_swarm_itself_is_settled_into_its_own_trail(world, make):
    order = make.run_check("", commit="c1")
    assert (await world.tick(make.nothing(orders=(order,)))).issued == (order,)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.settle(claim, make.check_ended(claim.order))
    assert await world.one("select mission from evidence") == ""
    trails = Trails(world.database)
    count, fault = await trails.verify(world.swarm)
    assert fault is None
    events = await trails.since(world.swarm)
    kinds = [row["kind"] for row in events if row["chain"] == world.swarm]
    assert kinds == ["swarm.applied", "policy.bound", "order.issued", "evidence.seen"]
    assert count == 4


async def test_a_standing_is_kept_and_only_written_when_it_changed(world, make):
    mission = await world.open_mission()
    standing = Standing(
        version=1, epoch="e", room="implement", reason="RunPending", detail="d", since=now(),
        look_again=None, next_action="the agent finishes", holds=frozenset({"run:implement"}),
    )  # fmt: skip
    await world.tick(make.nothing(standings=((mission, standing),)))
    assert (await world.snapshot()).missions[0].standing == standing
    before = await world.one("select revision from mission")
    await world.tick(make.nothing(standings=((mission, standing),)))
    assert await world.one("select revision from mission") == before


# --- money ---------------------------------------------------------------------------------------


@pytest.mark.req("FAIL-5")
async def test_a_budget_carries_reservations_up_to_its_cap(world, make):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    await world.need("n-1")
    await world.need("n-2")
    first, second = make.opening("n-1", reserve=60), make.opening("n-2", reserve=41)
    tick = await world.tick(make.nothing(records=(first, second)))
    assert tick.applied == (first,)
    assert tick.refused == ((second, "BudgetExhausted"),)
    budget = (await world.snapshot()).budget
    assert (budget.cap, budget.reserved, budget.spent, budget.left) == (100, 60, 0, 40)
    assert await world.one("select count(*) from mission") == 1


@pytest.mark.req("FAIL-5")
async def test_no_budget_carries_nothing_that_costs(world, make):
    await world.need()
    record = make.opening("n-1", reserve=1)
    assert (await world.tick(make.nothing(records=(record,)))).refused == (
        (record, "BudgetUnknown"),
    )


@pytest.mark.req("FAIL-5")
async def test_spent_money_leaves_the_reservation_and_the_rest_is_released(world, make):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    mission = await world.open_mission("n-1", make.start_run, reserve=60)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.settle(claim, make.run_ended(claim.order, cost=25))
    snapshot = await world.snapshot()
    assert (snapshot.budget.reserved, snapshot.budget.spent) == (35, 25)
    assert snapshot.missions[0].reserved == 35
    await world.tick(make.nothing(records=(settle(mission),)))
    budget = (await world.snapshot()).budget
    assert (budget.reserved, budget.spent) == (0, 25)


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize(
    ("each", "spent", "left"),
    [
        pytest.param(20, 20, 80, id="within-the-reservation"),
        pytest.param(70, 70, 30, id="beyond-the-reservation"),
    ],
)
async def test_a_run_that_its_missions_end_cuts_off_is_charged_what_it_was_expected_to_cost(
    world, make, each, spent, left
):
    """Else a mission cancelled just in time would run for nothing (T18)."""
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    mission = await world.open_mission("n-1", make.start_run, reserve=60)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.begin(claim)
    await world.tick(make.nothing(records=(settle(mission, OutcomeKind.REJECTED, run_cost=each),)))
    with pytest.raises(StaleFence):
        await world.orders.settle(claim, make.run_ended(claim.order, cost=25))
    budget = (await world.snapshot()).budget
    assert (budget.reserved, budget.spent, budget.left) == (0, spent, left)
    assert await world.one("select cost from outcome") == 5 + each  # 5: what earlier runs cost
    assert await Look(world.database).accounts() == []


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize(
    ("told", "capacity", "each", "spent"),
    [
        pytest.param((10, 45, 40), False, 20, 45, id="the-most-that-it-told-of"),
        pytest.param((10,), False, 20, 20, id="it-has-not-told-all-yet"),
        pytest.param((10,), False, 0, 10, id="nothing-was-expected"),
        pytest.param((10, 0), True, 20, 10, id="it-ran-and-waits-for-capacity-now"),
    ],
)
async def test_a_run_that_told_what_it_spent_is_charged_that_when_it_is_cut_off(
    world, make, told, capacity, each, spent
):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    mission = await world.open_mission("n-1", make.start_run, reserve=60)
    for amount in told:
        (claim,) = await world.orders.claim("a", 1, HOUR)
        await world.orders.begin(claim)
        later = Later(
            delay=timedelta(0), reason="RunPending", spent=amount,
            capacity=capacity and amount == told[-1],
        )  # fmt: skip
        await world.orders.postpone(claim, later)
    await world.tick(make.nothing(records=(settle(mission, OutcomeKind.REJECTED, run_cost=each),)))
    budget = (await world.snapshot()).budget
    assert (budget.reserved, budget.spent) == (0, spent)
    assert await world.one("select cost from outcome") == 5 + spent  # 5: what earlier runs cost
    assert await Look(world.database).accounts() == []


@pytest.mark.req("FAIL-5")
async def test_a_run_that_never_began_or_has_no_capacity_is_not_charged(world, make):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    never = await world.open_mission("n-1", make.start_run, reserve=20)
    await world.tick(make.nothing(records=(settle(never, OutcomeKind.REJECTED, run_cost=20),)))
    waits = await world.open_mission("n-2", make.start_run, reserve=20)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.begin(claim)
    quota = Later(delay=HOUR, reason="Quota", capacity=True)
    await world.orders.postpone(claim, quota)
    await world.tick(make.nothing(records=(settle(waits, OutcomeKind.REJECTED, run_cost=20),)))
    budget = (await world.snapshot()).budget
    assert (budget.reserved, budget.spent) == (0, 0)


@pytest.mark.req("FAIL-5")
async def test_a_run_that_cost_something_is_not_taken_back_with_what_it_cost(world, make):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    mission = await world.open_mission("n-1", make.start_run, reserve=60)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.begin(claim)
    quota = Later(delay=HOUR, reason="Quota", capacity=True, spent=40)
    await world.orders.postpone(claim, quota)
    ((order,),) = (one.orders for one in (await world.snapshot()).missions)
    assert (order.spent, order.idle) == (40, False)
    void = VoidOrder(mission=mission, order=order.key, reason="Frozen")
    assert (await world.tick(make.nothing(records=(void,)))).refused == ((void, "OrderInHand"),)
    await world.tick(make.nothing(records=(settle(mission, OutcomeKind.REJECTED, run_cost=20),)))
    assert (await world.snapshot()).budget.spent == 40


@pytest.mark.req("FAIL-5", "LOOP-1")
async def test_money_that_comes_back_wakes_whoever_shares_the_budget(world, make):
    """It could not pay, and would sleep until the window ends."""
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    other = (await world.desk.apply(make.manifest("billing"))).swarm
    elsewhere = (await world.desk.apply(make.manifest("apart", risk={"budgetRef": "own"}))).swarm
    mission = await world.open_mission("n-1", make.start_run, reserve=60)
    await world.sql("delete from wake")
    await world.tick(make.nothing(records=(settle(mission),)))
    woken = {swarm for (swarm,) in await world.sql("select distinct swarm from wake")}
    assert (other in woken, elsewhere in woken) == (True, False)


@pytest.mark.req("FAIL-5")
async def test_a_run_whose_end_was_heard_is_not_charged_twice(world, make):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    mission = await world.open_mission("n-1", make.start_run, reserve=60)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.begin(claim)
    await world.orders.settle(claim, make.run_ended(claim.order, cost=25))
    await world.tick(make.nothing(records=(settle(mission, run_cost=20),)))
    budget = (await world.snapshot()).budget
    assert (budget.reserved, budget.spent) == (0, 25)


@pytest.mark.req("FAIL-5", "VAL-6")
async def test_a_run_whose_end_comes_while_its_missions_ending_is_decided_is_in_its_cost(
    world, make
):
    """Else what it cost would be in the ledger alone, and no report would ever tell of it."""
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    mission = await world.open_mission("n-1", make.start_run, reserve=60)

    def decide(_snapshot):
        with connect_sync(world.database.dsn) as other:
            spent = {"mission": mission, "effect": "e-1", "amount": 25}
            other.execute(statements("orders")["spend"], spent)
        return make.nothing(records=(settle(mission),))

    await world.tick(decide)
    assert await world.one("select cost from outcome") == 25
    (told,) = [
        event["body"]
        async for event in Trails(world.database).every(world.swarm)
        if event["kind"] == "mission.settled"
    ]
    assert json.loads(told)["cost"] == 25


@pytest.mark.req("FAIL-5")
async def test_an_agent_that_costs_more_than_reserved_is_still_counted(world, make):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    mission = await world.open_mission("n-1", make.start_run, reserve=60)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    await world.orders.settle(claim, make.run_ended(claim.order, cost=130))
    await world.tick(make.nothing(records=(settle(mission),)))
    budget = (await world.snapshot()).budget
    assert (budget.reserved, budget.spent, budget.left) == (0, 130, -30)
    assert await Look(world.database).accounts() == []


@pytest.mark.req("FAIL-5")
async def test_figures_that_do_not_add_up_are_found(world, make):
    """A slot that leaked would hold money for ever; the window is compared with live work."""
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    await world.open_mission("n-1", make.start_run, reserve=60)
    assert await Look(world.database).accounts() == []
    await world.sql("update mission set reserved = 0")
    (found,) = await Look(world.database).accounts()
    assert (found["reserved"], found["reserved_by_missions"]) == (60, 0)


async def test_a_cap_may_be_lowered_below_what_is_spent(world, make):
    world.script.budget = BudgetTerms(name="default-budget", cap=100)
    await world.open_mission("n-1", make.start_run, reserve=60)
    world.script.budget = BudgetTerms(name="default-budget", cap=10)
    assert (await world.snapshot()).budget.left == -50


# --- people --------------------------------------------------------------------------------------


def question(mission, policy="p1", expires=HOUR):
    return AskApproval(
        mission=mission, commit="c1", policy_hash=policy, risk=2, question="May it?", at=now(),
        expires_at=now() + expires,
    )  # fmt: skip


async def grant(world):
    await world.sql(
        "update approval set state = 'granted', approver = 'ann', reason = 'ok',"
        " answered_at = now()"
    )
    await world.sql("update mission set version = version + 1, revision = revision + 1")


@pytest.mark.req("MODE-5")
async def test_an_approval_is_asked_once_and_used_once(world, make):
    mission = await world.open_mission()
    ask = question(mission)
    assert (await world.tick(make.nothing(records=(ask,)))).applied == (ask,)
    assert (await world.tick(make.nothing(records=(ask,)))).applied == ()
    assert (await world.snapshot()).missions[0].asked == {("c1", "p1")}
    await grant(world)
    (answer,) = (await world.snapshot()).missions[0].approvals
    assert (answer.granted, answer.approver, answer.commit) == (True, "ann", "c1")
    use = UseApproval(approval=answer, at=now())
    assert (await world.tick(make.nothing(records=(use,)))).applied == (use,)
    assert (await world.tick(make.nothing(records=(use,)))).applied == ()
    assert await world.one("select state from approval") == "used"


@pytest.mark.req("MODE-5")
async def test_an_expired_question_is_closed_and_may_be_asked_again(world, make):
    mission = await world.open_mission()
    await world.tick(make.nothing(records=(question(mission),)))
    await world.sql("update approval set expires_at = now()")
    assert (await world.snapshot()).missions[0].asked == frozenset()
    again = question(mission)
    assert (await world.tick(make.nothing(records=(again,)))).applied == (again,)


@pytest.mark.req("MODE-5")
async def test_an_approval_that_was_used_may_be_asked_for_again_once_it_ran_out(world, make):
    mission = await world.open_mission()
    await world.tick(make.nothing(records=(question(mission),)))
    await grant(world)
    (answer,) = (await world.snapshot()).missions[0].approvals
    await world.tick(make.nothing(records=(UseApproval(approval=answer, at=now()),)))
    again = question(mission)
    assert (await world.tick(make.nothing(records=(again,)))).applied == ()
    await world.sql("update approval set expires_at = now()")
    later = question(mission)
    assert (await world.tick(make.nothing(records=(later,)))).applied == (later,)
    assert await world.one("select state from approval") == "open"
    assert (await world.snapshot()).missions[0].approvals == ()


@pytest.mark.req("MODE-6")
async def test_an_approval_under_another_policy_is_void_and_its_order_is_not_issued(world, make):
    mission = await world.open_mission()
    await world.tick(make.nothing(records=(question(mission),)))
    await grant(world)
    (answer,) = (await world.snapshot()).missions[0].approvals
    world.script.policy = "p2"
    tick = await world.tick(
        make.nothing(
            records=(UseApproval(approval=answer, at=now()),),
            orders=(make.start_run(mission, policy="p2"), make.run_check(mission)),
        )
    )
    assert [why for _, why in tick.refused] == ["ApprovalNotVoid"]
    assert [order.kind for order in tick.issued] == ["run-check"]
    assert approval_id(mission, "c1", "p1") == answer.id


# --- verdicts and freezes ------------------------------------------------------------------------


def verdict(mission, answer=Answer.WAIT, reason="ChecksPending"):
    given = Verdict(answer=answer, reason=reason, detail="1 of 2", evidence=("e-1",))
    return GiveVerdict(mission=mission, gate="code_quality", subject="c1", verdict=given, at=now())


async def test_every_verdict_is_appended_and_the_newest_is_the_one_that_stands(world, make):
    """`decide` gives those that changed, and those that a step rests on once more."""
    mission = await world.open_mission()
    wait, green = verdict(mission), verdict(mission, Answer.PASS, "ChecksGreen")
    for count, record in enumerate((wait, green, green, wait), start=1):
        await world.tick(make.nothing(records=(record,)))
        assert await world.one("select count(*) from verdict") == count
    (kept,) = (await world.snapshot()).missions[0].verdicts
    assert kept == ("code_quality", "c1", wait.verdict)


def freeze(swarm, cause="m-1", until=HOUR, scope="docs"):
    return Freeze(
        id=freeze_id(swarm, scope, cause), mission_class=scope, reason="RepeatedClassFailure",
        detail="2 in a row", cause=cause, since=now(), until=now() + until if until else None,
    )  # fmt: skip


@pytest.mark.req("FRZ-1")
async def test_a_scope_has_one_open_freeze_and_another_cause_extends_it(world, make):
    first, longer = freeze(world.swarm), freeze(world.swarm, "m-2", 2 * HOUR)
    shorter = freeze(world.swarm, "m-3", HOUR / 2)
    for item in (first, first, longer, shorter):
        await world.tick(make.nothing(records=(OpenFreeze(freeze=item),)))
    (held,) = (await world.snapshot()).freezes
    assert (held.id, held.until) == (first.id, longer.until)


@pytest.mark.req("FRZ-3")
async def test_a_freeze_is_requalified_and_lifted(world, make):
    held = freeze(world.swarm)
    await world.tick(make.nothing(records=(OpenFreeze(freeze=held),)))
    mark = MarkRequalified(freeze=held.id, mission="m-9", began=now(), at=now())
    await world.tick(make.nothing(records=(mark,)))
    assert (await world.snapshot()).freezes[0].requalified == "m-9"
    lift = LiftFreeze(freeze=held.id, by="policy", at=now())
    await world.tick(make.nothing(records=(lift,)))
    assert (await world.snapshot()).freezes == ()
    assert (await world.tick(make.nothing(records=(lift,)))).applied == ()
    await world.tick(make.nothing(records=(OpenFreeze(freeze=held),)))
    assert (await world.snapshot()).freezes == (), "the same cause freezes the same scope once"


@pytest.mark.req("FRZ-3")
async def test_a_freeze_that_a_person_extends_while_a_tick_decides_is_not_lifted(world, make):
    held = freeze(world.swarm)
    mark = MarkRequalified(freeze=held.id, mission="m-9", began=now(), at=now())
    await world.tick(make.nothing(records=(OpenFreeze(freeze=held),)))
    await world.tick(make.nothing(records=(mark,)))
    lift = LiftFreeze(freeze=held.id, by="policy", at=now())

    def decide(snapshot):
        assert snapshot.freezes[0].requalified == "m-9"
        with connect_sync(world.database.dsn) as person:
            person.execute(
                "update frozen set until = until + interval '1 hour', requalified = null,"
                " requalified_at = null"
            )
        return make.nothing(records=(lift,))

    assert (await world.tick(decide)).applied == ()
    (kept,) = (await world.snapshot()).freezes
    assert (kept.until, kept.requalified) == (held.until + HOUR, None)
    kinds = [event["kind"] for event in await Trails(world.database).newest(world.swarm)]
    assert "freeze.lifted" not in kinds


# --- status --------------------------------------------------------------------------------------


@pytest.mark.req("API-7")
async def test_a_status_is_written_only_when_its_meaning_changed(world):
    said = {"phase": "Idle", "updatedAt": "t1", "conditions": [{"lastTransitionTime": "t1"}]}

    async def status(value):
        return (await world.tick(status_of=lambda *_: value)).status

    assert await status(said) == said
    assert await status({**said, "updatedAt": "t2"}) is None
    assert await status({**said, "phase": "Planning"}) == {**said, "phase": "Planning"}


@pytest.mark.req("API-7")
async def test_a_steady_swarm_is_not_written_at_all(world):
    await world.tick(status_of=lambda *_: {"phase": "Idle"})
    before = await world.sql("select xmin, ctid from swarm")
    await world.tick(status_of=lambda *_: {"phase": "Idle", "updatedAt": "later"})
    assert await world.sql("select xmin, ctid from swarm") == before


async def test_figures_of_the_last_day(world, make):
    mission = await world.open_mission()
    await world.tick(make.nothing(records=(settle(mission),)))
    await world.sql("insert into intake values (%s, now(), 12)", world.swarm)
    await world.sql("insert into intake values (%s, now() - interval '25 hours', 30)", world.swarm)
    figures = []
    await world.tick(status_of=lambda _s, _p, found, _b: figures.append(found) or {})
    (found,) = figures
    assert (found.discoveries_24h, found.missions_24h, found.success_24h) == (12, 1, 1.0)
