"""Ingest: a storm becomes few needs, origins count once, nothing is lost and nothing doubled."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.postgres.store.errors import StaleCursor
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.core.decision import Learn, RejectNeed
from swarm.core.ids import signal_id
from swarm.core.nouns import Risk, Signal
from swarm.core.policy import ranking
from swarm.ports.sources import Reading


def now():
    return datetime.now(UTC)


@pytest.fixture
def intake(world):
    return PostgresIntake(world.database)


def said(swarm, number, **given):
    """A finding of a linter, unless the test says otherwise."""
    source = given.pop("source", "ruff")
    text = str(number)
    made = Signal(
        id=signal_id(swarm, source, text), source=source, external_id=text, title="unused import",
        body="", citation=f"src/a.py:{number}@c1", origin=given.pop("origin", source), author="",
        external=False, trust=0.5, observed_at=now(),
        content_hash=hashlib.sha256(text.encode()).hexdigest(), mission_class="docs", repo="orders",
        paths=("src/a.py",), rule="F401",
    )  # fmt: skip
    return replace(made, **given)


def free_text(swarm, number, title, body="", **given):
    return said(swarm, number, title=title, body=body, paths=(), rule="", **given)


def reading(*signals, cursor="1"):
    return Reading(signals=tuple(signals), cursor=cursor)


async def needs(world):
    return (await world.snapshot()).needs


async def tallies_agree(world):
    counted = await world.one("select coalesce(sum(open), 0)::int from tally")
    return counted == await world.one("select count(*)::int from need where state = 'open'")


# --- once, and only once -------------------------------------------------------------------------


@pytest.mark.req("LOOP-2")
async def test_a_signal_is_kept_with_its_provenance_and_read_back(world, intake):
    signal = said(world.swarm, 1, author="ann", flags=("hidden_text",), risk=Risk.R2)
    report = await intake.ingest(world.swarm, "ruff", reading(signal))
    assert (report.new, report.repeated, len(report.opened)) == (1, 0, 1)
    (need,) = await needs(world)
    assert (need.title, need.repo, need.paths, need.rule) == (
        "unused import", "orders", ("src/a.py",), "F401",
    )  # fmt: skip
    assert (need.citations, need.confidence, need.origins) == (1, 0.5, ("ruff",))
    kept = await world.one("select body from signal")
    assert (kept["author"], kept["citation"]) == ("ann", signal.citation)
    assert kept["flags"] == ["hidden_text"]


@pytest.mark.req("LOOP-2")
async def test_a_reading_that_is_repeated_changes_nothing(world, intake):
    signals = [said(world.swarm, number) for number in range(5)]
    await intake.ingest(world.swarm, "ruff", reading(*signals))
    before = await world.sql("select heat, signals, xmin from need")
    report = await intake.ingest(world.swarm, "ruff", reading(*signals))
    assert (report.new, report.repeated, report.opened) == (0, 5, ())
    assert await world.sql("select heat, signals, xmin from need") == before


@pytest.mark.req("LOOP-2")
async def test_the_cursor_is_stored_with_its_signals_and_nobody_reads_over_another(world, intake):
    assert await intake.cursor(world.swarm, "ruff") == ""
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1), cursor="a"), after="")
    assert await intake.cursor(world.swarm, "ruff") == "a"
    with pytest.raises(StaleCursor):
        await intake.ingest(
            world.swarm, "ruff", reading(said(world.swarm, 2), cursor="b"), after=""
        )
    assert await world.one("select count(*) from signal") == 1


@pytest.mark.req("API-7")
async def test_a_reading_without_news_writes_nothing(world, intake):
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    await world.tick()
    before = await world.sql("select xmin, ctid from source")
    await intake.ingest(world.swarm, "ruff", reading(cursor="1"))
    assert await world.sql("select xmin, ctid from source") == before
    assert not (await world.ticks.agenda()).swarms


async def test_news_wake_the_swarm(world, intake):
    await world.tick()
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    assert (await world.ticks.agenda()).swarms


@pytest.mark.parametrize(
    "text",
    [
        "tab\there", "two\nlines", "carriage\rreturn", "back\\slash", "\\N", "\\.", 'quote"s',
        "{braces}", "naïve Ünïcode 🚀", "", "'; drop table need; --", "\\x41", "a\\\nb",
    ],
)  # fmt: skip
async def test_any_text_comes_back_as_it_was(world, intake, text):
    """Rows are sent in COPY's own format, where some characters mean something."""
    signal = said(
        world.swarm, 1, title=text, body=text, citation=f"c{text}", origin=f"o{text}",
        paths=(f"src/{text}.py",), author=text, rule=f"F{text}",
    )  # fmt: skip
    await intake.ingest(world.swarm, "ruff", reading(signal))
    (need,) = await needs(world)
    assert (need.title, need.body, need.rule) == (text, text, f"F{text}")
    assert (need.paths, need.origins) == ((f"src/{text}.py",), (f"o{text}",))
    assert await world.sql("select origin, citation from citation") == [(f"o{text}", f"c{text}")]
    assert (await world.one("select body from signal"))["author"] == text
    again = said(
        world.swarm, 2, origin=f"o{text}", paths=(f"src/{text}.py",), rule=f"F{text}",
        source="other",
    )  # fmt: skip
    await intake.ingest(world.swarm, "other", reading(again))
    (need,) = await needs(world)
    assert need.signals == 2


