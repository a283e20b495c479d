"""kill -9 of controllers and of their git children, at any moment; then counted in git itself."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [pytest.mark.req("OWN-3"), pytest.mark.req("LOOP-8"), pytest.mark.slow]

KEYS = ("Mission", "Reverts")
HERE = str(Path(__file__).parent)

# One controller: takes six changes of its own, lands each (put on top when main moved) and
# reverts every second one. What it knows is kept in a file, as the store keeps evidence; it may be
# killed between any effect and the note of it, so every step may be repeated.
CONTROLLER = """
import asyncio, os, pathlib, pickle, sys, types
sys.path.insert(0, sys.argv[1])
from conftest import NOON, World
from swarm.ports.reply import Done, Later

async def settled(call):
    while isinstance(reply := await call(), Later):
        await asyncio.sleep(0.05)
    assert isinstance(reply, Done), reply
    return reply.fact

def kept(path):
    return pickle.loads(path.read_bytes()) if path.exists() else None

def keep(path, value):
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(pickle.dumps(value))
    fresh.replace(path)
    return value

async def main():
    tmp, names = pathlib.Path(sys.argv[2]), sys.argv[3:]
    world = World(tmp, types.SimpleNamespace(path=tmp / "user"))
    for name in names:
        mission = f"m-{name}"
        world.mission = mission
        order = world.start()
        folder = tmp / f"agent-{name}"
        base = kept(tmp / f"base-{name}") or keep(
            tmp / f"base-{name}", await world.forge.base(order)
        )
        if not folder.exists():
            await world.forge.export("app", base, folder, with_history=True)
        (folder / f"{name}.py").write_text(f"X = {name!r}\\n")
        taken = await world.forge.take_change(order, folder, base=base, at=NOON)
        assert taken.change, [str(violation) for violation in taken.violations]
        change = kept(tmp / f"change-{name}") or taken.change
        while True:
            fact = await settled(lambda: world.forge.land(world.land(change, mission=mission)))
            if fact.landed:
                break
            fact = await settled(lambda: world.forge.restage(world.restage(change, fact.main)))
            assert fact.change, fact.detail
            change = keep(tmp / f"change-{name}", fact.change)
        if name.endswith(("1", "3", "5")):
            await settled(lambda: world.forge.revert(world.revert(change.head)))
asyncio.run(main())
"""


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[1]) == pid:
                found += [int(entry.name), *children_of(int(entry.name))]
    return found


def kill(process: subprocess.Popen, *, with_children: bool) -> None:
    victims = children_of(process.pid) if with_children else []
    for pid in (process.pid, *victims):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


@pytest.mark.timeout(300)
def test_two_killed_controllers_leave_each_effect_exactly_once(make_repo, tmp_path, run_git):
    repo = make_repo("user")
    repo.commit({"app.py": "A = 1\n"})
    draw = random.Random(7)
    alone, *teams = ([f"{team}{number}" for number in range(6)] for team in "cab")

    def start(team):
        return subprocess.Popen(
            [sys.executable, "-c", CONTROLLER, HERE, str(tmp_path), *team],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    began = time.monotonic()
    assert start(alone).wait(60) == 0
    took = time.monotonic() - began
    running, kills = {team[0]: start(team) for team in teams}, 0
    waiting = {team[0]: team for team in teams}
    while waiting:
        name = draw.choice(list(waiting))
        try:
            # At most half of what one takes who is left alone: no machine ends before it is killed.
            code = running[name].wait(draw.uniform(0, took / 2) if kills < 30 else None)
        except subprocess.TimeoutExpired:
            kill(running[name], with_children=draw.random() < 0.6)
            kills += 1
            running[name] = start(waiting[name])
        else:
            assert code == 0, running[name].stderr.read()[-2000:]
            del waiting[name]
    assert kills >= 5

    clone = tmp_path / "data" / "app.git"
    fields = (f"%(trailers:key=Swarm-{key},valueonly,separator=%x20)" for key in KEYS)
    subjects = run_git(clone, "log", f"--format={'|'.join(fields)}", "main")
    rows = [line.split("|") for line in subjects.splitlines() if line != "|"]
    landed = Counter(mission for mission, undone in rows if not undone)
    undone = Counter(mission for mission, undone in rows if undone)
    everybody = [name for team in (alone, *teams) for name in team]
    reverted = [name for name in everybody if name[-1] in "135"]
    assert landed == {f"m-{name}": 1 for name in everybody}
    assert undone == {f"m-{name}": 1 for name in reverted}
    names = run_git(clone, "ls-tree", "--name-only", "main").split()
    assert set(names) == {"app.py"} | {f"{name}.py" for name in {*everybody} - {*reverted}}
    assert run_git(clone, "rev-list", "--merges", "main") == ""
    run_git(clone, "fsck", "--full", "--strict")
    assert repo("for-each-ref", "--format=%(refname)") == "refs/heads/main"


async def test_a_controller_killed_while_git_moves_main_is_repeated_in_an_instant(world, run_git):
    """The orphaned git child holds the lock until it is done, so nobody sees half a move."""
    change = (await world.change({"b.py": "B = 1\n"})).change
    clone = world.forge.clone("app")
    slow = world.tmp / "bin"
    slow.mkdir()
    (slow / "git").write_text(
        f'#!/bin/sh\ncase "$*" in update-ref*) sleep 1.5;; esac\nexec {shutil.which("git")} "$@"\n'
    )
    (slow / "git").chmod(0o755)
    script = f"""
import asyncio, sys, types, pathlib
sys.path.insert(0, {HERE!r})
from conftest import World
from swarm.core.nouns import Change
repo = types.SimpleNamespace(path=pathlib.Path({str(world.repo.path)!r}))
world = World(pathlib.Path({str(world.tmp)!r}), repo)
change = types.SimpleNamespace(head={change.head!r}, base={change.base!r})
asyncio.run(world.forge.land(world.land(change)))
"""
    victim = started(script, PATH=f"{slow}:{os.environ['PATH']}")
    while not any("update-ref" in _command(pid) for pid in children_of(victim.pid)):
        assert victim.poll() is None
        await asyncio.sleep(0.02)
    kill(victim, with_children=False)
    assert run_git(clone.folder, "rev-parse", "main") == change.base
    begun = time.monotonic()
    reply = await world.forge.land(world.land(change))
    assert reply.fact.landed
    assert time.monotonic() - begun > 0.5, "it did not wait for the orphan"
    assert run_git(clone.folder, "rev-parse", "main") == change.head


def started(script, **env):
    return subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **env})


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
