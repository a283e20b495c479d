"""Reading without the driver gives what the driver gives."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading

import psycopg
import pytest
from psycopg import conninfo

from swarm.adapters.postgres import libpq, quick
from swarm.adapters.postgres.layout import PORT, lay_out
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.quick import NotQuick, reading
from swarm.adapters.postgres.server import EmbeddedServer

#: A loopback address of this process, where nobody else listens.
ADDRESS = f"127.43.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"


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
        pytest.param("select 1; select 2", "multiple commands .*42601", id="two-statements"),
        pytest.param("select $1", "bind message supplies 0 .*08P01", id="too-few-values"),
    ],
)
def test_what_the_server_refuses_goes_the_long_way_with_its_words(database_dsn, query, words):
    with pytest.raises(NotQuick, match=words):
        read(database_dsn, query)


def test_one_connection_serves_the_reads_of_a_command(database_dsn):
    asked = "select pg_backend_pid()"
    with reading(database_dsn) as reader:
        first = reader.rows(asked)
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


def end_of(reader, dsn):
    """End the reader's session, and wait until it has ended."""
    ((pid,),) = reader.rows("select pg_backend_pid()")
    with psycopg.connect(dsn) as connection:
        connection.execute("select pg_terminate_backend(%s, 5000)", [int(pid)])


def test_a_session_that_is_ended_in_the_middle_is_a_reason_too(database_dsn):
    with (  # noqa: PT012 - the block is what ends with it
        pytest.raises(NotQuick, match=r"terminating|closed"), reading(database_dsn) as reader
    ):  # fmt: skip
        end_of(reader, database_dsn)
        reader.rows("select 'nine more'")


class Mute:
    """Listens like the server of a layout, and says what it is given to each that connects."""

    def __init__(self, path, said=b""):
        self._wires, self._said, self.asked = [], said, threading.Event()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                wire, _ = self._door.accept()
            except OSError:
                return
            self._wires.append(wire)
            if self._said:
                wire.recv(4096)  # who asks
                wire.sendall(self._said)
                wire.recv(4096)  # a statement
            self.asked.set()

    def close(self):
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for wire in self._wires:
            wire.close()
        self._thread.join()


#: AuthenticationOk and ReadyForQuery: in, and then nothing more.
LET_IN = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!i", 5) + b"I"


@pytest.mark.parametrize("said", [b"", LET_IN], ids=["at-the-door", "behind-it"])
def test_a_server_that_falls_silent_costs_our_patience_and_no_more(monkeypatch, tmp_path, said):
    monkeypatch.setattr(quick, "_CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(quick, "_ANSWER_SECONDS", 0.3)
    mute = Mute(tmp_path / ".s.PGSQL.5432", said)
    try:
        with pytest.raises(NotQuick, match="does not answer"):
            read(f"host={tmp_path} dbname=a user=b")
    finally:
        mute.close()


@pytest.mark.parametrize("said", [b"", LET_IN], ids=["at-the-door", "behind-it"])
def test_ctrl_c_ends_a_wait_at_once(tmp_path, said):
    mute = Mute(tmp_path / ".s.PGSQL.5432", said)
    program = (
        "import sys; from swarm.adapters.postgres import quick\n"
        "quick._CONNECT_SECONDS = 60\n"
        "sys.stdout.write('asks\\n'); sys.stdout.flush()\n"
        "with quick.reading(sys.argv[1]): pass"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", program, f"host={tmp_path} dbname=a user=b"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert asking.stdout.readline() == b"asks\n"
        assert mute.asked.wait(30)
        asking.send_signal(signal.SIGINT)
        _, said_last = asking.communicate(timeout=10)
        assert b"KeyboardInterrupt" in said_last
    finally:
        asking.kill()
        mute.close()


def test_what_a_server_remarks_is_not_ours_to_print(database_dsn, capfd):
    asked = "do $$ begin raise warning 'three lines'; end $$"
    with pytest.raises(NotQuick, match=r"\?"):  # it gives no rows
        read(database_dsn, asked)
    assert capfd.readouterr().err == ""


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


MISTYPED = [
    "postgresql+psycopg://ann:s3cret@db/shop",
    " postgresql://ann:s3cret@db/shop",
    "POSTGRES://ann:s3cret@db/shop",
    "postgresql+psycopg://ann:s3cret@db/shop?sslmode=require",
    "postgresql://[::1",
    "s3cret",
    "dbname=a colour=s3cret",
]


@pytest.mark.parametrize("dsn", MISTYPED)
def test_a_mistyped_string_is_sent_to_nobody(dsn, monkeypatch, tmp_path):
    """libpq takes what it does not know for the name of a database, and asks whoever listens."""
    monkeypatch.setenv("PGHOST", str(tmp_path))
    mute = Mute(tmp_path / ".s.PGSQL.5432")
    try:
        with pytest.raises(NotQuick, match="no connection string") as refused:
            read(dsn)
    finally:
        mute.close()
    assert "s3cret" not in str(refused.value)
    assert not mute._wires


@pytest.mark.parametrize(
    ("more", "asked", "answer"),
    [
        pytest.param({"client_encoding": "latin1"}, "select 'größe'", "größe", id="encoding"),
        pytest.param({"target_session_attrs": "read-write"}, "select 1", "1", id="read-write"),
        pytest.param(
            {"options": "-c work_mem=4321kB"}, "select current_setting('work_mem')", "4321kB",
            id="settings-of-its-own",
        ),
        pytest.param({"connect_timeout": "10"}, "select 1", "1", id="patience"),
    ],
)  # fmt: skip
def test_what_else_a_string_says_is_heeded(database_dsn, more, asked, answer):
    assert read(conninfo.make_conninfo(database_dsn, **more), asked) == [(answer,)]


def test_a_pooler_that_drops_our_settings_is_a_reason_too(database_dsn):
    moved = conninfo.make_conninfo(database_dsn, options="-c search_path=public")
    with pytest.raises(NotQuick, match="search path public"):
        read(moved)


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
    ("name", "value"), [("PGPASSWORD", "of-another"), ("PGHOSTADDR", "192.0.2.1"),
                        ("PGREQUIREAUTH", "scram-sha-256"), ("PGCHANNELBINDING", "require"),
                        ("PGGSSENCMODE", "require"), ("PGTARGETSESSIONATTRS", "standby"),
                        ("PGOPTIONS", "-c search_path=other")],
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
    with socket.socket() as door:
        try:
            door.bind((ADDRESS, PORT))
        except OSError as error:
            pytest.skip(f"{ADDRESS}:{PORT}: {error.strerror}")
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
