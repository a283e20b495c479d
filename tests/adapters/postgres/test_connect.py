"""A connection goes where its string says, and its session is as we set it, in any shell."""

import dataclasses
import os
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from psycopg import conninfo

from swarm.adapters.postgres import layout
from swarm.adapters.postgres.account import ServerAccount
from swarm.adapters.postgres.connect import connect_async, connect_sync

pytestmark = pytest.mark.req("LOOP-11")

FOR_ANOTHER = [
    ("PGPASSWORD", "of-another-database"),
    ("PGHOSTADDR", "192.0.2.1"),
    ("PGREQUIREAUTH", "scram-sha-256"),
    ("PGCHANNELBINDING", "require"),
    ("PGGSSENCMODE", "require"),
    ("PGSSLMODE", "verify-full"),
    ("PGSSLROOTCERT", "system"),
    ("PGSSLCERTMODE", "require"),
    ("PGSSLNEGOTIATION", "direct"),
    ("PGTARGETSESSIONATTRS", "standby"),
    ("PGLOADBALANCEHOSTS", "random"),
    ("PGTZ", "Asia/Tokyo"),
    ("PGDATESTYLE", "German"),
]


OF_THE_DATABASE = [
    ("intervalstyle", "iso_8601"),
    ("intervalstyle", "sql_standard"),
    ("extra_float_digits", "0"),
    ("default_transaction_isolation", "serializable"),
]


@pytest.mark.parametrize(("name", "value"), OF_THE_DATABASE)
def test_what_a_database_is_set_to_for_others_does_not_bend_our_sessions(
    empty_database_dsn, name, value
):
    asked = "select interval '1 hour', 0.1::float8 + 0.2::float8, current_setting(%s)"
    database = conninfo.conninfo_to_dict(empty_database_dsn)["dbname"]
    with connect_sync(empty_database_dsn) as connection:
        connection.execute(f"alter database \"{database}\" set {name} = '{value}'")
    with connect_sync(empty_database_dsn) as connection:
        found = connection.execute(asked, ["transaction_isolation"]).fetchone()
    assert found == (timedelta(hours=1), 0.1 + 0.2, "read committed")


@pytest.mark.parametrize(("name", "value"), FOR_ANOTHER)
async def test_what_a_shell_holds_for_another_database_does_not_bend_ours(
    database_server, monkeypatch, name, value
):
    monkeypatch.setenv(name, value)
    asked = "select now(), now()::text"
    with connect_sync(database_server.dsn) as connection:
        now, text = connection.execute(asked).fetchone()
    assert (now.tzinfo.utcoffset(now), text[-3:]) == (UTC.utcoffset(None), "+00")
    async with await connect_async(database_server.dsn) as connection:
        now, text = await (await connection.execute(asked)).fetchone()
    assert (now.tzinfo.utcoffset(now), text[-3:]) == (UTC.utcoffset(None), "+00")


def test_an_account_of_a_domain_is_named_as_it_is(tmp_path):
    account = ServerAccount(uid=1, gid=1, name="FIRM\\ann o'neil", switched=False)
    laid = dataclasses.replace(layout.lay_out(tmp_path), account=account)
    assert conninfo.conninfo_to_dict(laid.dsn)["requirepeer"] == "FIRM\\ann o'neil"


def test_a_short_socket_folder_lies_where_it_outlives_a_login(tmp_path, monkeypatch):
    """`up` goes on after its user has logged out, and then /run/user is gone."""
    account = ServerAccount(uid=os.getuid(), gid=os.getgid(), name="ann", switched=False)
    monkeypatch.setattr(layout, "server_account", lambda _folder: account)
    monkeypatch.setattr(Path, "is_dir", lambda _self: True)
    laid = layout.lay_out(tmp_path / ("deep/" * 30))
    assert laid.sockets.parent == Path("/tmp")
