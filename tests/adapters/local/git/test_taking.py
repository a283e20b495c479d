"""One run is taken once; attempts of one mission make one commit on one base."""

import pytest

pytestmark = pytest.mark.req("OWN-3")


async def test_a_taken_run_is_taken_once_whatever_its_folder_holds_later(world):
    order = world.start()
    base, folder = await world.agent(order)
    (folder / "a.md").write_text("# B\n")
    one = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    (folder / "a.md").write_text("# C\n")
    two = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    assert one == two


async def test_a_fix_attempt_makes_one_commit_on_the_same_base(world, run_git):
    first = (await world.change({"a.md": "# B\n"})).change
    fix = await world.change({"b.md": "more\n"}, attempt=1, base=first.head, onto=first.base)
    assert fix.change.base == first.base
    assert fix.change.paths == ("a.md", "b.md")
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == fix.change.head
    assert run_git(world.clone, "rev-parse", f"{fix.change.head}^") == first.base


async def test_a_fix_attempt_that_changes_nothing_produced_nothing(world):
    first = (await world.change({"a.md": "# B\n"})).change
    fix = await world.change({}, attempt=1, base=first.head, onto=first.base)
    assert (fix.change, fix.violations) == (None, ())


async def test_a_late_earlier_attempt_does_not_take_the_branch_back(world, run_git):
    late = world.start(attempt=1)
    base, folder = await world.agent(late)
    (folder / "a.md").write_text("# late\n")
    newer = (await world.change({"a.md": "# newer\n"}, attempt=2)).change
    await world.forge.take_change(late, folder, base=base, at=world.forge._now())
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == newer.head
