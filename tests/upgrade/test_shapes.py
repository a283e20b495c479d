"""What was stored by the release before is read by this one, and decides the same.

The files under data/ are written by `tools/golden.py` from simulated days. They are not made anew
to turn a test green: a release's stored shapes are what they are.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from contextlib import nullcontext
from dataclasses import replace

import pytest

import upgrade as tool
from swarm.adapters.postgres.store import shapes
from swarm.contract.verdict import Answer
from swarm.core.decide import decide
from swarm.core.decision import GiveVerdict, OpenMission, Settle
from upgrade import DATA, compare, look, read_shape, read_snapshot, snapshots, stored_shapes, told

SHAPES = stored_shapes()
SNAPSHOTS = snapshots()
DECISIONS = json.loads((DATA / "decisions.json").read_text(encoding="utf-8"))
pytestmark = pytest.mark.req("LOOP-11")


def objects(value):
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def test_there_is_one_of_every_kind():
    """A new kind of fact or order is stored from its first release on: run tools/golden.py."""
    wanted = {f"fact/{kind}" for kind in shapes.known_facts()}
    wanted |= {f"order/{kind}" for kind in shapes.known_kinds()}
    wanted |= {"standing", "verdicts", "approvals", "contract", "open-orders", "signal"}
    assert wanted <= set(SHAPES)
    assert len([name for name in SHAPES if name.startswith("status/")]) >= 4


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_stored_shape_is_read_and_nothing_of_it_is_lost(name):
    read = read_shape(name, SHAPES[name])
    if name.startswith("status/"):
        again = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    else:
        again = json.loads(shapes.dump(adapter_of(name), read))
    assert within(json.loads(SHAPES[name]), again)


def adapter_of(name):
    kind = name.partition("/")[0].replace("-", "_")
    return getattr(shapes, f"{kind}_adapter")()


def within(stored, again):
    """Whether everything that was stored is still there; more may be."""
    if isinstance(stored, dict):
        return all(key in again and within(value, again[key]) for key, value in stored.items())
    if isinstance(stored, list) and all(isinstance(one, str) for one in stored):
        return sorted(stored) == sorted(again)  # sets are stored as lists
    if isinstance(stored, list):
        pairs = zip(stored, again, strict=True) if len(stored) == len(again) else [(1, 2)]
        return all(within(one, other) for one, other in pairs)
    return stored == again


@pytest.mark.parametrize(
    "name", [name for name in sorted(SHAPES) if not name.startswith("status/")]
)
def test_what_a_newer_release_added_is_not_looked_at(name):
    value = json.loads(SHAPES[name])
    for one in list(objects(value)):
        one["added_by_a_newer_release"] = {"deep": [1, None]}
    assert read_shape(name, json.dumps(value)) == read_shape(name, SHAPES[name])


@pytest.mark.parametrize("name", sorted(name for name in SHAPES if "/" in name[:6]))
def test_what_an_older_release_did_not_know_has_its_default(name):
    """Every field that has a default may be missing, because once it was not there."""
    whole = read_shape(name, SHAPES[name])
    for field in dataclasses.fields(whole):
        if field.name == "kind" or field.default is dataclasses.MISSING:
            continue
        value = json.loads(SHAPES[name])
        value.pop(field.name, None)
        read = read_shape(name, json.dumps(value))
        assert getattr(read, field.name) == field.default


def test_a_fact_of_a_kind_from_the_future_is_left_out_and_the_others_stay():
    known = json.loads(SHAPES["fact/landed"])
    strange = {"id": "e-9", "at": known["at"], "kind": "from-the-future", "more": 1}
    broken = {**known, "landed": "perhaps"}
    read = shapes.read_facts(json.dumps([strange, known, broken]))
    assert [fact.kind for fact in read] == ["landed"]


@pytest.mark.parametrize("number", range(len(SNAPSHOTS)))
def test_stored_snapshots_decide_as_the_release_decided_that_stored_them(number):
    """A changed decision is shown here before a user meets it; then store it with its reason."""
    now, was = told(decide(read_snapshot(SNAPSHOTS[number]))), DECISIONS[number]
    gone, added = [line for line in was if line not in now], [x for x in now if x not in was]
    assert (gone, added) == ([], [])


def test_a_mission_that_ends_otherwise_is_a_difference():
    """And so is a gate that answers otherwise, or another reserve: the lines must tell them."""
    otherwise = {
        Settle: lambda one: replace(
            one, outcome=replace(one.outcome, counts_as_failure=not one.outcome.counts_as_failure)
        ),
        GiveVerdict: lambda one: replace(
            one, verdict=replace(one.verdict, answer=other(one.verdict.answer))
        ),
        OpenMission: lambda one: replace(one, reserve=one.reserve + 1),
    }
    met = set()
    for plan in map(decide, map(read_snapshot, SNAPSHOTS)):
        for record in plan.records:
            if (change := otherwise.get(type(record))) is not None:
                met.add(type(record))
                changed = tuple(change(one) if one is record else one for one in plan.records)
                assert told(replace(plan, records=changed)) != told(plan)
    assert met == set(otherwise)


def other(answer):
    return Answer.FAIL if answer is not Answer.FAIL else Answer.PASS


def test_the_stored_snapshots_say_enough():
    assert len(SNAPSHOTS) == len(DECISIONS) >= 30
    said = {line.split()[0] for decided in DECISIONS for line in decided}
    assert said == {"order", "record", "standing", "idle:", "looks"}


# --- the comparison itself ------------------------------------------------------------------------


@pytest.mark.slow
def test_two_equal_releases_differ_in_nothing():
    seen = look()
    assert compare(seen, seen) == ([], [])
    assert seen["unread"] == {}
    assert not [one for one in seen["decided"] if isinstance(one, str)]


def test_what_differs_is_printed_and_what_cannot_be_read_is_told_apart():
    new = look()
    old = json.loads(json.dumps(new))
    old["decided"][0] = ["order m-1/run/0", *new["decided"][0][1:]]
    old["decided"][1] = "unreadable: missions: Field required"
    old["unread"] = {"fact/landed": "repo: Field required", "order/sync": "kind: unknown"}
    old["kinds"] = [kind for kind in new["kinds"] if kind != "order/sync"]
    differences, unreadable = compare(old, new)
    assert differences[:2] == ["snapshot 0:", "  - order m-1/run/0"]
    assert f"  + {new['decided'][0][0]}" in differences
    assert differences[-1] == "order/sync is unknown there: left out"
    assert unreadable == [
        "snapshot 1: unreadable: missions: Field required",
        "fact/landed: repo: Field required",
    ]


@pytest.mark.slow
def test_what_the_other_release_stored_is_read_as_well(tmp_path, monkeypatch, capsys):
    """Its own files, as they lie in its tree: here one of them holds what nobody reads any more."""
    theirs = tmp_path / "tests" / "upgrade" / "data"
    shutil.copytree(DATA, theirs)
    (tmp_path / "src").symlink_to(tool.ROOT / "src")
    monkeypatch.setattr(tool, "taken_out", lambda _: nullcontext(tmp_path))
    assert tool.main(["--from", "v0"]) == 0
    assert "v0 stored the same" in capsys.readouterr().out
    forgotten = {"kind": "forgotten", "id": "e-1", "at": "2026-03-02T00:00:00Z"}
    (theirs / "shapes.json").write_text(json.dumps({"fact/forgotten": forgotten}))
    assert tool.main(["--from", "v0"]) == tool.UNREADABLE
    told_of = capsys.readouterr().out
    assert "stored by v0: 44 snapshots decided, 1 shapes read" in told_of
    assert "this release cannot read of v0: fact/forgotten: " in told_of
    assert "v0 cannot read of v0" not in told_of, "it leaves out what it does not know"