async def test_text_that_postgres_cannot_store_is_kept_readable(world, intake):
    odd = free_text(world.swarm, 1, "nul \0 and \ud800 half", "body \0")
    await intake.ingest(world.swarm, "feed", reading(odd))
    (need,) = await needs(world)
    assert need.title == "nul \ufffd and ? half"


# --- merging -------------------------------------------------------------------------------------


@pytest.mark.req("LOOP-3")
async def test_a_storm_of_forty_causes_becomes_forty_needs(world, intake):
    """Each cause is said 250 times, with other numbers, times and ids each time."""
    rng = random.Random(7)
    syllables = ["ka", "lo", "mi", "ner", "tu", "pas", "rig", "sol", "ve", "dun", "hal", "fex"]
    words = ["".join(rng.choices(syllables, k=rng.randrange(1, 5))) for _ in range(3000)]
    causes = [" ".join(rng.choices(words, k=24)) for _ in range(40)]
    signals = [
        free_text(
            world.swarm, number, f"alert at {number}ms",
            f"{causes[number % 40]} pod-{rng.randrange(16**6):06x}{number % 10} "
            f"restarted {number} times, last 2026-03-01T12:{number % 60:02}:00Z",
        )
        for number in range(10_000)
    ]  # fmt: skip
    begun = asyncio.get_running_loop().time()
    for start in range(0, 10_000, 1000):
        part = signals[start : start + 1000]
        await intake.ingest(world.swarm, "alerts", reading(*part, cursor=str(start)))
    took = asyncio.get_running_loop().time() - begun
    found = await world.sql("select signals from need where state = 'open'")
    assert found == [(250,)] * 40  # not the snapshot's, which tells a few of a class without agent
    assert await world.one("select count(*) from signal") == 10_000
    assert await tallies_agree(world)
    assert took < 60, f"{took:.1f} s"


@pytest.mark.req("LOOP-3")
async def test_near_copies_are_one_need_and_other_texts_are_not(world, intake):
    text = (
        "the payment worker of the order service loses its connection to the message broker after"
        " a failover and never connects again until somebody restarts it by hand"
    )
    near = text.replace("message broker", "queue broker").replace("by hand", "manually")
    other = (
        "the nightly export of invoices writes amounts with a decimal comma where the bank expects"
        " a decimal point and the whole file is refused"
    )
    await intake.ingest(world.swarm, "a", reading(free_text(world.swarm, 1, text, source="a")))
    report = await intake.ingest(
        world.swarm, "b", reading(free_text(world.swarm, 2, near, source="b", origin="b"))
    )
    assert (report.merged, report.opened) == (1, ())
    await intake.ingest(world.swarm, "a", reading(free_text(world.swarm, 3, other, source="a")))
    found = await needs(world)
    assert sorted(need.signals for need in found) == [1, 2]
    again = free_text(world.swarm, 4, near, source="b", origin="b")
    assert (await intake.ingest(world.swarm, "b", reading(again))).merged == 0
    assert sorted(need.signals for need in await needs(world)) == [1, 3]


