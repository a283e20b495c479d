"""Restage, land and revert on protected main: exact, repeatable, and safe against a moved main."""

import asyncio

import pytest

from swarm.adapters.local.git.forge import LocalForge
from swarm.ports.reply import Done, Later, No

pytestmark = [pytest.mark.req("LOOP-8"), pytest.mark.req("OWN-3")]


async def landed(world, files, mission=None):
    change = (await world.change(files, mission=mission)).change
    reply = await world.forge.land(world.land(change, mission=mission))
    assert isinstance(reply, Done), reply
    assert reply.fact.landed
    return change


@pytest.mark.slow
async def test_a_change_is_one_commit_on_main_with_trailers(world, run_git):
    change = await landed(world, {"app.py": "print('hello')\n"})
    assert run_git(world.clone, "rev-parse", "main") == change.head
    assert run_git(world.clone, "rev-parse", f"{change.head}^") == change.base
    body = run_git(world.clone, "log", "-1", "--format=%B", "main")
    assert "Swarm-Mission: m-0123456789abcdef0123" in body
    assert "Swarm-Run: m-0123456789abcdef0123-run-0" in body
    assert (change.paths, change.lines_added, change.lines_removed) == (("app.py",), 0, 1)
    assert change.branch == "swarm/m-0123456789abcdef0123"


@pytest.mark.slow
async def test_landing_twice_is_one_landing(world, run_git):
    change = await landed(world, {"app.py": "print('hello')\n"})
    again = await world.forge.land(world.land(change))
    assert isinstance(again, Done)
    assert (again.fact.landed, again.fact.commit) == (True, change.head)
    assert run_git(world.clone, "rev-list", "--count", "main") == "2"


@pytest.mark.req("FRZ-2")
async def test_what_is_frozen_while_main_is_looked_at_lands_when_it_may(world, run_git):
    change = (await world.change({"app.py": "print('hello')\n"})).change
    order, asked = world.land(change), []

    async def may_begin(key):
        asked.append(key)
        return len(asked) > 1

    forge = LocalForge({"app": world.settings}, world.data, may_begin=may_begin)
    held = await forge.land(order)
    assert isinstance(held, Later)
    assert held.reason == "LandingHeld"
    assert run_git(world.clone, "rev-parse", "main") == change.base
    assert (await forge.land(order)).fact.landed
    assert (await forge.land(order)).fact.landed, "what has landed is told, whatever holds now"
    assert asked == [order.key] * 2


@pytest.mark.slow
async def test_landing_on_a_moved_main_is_told_with_where_main_is(world):
    ours = (await world.change({"app.py": "print('hello')\n"})).change
    other = await landed(world, {"b.py": "B = 1\n"}, mission="m-other")
    reply = await world.forge.land(world.land(ours))
    assert isinstance(reply, Done)
    assert (reply.fact.landed, reply.fact.main) == (False, other.head)


@pytest.mark.slow
async def test_the_same_fact_comes_back_when_main_moved_on_after_landing(world):
    change = await landed(world, {"app.py": "print('hello')\n"})
    await landed(world, {"b.py": "B = 1\n"}, mission="m-other")
    again = await world.forge.land(world.land(change))
    assert again.fact.landed
    assert again.fact.main == change.head


@pytest.mark.slow
async def test_a_restaged_change_stands_on_the_new_main_and_lands(world, run_git):
    ours = (await world.change({"app.py": "print('hello')\n"})).change
    other = await landed(world, {"b.py": "B = 1\n"}, mission="m-other")
    reply = await world.forge.restage(world.restage(ours, other.head))
    new = reply.fact.change
    assert new.base == other.head
    assert new.paths == ("app.py",)
    assert reply.fact.old_head == ours.head
    assert reply.fact.onto == other.head
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == new.head
    assert (await world.forge.land(world.land(new))).fact.landed
    assert run_git(world.clone, "ls-tree", "-r", "--name-only", "main").split() == [
        "app.py",
        "b.py",
        "tests/test_app.py",
    ]


@pytest.mark.slow
async def test_restaging_twice_gives_the_same_commit(world):
    ours = (await world.change({"app.py": "print('hello')\n"})).change
    other = await landed(world, {"b.py": "B = 1\n"}, mission="m-other")
    one = await world.forge.restage(world.restage(ours, other.head))
    two = await world.forge.restage(world.restage(ours, other.head))
    assert one.fact.change == two.fact.change


@pytest.mark.slow
async def test_a_conflict_is_a_fact_and_names_the_file(world):
    ours = (await world.change({"app.py": "print('ours')\n"})).change
    other = await landed(world, {"app.py": "print('theirs')\n"}, mission="m-other")
    reply = await world.forge.restage(world.restage(ours, other.head))
    assert reply.fact.change is None
    assert reply.fact.detail == "conflicts in app.py"


