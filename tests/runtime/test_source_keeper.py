"""The keeper of sources against a real store: what it asks and what it may remember."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from swarm.adapters.local.sources.errors import CheckoutFailed
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.contract.errors import SourceDown
from swarm.contract.swarm import SwarmObject
from swarm.core.ids import signal_id, swarm_id
from swarm.core.nouns import Signal
from swarm.ports.sources import Reading
from swarm.runtime import source_keeper
from swarm.runtime.source_keeper import KNOWN_FOR, SourceKeeper
from swarm.runtime.wiring import Specs

SWARM = swarm_id("default", "shop")


def manifest(*sources, **blocks):
    return SwarmObject.model_validate(
        {
            "apiVersion": "swarm.proompteng.ai/v1alpha1",
            "kind": "Swarm",
            "metadata": {"name": "shop"},
            "spec": {
                "owner": {"id": "alice", "channel": "swarm://owner/platform"},
                "domains": ["platform"],
                "objectives": ["fewer defects"],
                "mode": "lights-out",
                "discovery": {"sources": [{"name": name} for name in sources]},
                **blocks,
            },
        }
    )


def signal(number):
    return Signal(
        id=signal_id(SWARM, "one", str(number)), source="one", external_id=str(number),
        title=f"unused import {number}", body="", citation=f"src/f{number}.py:1@c", origin="one",
        author="", external=False, trust=0.8, observed_at=datetime.now(UTC),
        content_hash=str(number), mission_class="tidy", repo="acme/shop",
        paths=(f"src/f{number}.py",), rule="F401",
    )  # fmt: skip


class Numbers:
    """A source that has said the numbers below `last`, and counts how often it was read."""

    def __init__(self):
        self.last, self.begun, self.down = 0, [], None
        self.refused = ()
        self._read = asyncio.Condition()

    async def read(self, cursor):
        async with self._read:
            self.begun.append(cursor)
            self._read.notify_all()
        if self.down:
            raise self.down
        new = tuple(signal(number) for number in range(int(cursor or 0), self.last))
        next_ = str(self.last) if self.last else cursor
        understood = self.last > 0 or not self.refused
        yield Reading(signals=new, cursor=next_, refused=self.refused, understood=understood)

    async def again(self, times=2):
        """Wait until it was read so often from its beginning to its end."""
        aim = len(self.begun) + times + 1
        async with asyncio.timeout(10), self._read:
            await self._read.wait_for(lambda: len(self.begun) >= aim)


class Bound:
    def __init__(self, source, every=timedelta(milliseconds=5)):
        self._source, self._every = source, every

    def source(self, _swarm, _name):
        return self._source

    def every(self, _name):
        return self._every

    def quiet_after(self, _name):
        return None


class CountedIntake(PostgresIntake):
    """The real intake, which counts what is asked of it."""

    def __init__(self, database):
        super().__init__(database)
        self.asked, self.told = 0, []
        self.away = 0  #: so many more questions find no store

    def _reach(self):
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("the store is away")

    async def cursor(self, swarm, source):
        self.asked += 1
        return await super().cursor(swarm, source)

    async def ingest(self, swarm, source, reading, after=None):
        self.asked += 1
        self._reach()
        return await super().ingest(swarm, source, reading, after)

    async def source_failed(self, swarm, source, detail):
        self._reach()
        new = await super().source_failed(swarm, source, detail)
        self.told += ["dark"] * new
        return new

    async def source_answered(self, swarm, source):
        new = await super().source_answered(swarm, source)
        self.told += ["back"] * new
        return new


class Clock:
    def __init__(self):
        self.ahead = timedelta(0)

    def __call__(self):
        return datetime.now(UTC) + self.ahead


@asynccontextmanager
async def keeping(database, intake, source, clock, soonest=timedelta(milliseconds=10)):
    keeper = SourceKeeper(Specs(database), Bound(source), intake, clock, swarms_soonest=soonest)
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def watched(database_dsn, source):
    """A keeper that reads one source for one Swarm; gives the database and the counted intake."""
    async with Database(database_dsn) as database:
        await SwarmDesk(database, "alice").apply(manifest("one"))
        intake = CountedIntake(database)
        async with keeping(database, intake, source, Clock()):
            yield database, intake


@pytest.mark.req("LOOP-11")
async def test_a_spec_that_only_a_newer_release_can_read_keeps_nobody_else_from_being_read(
    database,
):
    """It ended the older controller, which then did nothing for any Swarm."""
    desk = SwarmDesk(database, "alice")
    await desk.apply(manifest("one"))
    newer = manifest("one")
    newer = newer.model_copy(update={"metadata": newer.metadata.model_copy(update={"name": "n"})})
    other = (await desk.apply(newer)).swarm
    async with database.connection() as connection:
        await connection.execute(
            "update swarm set spec = spec || '{\"telepathy\": true}' where id = %s", (other,)
        )
    specs = Specs(database)
    with capture_logs() as told:
        for _ in range(2):
            assert [swarm for swarm, _ in await specs.all()] == [SWARM]
    assert [(event["swarm"], event["error"]) for event in told] == [(other, "SpecUnreadable")]
    assert sorted(await specs.ids()) == sorted([SWARM, other])


async def signals_kept(database):
    async with database.connection() as connection:
        rows = await connection.execute("select count(*) from signal")
        return (await rows.fetchone())[0]


@pytest.mark.slow
@pytest.mark.req("OWN-4")
async def test_a_source_that_says_nothing_new_costs_the_store_nothing(database_dsn):
    source = Numbers()
    async with watched(database_dsn, source) as (database, intake):
        await source.again()
        before = intake.asked
        await source.again(5)
        assert intake.asked == before
        source.last = 3
        await source.again()
        assert await signals_kept(database) == 3
        before = intake.asked
        await source.again(5)
        assert intake.asked == before


@pytest.mark.req("LOOP-2")
async def test_what_another_controller_has_read_is_not_taken_in_twice(database_dsn):
    source = Numbers()
    async with watched(database_dsn, source) as (database, intake):
        await source.again()
        both = (signal(0), signal(1))
        await PostgresIntake(database).ingest(SWARM, "one", Reading(signals=both, cursor="2"))
        source.last = 3
        await source.again(4)
        assert await signals_kept(database) == 3
        assert source.begun[-1] == "3"


@pytest.mark.req("FAIL-4")
async def test_a_source_that_a_dead_controller_called_dark_is_called_so_no_longer_than_agreed(
    database_dsn,
):
    """Only who saw it go dark tells when it is back; a keeper that never did must ask at times."""
    source, clock = Numbers(), Clock()
    source.last = 1
    async with Database(database_dsn) as database:
        await SwarmDesk(database, "alice").apply(manifest("one"))
        intake = CountedIntake(database)
        async with keeping(database, intake, source, clock):
            await source.again()
            assert await PostgresIntake(database).source_failed(SWARM, "one", "no answer")
            clock.ahead = KNOWN_FOR
            await source.again()
            assert not await PostgresIntake(database).source_answered(SWARM, "one")


@pytest.mark.req("FAIL-4")
@pytest.mark.parametrize("news", [0, 1])
async def test_the_return_of_a_dark_source_is_told_and_wakes_its_swarm(database_dsn, news):
    """What waited for it goes on then, not when something else happens to wake the Swarm."""
    source = Numbers()
    source.down = SourceDown("no answer")
    async with watched(database_dsn, source) as (database, intake):
        await source.again(3)
        assert intake.told == ["dark"]
        async with database.connection() as connection:
            await connection.execute("delete from wake")
        source.down, source.last = None, news
        await source.again()
        assert intake.told == ["dark", "back"]
        async with database.connection() as connection:
            rows = await connection.execute("select count(*) from wake")
            assert (await rows.fetchone())[0] > 0


@pytest.mark.req("FAIL-4")
async def test_a_source_of_which_nothing_can_be_taken_goes_dark_and_one_good_line_mends_it(
    database_dsn,
):
    """It answers, and says nothing: to whoever waits for it that is the same as silence."""
    source = Numbers()
    source.refused = ("line 1: no JSON object", "line 2: no JSON object")
    async with watched(database_dsn, source) as (database, intake):
        await source.again(1)
        assert intake.told == []
        await source.again(2)
        assert intake.told == ["dark"]
        async with database.connection() as connection:
            rows = await connection.execute("select detail from source")
            detail = (await rows.fetchone())[0]
        assert detail == "nothing it says can be taken: 2 refused: line 1: no JSON object"
        source.last = 1
        await source.again()
        assert intake.told == ["dark", "back"]


@pytest.mark.req("FAIL-4")
async def test_what_only_a_person_can_mend_is_told_after_one_reading_with_its_remedy(database_dsn):
    """Main parts from the user's on an ordinary working day: a quarter of an hour is too long."""
    source = Numbers()
    source.down = CheckoutFailed("app: main has parted", remedy="In app: git pull.")
    async with watched(database_dsn, source) as (database, intake):
        await source.again(1)
        assert intake.told == ["dark"]
        async with database.connection() as connection:
            rows = await connection.execute("select detail from source")
            assert await rows.fetchone() == ("app: main has parted. In app: git pull.",)
        source.down, source.last = None, 1
        await source.again()
        assert intake.told == ["dark", "back"]