@pytest.mark.req("LOOP-3")
async def test_near_copies_within_one_reading_are_one_need(world, intake):
    text = "service orders answers slowly since the last change of the shopping basket was released"
    copies = [
        free_text(world.swarm, number, f"{text} {word}")
        for number, word in enumerate(("today", "here", "again"))
    ]
    await intake.ingest(world.swarm, "a", reading(*copies))
    assert len(await needs(world)) == 1


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize("other", [{"repo": "billing"}, {"mission_class": "security"}])
async def test_equal_texts_about_different_things_stay_apart(world, intake, other):
    text = "the same words, long enough to be compared by likeness and not only by equality, twice"
    await intake.ingest(
        world.swarm, "a",
        reading(free_text(world.swarm, 1, text), free_text(world.swarm, 2, text, **other)),
    )  # fmt: skip
    assert len(await needs(world)) == 2


@pytest.mark.req("LOOP-3")
async def test_the_need_of_an_open_mission_takes_its_signals_in(world, make, intake):
    report = await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    await world.open_mission(report.opened[0])
    report = await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 2)))
    assert report.opened == ()
    assert await world.sql("select state, signals from need") == [("taken", 2)]
    assert await tallies_agree(world)


# --- citations and confidence --------------------------------------------------------------------


@pytest.mark.req("GATE-1")
async def test_citations_count_independent_origins_not_repeats(world, intake):
    await intake.ingest(
        world.swarm, "ruff",
        reading(
            said(world.swarm, 1), said(world.swarm, 2),
            said(world.swarm, 3, source="tests", origin="pytest", trust=0.8),
            said(world.swarm, 4, source="blog", origin="example.org", citation=""),
        ),
    )  # fmt: skip
    (need,) = await needs(world)
    assert (need.citations, need.origins) == (2, ("pytest", "ruff"))
    assert need.confidence == pytest.approx(1 - 0.5 * 0.2)


STORY = (
    "The parser of release 4.2 reads one byte past the end of its buffer when a header has no"
    " colon, and a peer that sends such a header can make the service answer with an old request."
)


def told(swarm, number, domain, body=STORY, **given):
    """What a site outside says about one rule and file, so that all of it is one need."""
    return said(
        swarm, number, source=domain.partition(".")[0], origin=domain, external=True, body=body,
        title="Leak in 4.2", citation=f"https://{domain}/1", **given,
    )  # fmt: skip


@pytest.mark.req("LOOP-3")
@pytest.mark.req("GATE-1")
async def test_mirrors_are_one_citation_in_one_reading_and_over_many(world, intake):
    """T2: the store remembers what each origin said, also for the mirror that comes last."""
    at_once = [told(world.swarm, 1, "news.example"), told(world.swarm, 2, "mirror.example")]
    await intake.ingest(world.swarm, "feeds", reading(*at_once))
    (need,) = await needs(world)
    assert (need.citations, need.heard, need.anchored) == (1, 2, False)
    third = told(world.swarm, 3, "third.example", STORY.replace("old request", "old answer"))
    report = await intake.ingest(world.swarm, "feeds", reading(third, cursor="2"))
    (need,) = await needs(world)
    assert (need.citations, need.heard, report.cited) == (1, 3, 0)
    assert need.confidence == pytest.approx(0.5)
    own = told(
        world.swarm, 4, "blog.example", "Malformed headers without a separator show us memory of"
        " earlier requests since the upgrade; going back to 4.1 stopped it on all three hosts.",
    )  # fmt: skip
    await intake.ingest(world.swarm, "feeds", reading(own, cursor="3"))
    (need,) = await needs(world)
    assert (need.citations, need.heard, need.signals) == (2, 4, 4)
    assert need.confidence == pytest.approx(0.75)
    tool = said(world.swarm, 5)
    await intake.ingest(world.swarm, "ruff", reading(tool, cursor="4"))
    (need,) = await needs(world)
    assert (need.citations, need.anchored) == (3, True)


