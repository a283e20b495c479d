"""One order path trades under a chain; another is told who, and takes over when that one ends."""

import psycopg
import pytest

from swarm.adapters.postgres.store.errors import ChainHeld
from swarm.adapters.postgres.store.trading.tenure import Tenure

pytestmark = pytest.mark.req("REG-10")


@pytest.mark.slow
async def test_who_begins_anew_at_once_is_not_refused(database):
    """A closed session is gone only when the server gets to it."""
    for turn in range(400):
        async with Tenure(database, "trading", f"desk-{turn}"):
            pass


async def test_a_second_one_is_refused_by_name_until_the_first_has_let_go(database):
    second = Tenure(database, "trading", "lab-7 in /srv/other")
    async with Tenure(database, "trading", "desk-1 in /srv/desk"):
        with pytest.raises(ChainHeld, match="'trading' is held by desk-1 in /srv/desk") as said:
            await second.hold()
        assert "trading.chain" in said.value.fix
        async with Tenure(database, "other", "lab-7"):
            pass  # another chain is nobody's business
    async with second:
        await second.hold()  # asked again, it is still the holder's


async def test_after_an_outage_it_is_held_again_or_somebody_else_has_it(database, database_dsn):
    first, second = (Tenure(database, "trading", f"desk-{one}") for one in "12")
    await first.hold()
    terminate(database_dsn)
    await first.hold()
    with pytest.raises(ChainHeld, match="desk-1"):
        await second.hold()
    terminate(database_dsn)
    await second.hold()
    with pytest.raises(ChainHeld, match="desk-2"):
        await first.hold()
    await second.__aexit__(None, None, None)
    await first.hold()
    await first.__aexit__(None, None, None)


def terminate(dsn):
    """Every session that names itself a desk is gone, as after a restart of the server."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name like 'desk-%'"
        )
