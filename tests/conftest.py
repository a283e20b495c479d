"""Fixtures for the whole suite: a real Postgres of this run, and a fresh database per test."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.testing.database import DisposableDatabases

_PREFIX = "swarm-tests-"
#: Nothing here must survive a power cut; the drills for what must use their own servers.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _fast_folder() -> Path:
    """Memory when there is plenty (a container often has 64 MB there), else the usual place."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 2 * 1024**3:
        return memory
    return Path(tempfile.gettempdir())


@contextmanager
def _public_folder(prefix: str):
    """A folder that the server's account can walk through, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_fast_folder()))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """End servers of test runs that were killed. Fresh folders may be somebody's start."""
    for folder in _fast_folder().glob(f"{_PREFIX}*/server"):
        if folder.parent.owner() != Path.home().owner() or time.time() - _changed(folder) < 60:
            continue
        if EmbeddedServer(folder).stop_abandoned():
            shutil.rmtree(folder.parent, ignore_errors=True)


def _changed(folder: Path) -> float:
    return folder.stat().st_mtime


@pytest.fixture(scope="session")
def database_server():
    """The running EmbeddedServer of this test process."""
    _sweep()
    with (
        _public_folder(_PREFIX) as folder,
        EmbeddedServer(folder / "server", server_options=_FAST) as server,
    ):
        yield server
        server.stop()


@pytest.fixture(scope="session")
def _databases(database_server):
    return DisposableDatabases(database_server.dsn, migrate)


@pytest.fixture
def database_dsn(_databases):
    """The DSN of a fresh database with the whole schema."""
    with _databases.prepared() as dsn:
        yield dsn


@pytest.fixture
def empty_database_dsn(_databases):
    """The DSN of a fresh database with no schema at all."""
    with _databases.empty() as dsn:
        yield dsn


@pytest.fixture
async def database(database_dsn):
    """A Database on a fresh schema."""
    async with Database(database_dsn) as opened:
        yield opened