@pytest.mark.req("GATE-1")
async def test_a_need_of_an_older_release_is_read_as_far_as_it_is_known(world, intake):
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    await world.sql("update need set heard = null, anchored = null")
    (need,) = await needs(world)
    assert (need.heard, need.anchored) == (1, True)


@pytest.mark.req("LOOP-10")
async def test_learned_trust_weighs_new_claims(world, make, intake):
    learned = Learn(class_bias=(), source_trust=(("ruff", 0.5),), cause="m-1")
    await world.tick(make.nothing(records=(learned,)))
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    (need,) = await needs(world)
    assert need.confidence == pytest.approx(0.25)
    assert (await world.snapshot()).source_trust == (("ruff", 0.5),)


async def test_the_rank_is_the_one_of_the_ranking_policy(world, intake):
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1, value=3.0, cost=50_000)))
    (need,) = await needs(world)
    assert need.rank == ranking.static_rank(
        ranking.worth(value=3.0, cost=50_000, confidence=need.confidence, risk=Risk.R1),
        heat=need.heat,
        first_seen=need.first_seen,
    )


@pytest.mark.req("LOOP-4")
async def test_a_source_cannot_heat_a_need_by_repeating_itself_in_one_reading(world, intake):
    shouted = [said(world.swarm, number) for number in range(200)]
    await intake.ingest(world.swarm, "ruff", reading(*shouted))
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 900, paths=("src/b.py",))))
    one, other = await needs(world)
    assert abs(one.heat - other.heat) < 0.01


@pytest.mark.parametrize("claimed", [timedelta(days=-3000), timedelta(days=3000)])
async def test_a_claimed_time_moves_the_heat_by_a_week_at_most(world, intake, claimed):
    odd = said(world.swarm, 1, observed_at=now() + claimed)
    await intake.ingest(world.swarm, "ruff", reading(odd))
    (need,) = await needs(world)
    warmth = need.heat - ranking.deposit(None, now(), 0.5)
    assert -7.01 < warmth < 0.01
    assert need.first_seen > now() - timedelta(minutes=1)


# --- closed needs --------------------------------------------------------------------------------


async def close(world, state):
    await world.sql("update need set state = %s, state_at = now()", state)
    await world.sql("update tally set open = 0")


@pytest.mark.req("GATE-1")
async def test_a_rejected_need_opens_again_only_by_another_origin(world, make, intake):
    report = await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    record = RejectNeed(
        need=report.opened[0], signals=1, reason="TooFewCitations", detail="1 of 2", at=now()
    )
    await world.tick(make.nothing(records=(record,)))
    report = await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 2)))
    assert report.opened == ()
    assert await needs(world) == ()
    other = said(world.swarm, 3, source="tests", origin="pytest")
    report = await intake.ingest(world.swarm, "tests", reading(other))
    assert len(report.opened) == 1
    assert len(await needs(world)) == 1
    assert await tallies_agree(world)


@pytest.mark.parametrize(
    ("when", "opens"),
    [
        pytest.param(timedelta(minutes=-5), 0, id="said-before-it-was-done"),
        pytest.param(timedelta(seconds=5), 1, id="said-after-it-was-done"),
    ],
)
async def test_a_done_need_opens_again_when_it_is_said_afterwards(world, intake, when, opens):
    await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    await close(world, "done")
    again = said(world.swarm, 2, observed_at=now() + when)
    report = await intake.ingest(world.swarm, "ruff", reading(again))
    assert len(report.opened) == opens
    assert await tallies_agree(world)


