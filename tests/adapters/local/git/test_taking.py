"""One run is taken once; attempts of one mission make one commit on one base."""

import pytest

from swarm.adapters.local.git.errors import FolderUnreadable

pytestmark = pytest.mark.req("OWN-3")


@pytest.mark.slow
async def test_a_taken_run_is_taken_once_whatever_its_folder_holds_later(world):
    order = world.start()
    base, folder = await world.agent(order)
    (folder / "a.md").write_text("# B\n")
    one = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    (folder / "a.md").write_text("# C\n")
    two = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    assert one == two


@pytest.mark.slow
async def test_a_fix_attempt_makes_one_commit_on_the_same_base(world, run_git):
    first = (await world.change({"a.md": "# B\n"})).change
    fix = await world.change({"b.md": "more\n"}, attempt=1, base=first.head, onto=first.base)
    assert fix.change.base == first.base
    assert fix.change.paths == ("a.md", "b.md")
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == fix.change.head
    assert run_git(world.clone, "rev-parse", f"{fix.change.head}^") == first.base


@pytest.mark.slow
async def test_a_fix_attempt_that_changes_nothing_produced_nothing(world):
    first = (await world.change({"a.md": "# B\n"})).change
    fix = await world.change({}, attempt=1, base=first.head, onto=first.base)
    assert (fix.change, fix.violations) == (None, ())


@pytest.mark.slow
async def test_a_late_earlier_attempt_does_not_take_the_branch_back(world, run_git):
    late = world.start(attempt=1)
    base, folder = await world.agent(late)
    (folder / "a.md").write_text("# late\n")
    newer = (await world.change({"a.md": "# newer\n"}, attempt=2)).change
    await world.forge.take_change(late, folder, base=base, at=world.forge._now())
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == newer.head


@pytest.mark.slow
async def test_a_run_that_crashed_before_its_branch_was_shown_shows_it_when_repeated(
    world, run_git
):
    order = world.start()
    base, folder = await world.agent(order)
    (folder / "a.md").write_text("# B\n")
    now = world.forge._now()
    change = (await world.forge.take_change(order, folder, base=base, at=now)).change
    run_git(world.clone, "update-ref", "-d", "refs/heads/swarm/m-0123456789abcdef0123")
    await world.forge.take_change(order, folder, base=base, at=now)
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == change.head


@pytest.mark.slow
@pytest.mark.req("GATE-3")
async def test_a_patch_at_its_size_limits_with_moved_files_is_taken(make_world, repo):
    """Both sides are read within the same limits, from the folder and from git alike."""
    repo.commit({f"old/{n}.txt": f"{n}\n" * 300 for n in range(20)})
    world = make_world(repo, intake={"max_bytes": 20_000})
    order = world.start()
    base, folder = await world.agent(order)
    (folder / "old").rename(folder / "new")
    now = world.forge._now()
    taken = await world.forge.take_change(order, folder, base=base, at=now)
    assert len(taken.change.paths) == 40


async def test_a_folder_that_is_gone_is_no_verdict(world, tmp_path):
    order = world.start()
    base = await world.forge.base(order)
    now = world.forge._now()
    with pytest.raises(FolderUnreadable):
        await world.forge.take_change(order, tmp_path / "gone", base=base, at=now)
