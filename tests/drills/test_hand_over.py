"""A restarted controller goes on at once with what its dead predecessor held."""

import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.orders import PostgresOrders

pytestmark = [pytest.mark.slow, pytest.mark.req("LOOP-11", "OWN-4")]
LEASE = timedelta(minutes=4)  #: far beyond what this test would wait for


def start(home):
    return subprocess.Popen([sys.executable, "-m", "swarm.runtime.supervise", str(home.folder)])


async def test_orders_of_the_dead_are_carried_out_without_waiting_for_their_lease(installation):
    installation.agent("quick", "sleep 1; echo 'VALUE = 2' > src/value.py")
    installation.check("tests", "true")
    installation.say()
    installation.write()
    first = start(installation.home)
    try:
        await installation.wait_for(lambda: installation.started("quick") == 1)
        name = installation.home.read_note()["controller"]
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    async with Database(installation.url, size=1) as database:
        orders, claims = PostgresOrders(database, name), ()
        deadline = time.monotonic() + 30
        while not claims and time.monotonic() < deadline:
            # What it might have claimed in the last moment of its life, and would hold for long.
            claims = await orders.claim(name, 16, LEASE)
    assert claims
    begun = time.monotonic()
    second = start(installation.home)
    try:
        (mission,) = await installation.until(
            "missions", lambda rows: rows and rows[0]["outcome"] != "open"
        )
    finally:
        second.terminate()
        second.wait()
    assert mission["outcome"] == "delivered"
    assert time.monotonic() - begun < LEASE.total_seconds() / 4
    assert installation.started("quick") == 1