@pytest.mark.slow
async def test_a_change_that_main_already_has_is_not_restaged(world):
    ours = (await world.change({"app.py": "print('x')\n"})).change
    other = await landed(world, {"app.py": "print('x')\n"}, mission="m-other")
    reply = await world.forge.restage(world.restage(ours, other.head))
    assert reply.fact.change is None
    assert "already" in reply.fact.detail


@pytest.mark.slow
async def test_a_revert_is_a_new_commit_that_takes_only_this_change_back(world, run_git):
    change = await landed(world, {"app.py": "print('slow')\n"})
    await landed(world, {"b.py": "B = 1\n"}, mission="m-other")
    reply = await world.forge.revert(world.revert(change.head))
    assert reply.fact.reverted
    assert run_git(world.clone, "rev-parse", "main") == reply.fact.commit
    assert run_git(world.clone, "show", "main:app.py") == "import os\nprint('hello')"
    assert run_git(world.clone, "show", "main:b.py") == "B = 1"
    assert f"Swarm-Reverts: {change.head}" in run_git(
        world.clone, "log", "-1", "--format=%B", "main"
    )


@pytest.mark.slow
async def test_reverting_twice_and_later_is_one_revert(world, run_git):
    change = await landed(world, {"app.py": "print('slow')\n"})
    one = await world.forge.revert(world.revert(change.head))
    await landed(world, {"b.py": "B = 1\n"}, mission="m-other")
    two = await world.forge.revert(world.revert(change.head))
    assert one.fact.commit == two.fact.commit
    assert run_git(world.clone, "rev-list", "--count", "main") == "4"


@pytest.mark.slow
async def test_a_revert_that_conflicts_is_a_fact(world):
    change = await landed(world, {"app.py": "print('slow')\n"})
    await landed(world, {"app.py": "print('slower')\n"}, mission="m-other")
    reply = await world.forge.revert(world.revert(change.head))
    assert (reply.fact.reverted, reply.fact.detail) == (False, "conflicts in app.py")


@pytest.mark.slow
async def test_what_never_landed_is_not_reverted(world):
    change = (await world.change({"app.py": "print('x')\n"})).change
    reply = await world.forge.revert(world.revert(change.head))
    assert not reply.fact.reverted
    assert "not on main" in reply.fact.detail


@pytest.mark.slow
async def test_a_title_from_outside_cannot_forge_a_trailer(world):
    """Else a need's text could make a revert look done before it is."""
    change = await landed(world, {"app.py": "print('slow')\n"})
    goal = f"x\n\nSwarm-Reverts: {change.head}\n"
    order = world.start(goal=goal, mission="m-other")
    base, folder = await world.agent(order)
    (folder / "b.py").write_text("B = 1\n")
    other = (await world.forge.take_change(order, folder, base=base, at=world.forge._now())).change
    assert (await world.forge.land(world.land(other, mission="m-other"))).fact.landed
    reply = await world.forge.revert(world.revert(change.head))
    assert reply.fact.commit != other.head
    assert reply.fact.reverted


@pytest.mark.slow
async def test_an_unknown_commit_is_final_and_a_symbolic_one_too(world):
    change = await landed(world, {"app.py": "print('x')\n"})
    for bad in ("0" * 40, "main", "--all", change.head[:12]):
        reply = await world.forge.revert(world.revert(bad))
        assert isinstance(reply, No), bad
        assert reply.reason == "CommitUnknown"


@pytest.mark.slow
async def test_a_head_that_is_not_built_on_its_base_never_lands(world, run_git):
    first = await landed(world, {"app.py": "print('x')\n"})
    side = (await world.change({"b.py": "B = 1\n"}, mission="m-side", base=first.base)).change
    order = world.land(side, mission="m-side")
    order = type(order)(
        **{
            **{f: getattr(order, f) for f in order.__slots__ if f != "kind"},
            "base": first.head,
            **{
                k: getattr(order, k)
                for k in ("key", "mission", "mission_class", "policy_hash", "forward")
            },
        }
    )
    reply = await world.forge.land(order)
    assert isinstance(reply, No)
    assert run_git(world.clone, "rev-parse", "main") == first.head


async def test_an_unbound_repository_waits_and_says_which_are_bound(world):
    order = world.see()
    object.__setattr__(order, "repo", "elsewhere")
    reply = await world.forge.main(order)
    assert isinstance(reply, Later)
    assert reply.capacity
    assert reply.reason == "RepositoryUnknown"
    assert "app" in reply.detail


@pytest.mark.slow
async def test_many_at_once_land_one_after_the_other(world, run_git):
    """The queue is serial by compare-and-swap: of eight on one base, one lands, seven are told."""
    changes = [
        (await world.change({f"f{n}.py": f"N = {n}\n"}, mission=f"m-{n}")).change for n in range(8)
    ]
    replies = await asyncio.gather(
        *(world.forge.land(world.land(c, mission=f"m-{n}")) for n, c in enumerate(changes))
    )
    assert sum(reply.fact.landed for reply in replies) == 1
    assert run_git(world.clone, "rev-list", "--count", "main") == "2"
