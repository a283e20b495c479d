"""What an agent and a check get: one exact commit, complete, knowing nothing of its origin."""

import os
import subprocess

import pytest

from swarm.adapters.local.git.checkout import HISTORY_DEPTH
from swarm.adapters.local.git.errors import CheckoutTaken, CommitUnknown

pytestmark = pytest.mark.req("LOOP-7")


def mentions(folder, text):
    found = subprocess.run(
        ["grep", "-r", "-l", "-a", "-F", "-e", text, str(folder)],
        capture_output=True,
        check=False,
        text=True,
    )
    return found.stdout


@pytest.mark.slow
async def test_a_check_gets_the_files_of_the_commit_and_nothing_else(world, repo, tmp_path):
    repo.commit({"bin/run": "#!/bin/sh\n", ".hidden/x": "x", "ü/ä b.txt": "y"})
    (repo.path / "bin/run").chmod(0o755)
    (repo.path / "link").symlink_to("app.py")
    head = repo.commit({})
    await world.forge.base(world.start())
    await world.forge.export("app", head, tmp_path / "out", with_history=False)
    out = tmp_path / "out"
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir())
    assert found == sorted(
        repo("ls-tree", "-r", "-z", "--name-only", "HEAD").rstrip("\0").split("\0")
    )
    assert os.access(out / "bin/run", os.X_OK)
    assert str((out / "link").readlink()) == "app.py"


@pytest.mark.slow
async def test_an_agent_gets_a_repository_that_knows_nothing_of_its_origin(world, repo, run_git):
    base, folder = await world.agent(world.start())
    assert run_git(folder, "status", "--porcelain") == ""
    assert run_git(folder, "remote") == ""
    assert run_git(folder, "rev-parse", "HEAD", "refs/heads/work") == f"{base}\n{base}"
    assert not (folder / ".git/objects/info/alternates").exists()
    assert not list((folder / ".git").rglob("FETCH_HEAD"))
    assert mentions(folder, str(world.data)) == mentions(folder, str(repo.path)) == ""
    assert run_git(folder, "log", "--format=%s") == "work"


@pytest.mark.slow
async def test_an_agent_may_commit_without_any_setting(world, run_git):
    _, folder = await world.agent(world.start())
    (folder / "b.py").write_text("B = 1\n")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-q", "-m", "agent")


@pytest.mark.slow
async def test_history_is_cut_where_it_stops_being_useful(world, repo, run_git):
    for number in range(HISTORY_DEPTH + 5):
        repo("commit", "-q", "--allow-empty", "-m", str(number))
    _, folder = await world.agent(world.start())
    assert run_git(folder, "rev-list", "--count", "HEAD") == str(HISTORY_DEPTH)


@pytest.mark.slow
async def test_an_agent_cannot_harm_the_private_clone_through_its_own(world, run_git):
    """No shared objects: damage in the agent's folder stays there."""
    _, folder = await world.agent(world.start())
    for path in (folder / ".git/objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"garbage")
    run_git(world.clone, "fsck", "--full")


async def test_a_folder_that_is_not_empty_is_never_mixed_with(world, tmp_path):
    base = await world.forge.base(world.start())
    (tmp_path / "out").mkdir()
    await world.forge.export("app", base, tmp_path / "out", with_history=False)
    with pytest.raises(CheckoutTaken):
        await world.forge.export("app", base, tmp_path / "out", with_history=False)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(CheckoutTaken):
        await world.forge.export("app", base, tmp_path / "link", with_history=True)


async def test_an_unknown_commit_leaves_no_folder_behind(world, tmp_path):
    await world.forge.base(world.start())
    before = sorted(tmp_path.iterdir())
    for bad in ("0" * 40, "HEAD", "--help"):
        with pytest.raises(CommitUnknown):
            await world.forge.export("app", bad, tmp_path / "out", with_history=True)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
async def test_a_checkout_of_another_missions_unlanded_change_works(world, tmp_path):
    """Checks run on exact commits that main does not have yet."""
    change = (await world.change({"b.py": "B = 1\n"})).change
    await world.forge.export("app", change.head, tmp_path / "out", with_history=True)
    assert (tmp_path / "out/b.py").read_text() == "B = 1\n"


@pytest.mark.req("GATE-3")
async def test_writing_through_a_link_of_the_base_is_impossible(world, repo, tmp_path):
    """A commit may hold a link and, elsewhere in history, a folder of that name."""
    (repo.path / "out").symlink_to(tmp_path)
    head = repo.commit({})
    await world.forge.base(world.start())
    await world.forge.export("app", head, tmp_path / "checkout", with_history=False)
    assert (tmp_path / "checkout/out").is_symlink()
