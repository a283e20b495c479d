"""What a live installation's outside recorded, and how it is held against the log."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.local import outside
from swarm.adapters.local.outside import Deposit, journals
from swarm.adapters.local.service import state
from swarm.adapters.local.service.state import Target
from swarm.core.history.check import check
from swarm.core.history.finding import Rule
from swarm.core.history.journal import Deed, Entry, History
from swarm.core.ids import evidence_id
from swarm.runtime.outside import effects, lost

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def git(folder, *words):
    told = ["-c", "user.name=ann", "-c", "user.email=ann@localhost", "-C", str(folder), *words]
    done = subprocess.run(["git", *told], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(params=["main", "release/2"])
def clone(tmp_path, request):
    """A private clone whose main has a landing, its undoing, and what others wrote."""
    folder = tmp_path / "clones" / "acme%2Fshop.git"
    git(tmp_path, "init", "-q", "-b", request.param, str(folder))
    for message in (
        "First",
        "Tidy\n\nSwarm-Mission: m-1\nSwarm-Run: m-1-run-0",
        "Talk of\n\nSwarm-Mission: m-9\n\nin the middle of a text",
        "Undo\n\nSwarm-Reverts: {landed}\nSwarm-Mission: m-1",
    ):
        landed = git(folder, "rev-parse", "HEAD~1") if "{landed}" in message else ""
        git(folder, "commit", "-q", "--allow-empty", "-m", message.format(landed=landed))
    change = "A change that never landed\n\nSwarm-Mission: m-2"
    tree = git(folder, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", change)
    git(folder, "branch", "swarm/m-2", tree)
    return folder


def test_main_tells_what_landed_and_what_was_undone_and_nothing_of_others(clone):
    landed = git(clone, "rev-parse", "HEAD~2")
    told = list(outside.landings(clone))
    assert [(one.deed, one.mission, one.subject) for one in told] == [
        (Deed.LAND, "m-1", landed),
        (Deed.REVERT, "m-1", landed),
    ]
    assert told[0].key == f"m-1/land/{landed}"
    assert {one.where for one in told} == {"acme/shop"}


@pytest.mark.req("MODE-1")
@pytest.mark.parametrize(
    ("path", "risk"),
    [
        pytest.param("src/clock.py", 0, id="plain"),
        pytest.param("db/migrations/1.sql", 3, id="schema"),
        pytest.param("docs/\n.github/é.md", 0, id="a-line-break-makes-no-other-path"),
        pytest.param("uv.lock", 2, id="dependencies"),
    ],
)
def test_what_a_landing_touched_says_what_it_risked(clone, path, risk):
    """As the repository has it, and whatever the mission was opened as."""
    (clone / path).parent.mkdir(parents=True, exist_ok=True)
    (clone / path).write_text("x")
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "Tidy\n\nSwarm-Mission: m-2\nSwarm-Run: m-2-run-0")
    (told,) = [one for one in outside.landings(clone) if one.mission == "m-2"]
    assert told.paths == (path,)
    assert [effect.risk for effect in effects([told], [])] == [risk]


def test_every_journal_is_read_and_one_that_cannot_be_is_named(clone, tmp_path):
    service = tmp_path / "services" / "orders" / "service"
    service.mkdir(parents=True)
    target = Target()
    for key in (
        "m-1/sync/orders/abc",
        "m-1/traffic/orders/abc/1",
        "m-1/promote/orders/abc",
        "boot",
    ):
        target = target.remembering(key, "{}")
    state.write(service, target)
    run = tmp_path / "jobs" / "runs" / "jobs" / "m-1-run-0-0123"
    run.mkdir(parents=True)
    (run / "key").write_text("m-1-run-0")
    channel = tmp_path / "channel.jsonl"
    line = {"key": "m-1/notify/x", "mission": "m-1", "channel": "c", "at": NOON.isoformat()}
    channel.write_text(json.dumps(line) + "\n")

    def read():
        found = journals(clone.parent, tmp_path / "services", tmp_path / "jobs", channel)
        return {one.name: one for one in found}

    names = ("main of acme/shop", "target orders", "agent runs", "the owner's channel")
    assert tuple(read()) == names
    assert [len(one.deposits) for one in read().values()] == [2, 3, 1, 1]
    assert read()["target orders"].deposits[1].step == 1
    (service / state.FILE).write_text("{")
    channel.write_text('{"key": "m-1/notify/x"}\n')
    broken = {name for name, one in read().items() if one.unread}
    assert broken == {"target orders", "the owner's channel"}


def test_what_a_person_reworded_or_picked_is_his_own(clone):
    """Its trailers are a copy: nobody ordered that commit, and it is no landing of ours."""
    before = list(outside.landings(clone))
    git(clone, "commit", "-q", "--allow-empty", "--author=Swarm <swarm@localhost>", "-m",
        "Tidy, reworded\n\nSwarm-Mission: m-1\nSwarm-Run: m-1-run-0")  # fmt: skip
    assert list(outside.landings(clone)) == before


def test_the_channel_tells_of_missions_and_a_line_that_was_cut_off_of_nothing(tmp_path):
    """Seals and trading are told of no mission; a crash or a full disk cuts a line off."""
    channel = tmp_path / "channel.jsonl"
    lines = [
        {"key": f"{mission or 's-1'}/x", "mission": mission, "channel": "c", "at": NOON.isoformat()}
        for mission in ("m-1", "")
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    channel.write_text(f'{text}{{"key": "m-2/notify/x", "mis')
    assert [one.mission for one in outside.notices(channel)] == ["m-1"]


def test_a_run_that_is_swept_while_runs_are_read_is_no_damage(tmp_path, monkeypatch):
    gone = tmp_path / "runs" / "jobs" / "m-1-run-0" / "key"
    monkeypatch.setattr(outside, "_in", lambda *_: [gone])
    assert list(outside.runs(tmp_path)) == []


def settled(mission, commit, repo="acme/shop"):
    return [
        Entry(NOON, "s-1", mission, "mission.opened", {"repo": repo}),
        Entry(NOON, "s-1", mission, "mission.settled", {"landed": commit}),
    ]


def test_what_the_log_says_landed_and_main_has_not_is_lost(clone, tmp_path):
    landed = git(clone, "rev-parse", "HEAD~2")
    told = [*settled("m-1", landed), *settled("m-2", None), *settled("m-3", "beef", "acme/gone")]
    read = outside.mains(clone.parent)
    assert lost(read, told[:4], clone.parent) == {}
    assert lost([], told[:4], clone.parent) == {}, "it landed while main was read"
    assert lost(read, told, clone.parent) == {"acme/gone": [("beef", "m-3")]}
    git(clone, "reset", "-q", "--hard", "HEAD~3")
    gone = lost(outside.mains(clone.parent), told[:4], clone.parent)
    assert gone == {"acme/shop": [(landed, "m-1")]}


def test_an_effect_has_its_orders_whole_key_and_a_time_of_its_own_or_of_its_evidence():
    key = "m-1/land/abc/base"
    seen = {"evidence": evidence_id(key)}
    entries = [
        Entry(NOON, "s-1", "m-1", "order.issued", {"order": "m-1/land/abcdef/base"}),
        Entry(NOON, "s-1", "m-1", "order.issued", {"order": key}),
        Entry(NOON + timedelta(minutes=1), "s-1", "m-1", "evidence.seen", seen),
    ]
    landed = Deposit(deed=Deed.LAND, mission="m-1", key="m-1/land/abc", subject="abc")
    strange = Deposit(deed=Deed.LAND, mission="m-1", key="m-1/land/fff", subject="fff", at=NOON)
    one, other = effects([landed, strange], entries)
    assert (one.key, one.at) == (key, NOON + timedelta(minutes=1))
    assert (other.key, other.at) == ("m-1/land/fff", NOON)


def target_of(tmp_path, *orders):
    """A target that carried out these orders: (key, fence), in this order."""
    folder = tmp_path / "services" / "orders" / "service"
    folder.mkdir(parents=True, exist_ok=True)
    target = Target()
    for key, fence in orders:
        target = target.remembering(key, "{}", fence)
    state.write(folder, target)
    return folder


def seen_at(key, at):
    body = {"evidence": evidence_id(key), "kind": "synced"}
    return Entry(swarm="s-1", at=at, chain=key.split("/")[0], kind="evidence.seen", body=body)


SYNC, NEXT = "m-1/sync/orders/c1", "m-2/sync/orders/c2"


def test_a_target_tells_under_which_fence_it_did_what(tmp_path):
    folder = target_of(tmp_path, (SYNC, 7), ("first/orders/main", 0), (NEXT, 9))
    assert [(one.key, one.fence) for one in outside.exposures(folder)] == [(SYNC, 7), (NEXT, 9)]


def test_a_target_of_an_older_release_knows_no_fences(tmp_path):
    folder = target_of(tmp_path, (SYNC, 7))
    data = json.loads((folder / state.FILE).read_text())
    del data["fences"]
    (folder / state.FILE).write_text(json.dumps(data))
    (told,) = outside.exposures(folder)
    assert (told.key, told.fence) == (SYNC, None)


def test_no_more_fences_are_kept_than_orders(tmp_path):
    target = Target()
    for number in range(1_200):
        target = target.remembering(f"m-{number}/sync/orders/c", "{}", number + 1)
    assert [key for key, _ in target.fences] == [key for key, _ in target.done]


@pytest.mark.req("LOOP-11")
@pytest.mark.parametrize(
    ("fences", "broken"),
    [
        pytest.param((7, 9), 0, id="in-their-order"),
        pytest.param((9, 7), 1, id="an-older-claim-acted-after-a-newer-one"),
    ],
)
def test_the_fences_of_a_target_are_judged_in_the_order_in_which_it_acted(tmp_path, fences, broken):
    """Our log saw the first one last: its answer was lost, and asked for again."""
    folder = target_of(tmp_path, (SYNC, fences[0]), (NEXT, fences[1]))
    entries = [seen_at(NEXT, NOON), seen_at(SYNC, NOON + timedelta(minutes=5))]
    told = effects(outside.exposures(folder), entries)
    assert [one.at for one in told] == [NOON, NOON]
    by_time = tuple(sorted(told, key=lambda effect: effect.at))
    history = History(entries=tuple(entries), effects=by_time, until=NOON + timedelta(hours=1))
    judged = check(history)
    assert judged.examined[Rule.FENCE] == 2
    assert [one.rule for one in judged.violations].count(Rule.FENCE) == broken
