"""The private clone and its rule for following the user's branch, on every kind of repository."""

import asyncio
import os
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.git import plumbing
from swarm.adapters.local.git.clone import ADOPTED, PrivateClone
from swarm.adapters.local.git.errors import (
    CloneForeign,
    GitMissing,
    GitTimedOut,
    GitTooOld,
    OutputTooLarge,
)
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.ports.reply import Done, Later

pytestmark = pytest.mark.req("LOOP-8")


def program(*argv, cwd):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        argv, check=True, capture_output=True, text=True, cwd=cwd, env=env
    ).stdout.strip()


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def seen(world):
    reply = await world.forge.main(world.see())
    assert isinstance(reply, Done), reply
    return reply.fact.commit


async def land(world, files, mission="m-a"):
    change = (await world.change(files, mission=mission)).change
    reply = await world.forge.land(world.land(change, mission=mission))
    assert isinstance(reply, Done)
    assert reply.fact.landed, reply
    return change.head


async def test_main_begins_where_the_users_branch_stands(world, repo):
    assert await seen(world) == repo("rev-parse", "HEAD")


@pytest.mark.slow
async def test_main_follows_the_user_while_nothing_of_ours_is_on_it(world, repo):
    await seen(world)
    new = repo.commit({"b.py": "B = 1\n"})
    assert await seen(world) == new
    repo("reset", "-q", "--hard", "HEAD~1")
    rewritten = repo.commit({"c.py": "C = 1\n"})
    assert await seen(world) == rewritten, "a rewritten history loses nothing of ours"


@pytest.mark.slow
async def test_main_stays_ahead_until_the_user_pulls(world, repo):
    ours = await land(world, {"b.py": "B = 1\n"})
    assert await seen(world) == ours
    repo("pull", "-q", str(world.clone), "main")
    assert repo("rev-parse", "HEAD") == ours
    theirs = repo.commit({"c.py": "C = 1\n"})
    assert await seen(world) == theirs


@pytest.mark.slow
async def test_when_both_moved_main_joins_them_and_the_user_only_has_to_move_forward(world, repo):
    """A person who works in his repository by day is the ordinary case, and stops nobody."""
    ours = await land(world, {"b.py": "B = 1\n"})
    theirs = repo.commit({"c.py": "C = 1\n"})
    joined = await seen(world)
    assert repo("rev-parse", "HEAD") == theirs, "his branch is untouched"
    assert await seen(world) == joined, "and joined once"
    repo("pull", "-q", "--ff-only", str(world.clone), "main")
    assert repo("rev-parse", "HEAD", "HEAD^1", "HEAD^2").split() == [joined, ours, theirs]
    assert {"b.py", "c.py"} <= set(repo("ls-tree", "--name-only", "HEAD").split())
    after = repo.commit({"d.py": "D = 1\n"})
    assert await seen(world) == after


@pytest.mark.slow
async def test_who_is_killed_while_main_joins_joins_nothing_twice(world, repo, run_git):
    """The record of what was taken over is written behind main; any process may go on."""
    await land(world, {"b.py": "B = 1\n"})
    before = run_git(world.clone, "rev-parse", ADOPTED)
    theirs = repo.commit({"c.py": "C = 1\n"})
    joined = await seen(world)
    run_git(world.clone, "update-ref", ADOPTED, before)
    assert await seen(world) == joined
    assert run_git(world.clone, "rev-parse", ADOPTED) == theirs
    run_git(world.clone, "update-ref", ADOPTED, before)
    run_git(world.clone, "update-ref", "refs/heads/main", f"{joined}^1")
    assert await seen(world) == joined, "the same two give the same commit"