@pytest.mark.req("FAIL-4")
async def test_that_a_source_went_dark_is_told_once_the_store_is_there_again(
    database_dsn, monkeypatch
):
    """The store was away at that very moment; the source stays dark for hours without a change."""
    monkeypatch.setattr(source_keeper, "AGAIN", timedelta(milliseconds=1))
    source = Numbers()
    source.down = SourceDown("no answer")
    async with Database(database_dsn) as database:
        await SwarmDesk(database, "alice").apply(manifest("one"))
        intake = CountedIntake(database)
        intake.away = 5
        async with keeping(database, intake, source, Clock()):
            await source.again(3)
            assert intake.away == 0
            assert intake.told == ["dark"]


@pytest.mark.req("FAIL-4")
async def test_a_store_that_is_away_makes_no_source_dark(database_dsn, monkeypatch):
    """We could not ask the store: of the source that says nothing, and nothing it said is lost."""
    monkeypatch.setattr(source_keeper, "AGAIN", timedelta(milliseconds=1))
    source = Numbers()
    source.last = 3
    async with Database(database_dsn) as database:
        await SwarmDesk(database, "alice").apply(manifest("one"))
        intake = CountedIntake(database)
        intake.away = 5
        async with keeping(database, intake, source, Clock()):
            await source.again(7)
            assert (intake.away, intake.told) == (0, [])
            assert await signals_kept(database) == 3


