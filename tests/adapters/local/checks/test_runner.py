"""Checks on exact commits: flake policy, silence, capacity, reuse, test floor, hostile output."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from swarm.adapters.local.checks.settings import CheckSettings
from swarm.adapters.local.process import confine
from swarm.core.evidence import CheckResult
from swarm.core.reasons import Reason
from swarm.ports.reply import Done, Later, No
from swarm.testing.contracts.asking import fact

WITHIN = timedelta(seconds=60)
JUNIT = """
n, skipped = int(open("tests.txt").read()), int(open("skipped.txt").read())
cases = "<testcase/>" * (n - skipped) + "<testcase><skipped/></testcase>" * skipped
open("out.xml", "w").write(f"<testsuite>{cases}</testsuite>")
"""


@pytest.mark.slow
async def test_the_exact_commit_is_checked_not_the_branch(world):
    """Main moved on; the order's commit is what is looked at, in a clean checkout."""
    world.define("value", "grep -q good value.txt", reruns=0)
    bad = world.repo.commit({"value.txt": "bad\n"})
    world.repo.commit({"value.txt": "good again\n"})
    port = world.port()
    assert (await fact(port.check, world.order("value", bad))).result is CheckResult.RED
    assert (await fact(port.check, world.order("value"))).result is CheckResult.GREEN


@pytest.mark.slow
@pytest.mark.req("GATE-2")
async def test_green_after_red_is_green_with_the_reruns_on_record(world):
    mark = world.tmp / "seen"
    world.define("flaky", f"if [ -e {mark} ]; then exit 0; fi; touch {mark}; echo why; exit 1")
    ended = await fact(world.port().check, world.order("flaky"))
    assert (ended.result, ended.reruns) == (CheckResult.GREEN, 1)
    assert ended.detail.startswith("Flaky: red 1 times before it was green")
    assert "why" in ended.detail


@pytest.mark.slow
@pytest.mark.req("GATE-2")
async def test_red_is_red_only_after_its_reruns(world):
    world.define("red", f'echo "$0" >>{world.log}; echo last words; exit 7', reruns=2)
    ended = await fact(world.port().check, world.order("red"))
    assert (ended.result, ended.reruns, world.effects("red")) == (CheckResult.RED, 2, 3)
    assert ended.detail.splitlines()[0] == "exit code 7"
    assert "last words" in ended.detail


@pytest.mark.slow
@pytest.mark.req("GATE-2")
async def test_silence_is_never_rerun_and_never_green(world):
    """A check that catches its end and says 0 afterwards has not reported in time either."""
    world.define("late", "trap 'exit 0' TERM; sleep 300 & wait", timeout=timedelta(seconds=1))
    ended = await fact(world.port().check, world.order("late"))
    assert (ended.result, ended.reruns) == (CheckResult.NEVER_REPORTED, 0)


@pytest.mark.slow
async def test_the_deadline_of_the_order_binds_too(world):
    world.define("slow", "sleep 300")
    order = world.order("slow", deadline=timedelta(seconds=1))
    assert (await fact(world.port().check, order)).result is CheckResult.NEVER_REPORTED


@pytest.mark.slow
@pytest.mark.req("FAIL-1")
async def test_no_check_starts_where_git_would_look_into_the_repository_around_it(world, tmp_path):
    """What lints the files that git lists would find none of its own there, and end green."""
    port = world.port()
    port.jobs.folder = tmp_path / "a:b" / "checks"
    said = await port.check(world.order("green"))
    assert isinstance(said, Later)
    assert "move the installation to another path" in said.detail
    assert world.log.read_text() == ""