@pytest.mark.slow
async def test_what_waits_to_land_is_put_on_top_of_what_was_joined(world, repo):
    """Else what lands would not be what was tested."""
    await land(world, {"b.py": "B = 1\n"})
    pending = (await world.change({"d.py": "D = 1\n"}, mission="m-b")).change
    repo.commit({"c.py": "C = 1\n"})
    reply = await world.forge.land(world.land(pending, mission="m-b"))
    assert not reply.fact.landed
    assert reply.fact.main == await seen(world)


@pytest.mark.slow
async def test_where_they_conflict_it_waits_and_gives_the_command_that_mends_it(world, repo):
    ours = await land(world, {"app.py": "A = 2\n"})
    repo.commit({"app.py": "A = 3\n"})
    reply = await world.forge.main(world.see())
    assert isinstance(reply, Later)
    assert (reply.reason, reply.capacity) == ("MainDiverged", True)
    assert "they conflict" in reply.detail
    command = f"git pull --no-rebase {shlex.quote(str(world.clone))} main"
    assert command in reply.detail
    with pytest.raises(subprocess.CalledProcessError):
        program("sh", "-c", command, cwd=repo.path)
    merged = repo.commit({"app.py": "A = 23\n"})
    assert await seen(world) == merged
    assert ours in repo("log", "--format=%H")


@pytest.mark.slow
async def test_what_the_user_took_out_of_his_history_is_not_brought_back(world, repo, run_git):
    repo.commit({"secret.txt": "hunter2\n"})
    ours = await land(world, {"b.py": "B = 1\n"})
    repo("reset", "-q", "--hard", "HEAD~1")
    repo.commit({"c.py": "C = 1\n"})
    reply = await world.forge.main(world.see())
    assert isinstance(reply, Later)
    assert reply.reason == "MainDiverged"
    assert "his history was rewritten" in reply.detail
    assert run_git(world.clone, "rev-parse", "main") == ours


@pytest.mark.slow
async def test_landing_waits_too_but_a_revert_goes_on(world, repo, run_git):
    """Reverting is protection; it must not wait for a person."""
    ours = await land(world, {"app.py": "A = 2\n"})
    pending = (await world.change({"d.py": "D = 1\n"}, mission="m-b")).change
    repo.commit({"app.py": "A = 3\n"})
    reply = await world.forge.land(world.land(pending, mission="m-b"))
    assert isinstance(reply, Later)
    assert reply.reason == "MainDiverged"
    assert run_git(world.clone, "rev-parse", "main") == ours
    assert (await world.forge.revert(world.revert(ours))).fact.reverted


@pytest.mark.slow
async def test_a_user_commit_between_check_and_land_is_a_moved_main(world, repo):
    """Else what lands would not be what was tested, or the two histories would fork."""
    change = (await world.change({"b.py": "B = 1\n"})).change
    theirs = repo.commit({"c.py": "C = 1\n"})
    reply = await world.forge.land(world.land(change))
    assert (reply.fact.landed, reply.fact.main) == (False, theirs)


@pytest.mark.slow
async def test_the_working_copy_and_the_remote_are_never_touched(make_repo, make_world):
    remote = make_repo("remote", "--bare")
    repo = make_repo("user")
    repo.commit({"a.py": "A = 1\n"})
    repo("remote", "add", "origin", str(remote.path))
    repo("push", "-q", "-u", "origin", "main")
    (repo.path / "a.py").write_text("A = 2  # not committed\n")
    (repo.path / "new.txt").write_text("untracked\n")
    repo("add", "new.txt")

    def state():
        files = sorted(
            (str(path), path.stat().st_mtime_ns, path.read_bytes())
            for path in repo.path.rglob("*")
            if path.is_file()
        )
        return (
            files,
            repo("--no-optional-locks", "status", "--porcelain"),
            remote("for-each-ref"),
            repo("for-each-ref"),
        )

    repo("status")
    before = state()
    world = make_world(repo)
    head = await land(world, {"b.py": "B = 1\n"})
    await world.forge.revert(world.revert(head))
    assert state() == before


