"""Who holds a controller's seat, and what is known of those who held it before."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys

import pytest

from swarm.runtime.errors import AlreadyRunning, FolderGone
from swarm.runtime.seat import held, taken
from swarm.runtime.seat_keeper import SeatKeeper

HOLDER = """
import sys
from pathlib import Path
from swarm.runtime.seat import held, taken
with taken(Path(sys.argv[1]), sys.argv[2]) as seat:
    if sys.argv[3] == "settled":
        seat.settled()
    print("held", flush=True)
    sys.stdin.read()
"""


def killed(path, name, how="not settled"):
    """Somebody held the seat under this name, and died by -9."""
    command = [sys.executable, "-c", HOLDER, str(path), name, how]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(AlreadyRunning), taken(path, "too-early"):
        pass
    process.kill()
    process.communicate()


@pytest.mark.req("LOOP-11")
def test_whoever_died_in_the_seat_is_told_to_the_next(tmp_path):
    path = tmp_path / "controller.lock"
    killed(path, "first")
    with taken(path, "second") as seat:
        assert seat.former == ("first",)
        seat.settled()
        assert seat.former == ()
    with taken(path, "third") as seat:
        assert seat.former == ("second",)


def test_one_who_died_before_giving_anything_back_leaves_all_names(tmp_path):
    path = tmp_path / "controller.lock"
    killed(path, "first", "settled")
    killed(path, "second")
    with taken(path, "third") as seat:
        assert seat.former == ("first", "second")


def test_a_stopped_holder_is_not_dead(tmp_path):
    path = tmp_path / "controller.lock"
    command = [sys.executable, "-c", HOLDER, str(path), "stopped", "settled"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        with pytest.raises(AlreadyRunning), taken(path, "next"):
            pass
        process.kill()


@pytest.mark.parametrize("content", ["", "\n\n", "name\n" * 100_000])
def test_any_file_can_be_taken(tmp_path, content):
    path = tmp_path / "controller.lock"
    path.write_text(content)
    with taken(path, "next") as seat:
        assert len(seat.former) <= 100
        seat.settled()
    assert path.read_text() == "next\n"


def test_a_seat_is_held_while_somebody_lives_in_it(tmp_path):
    path = tmp_path / "demo.lock"
    assert not held(path)
    with taken(path, "demo"):
        assert held(path)
    assert not held(path)


def removed(folder):
    shutil.rmtree(folder)


def moved(folder):
    folder.rename(folder.with_name("elsewhere"))


def begun_anew(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "controller.lock").write_text("another\n")


@pytest.mark.parametrize("happens", [removed, moved, begun_anew])
def test_a_seat_in_a_folder_that_went_is_told(tmp_path, happens):
    """Its holder is found by nobody, and the next `up` starts a second one beside it."""
    folder = tmp_path / "state"
    folder.mkdir()
    with taken(folder / "controller.lock", "first") as seat:
        assert not seat.gone()
        seat.settled()
        assert not seat.gone()
        happens(folder)
        assert seat.gone()
        with pytest.raises(FolderGone, match="state"):
            asyncio.run(SeatKeeper(seat, str(folder)).run())
