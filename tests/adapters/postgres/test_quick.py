"""Reading without the driver gives what the driver gives."""

import dataclasses
import os
import socket
import struct
import subprocess
import sys
import threading

import psycopg
import pytest

from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.layout import lay_out
from swarm.adapters.postgres.quick import NotQuick, read_quickly
from swarm.adapters.postgres.server import EmbeddedServer


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
def test_rows_are_the_drivers_rows_as_text(database_server, query, parameters):
    found = read_quickly(database_server.layout, query, parameters)
    with psycopg.connect(database_server.dsn) as connection:
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
            "statement timeout .*57014|does not answer",
            id="slow",
            marks=pytest.mark.slow,
        ),
        pytest.param("select 1; select 2", "multiple commands .*42601", id="two-statements"),
    ],
)
def test_what_the_server_refuses_is_told_in_its_words(database_server, query, words):
    with pytest.raises(DatabaseUnavailable, match=words):
        read_quickly(database_server.layout, query)


def test_no_server_is_a_reason_to_take_the_long_way(tmp_path):
    with pytest.raises(NotQuick):
        read_quickly(lay_out(tmp_path / "data"), "select 1")


def test_a_stopped_server_that_left_its_socket_is_a_reason_too(public_folder):
    layout = EmbeddedServer(public_folder / "data").layout
    layout.sockets.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(layout.socket))
    with pytest.raises(NotQuick):
        read_quickly(layout, "select 1")


@pytest.mark.skipif(os.geteuid() != 0, reason="as root the server is another user")
def test_a_listener_that_is_not_the_servers_account_is_not_asked(public_folder):
    layout = EmbeddedServer(public_folder / "data").layout
    layout.sockets.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(str(layout.socket))
        impostor.listen()
        with pytest.raises(NotQuick, match="user id 0"):
            read_quickly(layout, "select 1")


def test_an_answer_that_ends_in_the_middle_of_a_row_is_a_reason_too(monkeypatch, tmp_path):
    layout = EmbeddedServer(tmp_path / "data").layout
    layout.sockets.mkdir(parents=True)
    own = dataclasses.replace(layout.account, uid=os.geteuid(), switched=False)
    layout = dataclasses.replace(layout, account=own)
    let_in = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!i", 5) + b"I"
    cut = b"D" + struct.pack("!ihi", 4 + 2 + 4 + 9, 1, 9) + b"nine"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(layout.socket))
        server.listen()

        def dies_over_it():
            wire, _ = server.accept()
            with wire:
                wire.recv(4096)
                wire.sendall(let_in)
                wire.recv(4096)
                wire.sendall(cut)

        dying = threading.Thread(target=dies_over_it)
        dying.start()
        with pytest.raises(NotQuick, match="in mid-answer"):
            read_quickly(layout, "select 'nine more'")
        dying.join()


def test_neither_the_driver_nor_asyncio_is_loaded(database_server):
    program = (
        "import sys; from pathlib import Path\n"
        "from swarm.adapters.postgres.layout import lay_out\n"
        "from swarm.adapters.postgres.quick import read_quickly\n"
        "assert read_quickly(lay_out(Path(sys.argv[1])), 'select 1') == [('1',)]\n"
        "print(*[name for name in ('psycopg', 'asyncio', 'subprocess') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(database_server.layout.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
