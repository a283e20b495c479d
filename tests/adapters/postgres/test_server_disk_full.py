"""A full disk, on a small file system of its own."""

import os
import shutil

import psycopg
import pytest

from swarm.adapters.postgres.ballast import BALLAST_BYTES
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.errors import DiskFull
from swarm.adapters.postgres.postmaster import server_processes, shorten_log
from swarm.adapters.postgres.server import EmbeddedServer

MEGABYTE = 1024 * 1024


def fill(folder):
    """Take every last byte, as somebody's download does."""
    with (folder / "download").open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return folder / "download"


def write_log_until_it_fails(dsn):
    """Commit a counter together with 200 kB that go to the write-ahead log only.

    Returns the last number acknowledged.
    """
    acknowledged = 0
    with psycopg.connect(dsn) as connection:
        try:
            while True:
                connection.execute("update counter set n = %s", [acknowledged + 1])
                connection.execute("select pg_logical_emit_message(true, '', repeat('x', 200000))")
                connection.commit()
                acknowledged += 1
        except psycopg.OperationalError:
            return acknowledged


@pytest.mark.slow
@pytest.mark.req("FAIL-6")
async def test_a_full_disk_is_a_typed_error_and_work_resumes_by_itself(public_folder, small_disk):
    async def grow(connection):
        await connection.execute("insert into public.load values (%s)", [os.urandom(3_000_000)])

    async def count(connection):
        cursor = await connection.execute("select count(*) from public.load")
        return await cursor.fetchall()

    with small_disk(public_folder, 500) as disk, EmbeddedServer(disk / "data") as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("create table public.load (body bytea)")
        async with Database(server.dsn, revive=server.revive) as database:
            download = fill(disk)
            with pytest.raises(DiskFull):
                await database.run(grow)
            assert await database.run(count) == [(0,)], "reads go on"
            download.unlink()
            await database.run(grow)
            assert await database.run(count) == [(1,)]


@pytest.mark.slow
@pytest.mark.req("FAIL-6")
def test_with_its_log_stuck_the_server_comes_up_on_the_ballast(public_folder, small_disk, kill):
    with small_disk(public_folder, 500) as disk:
        server = EmbeddedServer(disk / "data").start()
        assert server.status().ballast_bytes == BALLAST_BYTES
        assert server.status().disk_pressure, "a disk of 500 MB is always under pressure"
        with psycopg.connect(server.dsn) as connection:
            connection.execute("create table counter as select 0 as n")
        download = fill(disk)
        acknowledged = write_log_until_it_fails(server.dsn)
        kill(server_processes(server.layout))
        server.start()
        assert server.status().ballast_bytes == 0, "given up to come up"
        with psycopg.connect(server.dsn) as connection:
            found = connection.execute("select n from counter").fetchone()[0]
        assert found in (acknowledged, acknowledged + 1)
        download.unlink()
        server.look_after()
        assert server.status().ballast_bytes == BALLAST_BYTES, "taken back"
        server.stop()


@pytest.mark.slow
@pytest.mark.req("FAIL-6")
def test_no_room_for_a_new_cluster_says_so_and_leaves_nothing(public_folder, small_disk):
    with small_disk(public_folder, 20) as disk:
        with pytest.raises(DiskFull, match=str(disk)):
            EmbeddedServer(disk / "data").start()
        assert not (disk / "data" / "cluster").exists()
        assert not (disk / "data" / "cluster.unfinished").exists()


@pytest.mark.req("FAIL-6")
def test_no_room_for_one_more_file_is_a_full_disk_and_no_foreign_folder(public_folder, small_disk):
    with small_disk(public_folder, 20, files=4) as disk:
        with pytest.raises(DiskFull, match="No space"):
            EmbeddedServer(disk / "data").start()
        shutil.rmtree(disk / "data")


@pytest.mark.req("FAIL-6")
def test_a_log_that_does_not_fit_a_second_time_takes_nothing_from_the_server(
    public_folder, small_disk
):
    """The half of a copy stayed, and with it nothing was left of the disk."""
    with small_disk(public_folder, 20) as disk:
        log = disk / "postgres.log"
        log.write_bytes(bytes(12 * MEGABYTE))
        shorten_log(log)
        assert log.stat().st_size == 12 * MEGABYTE
        assert not log.with_suffix(".log.1").exists()
