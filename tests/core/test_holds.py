"""Who holds what while one tick judges some of the missions: never two, and nobody is passed by."""

from datetime import timedelta

import pytest

from swarm.core.decision import Standing
from swarm.core.holds import Holds, path_resources
from swarm.core.nouns import MissionKind
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, REPO, mission, snapshot

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
QUEUE, SHOP, LANE = f"queue:{REPO}", "target:shop", "run:implement"
NOW = NOON + 30 * MINUTE


def standing(*holds, wants=None, epoch="now", version=0, look_again=None):
    return Standing(
        version=version, epoch=epoch, room="deliver", reason="R", detail="", since=NOON,
        look_again=look_again, next_action="", holds=frozenset(holds), blocked_on=wants,
    )  # fmt: skip


def one(number, stands=None, *, moved=False, **over):
    """Mission `number`, opened in that minute. moved: its evidence is newer than its standing."""
    opened_at = NOON + number * MINUTE
    return mission(number, opened_at=opened_at, standing=stands, version=int(moved), **over)


def tick(holds, **now):
    """Judge whoever must be; `now` says where each comes to stand. Who was, and who held what."""
    judged = []
    for each in holds.to_judge(NOW):
        judged.append((each.id, dict(holds.held)))
        holds.update(each, now.get(each.id.replace("-", ""), standing()))
    return judged


def ids(judged):
    return [id_ for id_, _ in judged]


@pytest.mark.req("LOOP-11")
@pytest.mark.parametrize(
    ("stands", "moved", "judged"),
    [
        pytest.param(None, False, True, id="never-judged"),
        pytest.param(standing(), False, False, id="nothing-moved"),
        pytest.param(standing(), True, True, id="evidence-moved"),
        pytest.param(standing(epoch="before"), False, True, id="policy-moved"),
        pytest.param(standing(look_again=NOW + SECOND), False, False, id="a-second-too-early"),
        pytest.param(standing(look_again=NOW), False, True, id="its-time-has-come"),
        pytest.param(standing(look_again=NOW - SECOND), False, True, id="its-time-is-past"),
        pytest.param(standing(wants=QUEUE), False, True, id="what-it-waits-for-is-free"),
    ],
)
def test_a_mission_is_judged_when_something_it_depends_on_moved(stands, moved, judged):
    holds = Holds([one(1, stands, moved=moved)], "now")
    assert ids(tick(holds)) == (["m-1"] if judged else [])


def test_the_oldest_is_judged_first_and_of_one_minute_the_lowest_id():
    late, twin, early = one(5), one(3), one(4)
    later_twin = mission(2, opened_at=late.opened_at)
    holds = Holds([late, twin, later_twin, early], "now")
    assert ids(tick(holds)) == ["m-3", "m-4", "m-2", "m-5"]


def test_whoever_is_judged_for_itself_comes_before_whoever_waits():
    waits, moves = one(1, standing(wants=QUEUE)), one(2, standing(), moved=True)
    assert ids(tick(Holds([waits, moves], "now"))) == ["m-2", "m-1"]


@pytest.mark.req("LOOP-5")
def test_what_a_mission_holds_nobody_who_waits_for_it_is_judged_for():
    holds = Holds([one(1, standing(QUEUE)), one(2, standing(wants=QUEUE))], "now")
    assert holds.held == {QUEUE: "m-1"}
    assert ids(tick(holds)) == []
    assert holds.held == {QUEUE: "m-1"}


@pytest.mark.req("LOOP-5")
def test_what_an_ended_mission_leaves_goes_to_the_oldest_that_waits_and_to_it_alone():
    ends = one(1, standing(QUEUE, SHOP), moved=True)
    holds = Holds([one(3, standing(wants=QUEUE)), one(2, standing(wants=QUEUE)), ends], "now")
    judged = tick(holds, m1=None, m2=standing(QUEUE))
    assert judged == [("m-1", {QUEUE: "m-1", SHOP: "m-1"}), ("m-2", {QUEUE: "m-2"})]
    assert holds.held == {QUEUE: "m-2"}
    assert not holds.unheard
    assert {stands.blocked_on for stands in holds.standings} == {None, QUEUE}
    assert len(list(holds.standings)) == 2


