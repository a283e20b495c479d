"""kill -9 of the proxy, of versions and of the controller; the wrong revision; no leftovers."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import swarm
from swarm.adapters.local.service import asking, detached, state
from swarm.adapters.local.service.errors import BadTarget, NoStable, ProxyDown, TargetLocked
from swarm.adapters.local.service.hold import held

OLD, NEW, THIRD = "a" * 40, "b" * 40, "c" * 40
pytestmark = pytest.mark.req("FAIL-6")


def begin(argv, **more):
    """Somebody else's process."""
    return subprocess.Popen(argv, **more)


async def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.02)


def controller(target, lines):
    """A separate controller process that runs `lines` with `service` at hand."""
    body = "\n    ".join(lines)
    program = f"""
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from swarm.adapters.local.service.service import LocalService
from swarm.adapters.local.service.settings import ServiceSettings
settings = ServiceSettings.model_validate_json({target.settings.model_dump_json()!r})
async def main():
    service = LocalService(settings, Path({str(target.folder)!r}))
    {body}
asyncio.run(main())
"""
    root = str(Path(swarm.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
async def test_proxy_and_versions_survive_the_controller_and_are_adopted(target):
    boot = f"await service.bootstrap('{OLD}', Path('{target.checkout(OLD)}'), 'boot')"
    start = f"await service.start_canary('{NEW}', Path('{target.checkout(NEW)}'), 'start')"
    told = ["await service.set_traffic(50, 's')", "print('set', flush=True)"]
    other = controller(target, [boot, start, *told, "await asyncio.sleep(100)"])
    try:
        # The record says so before the proxy does.
        said = await asyncio.wait_for(asyncio.to_thread(other.stdout.readline), 20)
        assert said == b"set\n"
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
        other.stdout.close()
    assert set(await target.traffic(40)) == {OLD, NEW}
    pids = target.processes()
    assert await target.service.promote("go", NEW) == NEW
    assert set(target.processes()) < set(pids), "adopted, not started again"
    assert await target.traffic(10) == {NEW: 10}


@pytest.mark.slow
@pytest.mark.req("OWN-3")
@pytest.mark.parametrize("after", [0.0, 0.2, 0.4, 0.8])
async def test_a_start_that_was_killed_is_repeated_without_a_second_version(target, after):
    await target.up()
    checkout = target.checkout(NEW)
    before = set(target.processes())
    other = controller(
        target,
        [
            "print('go', flush=True)",
            f"await service.start_canary('{NEW}', Path('{checkout}'), 'start')",
        ],
    )
    await asyncio.to_thread(other.stdout.readline)
    await asyncio.sleep(after / 2)
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    done = await target.service.start_canary(NEW, checkout, "start")
    assert done.healthy
    assert len(set(target.processes()) - before) == 1
    assert await target.service.set_traffic(100, "all", NEW) == 100
    assert await target.traffic(5) == {NEW: 5}


@pytest.mark.slow
async def test_a_killed_proxy_is_started_again_on_its_port_with_its_split(target):
    await target.up()
    await target.canary(50)
    os.kill(target.proxy_pid(), signal.SIGKILL)
    await until(lambda: len(target.processes()) == 2)
    dead = await target.service.live()
    assert not dead.healthy
    assert dead.drift == ("the proxy does not answer",)
    with pytest.raises(ProxyDown):
        await target.service.read_look()
    live = await target.service.heal()
    assert (live.healthy, live.traffic_percent) == (True, 50)
    assert set(await target.traffic(40)) == {OLD, NEW}


@pytest.mark.slow
@pytest.mark.req("GATE-5")
async def test_a_restarted_proxy_counts_in_a_new_epoch(target):
    await target.up()
    await target.canary(50)
    await target.traffic(20)
    before = await target.service.read_look()
    os.kill(target.proxy_pid(), signal.SIGKILL)
    await target.service.heal()
    after = await target.service.read_look()
    assert after.stable.total == 0
    assert after.stable.epoch != before.stable.epoch


@pytest.mark.slow
async def test_an_abort_works_while_the_proxy_is_dead(target):
    await target.up()
    await target.canary(50)
    os.kill(target.proxy_pid(), signal.SIGKILL)
    proof = await target.service.abort("undo", NEW, OLD)
    assert (proof.serving, proof.proven) == (OLD, True)


@pytest.mark.slow
async def test_a_killed_stable_version_is_seen_and_started_again(target):
    await target.up()
    os.kill(target.record("stable")["pid"], signal.SIGKILL)
    seen = await target.service.live()
    assert (seen.stable_revision, seen.healthy) == ("", False)
    assert "stable does not answer" in seen.drift[0]
    live = await target.service.heal()
    assert (live.stable_revision, live.healthy) == (OLD, True)
    assert await target.traffic(5) == {OLD: 5}


@pytest.mark.slow
@pytest.mark.parametrize("who", ["proxy", "stable"])
async def test_a_process_that_lives_and_is_slow_is_not_killed(target, who):
    """Whoever starts a version again because it is overloaded leaves the others with its load."""
    await target.up()
    pid = target.proxy_pid() if who == "proxy" else target.record("stable")["pid"]
    before = target.processes()
    os.kill(pid, signal.SIGSTOP)
    try:
        healing = asyncio.create_task(target.service.heal())
        done, _ = await asyncio.wait({healing}, timeout=5)
        assert not done
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (await healing).healthy
    assert target.processes() == before
    assert await target.traffic(5) == {OLD: 5}


@pytest.mark.slow
@pytest.mark.parametrize("who", ["proxy", "stable"])
async def test_a_process_that_stays_silent_is_started_again(target, who, monkeypatch):
    monkeypatch.setattr(asking, "_BORNE", 0.5)
    await target.up()
    pid = target.proxy_pid() if who == "proxy" else target.record("stable")["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert (await target.service.heal()).healthy
    assert pid not in target.processes()
    assert await target.traffic(5) == {OLD: 5}


@pytest.mark.slow
async def test_a_dead_canary_stays_dead_because_its_end_is_evidence(target):
    await target.up()
    await target.canary(50)
    os.kill(target.record("canary")["pid"], signal.SIGKILL)
    live = await target.service.heal()
    assert live.canary_revision == ""
    assert "canary does not answer" in live.drift[0]


@pytest.mark.slow
@pytest.mark.req("FAIL-7")
async def test_a_wrong_revision_that_somebody_restarted_is_seen_and_mended(target):
    """The port answers, healthily, and is not what was asked for."""
    await target.up()
    record = target.record("stable")
    os.kill(record["pid"], signal.SIGKILL)
    checkout = target.checkout(THIRD, claims=THIRD)
    await until(lambda: not detached.alive(record["pid"], record["started"]))
    wrong = begin(
        [sys.executable, "sample_service.py"],
        cwd=checkout,
        env={**os.environ, "PORT": str(record["port"])},
    )
    try:
        await until(lambda: _answers(record["port"]))
        live = await target.service.live()
        assert live.stable_revision == THIRD
        assert not live.healthy
        assert live.drift == (f"stable runs {THIRD}, asked for is {OLD}",)
        mended = await target.service.heal()
        assert (mended.stable_revision, mended.healthy) == (OLD, True)
        assert await target.traffic(5) == {OLD: 5}
    finally:
        wrong.kill()
        wrong.wait()


def _answers(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.req("FAIL-7")
async def test_without_a_version_path_the_process_itself_is_asked(make):
    """The environment of whoever listens, not our own file."""
    target = make(version_path=None)
    await target.up()
    await target.canary(50)
    live = await target.service.live()
    assert (live.stable_revision, live.canary_revision, live.healthy) == (OLD, NEW, True)
    proof = await target.service.abort("undo", NEW, OLD)
    assert (proof.serving, proof.proven) == (OLD, True)


@pytest.mark.slow
async def test_a_pid_that_was_used_again_is_left_alone(target):
    """Our record names a process by pid and start time; another process may have the pid now."""
    await target.up()
    stranger = begin(["sleep", "1000"], start_new_session=True)
    try:
        path = target.folder / "state.json"
        data = json.loads(path.read_text())
        real, data["stable"]["pid"] = data["stable"]["pid"], stranger.pid
        path.write_text(json.dumps(data))
        await target.service.heal()
        assert stranger.poll() is None
        assert real not in target.processes(), "found by its mark, and replaced"
        assert await target.traffic(5) == {OLD: 5}
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
async def test_everything_a_version_started_ends_with_it(make):
    target = make(stop_within="300ms")
    await target.up()
    await target.canary(10, with_child=True, ignores_sigterm=True)
    assert len(target.processes()) == 4
    await target.service.abort("undo", NEW, OLD)
    assert len(target.processes()) == 2


@pytest.mark.slow
async def test_children_of_a_version_that_died_end_too(target):
    await target.up()
    await target.canary(10, with_child=True)
    os.kill(target.record("canary")["pid"], signal.SIGKILL)
    await target.service.abort("undo", NEW, OLD)
    assert len(target.processes()) == 2


@pytest.mark.slow
async def test_stop_leaves_no_process_and_heal_brings_the_stable_version_back(target):
    await target.up()
    await target.canary(50)
    await target.service.stop()
    assert target.processes() == {}
    assert not _answers(target.settings.port)
    await target.service.stop()
    live = await target.service.heal()
    assert (live.stable_revision, live.canary_revision, live.healthy) == (OLD, None, True)


@pytest.mark.slow
async def test_clean_leaves_nothing(target):
    await target.up()
    await target.service.clean()
    assert target.processes() == {}
    assert not target.folder.exists()


@pytest.mark.slow
async def test_a_proxy_whose_folder_was_removed_ends_by_itself(target):
    await target.up()
    pid = target.proxy_pid()
    for path in target.folder.iterdir():
        path.unlink()
    await until(lambda: pid not in target.processes(), 20)
    for left in target.processes():
        os.kill(left, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.req("OWN-4")
async def test_two_controllers_never_change_a_target_at_once(target):
    await target.up()
    async with held(target.folder, 1.0):
        with pytest.raises(TargetLocked):
            async with held(target.folder, 0.1):
                pass


@pytest.mark.slow
@pytest.mark.req("OWN-3")
async def test_controllers_that_race_start_one_version(target):
    await target.up()
    checkout = target.checkout(NEW)
    others = [target.controller() for _ in range(4)]
    done = await asyncio.gather(*(o.start_canary(NEW, checkout, "start") for o in others))
    assert all(d == done[0] for d in done)
    assert len(target.processes()) == 3


@pytest.mark.slow
async def test_a_damaged_state_is_refused_and_traffic_goes_on(target):
    """Cut off, of a newer format, with fields missing, and no object at all."""
    await target.up()
    for damage in ("{", '{"format": 2}', '{"format": 1, "generation": 1}', "[]"):
        (target.folder / "state.json").write_text(damage)
        with pytest.raises(BadTarget, match=r"state\.json"):
            await target.service.heal()
        assert await target.traffic(5) == {OLD: 5}
    (target.folder / "state.json").unlink()


def environment_names(pid):
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return {pair.partition("=")[0] for pair in pairs}


@pytest.mark.slow
async def test_the_environment_of_the_controller_does_not_reach_a_version(target, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    await target.up()
    names = environment_names(target.record("stable")["pid"])
    assert "SECRET_TOKEN" not in names
    assert {"PORT", "SWARM_REVISION", "SWARM_TARGET", "PATH"} <= names


@pytest.mark.slow
async def test_a_log_that_grows_is_emptied(target, monkeypatch):
    await target.up()
    log = target.folder / f"{OLD}.log"
    with log.open("wb") as out:
        out.truncate(11 * 1024 * 1024)
    await target.service.live()
    assert log.stat().st_size == 0


@pytest.mark.slow
async def test_a_stable_version_whose_starter_was_killed_is_told_and_healed(target):
    """Killed between starting it and routing to it: it runs, and serves nobody."""
    await target.up()
    known = state.read(target.folder)
    state.write(target.folder, replace(known, stable=replace(known.stable, ready=False)))
    seen = await target.controller().live()
    assert not seen.healthy
    assert any("never brought to serve" in said for said in seen.drift)
    with pytest.raises(NoStable):
        await target.canary()
    healed = await target.controller().heal()
    assert (healed.healthy, healed.stable_revision) == (True, "a" * 40)
    assert await target.traffic(5) == {"a" * 40: 5}
