"""Why and trace tell the whole story, and the trail shows every later edit."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.store import retain as retaining
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.people import People
from swarm.adapters.postgres.store.desk.stories import Stories
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.retain import Retention, retain
from swarm.adapters.postgres.store.statements import statements
from swarm.contract.verdict import Answer, Verdict
from swarm.core.decision import GiveVerdict, Learn, RejectNeed, Settle
from swarm.core.evidence import RunResult
from swarm.core.ids import signal_id
from swarm.core.nouns import Change, Outcome, OutcomeKind, Signal
from swarm.core.trail import FaultKind
from swarm.ports.sources import Reading
from swarm.runtime.shadow_report import answer

HOUR = timedelta(hours=1)
SWAP = (
    "update trail set seq = case seq when 2 then 94 else 92 end where seq in (2, 4);"
    "update trail set seq = seq - 90 where seq > 90"
)
COMMIT = "abc1234def5678"


def md5(text):
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def now():
    return datetime.now(UTC)


@pytest.fixture
def stories(world):
    return Stories(world.database)


@pytest.fixture
def trails(world):
    return Trails(world.database)


def said(swarm, number, origin="ruff", path="src/a.py"):
    return Signal(
        id=signal_id(swarm, origin, str(number)), source=origin, external_id=str(number),
        title="unused import", body="", citation=f"{path}:{number}@c1", origin=origin, author="",
        external=False, trust=0.5, observed_at=now(), content_hash="h", mission_class="docs",
        repo="orders", paths=(path,), rule="F401",
    )  # fmt: skip


async def live_through(world, make):
    """A need of two origins, a mission with a run, a verdict and an outcome."""
    intake = PostgresIntake(world.database)
    signals = (said(world.swarm, 1), said(world.swarm, 2), said(world.swarm, 3, "pytest"))
    report = await intake.ingest(world.swarm, "ruff", Reading(signals=signals, cursor="1"))
    (need,) = report.opened
    mission = await world.open_mission(need, make.start_run)
    (claim,) = await world.orders.claim("a", 1, HOUR)
    change = Change(
        repo="orders", branch="swarm/x", base="b" * 12, head=COMMIT, tree="t", paths=("src/a.py",),
        lines_added=1, lines_removed=2,
    )  # fmt: skip
    fact = make.run_ended(claim.order, result=RunResult.CHANGED)
    fact = type(fact)(**{name: getattr(fact, name) for name in fact.__slots__}
                      | {"id": fact.id, "at": fact.at, "source": "", "change": change})  # fmt: skip
    await world.orders.settle(claim, fact)
    verdict = GiveVerdict(
        mission=mission, gate="code_quality", subject=COMMIT, at=now(),
        verdict=Verdict(answer=Answer.PASS, reason="ChecksGreen", evidence=(fact.id,)),
    )  # fmt: skip
    outcome = Outcome(
        kind=OutcomeKind.DELIVERED, reason="Delivered", detail="", at=now(), attempts=1, cost=0,
        counts_as_failure=False, landed=COMMIT,
    )  # fmt: skip
    ended = Settle(mission=mission, outcome=outcome, need_done=True)
    await world.tick(make.nothing(records=(verdict, ended)))
    return need, mission, fact


@pytest.mark.req("VAL-6")
async def test_a_trace_goes_from_signal_to_outcome_by_any_handle(world, make, stories):
    need, mission, fact = await live_through(world, make)
    story = await stories.trace(COMMIT[:7])
    assert story["id"] == mission
    for handle in (mission[:9], f"{mission}-run-0", COMMIT):
        assert (await stories.trace(handle))["id"] == mission
    assert story["needs_story"]["id"] == need
    assert [signal["id"] for signal in story["needs_story"]["signals"]]
    assert [row["id"] for row in story["evidence"]] == [fact.id]
    assert [(row["gate"], row["reason"]) for row in story["verdicts"]] == [
        ("code_quality", "ChecksGreen")
    ]
    assert (story["outcome"]["outcome"], story["outcome"]["landed"]) == ("delivered", COMMIT)
    assert [event["kind"] for event in story["trail"]] == [
        "mission.opened", "order.issued", "evidence.seen", "verdict.given", "mission.settled",
    ]  # fmt: skip
    assert [event["seq"] for event in story["trail"]] == [1, 2, 3, 4, 5]


@pytest.mark.req("LOOP-4")
async def test_why_takes_the_rank_of_a_need_apart(world, make, stories):
    need, _, _ = await live_through(world, make)
    story = await stories.why_need(need[:8])
    names = [name for name, _ in story["terms"]]
    assert names == ["value", "confidence", "pheromone", "cost", "risk", "waiting", "learned"]
    assert story["score"] == pytest.approx(sum(nats for _, nats in story["terms"]))
    assert [row["origin"] for row in story["citations"]] == ["pytest", "ruff"]
    assert story["counted"] == {"citations": 2, "signals": 3}
    assert [row["outcome"] for row in story["missions"]] == ["delivered"]


async def test_why_shows_the_last_word_on_a_need_that_was_passed_over(world, make, stories):
    await world.need("n-abc")
    await world.tick(
        make.nothing(idle_reason="Frozen", selected=(("n-abc", "Frozen", "docs: why"),))
    )
    (said_last,) = (await stories.why_need("n-abc"))["selection"]
    assert (said_last["reason"], said_last["detail"]) == ("Frozen", "docs: why")


@pytest.mark.req("LOOP-10")
async def test_the_ranking_before_and_after_a_lesson_can_be_shown(world, make, stories):
    await world.need("n-docs", "docs", rank=1.0, heat=1.0)
    await world.need("n-sec", "security", rank=0.75, heat=0.75)
    lesson = Learn(class_bias=(("security", 0.5),), source_trust=(), cause="m-1")
    await world.tick(make.nothing(records=(lesson,)))
    told = await stories.ranking(world.swarm)
    assert [row[0] for row in told["before"]] == ["n-docs", "n-sec"]
    assert [row[0] for row in told["after"]] == ["n-sec", "n-docs"]
    assert told["lesson"]["cause"] == "m-1"


@pytest.mark.req("VAL-4")
async def test_the_shadow_report_compares_what_was_said_with_what_came(world, make, stories):
    await world.need("n-1")
    record = make.opening("n-1")
    outcome = Outcome(
        kind=OutcomeKind.RECOMMENDED, reason="Shadow", detail="", at=now(), attempts=0, cost=0,
        counts_as_failure=False,
    )  # fmt: skip
    ended = Settle(mission=record.id, outcome=outcome, need_done=False, retry_need_at=now())
    await world.tick(make.nothing(records=(record, ended)))
    await live_through(world, make)
    await world.need("n-hand", "docs")
    people = People(world.database, "alice")
    await people.finish_need("n-hand", "did it")
    told = await stories.shadow(world.swarm, now() - HOUR)
    ((need, turned_down),) = [(row["need"], row["turned_down"]) for row in told["recommended"]]
    assert (need, turned_down) == ("n-1", False)
    assert [row["need"] for row in told["missed"]] == ["n-hand"]
    await people.reject_need("n-1", "not worth it")
    told = await stories.shadow(world.swarm, now() - HOUR)
    assert [row["turned_down"] for row in told["recommended"]] == [True]


async def test_what_gate_1_refuses_is_not_turned_down_by_anybody(world, make, stories):
    await world.need("n-1")
    record = make.opening("n-1")
    outcome = Outcome(
        kind=OutcomeKind.RECOMMENDED, reason="Shadow", detail="", at=now(), attempts=0, cost=0,
        counts_as_failure=False,
    )  # fmt: skip
    ended = Settle(mission=record.id, outcome=outcome, need_done=False, retry_need_at=now())
    await world.tick(make.nothing(records=(record, ended)))
    gate = RejectNeed(need="n-1", reason="TooFewCitations", detail="1 of 2", at=now(), signals=1)
    await world.tick(make.nothing(records=(gate,)))
    (row,) = (await stories.shadow(world.swarm, now() - HOUR))["recommended"]
    assert (row["state"], row["turned_down"]) == ("rejected", False)
    assert answer(row) is None


# --- the trail -----------------------------------------------------------------------------------


@pytest.mark.req("VAL-6")
async def test_an_untouched_trail_holds(world, make, trails):
    await live_through(world, make)
    verified = await trails.verify_all(world.swarm)
    assert (verified.chains, verified.faults) == (2, ())
    assert verified.events >= 6


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    ("tamper", "seq", "kind"),
    [
        ("update trail set body = replace(body, 'ChecksGreen', 'ChecksRed')", 4, FaultKind.EDITED),
        ("update trail set actor = 'nobody' where seq = 2", 2, FaultKind.EDITED),
        ("update trail set at = at + interval '1 microsecond' where seq = 3", 3, FaultKind.EDITED),
        ("delete from trail where seq = 3", 3, FaultKind.REMOVED),
        ("delete from trail where seq > 3", 4, FaultKind.CUT),
        (SWAP, 2, FaultKind.MOVED),
        ("update evidence set body = replace(body::text, 'c', 'd')::json", 3, FaultKind.EDITED),
        ("delete from evidence", 3, FaultKind.EDITED),
        ("update mission set trail_seq = 4", 5, FaultKind.HEAD),
    ],
    ids=["body", "actor", "time", "removed", "cut", "moved", "fact", "fact-gone", "head"],
)
async def test_tampering_is_found_where_it_was_done(world, make, trails, tamper, seq, kind):
    _, mission, _ = await live_through(world, make)
    for statement in tamper.split(";"):
        where = "where" if "where" not in statement else "and"
        scope = "chain" if "trail" in statement.split("set")[0].split("where")[0] else "mission"
        scope = "id" if statement.startswith("update mission") else scope
        await world.sql(f"{statement} {where} {scope} = '{mission}'")
    _, fault = await trails.verify(mission)
    assert (fault.chain, fault.seq, fault.kind) == (mission, seq, kind)
    (found,) = (await trails.verify_all(world.swarm)).faults
    assert found == fault


@pytest.mark.req("VAL-6")
async def test_a_mission_whose_trail_is_gone_is_found(world, make, trails):
    _, mission, _ = await live_through(world, make)
    await world.sql("delete from trail where chain = %s", mission)
    (fault,) = (await trails.verify_all(world.swarm)).faults
    assert (fault.chain, fault.seq, fault.kind) == (mission, 1, FaultKind.CUT)


async def test_followers_see_every_event_once_also_of_late_commits(world, make, trails):
    """A transaction that began early and commits late: its event must not be skipped."""
    await live_through(world, make)
    seen = await trails.since(world.swarm)
    async with world.database.connection() as slow, slow.transaction():
        await slow.execute(
            "insert into trail (chain, seq, swarm, at, kind, actor, body, hash)"
            " values ('m-late', 1, %s, now(), 'x', 'x', '{}', %s)",
            (world.swarm, bytes(32)),
        )
        await world.desk.set_shadow(world.swarm, shadow=True)
        during = await trails.since(world.swarm, after=seen[-1])
        assert during == [], "nothing is shown out of order"
    after = await trails.since(world.swarm, after=seen[-1])
    assert [row["kind"] for row in after] == ["x", "shadow.set"]
    exported = [row async for row in trails.every(world.swarm)]
    assert len(exported) == len(seen) + 2
    assert await trails.newest(world.swarm, limit=2) == after


async def test_events_that_came_from_another_server_are_shown_in_their_order(
    world, make, trails, database_dsn
):
    """Restored from a dump, none of them was shown or exported: their numbers lie ahead here."""
    await live_through(world, make)
    told = [(row["chain"], row["seq"]) for row in await trails.since(world.swarm)]
    await world.sql("update trail set tx = (tx::text::bigint + 5000000)::text::xid8")
    assert await trails.newest(world.swarm) == []
    migrate(database_dsn)
    newest = await trails.newest(world.swarm, limit=2)
    assert [(row["chain"], row["seq"]) for row in newest] == told[-2:]
    exported = [row async for row in trails.every(world.swarm)]
    assert [(row["chain"], row["seq"]) for row in exported] == told
    assert (await trails.verify_all(world.swarm)).faults == ()
    await world.desk.set_shadow(world.swarm, shadow=True)
    after = await trails.since(world.swarm, after=exported[-1])
    assert [row["kind"] for row in after] == ["shadow.set"]


async def test_a_long_trail_from_another_server_is_exported_whole(world, trails, database_dsn):
    """A server that was made for it has not counted so far yet."""
    await world.sql(
        "insert into trail (chain, seq, swarm, at, tx, kind, actor, body, hash)"
        " select 'm-long', g, %s, now(), (10000000 + g)::text::xid8, 'x', 'x', '{}', %s"
        " from generate_series(1, 20000) g", world.swarm, bytes(32),
    )  # fmt: skip
    migrate(database_dsn)
    exported = [row["seq"] async for row in trails.every(world.swarm) if row["chain"] == "m-long"]
    assert exported == [*range(1, 20001)]


async def test_pages_join_where_the_number_of_a_transaction_gets_a_digit_more(world, trails):
    """As text 10 comes before 9: an export then told some events twice and others never."""
    await world.sql(
        "insert into swarm (id, namespace, name, uid, written, spec, spec_sha256)"
        " values ('s-old', 'default', 'old', 'u', '{}', '{}', '')"
    )
    for number, tx in enumerate(("8", "9", "10", "11", "99", "100", "101"), 1):
        await world.sql(
            "insert into trail (chain, seq, swarm, at, tx, kind, actor, body, hash)"
            " values ('m-old', %s, 's-old', now(), %s::xid8, 'x', 'x', '{}', %s)",
            number, tx, bytes(32),
        )  # fmt: skip
    seen, after = [], None
    while part := await trails.since("s-old", after=after, limit=2):
        seen += part
        after = part[-1]
        assert len(seen) <= 7
    assert [row["seq"] for row in seen] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("of_one", [True, False], ids=["of-one-swarm", "of-all"])
async def test_what_a_look_at_the_trail_costs_does_not_grow_with_the_trail(world, of_one):
    """A follower looks twice a second, and an export reads a thousand parts: in any year alike."""
    await world.sql(
        "insert into trail (chain, seq, swarm, at, tx, kind, actor, body, hash)"
        " select 'm-old', g, %s, now(), (3 + g / 100)::text::xid8, 'x', 'x', '{}', %s"
        " from generate_series(1, 20000) g",
        world.swarm, bytes(32),
    )  # fmt: skip
    asked = {"swarm": world.swarm if of_one else None, "limit": 50, "since": None, "until": None}
    places = ("0", "", 0), ("100", "m-old", 9_750), ("203", "m-old", 20_000)
    async with world.database.connection() as reader, reader.transaction():
        for tx, chain, seq in places:
            place = {"tx": tx, "after_chain": chain, "after_seq": seq}
            await reader.execute(statements("story")["tail"], asked | place)
        await reader.execute(statements("story")["newest"], asked)
        found = await reader.execute(
            "select seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables"
            " where relid = 'trail'::regclass"
        )
        scanned, fetched = await found.fetchone()
    assert scanned == 0
    assert fetched < 4 * 300, "a few transactions around each place"


@pytest.mark.parametrize("of_one", [True, False], ids=["of-one-swarm", "of-all"])
async def test_a_list_of_gates_costs_what_it_shows_and_has_the_last_word_of_each(world, of_one):
    mission = await world.open_mission()
    await world.sql(
        "insert into verdict (mission, gate, subject, answer, reason, detail, evidence,"
        " configured, generation, policy_hash, at)"
        " select %s, 'code_quality', 'c' || g / 4, 1, 'r', (g %% 4)::text, '{}', true, 1, 'p',"
        " now()"
        " from generate_series(0, 19999) g",
        mission,
    )  # fmt: skip
    await world.sql("analyze verdict, mission")
    asked = {"swarm": world.swarm if of_one else None, "like": "", "state": None, "limit": 50}
    async with world.database.connection() as reader, reader.transaction():
        found = await reader.execute(statements("look")["gates"], asked)
        shown = [(row[3], row[6]) for row in await found.fetchall()]
        found = await reader.execute(
            "select seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables"
            " where relid = 'verdict'::regclass"
        )
        scanned, fetched = await found.fetchone()
    assert shown == [(f"c{number}", "3") for number in range(4999, 4949, -1)]
    assert scanned == 0
    assert fetched < 4 * 4 * 50


async def test_a_list_of_changes_is_the_newest_first_and_reads_no_other_fact(world, make):
    """Also by a mission's id or a commit's, and only those of one Swarm."""
    mission = await world.open_mission()
    await world.sql(
        "insert into evidence (id, mission, swarm, kind, at, body)"
        " select 'e-' || g, %s, %s, (array['run-ended', 'restaged', 'landed'])[1 + g %% 3], now(),"
        " case when g %% 2 = 0 then '{\"change\": null}'::json else json_build_object('change',"
        " json_build_object('head', md5(g::text), 'paths', json_build_array('a.py'))) end"
        " from generate_series(1, 600) g",
        mission, world.swarm,
    )  # fmt: skip
    look = Look(world.database)
    newest = [row["head"] for row in await look.rows("changes", world.swarm, limit=3)]
    assert newest == [md5(b"597"), md5(b"595"), md5(b"591")]
    assert len(await look.rows("changes", limit=1_000)) == 200
    assert [row["mission"] for row in await look.rows("changes", like=newest[1])] == [mission]
    assert len(await look.rows("changes", like=mission, limit=7)) == 7
    assert await look.rows("changes", "s-none") == []


@pytest.mark.slow
async def test_verifying_goes_on_while_events_arrive(world, make, trails):
    mission = await world.open_mission()

    async def write():
        for number in range(20):
            verdict = Verdict(answer=Answer.WAIT, reason="ChecksPending", detail=str(number))
            record = GiveVerdict(
                mission=mission, gate="code_quality", subject="c", verdict=verdict, at=now()
            )
            await world.tick(make.nothing(records=(record,)))

    writing = asyncio.create_task(write())
    while not writing.done():
        assert (await trails.verify(mission))[1] is None
    await writing
    count, fault = await trails.verify(mission)
    assert (count, fault) == (21, None)


# --- forgetting ----------------------------------------------------------------------------------


async def test_old_things_are_forgotten_and_missions_are_not(world, make):
    _, mission, _ = await live_through(world, make)
    intake = PostgresIntake(world.database)
    fresh = said(world.swarm, 50, path="src/fresh.py")
    old = said(world.swarm, 51, path="src/old.py")
    gone = said(world.swarm, 52, path="src/gone.py")
    await intake.ingest(world.swarm, "ruff", Reading(signals=(fresh, old, gone), cursor="2"))
    age = "interval '100 days'"
    await world.sql(f"update need set last_seen = now() - {age} where paths = '{{src/old.py}}'")
    await world.sql(
        f"update need set state = 'rejected', state_at = now() - {age}"
        " where paths = '{src/gone.py}'"
    )
    await world.sql("update tally set open = 2")
    await world.sql(f"update signal set read_at = now() - {age}")
    forgotten = await retain(world.database, Retention())
    assert (forgotten.expired, forgotten.needs) == (1, 1)
    assert sorted(state for (state,) in await world.sql("select state from need")) == [
        "done", "expired", "open",
    ]  # fmt: skip
    assert await world.one("select sum(open)::int from tally") == 1
    assert await world.one("select count(*) from signal where need in (select id from need)") == (
        await world.one("select count(*) from signal")
    )
    assert (await Look(world.database).rows("missions"))[0]["id"] == mission
    assert (await retain(world.database)).needs == 0


async def _many_signals(world, make):
    """12,000 old signals of an open need, 10 of a rejected one that were read after them."""
    await live_through(world, make)
    kept, gone = said(world.swarm, 60, path="src/kept.py"), said(world.swarm, 61, path="src/go.py")
    reading = Reading(signals=(kept, gone), cursor="2")
    await PostgresIntake(world.database).ingest(world.swarm, "ruff", reading)
    await world.sql("update need set state = 'rejected' where paths = '{src/go.py}'")
    await world.sql(
        "insert into signal (id, swarm, need, source, at, read_at, body) select 'g-' || i, n.swarm,"
        " n.id, 'ruff', now(), now() - interval '9 days' * (10 + 1.0 / least(i, 12000)), '{}' from"
        " generate_series(1, 12010) i join need n"
        " on n.paths = case when i > 12000 then '{src/go.py}' else '{src/kept.py}' end::text[]"
    )


async def test_what_may_go_is_found_behind_many_that_stay(world, make, monkeypatch):
    await _many_signals(world, make)
    monkeypatch.setattr(retaining, "_BLOCKS", 1)
    assert (await retain(world.database)).signals == 10
    assert await world.one("select count(*) from signal where id like 'g-120__'") == 1  # g-12000
    assert (await retain(world.database)).signals == 0


async def test_no_statement_of_forgetting_reads_more_than_its_part(world, make):
    """One that reads past all that stays takes, with millions, longer than a statement may."""
    await _many_signals(world, make)
    asked = {
        "swarm": world.swarm, "after": datetime(1970, 1, 1, tzinfo=UTC), "after_id": "",
        "keep_signals": timedelta(days=30), "limit": 5_000,
    }  # fmt: skip

    async def tx(connection):
        await connection.execute(statements("retain")["drop_signals"], asked)
        read = await connection.execute(
            "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables"
            " where relid = 'signal'::regclass"
        )
        return (await read.fetchone())[0]

    await world.sql("analyze signal")
    assert await world.database.run(tx) < 6_000


def test_a_retention_that_the_figures_cannot_live_with_is_refused():
    with pytest.raises(ValueError, match="keep_signals"):
        Retention(keep_signals=HOUR)
