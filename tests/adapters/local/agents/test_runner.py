"""Agents at work: hostile ones, crashing ones, expensive ones, and those without capacity."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from swarm.adapters.local.agents import runner
from swarm.adapters.local.agents.settings import AgentSettings
from swarm.adapters.local.process import confine
from swarm.contract.errors import Unavailable
from swarm.core.evidence import RunResult
from swarm.core.reasons import Reason
from swarm.ports.reply import Later, No
from swarm.testing.contracts.asking import fact


@pytest.mark.slow
async def test_the_change_is_one_commit_of_ours_on_the_tip_of_main(world):
    ended = await fact(world.port().run, world.order("change"))
    change = ended.change
    assert (change.base, change.paths) == (world.base, ("src/value.py",))
    assert (change.lines_added, change.lines_removed) == (1, 1)
    assert world.show(change.head, "src/value.py") == "VALUE = 2\n"


@pytest.mark.slow
@pytest.mark.req("FRZ-2")
async def test_what_is_frozen_while_its_clone_is_made_does_not_start_until_it_may(world):
    """It says that nobody is at work on it, so that it is taken back; and makes no clone again."""
    asked, may = [], asyncio.Event()

    async def may_begin(key):
        asked.append(key)
        return may.is_set() or len(asked) == 1

    order, port = world.order("change"), world.port(may_begin=may_begin)
    for _ in range(3):
        held = await port.run(order)
        assert (held.reason, held.capacity) == (Reason.FROZEN, True)
    assert asked == [order.key] * 4
    assert world.effects("change") == 0
    assert not port.at_work()
    may.set()
    assert (await fact(port.run, order)).result is RunResult.CHANGED
    assert world.effects("change") == 1


@pytest.mark.slow
@pytest.mark.req("FRZ-2", "FAIL-5")
async def test_an_agent_that_is_at_work_is_followed_to_its_end_whatever_holds_it_back_by_now(world):
    may = True

    async def may_begin(_key):
        return may

    order, port = world.order("change"), world.port(may_begin=may_begin)
    assert (await port.run(order)).reason == Reason.RUN_PENDING
    may = False
    assert (await fact(port.run, order)).result is RunResult.CHANGED
    assert world.effects("change") == 1


@pytest.mark.slow
@pytest.mark.req("LOOP-5", "API-9")
async def test_an_agent_for_which_there_is_no_room_is_not_at_work(world, monkeypatch):
    """So it is taken back where its stage is switched off, and charged for nothing."""
    monkeypatch.setattr(runner, "AT_ONCE", 1)
    world.define("slow", "sleep 30")
    port, second = world.port(), world.order("slow", run="m-2-run-0", key="m-2/run/0")
    first = world.order("slow")
    assert (await port.run(first)).reason == Reason.RUN_PENDING
    queued = await port.run(second)
    assert (queued.reason, queued.capacity) == (Reason.BACKPRESSURE, True)
    await port.stop(first.run)


@pytest.mark.slow
@pytest.mark.req("FAIL-6")
async def test_a_database_that_cannot_say_whether_it_may_begin_is_no_trouble_of_the_agent(world):
    """A pause for want of capacity would last 15 s and more after the database is back."""
    away = True

    async def may_begin(_key):
        if away:
            raise Unavailable("the database is away")
        return True

    order, port = world.order("change"), world.port(may_begin=may_begin)
    held = await port.run(order)
    assert (held.reason, held.capacity) == (Reason.UNAVAILABLE, False)
    assert held.delay <= timedelta(seconds=2)
    assert world.effects("change") == 0
    away = False
    started = await port.run(order)
    assert started.reason == Reason.RUN_PENDING
    assert (await fact(port.run, order)).result is RunResult.CHANGED


@pytest.mark.slow
@pytest.mark.req("LOOP-7")
async def test_a_fix_starts_from_the_failing_commit_and_is_shown_the_failure(world):
    first = await fact(world.port().run, world.order("change"))
    line = f"cat > {world.tmp}/told; grep -q 'VALUE = 2' src/value.py || exit 9"
    world.define("fixer", f"{line}; echo 'VALUE = 4' > src/value.py", stdin="prompt")
    order = world.order(
        "fixer",
        run="m-1-run-1",
        key="m-1/run/1",
        attempt=1,
        base=first.change.head,
        onto=first.change.base,
        failure="tests: AssertionError: 2 != 4",
    )
    ended = await fact(world.port().run, order)
    assert ended.result is RunResult.CHANGED
    assert ended.change.base == world.base
    told = (world.tmp / "told").read_text()
    assert "| tests: AssertionError: 2 != 4" in told
    assert len(told.encode()) <= 32 * 1024


@pytest.mark.slow
async def test_the_prompt_file_and_the_fixed_placeholders_are_filled_in(world):
    shell = 'printf "%s\\n" "$@" > seen; test -r "$4"; cp "$4" copied'
    world.agents["args"] = AgentSettings(
        run=(
            "sh",
            "-c",
            shell,
            "args",
            "{rule}",
            "--model={model}",
            "{cost_cap}",
            "{prompt_file}",
            "{paths}",
        ),
        model="best-1",
        cost_cap=2_500_000,
        path=(Path("/usr/bin"),),
    )
    order = world.order("args", allowed_paths=("src/value.py", "seen", "copied", "tests/*.py"))
    ended = await fact(world.port().run, order)
    seen = world.show(ended.change.head, "seen").splitlines()
    assert seen[:3] == ["F401", "--model=best-1", "2.5"]
    assert seen[4:] == ["src/value.py", "seen", "copied", "tests/test_value.py"]
    assert "Make the smallest change" in world.show(ended.change.head, "copied")


@pytest.mark.fast("option-as-rule")
@pytest.mark.parametrize(
    ("over", "words"),
    [
        pytest.param({"rule": "--config=/tmp/evil"}, "cannot be an argument", id="option-as-rule"),
        pytest.param({"rule": "F401\n--fix"}, "cannot be an argument", id="newline"),
        pytest.param({"rule": ""}, "cannot be an argument", id="no-rule"),
        pytest.param({"allowed_paths": ("-rf",)}, "begins with", id="option-as-path"),
        pytest.param({"allowed_paths": ("../x",)}, "leaves the repository", id="outside"),
        pytest.param({"allowed_paths": ("a\x1b[2J",)}, "control character", id="escape"),
    ],
)
@pytest.mark.req("OWN-1")
async def test_found_values_never_become_options(world, over, words):
    world.agents["args"] = AgentSettings(run=("sh", "-c", "true", "{rule}", "{paths}"))
    said = await world.port().run(world.order("args", **over))
    assert isinstance(said, No)
    assert said.reason == "BadCommand"
    assert words in said.detail
    assert "\x1b" not in said.detail


TOKEN = "ghp_" + "a1B2" * 9
MOVE = "mkdir -p .github/workflows; git mv src/value.py .github/workflows/ci.yml"
AS = "-c user.name=x -c user.email=x@x"
NESTED = f"git init -q src/sub; cd src/sub; git {AS} commit -qm x --allow-empty"
HOSTILE = {
    "ci-by-rename": (MOVE, "GuardedPath"),
    "symlink": ("ln -s ../../etc/passwd src/x", "Symlink"),
    "attributes": ("echo '* filter=x' > src/.gitattributes", "GitAttributes"),
    "outside-allowed": ("echo x > README", "OutsideAllowedPaths"),
    "bidi": ("printf 'a = \"\\342\\200\\256\"\\n' >> src/value.py", "HiddenText"),
    "secret": (f"echo 'KEY = \"{TOKEN}\"' >> src/value.py", "SecretInPatch"),
    "submodule": (NESTED, "GitDirectory"),
    "modules-file": ("printf '[submodule \"x\"]\\n' > .gitmodules", "GitModules"),
    "executable": ("chmod +x src/value.py", "ModeChanged"),
    "tests-deleted": ("rm tests/test_value.py", "TestsRemoved"),
    "tests-skipped": (
        "sed -i '/^def test/i @pytest.mark.skip' tests/test_value.py",
        "TestsRemoved",
    ),
    "huge": ("head -c 900000000 /dev/zero > src/big.bin", "FileTooLarge"),
    "huge-and-sparse": ("truncate -s 1000000000 src/big.bin", "FileTooLarge"),
    "fork-bomb": ("exec bash -c 'f() { f | f & sleep 60; }; f'", "ProcessLimit"),
    "flood": ("exec yes", "OutputLimit"),
    "disk": ("while :; do head -c 20000000 /dev/urandom > f$((i=i+1)); done", "DiskLimit"),
}


@pytest.mark.fast("ci-by-rename")
@pytest.mark.req("OWN-1")
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.alone) if n == "fork-bomb" else n for n in HOSTILE],
)
async def test_a_hostile_agent_is_refused_by_name_and_leaves_nothing(world, name):
    shell, rule = HOSTILE[name]
    limits = {"processes": 60, "output_bytes": 10_000_000, "disk_bytes": 1_000_000_000}
    limits |= {"disk_bytes": 100_000_000} if name == "disk" else {}
    world.define(name, shell, **limits)
    order = world.order(name, allowed_paths=("src", "tests"))
    ended = await fact(world.port().run, order, timedelta(seconds=90))
    assert ended.result is RunResult.REFUSED
    assert any(item.startswith(f"{rule}:") for item in ended.violations), ended.violations
    assert TOKEN not in "".join(ended.violations) + ended.detail
    assert world.changes() == 0
    until = time.monotonic() + 10
    while world.alive() and time.monotonic() < until:  # noqa: ASYNC110 - of other processes
        await asyncio.sleep(0.05)
    assert world.alive() == 0
    assert list((world.tmp / "runs").rglob("work")) == []
    left = sum(path.stat().st_size for path in world.tmp.rglob("*") if path.is_file())
    assert left < 5_000_000


@pytest.mark.skipif(confine.abi() == 0, reason="this kernel has no Landlock")
@pytest.mark.req("OWN-1")
async def test_an_agent_cannot_write_outside_its_folder(world):
    world.define("reaches", "echo x > ../../../../escaped; echo 'VALUE = 2' > src/value.py")
    world.agents["reaches"] = world.agents["reaches"].model_copy(update={"writable": ()})
    ended = await fact(world.port().run, world.order("reaches"))
    assert ended.result is RunResult.CHANGED
    assert ended.change.paths == ("src/value.py",)
    assert list(world.tmp.rglob("escaped")) == []


@pytest.mark.slow
@pytest.mark.req("OWN-1")
async def test_an_agent_that_commits_moves_branches_and_sets_hooks_changes_only_its_files(world):
    line = (
        "echo 'VALUE = 9' > src/value.py; git add -A; git commit -qm mine; git tag v1;"
        f" git checkout -qb evil; echo 'touch {world.tmp}/owned' > .git/hooks/post-commit;"
        f" chmod +x .git/hooks/post-commit; git config core.fsmonitor 'touch {world.tmp}/owned';"
        " git remote -v > remotes; test ! -s remotes && rm remotes"
    )
    world.define("commits", f"mkdir -p .git/hooks; {line}")
    ended = await fact(world.port().run, world.order("commits"))
    assert ended.result is RunResult.CHANGED
    assert ended.change.paths == ("src/value.py",)
    assert not (world.tmp / "owned").exists()
    assert world.repo.git("status", "--porcelain") == ""
    assert world.repo.git("branch", "--list") == "* main"


@pytest.mark.req("OWN-1")
async def test_no_credential_of_the_controller_reaches_an_agent(world, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_" + "x1Y2" * 9)
    monkeypatch.setenv("HARMLESS", "yes")
    world.define("env", "env > src/seen", env=("HARMLESS",))
    ended = await fact(world.port().run, world.order("env"))
    seen = world.show(ended.change.head, "src/seen")
    assert "HARMLESS=yes" in seen
    assert "GITHUB_TOKEN" not in seen
    assert str(Path.home()) + "\n" not in seen


async def test_a_credential_under_another_name_stops_the_start(world, monkeypatch):
    monkeypatch.setenv("INNOCENT", "ghp_" + "x1Y2" * 9)
    world.define("env", "true", env=("INNOCENT",))
    said = await world.port().run(world.order("env"))
    assert isinstance(said, Later)
    assert said.capacity
    assert said.detail == "INNOCENT holds a credential; take it out of `env`"
    assert world.effects("env") == 0


@pytest.mark.slow
@pytest.mark.skipif(confine.abi() == 0, reason="this kernel has no Landlock")
async def test_credential_files_of_the_user_cannot_be_read(world, monkeypatch):
    home = world.tmp / "user"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text("private")
    (home / ".bashrc").write_text("plain")
    monkeypatch.setenv("HOME", str(home))
    world.define("reads", f"cat {home}/.bashrc > src/a; cat {home}/.ssh/id_ed25519 > src/b; true")
    ended = await fact(world.port().run, world.order("reads"))
    assert world.show(ended.change.head, "src/a") == "plain"
    assert world.show(ended.change.head, "src/b") == ""


@pytest.mark.slow
@pytest.mark.req("FAIL-1")
async def test_capacity_backs_off_by_doubling_and_then_goes_on_as_the_same_attempt(world):
    clock = [datetime(2026, 3, 1, tzinfo=UTC)]
    mark = world.tmp / "quota-is-back"
    world.define("quota", f"test -e {mark} || exit 75; echo 'VALUE = 5' > src/value.py")
    port, order = world.port(now=lambda: clock[0]), world.order("quota")
    delays = []
    for _ in range(4):
        said = await port.run(order)
        while not said.capacity:
            await asyncio.sleep(0.02)
            said = await port.run(order)
        delays.append(said.delay.total_seconds())
        clock[0] += said.delay
    assert delays == [15, 15, 30, 60]
    mark.touch()
    ended = await fact(port.run, order)
    assert (ended.result, ended.attempt) == (RunResult.CHANGED, 0)
    assert world.effects("quota") == 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"run": ("no-such-agent", "-p")}, "not a program on PATH", id="binary"),
        pytest.param({"run": ("true",), "env": ("X_API_KEY",)}, "X_API_KEY is set", id="login"),
    ],
)
async def test_what_is_missing_is_told_before_anything_is_spent(world, settings, words):
    world.agents["lacks"] = AgentSettings(**settings)
    said = await world.port().run(world.order("lacks"))
    assert isinstance(said, Later)
    assert (said.capacity, said.reason) == (True, Reason.CAPACITY)
    assert words in said.detail
    assert not list((world.tmp / "runs").rglob("supervisor.json"))


async def test_a_disk_without_room_for_the_pauses_note_is_still_a_lack_of_capacity(
    world, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    world.agents["lacks"] = AgentSettings(run=("no-such-agent",))
    monkeypatch.setattr("swarm.adapters.local.process.folder.write_json", full)
    said = await world.port().run(world.order("lacks"))
    assert isinstance(said, Later)
    assert (said.capacity, said.reason) == (True, Reason.CAPACITY)


async def test_an_agent_that_cannot_be_cut_off_is_not_started(world, monkeypatch):
    monkeypatch.setattr("swarm.adapters.local.process.preflight.can_cut", lambda: False)
    world.define("offline", "true", network="none")
    said = await world.port().run(world.order("offline"))
    assert isinstance(said, Later)
    assert (said.capacity, world.effects("offline")) == (True, 0)
    assert "cut off from the network" in said.detail


async def test_an_agent_that_nobody_bound_waits_with_its_reason(world):
    said = await world.port().run(world.order("who"))
    assert isinstance(said, Later)
    assert (said.capacity, said.reason) == (True, Reason.NO_AGENT)
    assert "bound are: busy, change" in said.detail


def result(cost: float, **over: object) -> str:
    return json.dumps({"type": "result", "subtype": "success", "total_cost_usd": cost} | over)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("printed", "cost"),
    [
        pytest.param(result(0.25), 250_000, id="told"),
        pytest.param(result(-5), 70_000, id="negative-is-refused"),
        pytest.param('{"type":"result","total_cost_usd":NaN}', 70_000, id="nan-is-refused"),
        pytest.param(
            '{"type":"result","total_cost_usd":' + "9" * 400 + "}", 70_000, id="huge-is-refused"
        ),
        pytest.param("no json", 70_000, id="silent"),
    ],
)
async def test_cost_is_the_providers_or_else_what_was_expected(world, printed, cost):
    line = f"echo '{printed}'; echo 'VALUE = 2' > src/value.py"
    world.define("paid", line, result="claude-json", expected_cost=70_000)
    ended = await fact(world.port().run, world.order("paid"))
    assert (ended.result, ended.cost) == (RunResult.CHANGED, cost)


@pytest.mark.req("FAIL-1")
@pytest.mark.parametrize(
    ("shell", "more", "result"),
    [
        pytest.param("exit 1", {}, RunResult.NOTHING, id="it-could-repair-nothing"),
        pytest.param("echo V > src/value.py; exit 1", {}, RunResult.CHANGED, id="a-part-is-left"),
        pytest.param("exit 2", {}, RunResult.FAILED, id="it-broke"),
        pytest.param("exit 1", {"stdin": "prompt"}, RunResult.FAILED, id="it-is-told-what-failed"),
        pytest.param("exit 1 # {prompt_file}", {}, RunResult.FAILED, id="it-is-told-in-a-file"),
        pytest.param("exit 1", {"result": "aider"}, RunResult.FAILED, id="it-tells-its-errors"),
        pytest.param("exit 1", {"ok_exit_codes": (0,)}, RunResult.FAILED, id="one-is-no-good-end"),
        pytest.param("exit 5", {"ok_exit_codes": (0, 5)}, RunResult.NOTHING, id="five-is-one"),
    ],
)
async def test_a_linter_that_cannot_repair_everything_has_not_failed(world, shell, more, result):
    """Told nothing of a failure it would do the same four times, and twice that is a freeze."""
    world.define("linter", shell, **more)
    ended = await fact(world.port().run, world.order("linter"))
    assert ended.result is result
    assert f"exit code {shell.partition('exit ')[2][0]}" in ended.detail


@pytest.mark.slow
async def test_an_agent_that_tells_its_cost_is_ended_at_its_cap(world):
    step = json.dumps({"type": "step_finish", "part": {"cost": 0.4}})
    line = f"while :; do echo '{step}'; sleep 0.1; done"
    world.define("spends", line, result="opencode-jsonl", cost_cap=1_000_000)
    ended = await fact(world.port().run, world.order("spends"))
    assert ended.result is RunResult.FAILED
    assert ended.detail.startswith("CostCapExceeded:")
    assert ended.cost >= 1_200_000
    assert ended.seconds < 20


@pytest.mark.slow
async def test_while_it_works_an_agent_says_what_it_spent_until_now(world):
    """So that ending its mission now is not free of charge."""
    step = json.dumps({"type": "step_finish", "part": {"cost": 0.4}})
    world.define("slow", f"echo '{step}'; sleep 30", result="opencode-jsonl")
    port, order = world.port(), world.order("slow")
    async with asyncio.timeout(20):
        while not (said := await port.run(order)).spent:
            assert isinstance(said, Later)
            await asyncio.sleep(0.02)
    await port.stop(order.run)
    assert said.spent == 400_000


@pytest.mark.req("FAIL-5")
async def test_paid_work_that_ends_for_lack_of_capacity_says_what_it_spent(world):
    """Else its order looks untouched while it waits, and is taken back with all that it cost."""
    line = f"echo '{result(0.4, is_error=True, result='usage limit reached')}'; exit 1"
    world.define("paid", line, result="claude-json")
    port, order = world.port(), world.order("paid")
    async with asyncio.timeout(20):
        said = await port.run(order)
        while not said.capacity:
            await asyncio.sleep(0.02)
            said = await port.run(order)
    assert said.spent == 400_000


@pytest.mark.slow
async def test_paid_work_that_never_has_capacity_ends_at_the_cap(world):
    """A provider that charges and then says that the quota is full would burn money for ever."""
    clock = [datetime(2026, 3, 1, tzinfo=UTC)]
    line = f"echo '{result(0.4, is_error=True, result='usage limit reached')}'; exit 1"
    world.define("burns", line, result="claude-json", cost_cap=1_000_000)
    port, order = world.port(now=lambda: clock[0]), world.order("burns")
    async with asyncio.timeout(60):
        while isinstance(said := await port.run(order), Later):
            clock[0] += said.delay if said.capacity else timedelta(0)
            await asyncio.sleep(0.02)
    assert said.fact.result is RunResult.FAILED
    assert said.fact.cost == 1_200_000
    assert world.effects("burns") == 3


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
async def test_a_killed_supervisor_burns_no_attempt_and_its_work_is_kept(world):
    mark = world.tmp / "second"
    line = f"if [ -e {mark} ]; then echo 'VALUE = 8' > src/value.py; exit; fi; touch {mark};"
    world.define("slow", f"{line} echo 'VALUE = 7' > src/value.py; sleep 300")
    port, order = world.port(), world.order("slow")
    await port.run(order)
    while not mark.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    state = await port.jobs.state(order.run)
    record = json.loads((state.folder / "supervisor.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    ended = await fact(port.run, order)
    assert (ended.result, ended.attempt) == (RunResult.CHANGED, 0)
    assert world.show(ended.change.head, "src/value.py") == "VALUE = 8\n"
    patches = list((world.tmp / "runs").rglob("unrecorded-1.patch"))
    assert "+VALUE = 7" in patches[0].read_text()


@pytest.mark.slow
async def test_work_of_a_failed_run_is_kept_as_a_patch_also_without_a_tmp(world, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    ended = await fact(world.port().run, world.order("fail"))
    assert ended.result is RunResult.FAILED
    assert "sorry" in ended.detail
    patches = list((world.tmp / "runs").rglob("unrecorded-1.patch"))
    assert "+VALUE = 3" in patches[0].read_text()


async def test_nothing_of_a_run_is_kept_in_memory_once_it_has_ended(world):
    """A controller works for months."""
    news: list[str] = []
    port, order = world.port(on_finished=news.append), world.order("change")
    await fact(port.run, order)
    assert await port.run(order)
    assert set(news) <= {order.key}
    assert port._keys == {}


@pytest.mark.slow
async def test_sweeping_ends_what_nobody_wants_and_keeps_its_work(world):
    world.define("slow", "echo 'VALUE = 6' > src/value.py; echo new > src/new.py; sleep 300")
    port, order = world.port(), world.order("slow")
    await port.run(order)
    await asyncio.sleep(0.5)
    assert await port.sweep(lambda run: False) == [order.run]
    assert world.alive() == 0
    patch = next((world.tmp / "runs" / "rescued").iterdir()).read_text()
    assert "+VALUE = 6" in patch
    assert "+new" in patch


@pytest.mark.slow
@pytest.mark.req("FAIL-1")
async def test_a_stopped_run_begins_anew_as_the_same_attempt_and_not_for_ever(world):
    mark = world.tmp / "now"
    world.define("slow", f"test -e {mark} || sleep 300; echo 'VALUE = 8' > src/value.py")
    port, order = world.port(), world.order("slow")
    for times in range(1, 4):
        await port.run(order)
        while world.effects("slow") < times:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
        await port.stop(order.run)
    mark.touch()
    ended = await fact(port.run, order)
    assert (ended.result, ended.attempt) == (RunResult.CHANGED, 0)
    assert world.effects("slow") == 4


@pytest.mark.slow
async def test_a_run_that_is_stopped_again_and_again_fails_in_the_end(world, monkeypatch):
    monkeypatch.setattr("swarm.adapters.local.agents.verdict.MOST_STOPPED", 2)
    world.define("slow", "sleep 300")
    port, order = world.port(), world.order("slow")
    for times in range(1, 3):
        await port.run(order)
        while world.effects("slow") < times:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
        await port.stop(order.run)
    ended = await fact(port.run, order)
    assert (ended.result, world.effects("slow")) == (RunResult.FAILED, 2)
    assert "stopped 2 times" in ended.detail


@pytest.mark.slow
async def test_what_is_alive_is_named_with_its_mission(world):
    world.define("slow", "sleep 300")
    port, order = world.port(), world.order("slow")
    assert port.at_work() == {}
    await port.run(order)
    assert world.port().at_work() == {order.run: order.mission}
    await port.stop(order.run)
    for _ in range(250):  # its supervisor lets go of its place when it ends itself
        if not port.at_work():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it is still at work")


CONTROLLER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from conftest import World
from pathlib import Path
World.__init__ = lambda self, tmp: None
import json
from swarm.adapters.local.agents.runner import LocalRuns
from swarm.adapters.local.agents.settings import AgentSettings
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
tmp = Path(sys.argv[2])
agents = {"slow": AgentSettings(run=tuple(json.loads(sys.argv[3])), writable=(tmp,))}
forge = LocalForge({"app": RepositorySettings(path=tmp / "app")}, tmp / "data")
port = LocalRuns(agents, forge, tmp / "runs")
order = World.order(object.__new__(World), "slow")
async def main():
    while True:
        said = await port.run(order)
        print(type(said).__name__, flush=True)
        await asyncio.sleep(0.02)
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.req("OWN-3", "LOOP-11")
@pytest.mark.parametrize(
    "after",
    [0.75, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.45, 0.6, 0.9, 1.05, 1.2, 1.5))],
)
async def test_kill_9_of_the_controller_at_any_time_runs_the_agent_once(world, after):
    world.define("slow", "sleep 0.3; echo 'VALUE = 2' > src/value.py")
    argv = json.dumps(list(world.agents["slow"].run))
    one = subprocess.Popen(  # noqa: ASYNC220 - it is killed, not awaited
        [sys.executable, "-c", CONTROLLER, str(Path(__file__).parent), str(world.tmp), argv],
        stdout=subprocess.DEVNULL,
    )
    await asyncio.sleep(after)
    one.kill()
    one.wait()
    ended = await fact(world.port().run, world.order("slow"))
    assert ended.result is RunResult.CHANGED
    assert (world.effects("slow"), world.changes()) == (1, 1)


@pytest.mark.slow
async def test_a_finished_run_wakes_its_controller_with_the_orders_key(world):
    woken = asyncio.Queue()
    world.define("short", "sleep 0.4; echo 'VALUE = 2' > src/value.py")
    port, order = world.port(on_finished=woken.put_nowait), world.order("short")
    await port.run(order)
    assert await asyncio.wait_for(woken.get(), 10) == order.key


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("run", [], "at least 1 item"),
        ("run", ["agent", "{secret}"], "{secret} is no placeholder"),
        ("run", ["agent", "--in={paths}"], "stands alone"),
        ("run", ["agent", "{model}"], "model must be set"),
        ("env", ["GITHUB_TOKEN"], "looks like a credential"),
        ("env", ["AWS_SECRET_ACCESS_KEY"], "looks like a credential"),
        ("env", ["SSH_AUTH_SOCK"], "looks like a credential"),
        ("env", ["PATH"], "set by Swarm itself"),
        ("own_credentials", ["AWS_PROFILE"], "not in env"),
        ("timeout", "25h", "duration from 1s to 24h"),
        ("expected_cost", 6_000_000, "more than cost_cap"),
        ("cost_cap", 0, "greater than 0"),
        ("stdin", "file", "'none' or 'prompt'"),
        ("surprise", 1, "Extra inputs are not permitted"),
    ],
)
def test_bad_settings_are_refused_by_name(field, value, words):
    with pytest.raises(ValidationError, match=words):
        AgentSettings(**{"run": ["agent"], field: value})


@pytest.mark.parametrize(
    "settings",
    [
        {"run": ["claude", "-p", "--output-format", "json"], "env": ["ANTHROPIC_API_KEY"]},
        {"run": ["x"], "env": ["AWS_PROFILE"], "own_credentials": ["AWS_PROFILE"]},
        {"run": ["ruff", "check", "--fix", "--select", "{rule}", "{paths}"]},
        {"run": ["aider", "--message-file", "{prompt_file}"], "result": "aider"},
    ],
)
def test_usual_settings_are_accepted(settings):
    AgentSettings(**settings)


@pytest.mark.slow
async def test_a_cost_that_is_told_amid_much_else_counts_while_it_works_and_at_its_end(world):
    """Of a long output only the beginning is on disk before its end, and the middle is lost."""
    step = json.dumps({"type": "step_finish", "part": {"cost": 0.4}})
    much = "head -c 900000 /dev/zero | tr '\\0' 'x'; echo"
    line = f"{much}; echo '{step}'; {much}; {much}; echo '{step}'; sleep 2"
    world.define("talks", line, result="opencode-jsonl")
    port, order = world.port(), world.order("talks")
    async with asyncio.timeout(30):
        while (said := await port.run(order)).spent != 800_000:
            assert isinstance(said, Later)
            await asyncio.sleep(0.05)
    ended = await fact(port.run, order)
    assert ended.cost == 800_000


@pytest.mark.slow
@pytest.mark.req("GATE-3")
@pytest.mark.parametrize("into", ["a.txt", '"$OWN_API_KEY"'])
async def test_an_agents_own_key_is_refused_whatever_form_it_has(world, monkeypatch, into):
    """It is the one secret that every agent can read, and a gateway's own keys have any form."""
    monkeypatch.setenv("OWN_API_KEY", "gateway.7f9-key-of-ours")
    line = f'printf "%s" "$OWN_API_KEY" >{into}'
    world.define("tells", line, env=("OWN_API_KEY",))
    ended = await fact(world.port().run, world.order("tells"))
    assert ended.result is RunResult.REFUSED
    (said,) = (one for one in ended.violations if one.startswith("SecretInPatch"))
    assert "a credential that the agent was given: gate***" in said