@pytest.mark.req("LOOP-5")
def test_what_nobody_holds_any_more_is_kept_for_the_oldest_that_waits():
    """Its holder may have ended in another process: who moves first must not take it on the way."""
    waits = [one(2, standing(wants=QUEUE)), one(3, standing(wants=QUEUE))]
    holds = Holds([*waits, one(4, standing(), moved=True)], "now")
    assert holds.held == {QUEUE: "m-2"}
    assert tick(holds, m4=standing(), m2=standing(QUEUE)) == [
        ("m-4", {QUEUE: "m-2"}),
        ("m-2", {QUEUE: "m-2"}),
    ]


@pytest.mark.req("LOOP-5")
def test_an_heir_that_does_not_want_it_any_more_passes_it_on():
    waits = [one(2, standing(wants=QUEUE)), one(3, standing(wants=QUEUE))]
    holds = Holds(waits, "now")
    assert ids(tick(holds, m2=standing(SHOP), m3=standing(QUEUE))) == ["m-2", "m-3"]
    assert holds.held == {QUEUE: "m-3", SHOP: "m-2"}
    assert not holds.unheard


@pytest.mark.req("LOOP-11")
@pytest.mark.parametrize(
    ("blocked", "queued", "heir"),
    [
        pytest.param(1, None, "m-1", id="judged-before"),
        pytest.param(1, 3, "m-1", id="judged-before-and-the-older"),
        pytest.param(2, 1, "m-1", id="waits-longer"),
    ],
)
def test_what_comes_free_after_its_heir_was_judged_asks_for_another_tick(blocked, queued, heir):
    """The heir is the oldest of those that began to wait in this tick and those that did before."""
    late = [one(blocked, standing(), moved=True), one(9, standing(QUEUE), moved=True)]
    early = [] if queued is None else [one(queued, standing(wants=QUEUE))]
    holds = Holds([*late, *early], "now")
    judged = holds.to_judge(NOW)
    holds.update(next(judged), standing(wants=QUEUE))
    assert next(judged).id == "m-9"
    assert not holds.unheard
    holds.update(late[1], None)
    assert holds.held == {QUEUE: heir}
    assert holds.unheard


def test_whoever_stopped_waiting_in_this_tick_is_passed_by_for_the_next_that_waits():
    moves, ends = one(1, standing(wants=QUEUE), moved=True), one(8, standing(QUEUE), moved=True)
    late = one(9, standing(), moved=True)
    holds = Holds([moves, one(2, standing(wants=QUEUE)), ends, late], "now")
    judged = tick(holds, m1=standing(), m8=None, m2=standing(QUEUE))
    assert ids(judged) == ["m-1", "m-8", "m-9", "m-2"]
    assert dict(judged)["m-9"] == {QUEUE: "m-2"}
    assert holds.held == {QUEUE: "m-2"}
    assert not holds.unheard


def test_what_is_given_up_and_wanted_by_nobody_is_free():
    holds = Holds([one(1, standing(QUEUE, SHOP), moved=True)], "now")
    tick(holds, m1=standing(SHOP))
    assert holds.held == {SHOP: "m-1"}
    assert holds.view(snapshot()).holder(SHOP, one(1)) is None
    assert holds.view(snapshot()).holder(SHOP, one(2)) == "m-1"


# --- two that hold the same: a repair writes where its parent's rival does ------------------------


@pytest.mark.parametrize("first", ["holder", "rival"])
def test_what_two_hold_is_free_when_both_have_left_it(first):
    pair = [one(1, standing(SHOP), moved=first == "holder"), one(2, standing(SHOP), moved=True)]
    holds = Holds(pair, "now")
    assert holds.held == {SHOP: "m-1"}
    leaves, stays = pair if first == "holder" else pair[::-1]
    holds.update(leaves, None)
    assert holds.held == {SHOP: stays.id}
    holds.update(stays, None)
    assert holds.held == {}


def test_a_rival_that_keeps_what_it_holds_is_counted_once():
    pair = [one(1, standing(SHOP)), one(2, standing(SHOP), moved=True)]
    holds = Holds(pair, "now")
    holds.update(pair[1], standing(SHOP))
    holds.update(pair[1], None)
    holds.update(pair[0], None)
    assert holds.held == {}


