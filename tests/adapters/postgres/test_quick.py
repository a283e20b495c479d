"""Reading without the driver gives what the driver gives."""

import os
import socket
import subprocess
import sys

import psycopg
import pytest
from psycopg import conninfo

from swarm.adapters.postgres import libpq
from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.layout import lay_out
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.quick import NotQuick, reading
from swarm.adapters.postgres.server import EmbeddedServer

ADDRESS = "127.43.19.7"  #: a loopback address that nobody else listens on


def read(dsn, query="select 1", parameters=()):
    with reading(dsn) as reader:
        return reader.rows(query, parameters)


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        pytest.param("select 1, null, 'größe', ''", [], id="values-null-unicode-empty"),
        pytest.param("select n::text from generate_series(1, 5000) n", [], id="many-rows"),
        pytest.param("select repeat('x', 3000000)", [], id="a-large-value"),
        pytest.param("select 1 where false", [], id="no-rows"),
        pytest.param(
            "select $1::int + 1, $2::text, $3::text", ["41", None, "it's"], id="parameters"
        ),
        pytest.param("select '{\"a\": [1, 2.50]}'::jsonb", [], id="json"),
    ],
)
def test_rows_are_the_drivers_rows_as_text(database_dsn, query, parameters):
    found = read(database_dsn, query, parameters)
    with psycopg.connect(database_dsn) as connection:
        cursor = psycopg.RawCursor(connection)
        cursor.execute(query, parameters)
        raw = cursor.pgresult
        expected = [
            tuple(
                None if (value := raw.get_value(row, column)) is None else value.decode()
                for column in range(raw.nfields)
            )
            for row in range(raw.ntuples)
        ]
    assert found == expected


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("selec 1", "syntax error .*42601", id="syntax"),
        pytest.param("create table t (n int)", "read-only transaction .*25006", id="writing"),
        pytest.param(
            "select pg_sleep(30)",
            "statement timeout .*57014",
            id="slow",
            marks=pytest.mark.slow,
        ),
        pytest.param("select 1; select 2", "multiple commands .*42601", id="two-statements"),
    ],
)
def test_what_the_server_refuses_is_told_in_its_words(database_dsn, query, words):
    with pytest.raises(DatabaseUnavailable, match=words):
        read(database_dsn, query)


def test_one_connection_serves_the_reads_of_a_command_and_a_failed_one_does_not_spoil_it(
    database_dsn,
):
    asked = "select pg_backend_pid()"
    with reading(database_dsn) as reader:
        first = reader.rows(asked)
        with pytest.raises(DatabaseUnavailable):
            reader.rows("selec 1")
        assert reader.rows(asked) == first


def test_no_server_is_a_reason_to_take_the_long_way(tmp_path):
    with pytest.raises(NotQuick):
        read(lay_out(tmp_path / "data").dsn)


def test_a_stopped_server_that_left_its_socket_is_a_reason_too(public_folder):
    layout = EmbeddedServer(public_folder / "data").layout
    layout.sockets.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(layout.socket))
    with pytest.raises(NotQuick):
        read(layout.dsn)


@pytest.mark.skipif(os.geteuid() != 0, reason="as root the server is another user")
def test_a_listener_that_is_not_the_servers_account_is_not_asked(public_folder):
    layout = EmbeddedServer(public_folder / "data").layout
    layout.sockets.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(str(layout.socket))
        impostor.listen()
        with pytest.raises(NotQuick, match="requirepeer specifies"):
            read(layout.dsn)


def test_a_session_that_is_ended_in_the_middle_is_a_reason_too(database_dsn):
    with reading(database_dsn) as reader:
        ((pid,),) = reader.rows("select pg_backend_pid()")
        with psycopg.connect(database_dsn) as connection:
            connection.execute("select pg_terminate_backend(%s, 5000)", [int(pid)])
        with pytest.raises(NotQuick, match=r"terminating|closed"):
            reader.rows("select 'nine more'")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param("delete from migration where version = 3", None, id="a-gap"),
        pytest.param("delete from migration where version > 3", "schema is at 3", id="older"),
        pytest.param("update migration set needs = 9999 where version = 1", "9999", id="newer"),
        pytest.param("drop table migration", "does not exist", id="none"),
    ],
)
def test_a_schema_that_is_not_this_releases_is_left_to_the_long_way(database_dsn, change, words):
    with psycopg.connect(database_dsn, options="-c search_path=swarm") as connection:
        connection.execute(change)
    if words is None:  # what `migrate` itself finds; a look needs no more than the newest
        assert read(database_dsn) == [("1",)]
        return
    with pytest.raises(NotQuick, match=words):
        read(database_dsn)


@pytest.mark.parametrize(
    "dsn",
    [
        pytest.param("shop", id="no-connection-string"),
        pytest.param("host=/nowhere dbname=a colour=red", id="an-unknown-word"),
        pytest.param("postgresql://[::1", id="half-a-uri"),
        pytest.param("host=/nowhere options='-c search_path=other'", id="settings-of-its-own"),
        pytest.param("host=/now\0here dbname=a", id="a-NUL"),
    ],
)
def test_a_string_that_libpq_would_read_otherwise_or_not_at_all_is_left_to_the_driver(dsn):
    with pytest.raises(NotQuick):
        read(dsn)


def test_without_the_library_the_driver_is_left_to_say_so(database_dsn, monkeypatch):
    libpq._library.cache_clear()
    monkeypatch.setattr(libpq, "_bundled", list)
    monkeypatch.setattr(libpq, "_NAMES", ("libpq.so.none",))
    try:
        with pytest.raises(NotQuick, match="libpq is neither"):
            read(database_dsn)
    finally:
        libpq._library.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PGPASSWORD", "of-another"), ("PGHOSTADDR", "192.0.2.1"), ("PGSSLMODE", "verify-full"),
     ("PGOPTIONS", "-c search_path=other"), ("PGTZ", "Asia/Tokyo")],
)  # fmt: skip
def test_what_a_shell_holds_for_another_database_bends_no_look(
    database_server, monkeypatch, name, value
):
    migrate(database_server.dsn)
    monkeypatch.setenv(name, value)
    assert read(database_server.dsn, "select current_setting('search_path')") == [("swarm",)]


def test_neither_the_driver_nor_asyncio_is_loaded(database_dsn):
    program = (
        "import sys\n"
        "from swarm.adapters.postgres.quick import reading\n"
        "with reading(sys.argv[1]) as reader: assert reader.rows('select 1') == [('1',)]\n"
        "print(*[name for name in ('psycopg', 'asyncio', 'subprocess') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, database_dsn], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_server_across_a_network_is_read_by_a_password_that_it_never_sees(public_folder):
    """SCRAM, as a database by DSN wants it: libpq knows how."""
    server = EmbeddedServer(public_folder / "data", server_options={"listen_addresses": ADDRESS})
    with server:
        migrate(server.dsn)
    with (server.layout.cluster / "pg_hba.conf").open("a") as rules:
        rules.write("host all ann 127.0.0.0/8 scram-sha-256\n")
    with server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("create role ann login password 'it''s a secret'")
            connection.execute("grant usage on schema swarm to ann")
            connection.execute("grant select on all tables in schema swarm to ann")
        dsn = conninfo.make_conninfo(
            host=ADDRESS, user="ann", dbname="postgres", password="it's a secret"
        )
        assert read(dsn, "select current_user") == [("ann",)]
        with pytest.raises(NotQuick, match="password authentication failed"):
            read(conninfo.make_conninfo(dsn, password="a guess"))
