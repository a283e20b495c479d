"""Every kind of repository that a user may have: each works, or is told why not."""

import os
import subprocess

import pytest

from swarm.adapters.local.git.clone import PrivateClone
from swarm.adapters.local.git.errors import (
    BranchNameTaken,
    HeadDetached,
    MainUnborn,
    RepositoryUnreadable,
)
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.ports.reply import Done, Later

pytestmark = pytest.mark.req("LOOP-8")


def program(*argv, cwd):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        argv, check=True, capture_output=True, text=True, cwd=cwd, env=env
    ).stdout.strip()


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


async def test_a_detached_head_needs_a_branch_to_be_named(repo, make_world):
    repo("checkout", "-q", "--detach")
    with pytest.raises(HeadDetached, match="`branch` is not set"):
        await make_world(repo).forge.clone("app").open()
    named = make_world(repo, branch="main")
    assert await seen(named) == repo("rev-parse", "main")


async def test_a_repository_without_commits_waits_for_the_first(make_repo, make_world):
    repo = make_repo("empty")
    world = make_world(repo)
    reply = await world.forge.main(world.see())
    assert isinstance(reply, Later)
    assert reply.reason == "MainUnborn"
    first = repo.commit({"a.py": "A = 1\n"})
    assert await seen(world) == first


async def test_a_branch_that_does_not_exist_is_named(repo, make_world):
    with pytest.raises(MainUnborn, match="'relese'"):
        await make_world(repo, branch="relese").forge.clone("app").open()


@pytest.mark.slow
async def test_a_commit_of_the_year_55840_is_followed_and_undone_on(repo, make_world, monkeypatch):
    """Its tool took milliseconds for seconds."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "@1700000000000 +0000")
    repo.commit({"a.py": "A = 1\n"})
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    world = make_world(repo)
    ours = await land(world, {"b.py": "B = 1\n"})
    repo.commit({"c.py": "C = 1\n"})
    await seen(world)
    assert (await world.forge.revert(world.revert(ours))).fact.reverted


@pytest.mark.parametrize("branch", ["swarm", "swarm/main"])
async def test_our_own_branch_names_cannot_be_protected(repo, make_world, branch):
    repo("branch", branch)
    with pytest.raises(BranchNameTaken):
        await make_world(repo, branch=branch).forge.clone("app").open()


@pytest.mark.slow
async def test_a_shallow_repository_is_followed(repo, make_world, tmp_path, run_git):
    repo.commit({"b.py": "B = 1\n"})
    repo.commit({"c.py": "C = 1\n"})
    shallow = tmp_path / "shallow"
    run_git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo.path}", str(shallow))
    world = make_world(type("R", (), {"path": shallow}))
    await land(world, {"d.py": "D = 1\n"})
    run_git(shallow, "fetch", "-q", "--deepen=1")
    ann = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    run_git(shallow, *ann, "commit", "-q", "--allow-empty", "-m", "his")
    theirs = run_git(shallow, "rev-parse", "HEAD")
    reply = await world.forge.main(world.see())
    assert run_git(world.clone, "rev-parse", f"{reply.fact.commit}^2") == theirs


@pytest.mark.slow
async def test_a_sha256_repository_is_followed(make_repo, make_world):
    repo = make_repo("long", "--object-format=sha256")
    repo.commit({"a.py": "A = 1\n", "b.py": "B = 1\n"})
    world = make_world(repo)
    head = await land(world, {"a.py": "A = 2\n"})
    assert len(head) == 64
    reply = await world.forge.revert(world.revert(head))
    assert reply.fact.reverted


@pytest.mark.slow
async def test_a_linked_worktree_and_a_bare_repository_are_read(
    repo, make_world, tmp_path, run_git
):
    repo("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    assert await seen(make_world(type("R", (), {"path": tmp_path / "linked"}))) == repo(
        "rev-parse", "side"
    )
    run_git(tmp_path, "clone", "-q", "--bare", str(repo.path), "bare.git")
    settings = RepositorySettings(path=tmp_path / "bare.git")
    assert await PrivateClone("bare", settings, tmp_path / "data").follow() == repo(
        "rev-parse", "main"
    )


async def test_what_is_no_repository_is_said(tmp_path):
    for path, word in ((tmp_path / "nowhere", "no folder"), (tmp_path, "not appear to be a git")):
        clone = PrivateClone("x", RepositorySettings(path=path), tmp_path / "data")
        with pytest.raises(RepositoryUnreadable, match=word):
            await clone.open()
    assert not list((tmp_path / "data").glob("*")) if (tmp_path / "data").exists() else True


@pytest.mark.fast("proompteng/lab", "..")
@pytest.mark.parametrize("name", ["proompteng/lab", "..", ".hidden", "a" * 300, "ä b"])
async def test_any_name_gets_a_folder_of_its_own_inside_the_data_folder(repo, tmp_path, name):
    clone = PrivateClone(name, RepositorySettings(path=repo.path), tmp_path / "data")
    await clone.open()
    assert clone.folder.parent == tmp_path / "data"
    assert clone.folder.is_dir()


@pytest.mark.slow
async def test_submodules_stay_untouched_and_empty(repo, make_repo, make_world, run_git):
    library = make_repo("library")
    library.commit({"l.py": "L = 1\n"})
    repo("submodule", "add", "-q", str(library.path), "vendored")
    repo("commit", "-q", "-m", "submodule")
    world = make_world(repo)
    order = world.start()
    base, folder = await world.agent(order)
    assert list((folder / "vendored").iterdir()) == []
    (folder / "b.py").write_text("B = 1\n")
    change = (await world.forge.take_change(order, folder, base=base, at=world.forge._now())).change
    assert change.paths == ("b.py",)
    assert run_git(world.clone, "ls-tree", change.head, "vendored").startswith("160000 commit")
    for act, name in (
        (lambda f: (f / "vendored/x").write_text("x"), "Submodule: vendored"),
        (
            lambda f: (f / "vendored").rmdir() or (f / "vendored").write_text("x"),
            "Submodule: vendored",
        ),
    ):
        order = world.start(mission="m-x")
        base, folder = await world.agent(order)
        act(folder)
        result = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
        assert any(name in str(v) or "filled submodule" in str(v) for v in result.violations)


@pytest.mark.slow
async def test_attributes_filters_and_large_file_pointers_do_nothing(repo, make_world, tmp_path):
    """Files are byte for byte what the commit holds, on the way out and on the way in."""
    mark = tmp_path / "ran"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    raw = b"one\r\ntwo\n$Id$\n"
    repo.commit(
        {
            ".gitattributes": "*.big filter=lfs\n*.crlf text eol=crlf\n*.id ident\n"
            "*.u16 text working-tree-encoding=UTF-16\n",
        }
    )
    contents = {"a.crlf": raw, "a.id": raw, "a.u16": b"plain\n", "a.big": pointer.encode()}
    for name, data in contents.items():
        (repo.path / name).write_bytes(data)
        blob = program("git", "hash-object", "-w", "--no-filters", name, cwd=repo.path)
        repo("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    repo("commit", "-q", "-m", "raw")
    repo("config", "filter.lfs.smudge", f"touch '{mark}'; cat")
    world = make_world(repo)
    for history in (True, False):
        order = world.start(mission=f"m-{history}")
        base, folder = await world.agent(order, history=history)
        assert (folder / "a.crlf").read_bytes() == raw
        assert (folder / "a.id").read_bytes() == raw
        assert (folder / "a.u16").read_bytes() == b"plain\n"
        assert (folder / "a.big").read_text() == pointer
        result = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
        assert (result.change, result.violations) == (None, ())
    assert not mark.exists()