@pytest.mark.req("LOOP-1")
async def test_a_new_source_is_read_when_its_swarm_is_rung_for(database_dsn):
    """The look without a hint comes after a minute: longer than this test waits."""
    source = Numbers()
    async with Database(database_dsn) as database:
        await SwarmDesk(database, "alice").apply(manifest())
        async with keeping(database, PostgresIntake(database), source, Clock()) as keeper:
            await asyncio.sleep(0.1)  # well into the wait for a hint
            await SwarmDesk(database, "alice").apply(manifest("one"))
            keeper.hint()
            await source.again()


def discovering(**said):
    return manifest("one", execution={"discover": said})


@asynccontextmanager
async def kept(database_dsn, source, swarm, every):
    """A keeper that reads one source; gives what applies a Swarm and rings for it."""
    async with Database(database_dsn) as database:
        desk = SwarmDesk(database, "alice")
        await desk.apply(swarm)
        specs, bound = Specs(database), Bound(source, every)
        soon = timedelta(milliseconds=10)
        keeper = SourceKeeper(specs, bound, PostgresIntake(database), Clock(), swarms_soonest=soon)
        task = asyncio.create_task(keeper.run())

        async def apply(swarm):
            await desk.apply(swarm)
            keeper.hint()

        try:
            yield apply
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.req("API-9")
async def test_a_swarm_whose_discover_stage_is_off_has_no_source_read_until_it_is_on(database_dsn):
    source = Numbers()
    off, on = discovering(enabled=False), discovering(enabled=True)
    async with kept(database_dsn, source, off, timedelta(milliseconds=5)) as apply:
        await asyncio.sleep(0.2)
        assert source.begun == []
        await apply(on)
        await source.again()
        await apply(off)
        read = -1
        async with asyncio.timeout(10):
            while len(source.begun) > read:
                read = len(source.begun)
                await asyncio.sleep(0.2)
        await apply(on)
        await source.again()


@pytest.mark.req("API-9")
@pytest.mark.parametrize(
    ("own", "stage", "often"),
    [
        pytest.param(None, "1s", True, id="the-stage-wins-over-the-cadence"),
        pytest.param(timedelta(hours=1), "1s", False, id="the-source-wins-over-the-stage"),
        pytest.param(timedelta(milliseconds=5), "1h", True, id="and-may-be-read-more-often"),
    ],
)
async def test_the_pause_of_the_discover_stage_stands_between_the_cadence_and_a_sources_own(
    database_dsn, own, stage, often
):
    source = Numbers()
    swarm = discovering(every=stage)
    assert swarm.spec.cadence.discover_every == timedelta(minutes=5)
    async with kept(database_dsn, source, swarm, own):
        if often:
            await source.again(1)
        else:
            await asyncio.sleep(1.5)
            assert len(source.begun) == 1