@pytest.mark.slow
async def test_the_users_hooks_never_run(repo, make_world, tmp_path):
    mark = tmp_path / "ran"
    for hook in ("reference-transaction", "pre-receive", "post-update", "update", "post-checkout",
                 "pre-push", "post-receive", "pre-commit", "post-merge"):  # fmt: skip
        file = repo.path / ".husky" / hook
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\necho {hook} >> '{mark}'\n")
        file.chmod(0o755)
    repo("config", "core.hooksPath", str(repo.path / ".husky"))
    world = make_world(repo, push="branch")
    await land(world, {"b.py": "B = 1\n"})
    assert not mark.exists()
    assert "swarm/m-a" in repo("branch", "--list", "swarm/*")


@pytest.mark.slow
async def test_user_and_system_settings_of_git_do_not_reach_us(world, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[commit]\n\tgpgSign = true\n[core]\n\tautocrlf = true\n\thooksPath = /tmp/x\n"
        '[url "file:///nowhere/"]\n\tinsteadOf = /\n[user]\n\tname = Somebody\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'commit.gpgsign=true'")
    head = await land(world, {"b.py": "B = 1\r\n"})
    said = await world.forge.clone("app").git.run("log", "-1", "--format=%an %ae|%cn", head)
    assert said.text == "Swarm swarm@localhost|Swarm"
    blob = await world.forge.clone("app").git.run("cat-file", "-p", f"{head}:b.py")
    assert blob.out == b"B = 1\r\n"


async def test_a_checkout_of_another_branch_later_does_not_move_what_is_protected(world, repo):
    main = await seen(world)
    repo("checkout", "-q", "-b", "feature")
    repo.commit({"f.py": "F = 1\n"})
    again = PrivateClone("app", world.settings, world.data)
    assert await again.follow() == main


async def test_a_name_bound_to_another_repository_is_refused(world, make_repo):
    await seen(world)
    other = make_repo("other")
    other.commit({"a": "a"})
    clone = PrivateClone("app", RepositorySettings(path=other.path), world.data)
    with pytest.raises(CloneForeign, match="was made from"):
        await clone.open()


@pytest.mark.slow
async def test_a_branch_is_shown_in_the_users_repository_only_when_asked(repo, make_world):
    world = make_world(repo)
    await world.change({"b.py": "B = 1\n"})
    assert repo("for-each-ref", "refs/heads/swarm") == ""


@pytest.mark.slow
async def test_a_pushed_branch_follows_and_never_overwrites_a_persons_work(repo, make_world):
    world = make_world(repo, push="branch")
    one = (await world.change({"b.py": "B = 1\n"})).change
    assert repo("rev-parse", one.branch) == one.head
    two = (await world.change({"b.py": "B = 2\n"}, attempt=1)).change
    assert repo("rev-parse", two.branch) == two.head
    repo("checkout", "-q", one.branch)
    theirs = repo.commit({"z.py": "Z = 1\n"})
    repo("checkout", "-q", "main")
    onto = repo.commit({"y.py": "Y = 1\n"})
    await seen(world)
    reply = await world.forge.restage(world.restage(two, onto))
    assert isinstance(reply, Later)
    assert reply.reason == "PushRefused"
    assert repo("rev-parse", one.branch) == theirs


async def test_a_missing_and_an_old_git_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMissing):
        await plumbing.require_git()
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.30.2\n")
    old.chmod(0o755)
    with pytest.raises(GitTooOld, match=r"2\.30\.2"):
        await plumbing.require_git()


@pytest.mark.slow
async def test_a_call_that_hangs_is_stopped_with_its_children(tmp_path):
    slow = tmp_path / "git"
    slow.write_text(f"#!/bin/sh\nsleep 1000 & echo $! > '{tmp_path}/pid'; wait\n")
    slow.chmod(0o755)
    with pytest.raises(GitTimedOut):
        await plumbing.Git(program=str(slow), timeout=timedelta(seconds=1)).run("version")
    await asyncio.sleep(0.2)
    assert not lives(int((tmp_path / "pid").read_text()))


