"""A mission that ends takes its agents and checks with it: within seconds, and for good."""

import asyncio
import contextlib
import subprocess
import sys
import time

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk

ENDLESS = "(setsid sleep 300 &); sleep 300"


def settled(rows):
    return rows and all(row["outcome"] != "open" for row in rows)


@pytest.mark.slow
@pytest.mark.req("FAIL-1")
async def test_the_agent_of_a_cancelled_mission_is_ended_at_once(installation):
    installation.agent("slow", ENDLESS)
    installation.check("tests", "true")
    installation.say()
    async with installation.serving():
        await installation.wait_for(lambda: installation.started("slow") == 1)
        (mission,) = await installation.until("missions", lambda rows: rows)
        assert installation.alive()
        begun = time.monotonic()
        await installation.cancel(mission["id"])
        await installation.wait_for(lambda: not installation.alive(), seconds=15)
        took = time.monotonic() - begun
        (ended,) = await installation.until("missions", settled)
    assert took < 10
    assert (ended["outcome"], ended["reason"]) == ("rejected", "Cancelled")
    assert installation.started("slow") == 1


@pytest.mark.slow
async def test_the_check_of_a_cancelled_mission_is_ended_at_once(installation):
    installation.agent("quick", "echo 'VALUE = 2' > src/value.py")
    installation.check("tests", ENDLESS)
    installation.say()
    async with installation.serving():
        await installation.wait_for(lambda: installation.started("tests") == 1)
        (mission,) = await installation.until("missions", lambda rows: rows)
        await installation.cancel(mission["id"])
        await installation.wait_for(lambda: not installation.alive(), seconds=15)
        (ended,) = await installation.until("missions", settled)
    assert ended["outcome"] == "rejected"
    assert installation.started("tests") == 1
    assert installation.repo.git("rev-parse", "main") == installation.base


@pytest.mark.slow
async def test_the_others_work_goes_on(installation):
    """Two missions of two classes; one is cancelled."""
    installation.agent("slow", ENDLESS, rules=["SLOW"])
    done = installation.folder / "done"
    short = f"sleep 4; echo 'VALUE = 2' > src/value.py; touch {done}"
    installation.agent("quick", short, rules=["QUICK"])
    installation.check("tests", "true")
    installation.say(1, rule="SLOW", paths=["tests/test_value.py"],
                     citation=f"tests/test_value.py:1@{installation.base}",
                     title="a test that nobody wants to read")  # fmt: skip
    installation.say(2, rule="QUICK", title="the value is much too small")
    async with installation.serving():
        await installation.wait_for(lambda: installation.started("slow") == 1)
        rows = await installation.until("missions", lambda rows: len(rows) == 2)
        await installation.wait_for(lambda: installation.started("quick") == 1)
        (slow,) = [row for row in rows if row["agent"] == "slow"]
        await installation.cancel(slow["id"])
        rows = await installation.until("missions", settled)
    assert {row["agent"]: row["outcome"] for row in rows} == {
        "slow": "rejected",
        "quick": "delivered",
    }
    assert (installation.started("slow"), installation.started("quick")) == (1, 1)


@pytest.mark.slow
async def test_the_work_of_a_deleted_swarm_is_ended(installation):
    installation.agent("slow", ENDLESS)
    installation.check("tests", "true")
    installation.say()
    async with installation.serving():
        await installation.wait_for(lambda: installation.started("slow") == 1)
        async with Database(installation.url, size=1) as database:
            await SwarmDesk(database, "alice").delete("default", "shop", "moved away")
        await installation.wait_for(lambda: not installation.alive(), seconds=15)


CONTROLLER = """
import sys
from swarm.runtime.supervise import main
sys.exit(main(sys.argv[1]))
"""


@contextlib.contextmanager
def controller(installation):
    """A controller in a process of its own, which is killed without a word."""
    installation.write()
    process = subprocess.Popen([sys.executable, "-c", CONTROLLER, str(installation.home.folder)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.req("LOOP-11")
@pytest.mark.slow
async def test_a_controller_killed_between_the_end_and_the_stop_leaves_no_agent(installation):
    """The mission is ended while no controller lives; the next one finds the agent and ends it."""
    installation.agent("slow", ENDLESS)
    installation.check("tests", "true")
    installation.say()
    with controller(installation):
        await installation.wait_for(lambda: installation.started("slow") == 1)
        (mission,) = await installation.until("missions", lambda rows: rows)
    await installation.cancel(mission["id"])
    await asyncio.sleep(0.5)
    assert installation.alive(), "an agent outlives its controller"
    with controller(installation):
        await installation.wait_for(lambda: not installation.alive(), seconds=20)
        await installation.until("missions", settled)
    assert installation.started("slow") == 1
