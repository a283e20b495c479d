"""Overlap: two paths meet when they are equal or one is a folder above the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.policy import overlap

pytestmark = pytest.mark.req("LOOP-5")
names = st.sampled_from(["a", "b", "ab", "a.py", "ü", "src"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
path_sets = st.lists(paths, max_size=3).map(tuple)
repos = st.sampled_from(["acme/shop", "acme/docs"])


def naive(repo, mine, other_repo, others):
    """The definition, pair by pair; no path at all is everything."""
    if repo != other_repo:
        return False
    if not mine or not others:
        return True
    return any(
        one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
        for one in mine
        for other in others
    )


def held_by(*missions):
    return {
        resource: name
        for name, repo, held in reversed(missions)
        for resource in overlap.resources(repo, held)
    }


@given(repo=repos, mine=path_sets, others=st.lists(st.tuples(repos, path_sets), max_size=4))
def test_occupied_answers_like_the_definition(repo, mine, others):
    missions = [(f"m-{number}", *other) for number, other in enumerate(others)]
    met = overlap.Occupied(held_by(*missions)).meets(repo, mine)
    meeting = {name for name, *other in missions if naive(repo, mine, *other)}
    assert (met is not None) is bool(meeting)
    if met is not None:
        owner, resource = met
        assert owner in meeting
        assert resource.startswith(f"path:{repo}:")


@given(repo=repos, mine=path_sets, others=st.lists(st.tuples(repos, path_sets), max_size=4))
def test_adding_later_is_the_same_as_holding_from_the_start(repo, mine, others):
    missions = [(f"m-{number}", *other) for number, other in enumerate(others)]
    grown = overlap.Occupied({})
    for name, other_repo, held in missions:
        for resource in overlap.resources(other_repo, held):
            grown.add(resource, name)
    whole = overlap.Occupied(held_by(*missions))
    assert (grown.meets(repo, mine) is None) is (whole.meets(repo, mine) is None)


@given(repo=repos, mine=path_sets)
def test_nobody_meets_itself(repo, mine):
    held = held_by(("m-me", repo, mine))
    assert overlap.Occupied(held).meets(repo, mine, lambda owner: owner != "m-me") is None


@pytest.mark.parametrize(
    ("mine", "other", "meets"),
    [
        pytest.param(("src/a.py",), ("src/a.py",), True, id="the-same-file"),
        pytest.param(("src/a.py",), ("src",), True, id="a-file-below-a-folder"),
        pytest.param(("src",), ("src/a.py",), True, id="a-folder-above-a-file"),
        pytest.param(("src/",), ("src/a.py",), True, id="a-folder-with-a-slash"),
        pytest.param(("src/a",), ("src/ab",), False, id="names-that-begin-alike"),
        pytest.param(("docs",), ("src",), False, id="two-folders"),
        pytest.param((), ("src",), True, id="no-path-is-everything"),
        pytest.param(("src",), (), True, id="everything-is-met-by-any"),
    ],
)
def test_what_meets(mine, other, meets):
    occupied = overlap.Occupied(held_by(("m-1", "acme/shop", other)))
    assert (occupied.meets("acme/shop", mine) is not None) is meets


def test_lanes_queues_and_targets_are_no_paths():
    held = {"queue:acme/shop": "m-1", "target:orders": "m-1", "run:implement": "m-1"}
    assert overlap.Occupied(held).meets("acme/shop", ()) is None


def test_what_is_added_after_a_question_is_met_by_the_next_one():
    occupied = overlap.Occupied({})
    assert occupied.meets("acme/shop", ("src",)) is None
    occupied.add("path:acme/shop:src/a.py", "m-1")
    assert occupied.meets("acme/shop", ("src",)) == ("m-1", "path:acme/shop:src/a.py")


def test_only_what_lies_below_a_folder_is_met_and_of_that_only_whoever_counts():
    held = {"path:acme/shop:docs": "m-2", "path:acme/shop:src/a.py": "m-1"}
    occupied = overlap.Occupied(held)
    assert occupied.meets("acme/shop", ("src",), lambda owner: owner != "m-1") is None


def test_a_colon_in_a_name_is_part_of_the_path():
    occupied = overlap.Occupied({"path:acme/shop:src/a:b.py": "m-1"})
    assert occupied.meets("acme/shop", ("src",)) is not None
    assert occupied.meets("acme/shop", ("docs",)) is None