def test_what_the_other_holder_keeps_is_not_passed_to_one_that_waits():
    pair = [one(1, standing(SHOP), moved=True), one(3, standing(SHOP))]
    holds = Holds([*pair, one(2, standing(wants=SHOP))], "now")
    assert ids(tick(holds, m1=None)) == ["m-1"]
    assert holds.held == {SHOP: "m-3"}


# --- nobody said yet where a mission stands -------------------------------------------------------


def runs(*attempts):
    rows = [("start-run", f"run/{n}") for n in attempts] + [("run-check", "check/head/7")]
    return tuple(
        OpenOrder(key=f"m-1/{key}", kind=kind, issued_at=NOON, begun=True) for kind, key in rows
    )


@pytest.mark.req("LOOP-5")
@pytest.mark.req("LOOP-11")
@pytest.mark.parametrize(
    ("attempts", "lanes"),
    [
        pytest.param([0], {LANE}, id="the-first-run"),
        pytest.param([2], {"run:verify"}, id="a-fix"),
        pytest.param([], set(), id="no-run"),
    ],
)
def test_a_mission_without_a_standing_holds_the_lane_of_its_open_run(attempts, lanes):
    """After an upgrade that forgot all standings, no second run starts beside the first."""
    assert Holds([one(1, orders=runs(*attempts))], "now").held == dict.fromkeys(lanes, "m-1")


@pytest.mark.req("LOOP-5")
def test_an_assumed_lane_is_kept_or_passed_on_once_the_mission_is_judged():
    both = [one(1, orders=runs(0)), one(2, standing(wants=LANE))]
    kept, left = Holds(both, "now"), Holds(both, "now")
    assert ids(tick(kept, m1=standing(LANE))) == ["m-1"]
    assert kept.held == {LANE: "m-1"}
    assert ids(tick(left, m2=standing(LANE))) == ["m-1", "m-2"]
    assert left.held == {LANE: "m-2"}


@pytest.mark.req("LOOP-5")
def test_a_lane_that_another_holds_by_its_standing_stays_with_it():
    holds = Holds(
        [one(1, orders=runs(0)), one(2, standing(LANE)), one(3, standing(wants=LANE))], "now"
    )
    owner = holds.held[LANE]
    assert ids(tick(holds, m1=standing())) == ["m-1"]
    assert owner in {"m-1", "m-2"}
    assert holds.held == {LANE: "m-2"}


# --- paths ----------------------------------------------------------------------------------------


def occupied(holds, path):
    return holds.view(snapshot()).occupied.meets(REPO, (path,))


@pytest.mark.req("LOOP-5")
def test_paths_are_occupied_from_the_moment_they_are_held():
    holds = Holds([one(1, standing(), moved=True)], "now")
    assert occupied(holds, "src/file1.py") is None  # and from here on the answer is remembered
    tick(holds, m1=standing(*path_resources(one(1))))
    assert occupied(holds, "src/file1.py") == ("m-1", f"path:{REPO}:src/file1.py")
    assert occupied(holds, "src") == ("m-1", f"path:{REPO}:src/file1.py")


@pytest.mark.req("LOOP-5")
def test_what_this_tick_opens_writes_too_but_a_requalification_writes_nothing():
    holds = Holds([], "now")
    assert occupied(holds, "src/file7.py") is None
    holds.expect(one(7))
    holds.expect(one(8, kind=MissionKind.REQUALIFY))
    assert occupied(holds, "src/file7.py") == ("m-7", f"path:{REPO}:src/file7.py")
    assert occupied(holds, "src/file8.py") is None
    assert path_resources(one(8, kind=MissionKind.REQUALIFY)) == frozenset()


def test_only_an_open_mission_is_an_elder_and_only_of_one_that_is_open_and_younger():
    elder = Holds([one(2, standing()), one(1, standing())], "now").view(snapshot()).elder
    assert elder("m-1", "m-2")
    assert not elder("m-2", "m-1")
    assert not elder("m-1", "m-1")
    assert not elder("m-new", "m-1")