@pytest.mark.req("MODE-4")
async def test_a_need_remembers_how_often_our_own_work_caused_it(world, intake):
    report = await intake.ingest(world.swarm, "ruff", reading(said(world.swarm, 1)))
    mission = await world.open_mission(report.opened[0])
    caused = said(world.swarm, 2, paths=("src/b.py",), caused_by=mission)
    await intake.ingest(world.swarm, "ruff", reading(caused))
    (need,) = await needs(world)
    assert need.own_rounds == 1


# --- sources beside each other -------------------------------------------------------------------


@pytest.mark.req("LOOP-2")
async def test_sources_that_say_the_same_at_once_make_one_need_each(world, intake):
    """Eight readings race for the same twenty needs; no signal and no origin is lost."""

    def batch(source):
        return reading(
            *(
                said(world.swarm, n, source=source, origin=source, paths=(f"src/{n % 20}.py",))
                for n in range(60)
            )
        )

    names = [f"tool-{index}" for index in range(8)]
    await asyncio.gather(*(intake.ingest(world.swarm, name, batch(name)) for name in names))
    found = await needs(world)
    assert len(found) == 20
    assert {(need.signals, need.citations) for need in found} == {(24, 8)}
    assert await tallies_agree(world)


@pytest.mark.req("FAIL-4")
async def test_a_dark_source_is_noted_once_and_cleared_once(world, intake):
    assert await intake.source_failed(world.swarm, "feed", "timeout")
    assert not await intake.source_failed(world.swarm, "feed", "timeout again")
    (state,) = (await world.snapshot()).sources
    assert (state.name, state.detail) == ("feed", "timeout")
    assert state.dark_since is not None
    assert await intake.source_answered(world.swarm, "feed")
    assert not await intake.source_answered(world.swarm, "feed")
    assert (await world.snapshot()).sources[0].dark_since is None


@pytest.mark.req("API-6")
async def test_a_source_that_found_nothing_was_read_all_the_same(world, intake):
    """A repository without findings was said to be discovering for ever."""
    await world.sql("insert into source (swarm, name) values (%s, 'feed')", world.swarm)
    unread = "select read_at is null from source"
    assert await world.one(unread)
    assert not (await world.snapshot()).sources[0].answered
    assert await intake.source_answered(world.swarm, "feed")
    assert not await world.one(unread)
    assert (await world.snapshot()).sources[0].answered
    assert not await intake.source_answered(world.swarm, "feed")


@pytest.mark.req("FAIL-7")
async def test_drift_is_noted_when_it_changes(world, intake):
    assert await intake.saw_drift(world.swarm, {"web": "c9"})
    assert not await intake.saw_drift(world.swarm, {"web": "c9"})
    assert (await world.snapshot()).drifted == (("web", "c9"),)
    assert await intake.saw_drift(world.swarm, {})
    assert (await world.snapshot()).drifted == ()


async def test_no_table_is_read_whole_by_a_plan_that_was_made_while_it_was_empty(world, intake):
    """Of a thousand texts each would be compared with each row, until somebody analyses it."""
    for table in ("need", "alias", "signal", "citation", "likeness"):
        await world.sql(f"vacuum (analyze) {table}")

    async def hear(number):
        text = free_text(world.swarm, number, f"{hashlib.sha512(b'%d' % number).hexdigest()}")
        await intake.ingest(world.swarm, "feed", reading(text, cursor=f"{number}"))

    async def read_whole():
        await world.sql("select pg_stat_force_next_flush()")
        return await world.sql(
            "select relname, seq_scan from pg_stat_user_tables where relname in"
            " ('alias', 'need', 'signal', 'citation', 'likeness') order by 1"
        )

    for number in range(10):  # until its plans are kept
        await hear(number)
    await world.sql("insert into alias select 'x' || n, 'y' from generate_series(1, 1000) n")
    before = await read_whole()
    await hear(99)
    assert await read_whole() == before
