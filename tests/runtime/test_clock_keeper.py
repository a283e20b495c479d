"""A controller whose clock is not the database's does not begin, and ends when it finds out."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.clock import PostgresClock
from swarm.contract.errors import Unavailable
from swarm.runtime.clock_keeper import TOLERATED, ClockKeeper, difference
from swarm.runtime.errors import ClockWrong

pytestmark = pytest.mark.req("LOOP-11")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class Clock:
    """Ours is `ahead` of the store's; an answer takes as long on the way there as back."""

    def __init__(self, ahead=timedelta(0), takes=timedelta(0)):
        self.ahead, self.takes, self.true = ahead, takes, NOON

    def ours(self):
        return self.true + self.ahead

    async def stores(self):
        self.true += self.takes / 2
        said = self.true
        self.true += self.takes / 2
        return said


@pytest.mark.parametrize(
    ("ahead", "takes", "seen"),
    [
        pytest.param(0, 0, 0, id="agreed"),
        pytest.param(60, 0, 60, id="ahead"),
        pytest.param(-60, 0, -60, id="behind"),
        pytest.param(0, 120, 0, id="only-slow"),
        pytest.param(60, 20, 50, id="ahead-and-slow"),
        pytest.param(-60, 20, -50, id="behind-and-slow"),
        pytest.param(5, 20, 0, id="within-the-answer"),
    ],
)
async def test_what_an_answer_takes_is_no_difference(ahead, takes, seen):
    clock = Clock(ahead * SECOND, takes * SECOND)
    assert await difference(clock.ours, clock.stores) == seen * SECOND


@pytest.mark.parametrize("off", [HOUR, -HOUR, TOLERATED + SECOND, -TOLERATED - SECOND])
async def test_who_is_wrong_does_not_begin_and_is_told_what_to_do(off):
    clock = Clock(off)
    with pytest.raises(ClockWrong) as caught:
        await ClockKeeper(clock.ours, clock.stores).prepare()
    which = "ahead of" if off > timedelta(0) else "behind"
    assert f"{abs(off).total_seconds():.0f} s {which} the database's" in caught.value.message
    assert "chrony" in caught.value.fix


@pytest.mark.parametrize("off", [timedelta(0), TOLERATED, -TOLERATED])
async def test_who_is_off_by_what_is_tolerated_works(off):
    clock = Clock(off)
    await ClockKeeper(clock.ours, clock.stores).prepare()


async def test_a_clock_that_is_set_while_it_works_ends_it():
    clock = Clock()
    keeper = ClockKeeper(clock.ours, clock.stores, every=timedelta(milliseconds=1))
    await keeper.prepare()
    working = asyncio.create_task(keeper.run())
    clock.ahead = HOUR
    with pytest.raises(ClockWrong):
        await asyncio.wait_for(working, 10)


async def test_a_store_that_does_not_answer_says_nothing_about_the_time():
    asked = 0

    async def away():
        nonlocal asked
        asked += 1
        raise Unavailable("the database cannot be reached")

    await ClockKeeper(Clock(HOUR).ours, away).prepare()
    assert asked == 1


@pytest.mark.parametrize("off", [timedelta(0), HOUR])
async def test_it_is_postgres_that_is_asked(database_dsn, off):
    async with Database(database_dsn) as database:
        ahead = await difference(lambda: datetime.now(UTC) + off, PostgresClock(database).now)
    assert off - 5 * SECOND < ahead <= off
