"""Starting and stopping a controller behind a terminal: whom a number in a file stands for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest

from swarm.adapters.local.process.kernel import start_time
from swarm.runtime import background
from swarm.runtime.background import running_pid, start, stop
from swarm.runtime.errors import AlreadyRunning, ControllerFailed
from swarm.runtime.home import Home
from swarm.runtime.seat import taken


@pytest.fixture
def place(tmp_path):
    made = Home(tmp_path)
    made.make()
    return made


@pytest.fixture
def process():
    """A process that may be ended; its command line is that of an editor with swarm.yaml open."""
    editor = subprocess.Popen(
        [sys.executable, "-c", "input()", "swarm.yaml"], stdin=subprocess.PIPE
    )
    yield editor
    editor.kill()
    editor.communicate()


def starting(place, pid, since):
    place.starting.write_text(f"{pid} {since}", encoding="utf-8")


def working(place, pid, since):
    place.write_note({"pid": pid, "started": since})


@pytest.mark.parametrize("noted", [starting, working])
def test_a_stranger_with_the_number_of_a_controller_is_left_alone(place, process, noted):
    """The controller was killed, and the editor got its number: it began at another time."""
    noted(place, process.pid, start_time(os.getpid()))
    assert stop(place) is False
    assert process.poll() is None
    assert running_pid(place) is None


@pytest.mark.parametrize("noted", [starting, working])
def test_the_process_that_was_noted_is_ended(place, process, noted):
    noted(place, process.pid, start_time(process.pid))
    with taken(place.state / "controller.lock", "c1"):
        assert stop(place) is True
    assert process.wait(5) == -15


def test_a_folder_copied_from_one_at_work_is_not_at_work(place, process, tmp_path):
    """`down` in the copy ended the controller of the other, and `freeze` there held the other."""
    working(place, process.pid, start_time(process.pid))
    with taken(place.state / "controller.lock", "c1"):
        shutil.copytree(place.state, tmp_path / "copy" / place.state.name)
        copy = Home(tmp_path / "copy")
        assert running_pid(copy) is None
        assert stop(copy) is False
        assert running_pid(place) == process.pid
    assert process.poll() is None


@pytest.mark.parametrize(
    "text",
    ["", "none", "-1", "-1 x", "1 ", " x", pytest.param(str(os.getpid()), id="a-number-alone")],
)
def test_what_is_no_number_with_a_time_stands_for_nobody(place, text):
    place.starting.write_text(text, encoding="utf-8")
    assert stop(place) is False
    place.write_note({"pid": text, "started": text})
    assert stop(place) is False


def test_of_two_that_start_at_once_one_begins_and_the_other_is_told(place, monkeypatch):
    """Both looked before either had begun, and the later one took the note of the other away."""
    begun, together = [], Barrier(2)
    begin, looked = subprocess.Popen, background.running_pid

    def sleeper(argv, **how):
        begun.append(argv)
        return begin([sys.executable, "-c", "import time; time.sleep(10)"], **how)

    def looks(place):
        found = looked(place)
        with suppress(BrokenBarrierError):
            together.wait(0.3)  # both have looked, if nothing keeps one of them outside
        return found

    monkeypatch.setattr(background.subprocess, "Popen", sleeper)
    monkeypatch.setattr(background, "running_pid", looks)
    with ThreadPoolExecutor(2) as pool:
        ends = as_completed([pool.submit(start, place) for _ in range(2)])
        with pytest.raises(AlreadyRunning, match="is starting"):
            next(ends).result()
        assert stop(place) is True
        with pytest.raises(ControllerFailed, match="stopped while it started"):
            next(ends).result()
    assert len(begun) == 1


def test_what_ended_a_controller_is_told_once_with_its_own_remedy(place):
    place.file.write_text("[checks.a]\nrun = 3\n")
    with pytest.raises(
        ControllerFailed, match=r"^SWM601: .*swarm.toml:\n *checks.a.run: "
    ) as ended:
        start(place)
    assert "fix:" not in ended.value.message
    assert ended.value.fix.startswith("Mend the named field")
    assert ended.value.fix.endswith("controller.out")


def test_a_controller_that_ends_without_such_words_is_quoted_as_it_is(place, monkeypatch):
    begin = subprocess.Popen

    def dies(_argv, **how):
        return begin([sys.executable, "-c", "raise SystemExit('Killed')"], **how)

    monkeypatch.setattr(background.subprocess, "Popen", dies)
    with pytest.raises(ControllerFailed, match=r"^Killed$") as ended:
        start(place)
    assert ended.value.fix.startswith("The whole log: ")
