"""A drill that is broken off leaves nothing: no process, no database, no folder (VAL-3)."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import psycopg
import pytest

from swarm.adapters.local.process import kernel
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.runtime.database import server_of
from swarm.runtime.demo import sample
from swarm.runtime.drills import production
from swarm.runtime.drills.catalogue import run
from swarm.runtime.drills.drill import Drill
from swarm.runtime.home import Home

pytestmark = [pytest.mark.req("VAL-3"), pytest.mark.slow]
AT_WORK = "injected"
SWARMCTL = [sys.executable, "-m", "swarm.cli"]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """An installation in use: its server goes on when the drill has ended."""
    home = Home(tmp_path_factory.mktemp("installation"))
    home.file.write_text("")
    home.make()
    server = server_of(home)
    with server:
        yield home
    EmbeddedServer(home.database).stop()


def doing(what):
    return Drill(name="odd", breaks="Nothing.", proves=("VAL-3",), run=what)


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def living(folder):
    """Processes that belong to a folder: by their words, or by where they stand."""
    found = {}
    for pid in kernel.all_pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            place = str(Path(f"/proc/{pid}/cwd").readlink())
        except OSError:
            continue
        if str(folder).encode() in words or place.startswith(str(folder)):
            found[pid] = words.replace(b"\0", b" ").decode()
    return found


def databases(home):
    with psycopg.connect(server_of(home).dsn) as connection:
        rows = connection.execute("select datname from pg_database").fetchall()
    return sorted(name for (name,) in rows if name.startswith("swarm_drill"))


def under_way(installation, name):
    """A drill in a process of its own, once its fault is injected."""
    words = [*SWARMCTL, "drill", "run", name, "--yes", "--home", str(installation.folder)]
    drill = subprocess.Popen(
        words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        # As from a terminal: beneath `nohup` everything that is started ignores its closing.
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 - one call
    )  # fmt: skip
    for line in drill.stderr:
        if AT_WORK in line:
            return drill
    raise AssertionError(f"it ended: {drill.wait()}")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([signal.SIGINT, signal.SIGINT, signal.SIGINT], id="ctrl-c-again-and-again"),
        pytest.param([signal.SIGTERM], id="kill"),
        pytest.param([signal.SIGHUP], id="closed-terminal"),
    ],
)
def test_a_drill_that_is_broken_off_cleans_up(installation, numbers):
    drill = under_way(installation, "agent-quota")
    sandbox = installation.state / "drills" / "sandbox"
    assert living(sandbox)
    for number in numbers:
        drill.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            drill.wait(0.2)  # it takes longer: a pause
    drill.stderr.read()
    assert drill.wait(60) != 0
    assert living(sandbox) == {}
    assert databases(installation) == []
    assert not sandbox.exists()


def test_one_that_a_full_disk_ends_while_it_is_set_up_leaves_nothing(installation, monkeypatch):
    monkeypatch.setattr(sample, "repository", full)
    with pytest.raises(OSError, match="No space left"):
        run(doing(lambda *_: None), installation, lambda _: None)
    assert not (installation.state / "drills" / "sandbox").exists()
    assert databases(installation) == []


def test_what_was_killed_while_it_was_set_up_is_in_nobodys_way(installation):
    """Its settings file ends in the middle of a word."""
    sandbox = Home(installation.state / "drills" / "sandbox")
    sandbox.folder.mkdir(parents=True)
    sandbox.file.write_text("[checks.unit-te")
    fine = doing(lambda _, told: told.check("a", "b", good=True))
    assert run(fine, installation, lambda _: None).passed


def test_a_full_disk_takes_the_log_and_not_what_was_found(installation, monkeypatch):
    said = []

    def begin(corner, told):
        told.check("one thing", "so it is", good=True)
        monkeypatch.setattr("shutil.copyfile", full)

    assert run(doing(begin), installation, said.append).passed
    assert "log: not kept: No space left on device" in said


def test_what_is_asked_while_things_are_removed_is_heard_afterwards(installation, monkeypatch):
    """A second Ctrl-C must not leave half of it, and must not be lost on `drill run all`."""

    def begin(corner, told):
        clean = corner.clean
        monkeypatch.setattr(
            type(corner), "clean", lambda _: (os.kill(os.getpid(), signal.SIGINT), clean())
        )

    with pytest.raises(KeyboardInterrupt):
        run(doing(begin), installation, lambda _: None)
    assert not (installation.state / "drills" / "sandbox").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_impostor_of_a_drill_that_is_killed_ends_by_itself(tmp_path):
    """Nobody else knows its process: it is not one of the controller's."""
    sample.files(tmp_path)
    soon = production.IMPOSTOR.replace("180", "1")
    assert soon != production.IMPOSTOR
    words = [sys.executable, "-c", soon, str(sample.free_port())]
    ended = subprocess.run(words, cwd=tmp_path, timeout=20, check=False)
    assert ended.returncode == -signal.SIGALRM
