"""The server's account owns its folders; what it could plant there leads root nowhere else."""

from __future__ import annotations

import pytest

from swarm.adapters.postgres.postmaster import shorten_log
from swarm.adapters.postgres.reach import ASKED_AT, sign_stand_in

GROWN = b"x" * (8 * 1024 * 1024 + 1)

pytestmark = pytest.mark.req("OWN-4")


@pytest.fixture
def victim(tmp_path):
    file = tmp_path / "shadow"
    file.write_bytes(GROWN)
    return file


def test_a_grown_log_is_kept_once_and_emptied(tmp_path):
    log = tmp_path / "postgres.log"
    log.write_bytes(GROWN)
    (tmp_path / "postgres.log.1").write_bytes(b"older")
    with log.open("ab") as server:
        shorten_log(log)
        server.write(b"goes on")
    assert log.read_bytes() == b"goes on"
    assert (tmp_path / "postgres.log.1").read_bytes() == GROWN


def test_a_log_that_is_a_link_is_neither_read_nor_emptied(tmp_path, victim):
    log = tmp_path / "postgres.log"
    log.symlink_to(victim)
    shorten_log(log)
    assert victim.read_bytes() == GROWN
    assert not (tmp_path / "postgres.log.1").exists()


def test_a_link_in_the_place_of_the_kept_log_is_replaced_and_not_followed(tmp_path, victim):
    log = tmp_path / "postgres.log"
    log.write_bytes(b"y" * len(GROWN))
    (tmp_path / "postgres.log.1").symlink_to(victim)
    shorten_log(log)
    assert victim.read_bytes() == GROWN
    assert (tmp_path / "postgres.log.1").read_bytes()[:1] == b"y"


def test_a_link_in_the_place_of_the_sign_is_replaced_and_not_followed(tmp_path, victim):
    (tmp_path / ASKED_AT).symlink_to(victim)
    sign_stand_in(tmp_path / "asked", tmp_path)
    assert victim.read_bytes() == GROWN
    assert (tmp_path / ASKED_AT).read_text() == f"{tmp_path / 'asked'}\n"
