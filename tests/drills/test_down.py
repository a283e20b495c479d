"""`down` begins nothing new and says what goes on; `--now` ends it; `up` goes on from there."""

import contextlib
import os
import subprocess
import sys
import time

import pytest

from swarm.runtime import background
from swarm.runtime.work_left import work_left

pytestmark = pytest.mark.slow
WAITS = "while ! test -e {mark}; do sleep 0.1; done; echo 'VALUE = 2' > src/value.py"


def swarmctl(installation, *arguments):
    return subprocess.run(
        [sys.executable, "-c", "from swarm.cli import main; main()", *arguments,
         "--home", str(installation.home.folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@contextlib.contextmanager
def up(installation):
    """A controller in the background, ended whatever the test came to."""
    installation.write()
    background.start(installation.home)
    try:
        yield
    finally:
        background.stop(installation.home)


def delivered(rows):
    return rows and rows[0]["outcome"] == "delivered"


@pytest.mark.req("LOOP-11")
async def test_an_agent_finishes_while_everything_is_down_and_its_work_is_taken_up(installation):
    mark = installation.folder / "go"
    installation.agent("slow", WAITS.format(mark=mark), timeout="5m")
    installation.check("tests", "grep -q 2 src/value.py")
    installation.say()
    with up(installation):
        await installation.wait_for(lambda: installation.started("slow") == 1, seconds=40)
        said = swarmctl(installation, "down")
    assert said.returncode == 0, said.stderr
    assert "still at work: agent m-" in said.stderr
    assert " UTC at the latest" in said.stderr
    assert "`swarmctl down --now` ends" in said.stderr
    assert installation.alive()
    mark.touch()
    await installation.wait_for(lambda: not installation.alive())
    with up(installation):
        await installation.until("missions", delivered)
    assert installation.started("slow") == 1


@pytest.mark.req("FAIL-1")
async def test_down_now_ends_everything_and_up_begins_it_anew_at_no_ones_cost(installation):
    mark = installation.folder / "go"
    installation.agent("slow", "(setsid sleep 300 &); " + WAITS.format(mark=mark))
    installation.check("tests", "grep -q 2 src/value.py")
    installation.say()
    with up(installation):
        await installation.wait_for(lambda: installation.started("slow") == 1, seconds=40)
        begun = time.monotonic()
        said = swarmctl(installation, "down", "--now")
    assert said.returncode == 0, said.stderr
    assert "ended: agent m-" in said.stderr
    assert not installation.alive()
    assert time.monotonic() - begun < 40
    assert work_left(installation.home.jobs) == []
    mark.touch()
    with up(installation):
        (mission,) = await installation.until("missions", delivered)
        runs = await installation.until("runs", lambda rows: rows)
    assert installation.started("slow") == 2
    assert [(run["attempt"], run["result"]) for run in runs] == [(0, "changed")]
    assert mission["reason"] == "Delivered"


async def test_down_now_ends_what_is_at_work_though_the_settings_are_broken(installation):
    installation.agent("slow", WAITS.format(mark=installation.folder / "never"))
    installation.check("tests", "true")
    installation.say()
    with up(installation):
        await installation.wait_for(lambda: installation.started("slow") == 1, seconds=40)
        installation.home.file.write_text("nonsense = [")
        said = swarmctl(installation, "down", "--now")
    assert "ended: agent m-" in said.stderr
    assert not installation.alive()
    assert "swarm.toml" in said.stderr, "the local services are not known, and it says so"
    assert said.returncode == 1


async def test_a_check_that_down_ended_runs_again(installation):
    mark = installation.folder / "go"
    installation.agent("quick", "echo 'VALUE = 2' > src/value.py")
    installation.check("tests", f"while ! test -e {mark}; do sleep 0.1; done")
    installation.say()
    with up(installation):
        await installation.wait_for(lambda: installation.started("tests") == 1, seconds=40)
        said = swarmctl(installation, "down", "--now")
    assert "ended: check m-" in said.stderr
    assert said.stderr.count("tests") == 1
    assert not installation.alive()
    mark.touch()
    with up(installation):
        await installation.until("missions", delivered)
    assert installation.started("tests") == 2


def test_down_where_nothing_runs_says_so_and_succeeds(installation):
    installation.agent("quick", "true")
    installation.write()
    for arguments in (["down"], ["down", "--now"]):
        said = swarmctl(installation, *arguments)
        assert (said.returncode, said.stdout[:11]) == (0, "nothing was")
        assert "at work" not in said.stderr
