"""Fixtures for the whole suite: a real Postgres of this run, and a fresh database per test."""

import gc
import os
import shutil
import signal
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.locks import FileLock
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.reach import ASKED_AT, SYSTEM_STATE
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.testing.database import DisposableDatabases

_PREFIX = "swarm-tests-"
#: Nothing here must survive a power cut; the drills for what must use their own servers.
_FAST = {"fsync": "off", "synchronous_commit": "off", "shared_buffers": "64MB"}

# Time is no property: a kernel compiles at its first call, and the machine may be busy.
settings.register_profile("slow", deadline=None)
#: A property is tried often in CI, and over many runs of the fast tests, which draw anew each time.
settings.register_profile("fast", settings.get_profile("slow"), max_examples=25)


def pytest_configure(config):
    """Before any test is imported: that is when `@given` takes its settings."""
    settings.load_profile("fast" if "not slow" in config.option.markexpr else "slow")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A run in the background ignores it, and so would each program that a test ends with it.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Nothing that is collected becomes garbage; to look for some costs a third of collecting."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class _Together(LoadFileScheduling):
    """A file's tests stay in one worker, because they share what is dear to make: a database.

    So do the fast ones of the regime runtime: in a fresh clone two workers would compile each
    kernel twice. With the slow ones that is little against a quarter of an hour for one worker.
    """

    def _split_scope(self, nodeid):
        kernels = "tests/regime/"
        together = nodeid.startswith(kernels) and "not slow" in self.config.option.markexpr
        return kernels if together else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return _Together(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)  # before pytest drops what `-m` does not want
def pytest_collection_modifyitems(items):
    """Of a table or suite marked `fast(names)`, whatever is not named is slow."""
    for item in items:
        row = item.callspec.id if hasattr(item, "callspec") else None
        for mark in item.iter_markers("fast"):
            if not {item.name.partition("[")[0], row} & set(mark.args):
                item.add_marker("slow")


def _fast_folder():
    """Memory when there is plenty (a container often has 64 MB there), else the usual place."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 1024**3:
        return memory
    return Path(tempfile.gettempdir())


def _run_folder():
    """One folder for this run, shared by its xdist workers; passable for the server's account."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    folder = _fast_folder() / f"{_PREFIX}{run}"
    folder.mkdir(mode=0o711, exist_ok=True)
    return folder


def _sweep():
    """End servers of test runs that were killed. Fresh folders may be somebody's start."""
    for folder in _fast_folder().glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            seen = folder.stat()
            if seen.st_uid != os.geteuid() or time.time() - seen.st_mtime < 60:
                continue
            stopped = [EmbeddedServer(data).stop_abandoned() for data in folder.glob("server-*")]
            if all(stopped):
                shutil.rmtree(folder, ignore_errors=True)


def _make_template(template):
    with template as server, closing(DisposableDatabases(server.dsn, migrate)) as databases:
        databases.make_template()


@pytest.fixture(autouse=True)
def _each_test_logs_afresh(monkeypatch):
    """What one test configures, or a logger that it used first, hides no event from the next."""
    configure, before = structlog.configure, dict(structlog.get_config())

    def uncached(**given):
        configure(**{**given, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", uncached)
    yield
    configure(**before)


@pytest.fixture(scope="session", autouse=True)
def _no_data_left_in_the_system(tmp_path_factory):
    """As root, data asked for below pytest's private folder is kept in the system's; remove it."""
    yield
    if os.geteuid() != 0:
        return
    for sign in SYSTEM_STATE.glob(f"data-*/{ASKED_AT}"):
        asked = Path(sign.read_text().strip())
        if asked.is_relative_to(tmp_path_factory.getbasetemp()):
            EmbeddedServer(asked).stop()
            shutil.rmtree(sign.parent)


@pytest.fixture(scope="session")
def database_server():
    """The running EmbeddedServer of this test process, copied from one template per run."""
    _sweep()
    run = _run_folder()
    own = run / f"server-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    server = EmbeddedServer(own, server_options=_FAST)
    with FileLock(run / "lock") as lock:
        lock.wait_exclusive()
        template = EmbeddedServer(run / "template", server_options=_FAST)
        if not (run / "template-ready").exists():
            _make_template(template)
            (run / "template-ready").touch()
        server.copy_from(template)
        server.start()
    yield server
    server.stop()
    with FileLock(run / "lock") as lock:
        lock.wait_exclusive()
        shutil.rmtree(own)
        if not list(run.glob("server-*")):
            shutil.rmtree(run)


@pytest.fixture(scope="session")
def databases(database_server):
    """Fresh databases on the server of this test process."""
    with closing(DisposableDatabases(database_server.dsn, migrate)) as made:
        yield made


@pytest.fixture
def database_dsn(databases):
    """The DSN of a fresh database with the whole schema."""
    with databases.prepared() as dsn:
        yield dsn


@pytest.fixture
def empty_database_dsn(databases):
    """The DSN of a fresh database with no schema at all."""
    with databases.empty() as dsn:
        yield dsn


@pytest.fixture
async def database(database_dsn):
    """A Database on a fresh schema."""
    async with Database(database_dsn) as opened:
        yield opened


@pytest.fixture(scope="session")
def ssh_keygen():
    """The program by its path; a machine may lack it."""
    path = shutil.which("ssh-keygen")
    if path is None:
        pytest.skip("ssh-keygen is not installed (on Debian: openssh-client)")
    return path