async def test_output_beyond_the_limit_is_not_kept(world):
    await seen(world)
    with pytest.raises(OutputTooLarge):
        await world.forge.clone("app").git.run("rev-list", "--all", "--objects", limit=10)


@pytest.mark.slow
async def test_eight_processes_make_one_clone(repo, tmp_path):
    script = f"""
import asyncio, pathlib
from swarm.adapters.local.git.clone import ADOPTED, PrivateClone
from swarm.adapters.local.git.settings import RepositorySettings
settings = RepositorySettings(path={str(repo.path)!r})
clone = PrivateClone("app", settings, pathlib.Path({str(tmp_path / "data")!r}))
print(asyncio.run(clone.follow()))
"""
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    said = {(await one.communicate())[0].decode().strip() for one in running}
    assert said == {repo("rev-parse", "main")}
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["app.git", "app.lock"]


@pytest.mark.slow
async def test_a_lock_file_that_a_killed_git_left_is_removed(world, run_git):
    head = await seen(world)
    change = (await world.change({"b.py": "B = 1\n"})).change
    for name in ("refs/heads/main.lock", "packed-refs.lock"):
        stale = world.clone / name
        stale.touch()
        os.utime(stale, (1, 1))
    assert (await world.forge.land(world.land(change))).fact.landed
    assert run_git(world.clone, "rev-parse", "main^") == head


@pytest.mark.parametrize("left", ["packed-refs.new", "objects/info/commit-graph.lock"])
async def test_what_a_killed_tidying_left_does_not_end_tidying_for_good(world, run_git, left):
    """Git makes these files only where they are not: one that lies there fails every later call."""
    await seen(world)
    for number in range(500):  # git guesses from one of 256 folders how many objects there are
        (world.tmp / f"blob-{number}").write_text(str(number))
    names = [str(world.tmp / f"blob-{number}") for number in range(500)]
    run_git(world.clone, "hash-object", "-w", *names)
    stale = world.clone / left
    stale.parent.mkdir(exist_ok=True)
    stale.touch()
    os.utime(stale, (1, 1))
    await world.forge.clone("app").tidy(loose=1)
    assert list(world.clone.glob("objects/pack/*.pack"))
    assert not stale.exists()


@pytest.mark.slow
async def test_tidying_packs_everything_and_loses_nothing(world, run_git):
    kept = [
        (await world.change({f"f{n}.py": f"F = {n}\n"}, mission=f"m-{n}")).change for n in range(3)
    ]
    # git guesses from one of 256 folders how many objects there are; fill it.
    for number in range(2000):
        (world.tmp / f"blob-{number}").write_text(str(number))
    names = (str(world.tmp / f"blob-{number}") for number in range(2000))
    run_git(world.clone, "hash-object", "-w", *names)
    refs = run_git(world.clone, "for-each-ref")
    (world.clone / "gc.pid.lock").touch()
    os.utime(world.clone / "gc.pid.lock", (1, 1))
    await world.forge.clone("app").tidy(loose=1)
    assert run_git(world.clone, "for-each-ref") == refs
    assert len(list((world.clone / "objects/pack").glob("*.pack"))) == 1
    reply = await world.forge.land(world.land(kept[1], mission="m-1"))
    assert reply.fact.landed
    run_git(world.clone, "fsck", "--full")


async def test_what_a_killed_process_left_is_swept_away_later(world):
    left, fresh = world.data / "app.git/.scratch-old", world.data / "app.git/.scratch-new"
    await seen(world)
    for folder in (left, fresh):
        folder.mkdir()
        (folder / "x").write_text("x")
    os.utime(left, (1, 1))
    again = PrivateClone("app", world.settings, world.data)
    await again.open()
    assert not left.exists()
    assert fresh.exists(), "somebody may be using it"
