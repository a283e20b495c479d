"""How much memory and disk the embedded server may take follows from what there is."""

import pytest

from swarm.adapters.postgres.connect import connect_sync
from swarm.adapters.postgres.options import memory_bytes, shared_buffers_mb, wal_mb

MB, GB = 1024**2, 1024**3

pytestmark = pytest.mark.req("LOOP-11")


@pytest.mark.parametrize(
    ("memory", "megabytes"),
    [
        pytest.param(16 * MB, 16, id="hardly-any"),
        pytest.param(1 * GB, 256, id="a-quarter"),
        pytest.param(64 * GB, 1024, id="never-more-than-a-start-takes-well"),
    ],
)
def test_the_server_keeps_a_quarter_of_the_memory_within_bounds(memory, megabytes):
    assert shared_buffers_mb(memory) == megabytes


@pytest.mark.parametrize(
    ("free", "megabytes"),
    [
        pytest.param(0, 256, id="a-full-disk"),
        pytest.param(10 * GB, 1024, id="a-tenth"),
        pytest.param(1024 * GB, 4096, id="never-more-than-recovery-reads-soon"),
    ],
)
def test_the_log_may_take_a_tenth_of_the_free_disk_within_bounds(free, megabytes):
    assert wal_mb(free) == megabytes


@pytest.mark.parametrize(
    ("limit", "smaller"),
    [
        pytest.param(str(64 * MB), True, id="a-containers-limit"),
        pytest.param("max", False, id="no-limit"),
        pytest.param(str(2**60), False, id="a-limit-beyond-the-machine"),
    ],
)
def test_a_containers_limit_counts_as_its_memory(tmp_path, limit, smaller):
    told = tmp_path / "memory.max"
    told.write_text(f"{limit}\n")
    machine = memory_bytes(tmp_path / "none")
    assert memory_bytes(told) == (64 * MB if smaller else machine)


def test_the_running_server_was_told(database_dsn):
    with connect_sync(database_dsn) as connection:
        told = connection.execute(
            "select setting::int, source from pg_settings where name = 'max_wal_size'"
        ).fetchone()
    assert told[1] == "command line"
    assert 256 <= told[0] <= 4096