async def test_a_missing_program_is_capacity_and_counts_for_nothing(world):
    clock = [datetime(2026, 3, 1, tzinfo=UTC)]
    world.checks["gone"] = CheckSettings(run=("no-such-tool", "--all"))
    port = world.port(now=lambda: clock[0])
    delays = []
    for _ in range(9):
        said = await port.check(world.order("gone"))
        assert isinstance(said, Later)
        assert said.capacity
        assert said.reason == Reason.CAPACITY
        assert "no-such-tool" in said.detail
        delays.append(said.delay.total_seconds())
        clock[0] += said.delay
    assert delays == [15, 15, 30, 60, 120, 240, 480, 900, 900]
    world.checks["gone"] = CheckSettings(run=("true",))
    clock[0] += timedelta(minutes=15)
    assert (await fact(port.check, world.order("gone"))).result is CheckResult.GREEN


async def test_a_pause_is_kept_over_a_restart(world):
    clock = [datetime(2026, 3, 1, tzinfo=UTC)]
    world.checks["gone"] = CheckSettings(run=("/no/such/tool",))
    first = world.port(now=lambda: clock[0])
    said = await first.check(world.order("gone"))
    while not said.capacity:
        await asyncio.sleep(0.05)
        said = await first.check(world.order("gone"))
    clock[0] += timedelta(seconds=5)
    again = await world.port(now=lambda: clock[0]).check(world.order("gone"))
    assert again.delay == timedelta(seconds=10)


@pytest.mark.slow
async def test_a_program_of_the_repository_that_is_gone_is_red(world):
    """The change removed its own check: no fault of the machine."""
    world.checks["own"] = CheckSettings(run=("./check.sh",), reruns=0)
    ended = await fact(world.port().check, world.order("own"))
    assert ended.result is CheckResult.RED
    assert "check.sh" in ended.detail


async def test_a_folder_that_is_not_in_the_commit_is_red(world):
    world.define("sub", "true", directory="services/api")
    ended = await fact(world.port().check, world.order("sub"))
    assert ended.result is CheckResult.RED
    assert "services/api" in ended.detail


async def test_a_commit_that_nobody_knows_is_refused(world):
    said = await world.port().check(world.order("green", "0" * 40))
    assert isinstance(said, No)
    assert said.reason == "CommitUnknown"


@pytest.mark.slow
async def test_a_passed_tree_is_not_tested_twice(world):
    """Another commit with the same files, as the merge queue makes them."""
    same = world.repo.commit({}, "nothing changed")
    port = world.port()
    await fact(port.check, world.order("green"))
    ended = await fact(port.check, world.order("green", same))
    assert (ended.result, ended.commit) == (CheckResult.GREEN, same)
    assert "same files passed" in ended.detail
    assert world.effects("green") == 1


@pytest.mark.slow
async def test_another_definition_or_an_old_result_is_tested_anew(world):
    clock = [datetime.now(UTC)]
    port = world.port(now=lambda: clock[0])
    await fact(port.check, world.order("green", key="1"))
    clock[0] += timedelta(hours=25)
    await fact(port.check, world.order("green", key="2"))
    world.define("green", f'echo "$0" >>{world.log}; test -s value.txt')
    await fact(port.check, world.order("green", key="3"))
    assert world.effects("green") == 3


@pytest.mark.slow
async def test_red_is_never_reused(world):
    port = world.port()
    await fact(port.check, world.order("red", key="1"))
    await fact(port.check, world.order("red", key="2"))
    assert world.effects("red") == 2


def counted(world, python, **more):
    fields = {"run": (python, "-c", JUNIT), "junit": "out.xml", "reruns": 0, **more}
    world.checks["tests"] = CheckSettings(**fields)
    return world.repo.commit({"tests.txt": "5", "skipped.txt": "1"}, "base")


