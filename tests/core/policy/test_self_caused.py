"""What our own work causes three times is a loop: refused, and its class frozen (T19)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.core.decide import decide
from swarm.core.decision import OpenFreeze, OpenMission, RejectNeed, StartRun
from swarm.core.ids import MissionId
from swarm.core.nouns import MissionKind, NeedState, OutcomeKind, Settled
from swarm.testing.builders import NOON, REPO, mission, need, snapshot, spec

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.req("MODE-4", "LOOP-5")


def of(plan, kind):
    return [record for record in plan.records if isinstance(record, kind)]


def looping(*needs, **over):
    return snapshot(needs=needs, **over)


def test_the_third_round_freezes_the_class_and_refuses_the_need():
    snap = looping(need(1, own_rounds=3), spec=spec(risk={"freezeDuration": "2h"}))
    plan = decide(snap)
    (refused,) = of(plan, RejectNeed)
    assert (refused.need, refused.reason) == ("n-1", "SelfCausedLoop")
    assert "3 times" in refused.detail
    (hold,) = (record.freeze for record in of(plan, OpenFreeze))
    assert (hold.mission_class, hold.reason, hold.cause) == ("tidy", "SelfCausedLoop", "n-1")
    assert (hold.since, hold.until) == (NOON, NOON + 2 * HOUR)
    assert "n-1" in hold.detail
    assert plan.look_again == NOON


def test_twice_may_be_a_repair_of_a_repair():
    plan = decide(looping(need(1, own_rounds=2)))
    assert [record.need for record in of(plan, OpenMission)] == ["n-1"]
    assert not of(plan, OpenFreeze)


def test_the_freeze_bites_in_the_tick_that_opens_it():
    """Neither another need of the class nor a mission under way goes on; other classes do."""
    other = need(3, mission_class="docs")
    snap = looping(need(1, own_rounds=3), need(2), other, missions=(mission(9),))
    assert [order.mission for order in decide(replace(snap, needs=())).orders] == ["m-9"]
    plan = decide(snap)
    assert not [order for order in plan.orders if isinstance(order, StartRun)]
    assert [record.need for record in of(plan, OpenMission)] == [other.id]


def test_several_loops_of_one_class_are_one_freeze():
    plan = decide(looping(*(need(n, own_rounds=3 + n) for n in (2, 1)), need(3, own_rounds=2)))
    assert {record.need for record in of(plan, RejectNeed)} == {"n-1", "n-2"}
    assert [record.freeze.cause for record in of(plan, OpenFreeze)] == ["n-1"]


def test_each_round_is_a_cause_of_its_own_and_the_same_round_is_none():
    ids = [
        record.freeze.id
        for rounds in (3, 4, 3)
        for record in of(decide(looping(need(1, own_rounds=rounds))), OpenFreeze)
    ]
    assert ids[0] == ids[2] != ids[1]


def test_what_is_not_open_is_left_to_its_mission():
    plan = decide(looping(need(1, own_rounds=3, state=NeedState.TAKEN)))
    assert not of(plan, OpenFreeze)
    assert not of(plan, RejectNeed)


def test_where_the_class_worked_last_is_proven_before_it_goes_on():
    """The loop's missions may have worked anywhere that is allowed; the first is no proof."""
    both = spec(delivery={"repoAllowlist": ["acme/first", REPO], "requiredChecks": ["lint"]})
    snap = looping(need(1, own_rounds=3), spec=both)
    (hold,) = (record.freeze for record in of(decide(snap), OpenFreeze))
    ended = Settled(
        mission=MissionId("m-8"), mission_class="tidy", kind=MissionKind.DELIVER, at=NOON,
        outcome=OutcomeKind.DELIVERED, counts_as_failure=False, repo=REPO,
    )  # fmt: skip
    later = looping(spec=both, freezes=(hold,), settled=(ended,), now=hold.until)
    (proof,) = of(decide(later), OpenMission)
    assert (proof.kind, proof.repo, proof.freeze) == (MissionKind.REQUALIFY, REPO, hold.id)
