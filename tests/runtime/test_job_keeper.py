"""Whoever ended a mission, and why: the next look ends its agents (FAIL-5)."""

from datetime import timedelta

import pytest

from swarm.contract.errors import Unavailable
from swarm.runtime import job_keeper
from swarm.runtime.job_keeper import JobKeeper

pytestmark = pytest.mark.req("FAIL-5")


class Workshop:
    """Two agents at work, each for a mission of its own."""

    def __init__(self):
        self.alive = {"m-1-run-0": "m-1", "m-2-run-1": "m-2"}

    def at_work(self):
        return dict(self.alive)

    def known(self):
        return list(self.alive)

    async def stop(self, name):
        self.alive.pop(name, None)

    async def sweep(self, _wanted):
        return []


class Missions:
    def __init__(self, *open_ones):
        self.open, self.away, self.asked = set(open_ones), False, 0

    async def open_among(self, missions):
        self.asked += 1
        if self.away:
            raise Unavailable("the store is away")
        return frozenset(self.open & set(missions))


async def test_the_agents_of_a_mission_that_was_ended_are_ended_and_no_other():
    workshop, missions = Workshop(), Missions("m-1", "m-2")
    keeper = JobKeeper([workshop], missions)
    await keeper.look()
    assert list(workshop.alive) == ["m-1-run-0", "m-2-run-1"]
    missions.open.remove("m-2")
    await keeper.look()
    assert list(workshop.alive) == ["m-1-run-0"]
    assert timedelta(seconds=5) >= job_keeper.EVERY, "an agent goes on spending until it is ended"


async def test_while_the_store_cannot_be_asked_nobody_is_ended():
    workshop, missions = Workshop(), Missions()
    missions.away = True
    with pytest.raises(Unavailable):
        await JobKeeper([workshop], missions).look()
    assert len(workshop.alive) == 2


async def test_while_nobody_is_at_work_nothing_is_asked():
    workshop, missions = Workshop(), Missions()
    keeper = JobKeeper([workshop], missions)
    await keeper.look()
    workshop.alive.clear()
    before = missions.asked
    await keeper.look()
    assert missions.asked == before