@pytest.mark.slow
@pytest.mark.req("GATE-2")
@pytest.mark.parametrize(
    ("tests", "skipped", "result"),
    [
        pytest.param("5", "1", CheckResult.GREEN, id="as-many"),
        pytest.param("6", "1", CheckResult.GREEN, id="more"),
        pytest.param("4", "1", CheckResult.RED, id="one-deleted"),
        pytest.param("5", "2", CheckResult.RED, id="one-skipped"),
        pytest.param("0", "0", CheckResult.RED, id="all-deleted"),
    ],
)
async def test_fewer_tests_than_on_the_base_are_red(world, python, tests, skipped, result):
    base = counted(world, python)
    head = world.repo.commit({"tests.txt": tests, "skipped.txt": skipped, "x": tests})
    ended = await fact(world.port().check, world.order("tests", head, base=base))
    assert ended.result is result
    if result is CheckResult.RED:
        assert ended.detail.startswith("TestsRemoved:")
        assert "4 on the base" in ended.detail


@pytest.mark.slow
async def test_fewer_tests_may_be_allowed(world, python):
    base = counted(world, python, fewer_tests=True)
    head = world.repo.commit({"tests.txt": "2"})
    ended = await fact(world.port().check, world.order("tests", head, base=base))
    assert ended.result is CheckResult.GREEN


@pytest.mark.slow
@pytest.mark.req("GATE-2")
async def test_a_stale_result_file_of_the_commit_proves_nothing(world):
    """The commit brings a result file along and the command writes none: no evidence, no pass."""
    world.define("tests", "true", junit="out.xml", reruns=0)
    head = world.repo.commit({"out.xml": "<testsuite><testcase/></testsuite>"})
    ended = await fact(world.port().check, world.order("tests", head, base=head))
    assert ended.result is CheckResult.RED
    assert ended.detail.startswith("JUnitMissing:")


@pytest.mark.fast("link")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param("ln -s /etc/hostname out.xml", id="link"),
        pytest.param("mkfifo out.xml", id="fifo"),
        pytest.param("printf '<testsuite><testcase/>' > out.xml", id="cut-off"),
        pytest.param(
            """printf '<!DOCTYPE a [<!ENTITY b "c">]><testsuite>&b;</testsuite>' > out.xml""",
            id="entity-bomb",
        ),
    ],
)
async def test_a_hostile_result_file_is_no_evidence(world, script):
    world.define("tests", script, junit="out.xml", reruns=0)
    ended = await fact(world.port().check, world.order("tests"))
    assert ended.result is CheckResult.RED
    assert ended.detail.startswith("JUnitMissing:")


@pytest.mark.slow
async def test_two_run_at_a_time_and_the_third_waits(world):
    world.define("slow", "sleep 1.5")
    port = world.port(at_once=2)
    orders = [world.order("slow", key=f"k{n}") for n in range(3)]
    said = [await port.check(order) for order in orders]
    assert [item.reason for item in said] == [
        Reason.CHECKS_PENDING,
        Reason.CHECKS_PENDING,
        Reason.BACKPRESSURE,
    ]
    assert not said[2].capacity
    ended = [await fact(port.check, order) for order in orders]
    assert all(item.result is CheckResult.GREEN for item in ended)


@pytest.mark.slow
async def test_a_finished_check_wakes_its_controller(world):
    woken = asyncio.Queue()
    world.define("short", "sleep 0.4")
    port = world.port(on_finished=woken.put_nowait)
    order = world.order("short")
    await port.check(order)
    assert await asyncio.wait_for(woken.get(), 10) == order.key
    assert isinstance(await port.check(order), Done)


@pytest.mark.slow
async def test_secrets_and_control_characters_do_not_leave_the_check(world, monkeypatch):
    monkeypatch.setenv("SERVICE_API_KEY", "hunter2-hunter2")
    token = "ghp_" + "a1B2" * 9
    line = f"echo key $SERVICE_API_KEY; echo {token}; printf 'a\\033]0;x\\007b\\n'; exit 1"
    world.define("talks", line, env=("SERVICE_API_KEY",), reruns=0)
    ended = await fact(world.port().check, world.order("talks"))
    assert "hunter2" not in ended.detail
    assert token not in ended.detail
    assert "key [masked]" in ended.detail
    assert "a\\x1b]0;x\\x07b" in ended.detail


