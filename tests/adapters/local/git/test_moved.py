"""A repository under another path or name, and what its user does to it while we work."""

import pytest

from swarm.adapters.local.git.clone import PrivateClone
from swarm.adapters.local.git.errors import CloneForeign, RepositoryPartial
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.ports.reply import Done, Later

pytestmark = pytest.mark.req("LOOP-8")


async def land(world, files, mission="m-a"):
    change = (await world.change(files, mission=mission)).change
    reply = await world.forge.land(world.land(change, mission=mission))
    assert isinstance(reply, Done)
    assert reply.fact.landed, reply
    return change.head


def bound_to(world, path, **settings):
    return PrivateClone("app", RepositorySettings(path=path, **settings), world.data)


async def test_a_repository_that_was_moved_keeps_what_landed(world, repo, tmp_path):
    """To remove the clone, as a foreign one asks for, would lose what nobody has pulled."""
    ours = await land(world, {"b.py": "B = 1\n"})
    elsewhere = repo.path.rename(tmp_path / "elsewhere")
    assert await bound_to(world, elsewhere).follow() == ours
    assert await bound_to(world, elsewhere).follow() == ours, "it is known by its new path now"


async def test_what_was_written_to_the_old_folder_meanwhile_is_no_repository(world, repo, tmp_path):
    """A controller that worked during the move writes its next seal to where it was."""
    ours = await land(world, {"b.py": "B = 1\n"})
    before = repo.path
    elsewhere = before.rename(tmp_path / "elsewhere")
    (before / ".swarm" / "seals").mkdir(parents=True)
    assert await bound_to(world, elsewhere).follow() == ours


async def test_two_paths_to_one_repository_are_one(world, repo, tmp_path):
    await world.forge.clone("app").open()
    (tmp_path / "link").symlink_to(repo.path)
    clone = bound_to(world, tmp_path / "link")
    assert await clone.follow() == repo("rev-parse", "main")


@pytest.mark.slow
async def test_another_clone_of_it_is_another_repository_while_the_first_is_there(
    world, repo, tmp_path, run_git
):
    await world.forge.clone("app").open()
    run_git(tmp_path, "clone", "-q", str(repo.path), "other")
    with pytest.raises(CloneForeign):
        await bound_to(world, tmp_path / "other").open()


async def test_what_never_had_our_main_does_not_take_a_moved_ones_place(
    world, repo, make_repo, tmp_path
):
    await world.forge.clone("app").open()
    repo.path.rename(tmp_path / "gone")
    other = make_repo("other")
    other.commit({"a": "a"})
    with pytest.raises(CloneForeign):
        await bound_to(world, other.path).open()


async def test_a_branch_that_was_renamed_keeps_what_landed(world, repo, run_git):
    ours = await land(world, {"b.py": "B = 1\n"})
    repo("branch", "-m", "main", "trunk")
    reply = await world.forge.main(world.see())
    assert isinstance(reply, Later)
    assert "name the one to protect as `branch`" in reply.detail
    theirs = repo.commit({"c.py": "C = 1\n"})
    joined = await bound_to(world, repo.path, branch="trunk").follow()
    assert run_git(world.clone, "rev-parse", "trunk^1", "trunk^2").split() == [ours, theirs]
    assert await bound_to(world, repo.path).follow() == joined, "HEAD went along"


async def test_another_branch_begins_where_the_user_has_it(world, repo, run_git):
    """Nobody renamed anything: what landed on main has no business on a branch beside it."""
    release = repo("rev-parse", "main")
    repo("branch", "release")
    ours = await land(world, {"b.py": "B = 1\n"})
    assert await bound_to(world, repo.path, branch="release").follow() == release
    assert run_git(world.clone, "rev-parse", "main") == ours


async def test_a_partial_clone_is_told_how_to_become_a_whole_one(world, repo, tmp_path, run_git):
    repo("config", "uploadpack.allowFilter", "true")
    repo.commit({"app.py": "A = 2\n"})
    where = f"file://{repo.path}"
    run_git(tmp_path, "clone", "-q", "--filter=blob:none", where, "part")
    part = tmp_path / "part"
    with pytest.raises(RepositoryPartial, match="is a partial clone") as error:
        await bound_to(world, part).follow()
    run_git(part, "config", "--unset", "remote.origin.partialclonefilter")
    run_git(part, "fetch", "-q", "--refetch", "--no-filter")
    assert "remote.origin.partialclonefilter" in error.value.fix
    assert "fetch --refetch --no-filter" in error.value.fix
    assert await bound_to(world, part).follow() == repo("rev-parse", "main")


@pytest.mark.slow
async def test_a_pushed_branch_that_its_user_looks_at_is_named(repo, make_world):
    world = make_world(repo, push="branch")
    one = (await world.change({"b.py": "B = 1\n"})).change
    repo.commit({"c.py": "C = 1\n"})
    onto = await world.forge.clone("app").follow()
    repo("checkout", "-q", one.branch)
    reply = await world.forge.restage(world.restage(one, onto))
    assert isinstance(reply, Later)
    assert reply.reason == "PushRefused"
    assert "is checked out" in reply.detail
    repo("checkout", "-q", "main")
    reply = await world.forge.restage(world.restage(one, onto))
    assert repo("rev-parse", one.branch) == reply.fact.change.head
