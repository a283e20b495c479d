"""The embedded server is killed while its controller lives: it comes back by itself."""

import os
import signal
from datetime import timedelta

import pytest

from swarm.adapters.postgres.ballast import BALLAST_BYTES
from swarm.adapters.postgres.postmaster import Answer, ask, server_processes
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.runtime import controller, source_keeper, store_keeper

pytestmark = [pytest.mark.req("LOOP-11"), pytest.mark.slow]


def kill_server(layout, *, all_of_it):
    processes = server_processes(layout)
    for pid, is_postmaster in processes.items():
        if is_postmaster or all_of_it:
            os.kill(pid, signal.SIGKILL)
    return set(processes)


SELDOM = timedelta(minutes=10)


@pytest.mark.parametrize("all_of_it", [False, True], ids=["postmaster", "every-process"])
async def test_a_quiet_controller_brings_its_server_back_at_once(embedded, all_of_it, monkeypatch):
    """Nothing is due and nobody asks: the listener notices, long before any poll would."""
    monkeypatch.setattr(controller, "POLL", SELDOM)
    monkeypatch.setattr(source_keeper, "SWARMS_EVERY", SELDOM)
    for name in ("one", "two"):
        embedded.sources[name]["every"] = "10m"
    embedded.agent("quick", "true")
    layout = EmbeddedServer(embedded.home.database).layout
    async with embedded.serving():
        await embedded.wait_for(embedded.home.note.exists, seconds=30)
        await embedded.until("swarms", lambda rows: rows)
        old = kill_server(layout, all_of_it=all_of_it)
        await embedded.wait_for(
            lambda: ask(layout) is Answer.READY and not old & set(server_processes(layout)),
            seconds=40,
        )


async def test_a_server_killed_again_and_again_under_work_loses_nothing(embedded):
    embedded.agent("quick", "sleep 1; echo 'VALUE = 2' > src/value.py")
    embedded.check("tests", "sleep 1")
    layout = EmbeddedServer(embedded.home.database).layout
    embedded.say()
    async with embedded.serving() as serving:
        await embedded.wait_for(lambda: embedded.started("quick") == 1, seconds=40)
        kill_server(layout, all_of_it=True)
        await embedded.wait_for(lambda: embedded.started("tests") == 1, seconds=40)
        kill_server(layout, all_of_it=False)
        (mission,) = await embedded.until(
            "missions", lambda rows: rows and rows[0]["outcome"] != "open", seconds=60
        )
        assert not serving.done()
    assert mission["outcome"] == "delivered"
    assert (embedded.started("quick"), embedded.started("tests")) == (1, 1)


async def test_a_controller_takes_the_ballast_back(embedded, monkeypatch):
    """It was given up when the disk was full; with room again it is there for the next time."""
    monkeypatch.setattr(store_keeper, "EVERY", store_keeper.EVERY / 300)
    ballast = EmbeddedServer(embedded.home.database).layout.ballast
    embedded.agent("quick", "true")
    async with embedded.serving():
        await embedded.wait_for(embedded.home.note.exists, seconds=30)
        ballast.unlink()
        await embedded.wait_for(
            lambda: ballast.exists() and ballast.stat().st_size == BALLAST_BYTES
        )
