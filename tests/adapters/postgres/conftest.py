"""Servers of their own for tests that kill them.

In memory where there is plenty: killing processes shows nothing about a disk, which keeps what they
wrote either way. Loss of power is not tested here.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from swarm.adapters.postgres.postmaster import server_processes
from swarm.adapters.postgres.server import EmbeddedServer

HERE = Path(__file__).parent


@contextmanager
def _public_folder():
    memory = Path("/dev/shm")
    plenty = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 1024**3
    # Not the folder of pytest: as root that one is closed to the server's account.
    folder = Path(tempfile.mkdtemp(prefix="swarm-drill-", dir=memory if plenty else "/var/tmp"))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    try:
        yield folder
    finally:
        _stop_servers_in(folder)
        shutil.rmtree(folder)


def _stop_servers_in(folder):
    for locks in folder.glob("**/locks"):
        server = EmbeddedServer(locks.parent)
        server.stop()
        kill(server_processes(server.layout))


def kill(pids):
    """End processes at once; one that ended by itself meanwhile is as good."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(name="kill")
def kill_fixture():
    """See `kill`."""
    return kill


@pytest.fixture
def public_folder():
    """An empty folder, passable for the server's account when we are root."""
    with _public_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def made_server():
    """A server that was started and stopped once, to be copied."""
    with _public_folder() as folder:
        with EmbeddedServer(folder / "data") as server:
            pass
        yield server


@pytest.fixture
def data_folder(public_folder, made_server):
    """A data folder of a stopped server, for this test alone."""
    EmbeddedServer(public_folder / "data").copy_from(made_server)
    return public_folder / "data"


class Program:
    """Another process of ours: one of the scripts beside this file, talking by lines."""

    def __init__(self, script, *arguments, through=()):
        self.process = subprocess.Popen(
            [*through, sys.executable, str(HERE / script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self):
        """The next line it prints; empty when it ended."""
        return self.process.stdout.readline().strip()

    def go_on(self):
        """Let it pass the place where it waits for a line of input."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def rest(self):
        """Every further line until it ends."""
        return self.process.stdout.read().split()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def until():
    """Waits for a condition; fails when it does not come."""

    async def wait(condition, seconds=60):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - other processes set no event for us
                await asyncio.sleep(0.002)

    return wait


@pytest.fixture
def start_program():
    """Starts programs that are killed at the end of the test."""
    programs = []

    def start(script, *arguments, through=()):
        programs.append(Program(script, *arguments, through=through))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


@contextmanager
def mounted(folder, *arguments):
    """A tmpfs over `folder`, for what only a file system of its own can show."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a file system")
    subprocess.run(["mount", "-t", "tmpfs", *arguments, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def read_only_mount():
    """Mounts an empty read-only file system over a folder."""

    @contextmanager
    def mount(folder):
        with mounted(folder, "-o", "ro"):
            yield folder

    return mount


@pytest.fixture
def small_disk():
    """Mounts a file system of so many megabytes, and perhaps so many files, over a folder."""

    @contextmanager
    def mount(folder, megabytes, files=0):
        with mounted(folder, "-o", f"size={megabytes}m,nr_inodes={files},mode=0711"):
            try:
                yield folder
            finally:
                _stop_servers_in(folder)

    return mount