@pytest.mark.slow
@pytest.mark.skipif(confine.abi() == 0, reason="this kernel has no Landlock")
async def test_a_check_that_was_denied_something_says_what_may_be_changed(world):
    world.define("writes", f"echo x > {world.tmp}/x", writable=(), reruns=0)
    ended = await fact(world.port().check, world.order("writes"))
    assert ended.result is CheckResult.RED
    assert "Permission denied" in ended.detail
    assert "`writable` or `confine` in swarm.toml" in ended.detail
    world.define("writes", f"echo x > {world.tmp}/x", writable=(), confine="off", reruns=0)
    ended = await fact(world.port().check, world.order("writes", key="off"))
    assert ended.result is CheckResult.GREEN


@pytest.mark.slow
async def test_the_controllers_environment_is_not_the_checks(world, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@localhost/x")
    world.define("env", 'env; test -z "$DATABASE_URL"', reruns=0)
    assert (await fact(world.port().check, world.order("env"))).result is CheckResult.GREEN


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
async def test_a_killed_supervisor_burns_no_rerun(world):
    world.define("slow", f'echo "$0" >>{world.log}; sleep 0.8', reruns=0)
    port = world.port()
    order = world.order("slow")
    await port.check(order)
    state = await port.jobs.state(order.key)
    record = json.loads((state.folder / "supervisor.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    ended = await fact(port.check, order)
    assert (ended.result, ended.reruns) == (CheckResult.GREEN, 0)
    assert world.effects("slow") == 2


@pytest.mark.slow
async def test_a_check_whose_supervisor_is_always_killed_never_reported(world):
    world.define("slow", "sleep 300", reruns=0)
    port = world.port()
    order = world.order("slow")
    until = time.monotonic() + 30
    while isinstance(said := await port.check(order), Later) and time.monotonic() < until:
        state = await port.jobs.state(order.key)
        if state.phase == "running":
            record = json.loads((state.folder / "supervisor.json").read_text())
            os.kill(record["pid"], signal.SIGKILL)
        await asyncio.sleep(0.05)
    assert said.fact.result is CheckResult.NEVER_REPORTED
    assert "killed from outside 3 times and stopped 0 times" in said.fact.detail


@pytest.mark.slow
async def test_checkouts_are_gone_once_a_check_has_ended(world):
    port = world.port()
    await fact(port.check, world.order("red"))
    left = [path.name for path in (world.tmp / "checks").rglob("work")]
    assert left == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("run", [], "at least 1 item"),
        ("run", ["-x"], "must be a name or a path"),
        ("run", ["a\x1b"], "control character"),
        ("env", ["GITHUB_TOKEN"], "looks like a credential"),
        ("env", ["HOME"], "set by Swarm itself"),
        ("directory", "../x", "inside the repository"),
        ("junit", "/etc/x", "inside the repository"),
        ("timeout", "0s", "duration from 1s to 24h"),
        ("surprise", 1, "Extra inputs are not permitted"),
    ],
)
def test_bad_settings_are_refused_by_name(field, value, words):
    with pytest.raises(ValidationError, match=words):
        CheckSettings(**{"run": ["true"], field: value})


async def test_a_check_of_a_base_that_nobody_waits_for_any_more_is_removed_in_the_end(world):
    """It serves every mission there; the last one was ended before it heard of its end."""
    port = world.port()
    job = port.jobs.job("base/tests/d/t")
    for name in ("1/work", "2/work"):
        (job.path / name).mkdir(parents=True)
    job.create()
    assert await port.sweep(lambda key: False) == []
    assert (job.path / "1/work").exists()
    then = time.time() - 15 * 86_400
    os.utime(job.path, (then, then))
    assert await port.sweep(lambda key: True) == ["base/tests/d/t"]
    assert not job.path.exists()
