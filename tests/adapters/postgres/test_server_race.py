"""Many processes want a server that is not there yet."""

import psycopg
import pytest

from swarm.adapters.postgres.postmaster import Answer, ask, server_processes
from swarm.adapters.postgres.server import EmbeddedServer


@pytest.mark.req("LOOP-11")
@pytest.mark.slow
@pytest.mark.parametrize("cluster_exists", [False, True], ids=["no-cluster", "stopped-server"])
def test_of_eight_racing_processes_one_starts_and_seven_adopt(
    cluster_exists, public_folder, made_server, start_program
):
    folder = public_folder / "data"
    if cluster_exists:
        EmbeddedServer(folder).copy_from(made_server)
    racers = [start_program("program_user.py", folder) for _ in range(8)]
    answers = [racer.line().split() for racer in racers]
    assert sorted(launched for _, launched in answers) == ["False"] * 7 + ["True"]
    assert len({started for started, _ in answers}) == 1, "all must talk to one server"
    for racer in racers:
        racer.go_on()
    assert [racer.line() for racer in racers] == ["left"] * 8
    layout = EmbeddedServer(folder).layout
    assert ask(layout) is Answer.NOBODY
    assert server_processes(layout) == {}


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
def test_processes_that_come_and_go_never_meet_a_stopping_server(data_folder, start_program):
    """Leaving and joining overlap: each must get a server that answers, or start one."""
    for _ in range(3):
        users = [start_program("program_user.py", data_folder) for _ in range(3)]
        for user in users:
            assert user.line(), "it did not get a server"
            user.go_on()
        assert [user.line() for user in users] == ["left"] * 3


@pytest.mark.req("LOOP-11")
@pytest.mark.parametrize(
    "words",
    [
        pytest.param("Connection refused", id="before"),
        pytest.param("Connection reset by peer", id="at-its-door"),
        pytest.param("could not send startup packet: Broken pipe", id="on-the-threshold"),
        pytest.param("server closed the connection unexpectedly", id="inside"),
    ],
)
def test_a_server_that_ends_while_we_connect_is_nobody_and_no_riddle(
    database_server, monkeypatch, words
):
    """As one does whose disk is full, or that was killed: the next look starts another."""

    def ends(**_):
        raise psycopg.OperationalError(f"connection to server on socket failed: {words}")

    monkeypatch.setattr(psycopg, "connect", ends)
    assert ask(database_server.layout) is Answer.NOBODY
