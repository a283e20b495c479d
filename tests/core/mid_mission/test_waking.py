"""What makes the next look at a mission due, and when."""

from dataclasses import replace

import pytest

from swarm.core.decide import decide
from swarm.core.decision import AskApproval, RunCheck, StartRun
from swarm.core.evidence import CheckResult
from swarm.core.ids import OrderKey
from swarm.core.nouns import OutcomeKind
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, change, mission, snapshot
from swarm.testing.half_way import (
    BASE,
    HEAD,
    MINUTE,
    SECOND,
    Evidence,
    approved,
    hold,
    next_tick,
    orders,
    outcome,
    records,
    requalifying,
    standing,
)


@pytest.mark.req("VAL-4")
def test_the_end_of_shadow_mode_sends_a_held_mission_on():
    held = next_tick(snapshot(missions=(mission(1),), shadow=True))
    assert held.missions[0].standing.reason == "Shadow"
    assert orders(replace(held, shadow=False), StartRun)


@pytest.mark.req("FRZ-2")
def test_a_freeze_whose_window_has_passed_does_not_make_the_swarm_spin():
    """It holds until it is proven; the proof wakes, the clock does not."""
    late = snapshot(missions=(mission(1),), freezes=(hold(until=NOON - MINUTE),))
    late = replace(late, missions=(*late.missions, requalifying()))
    plan = decide(late)
    assert dict(plan.standings)["m-1"].reason == "Frozen"
    assert plan.look_again > NOON


@pytest.mark.req("LOOP-1")
def test_an_agent_without_capacity_is_waited_for_without_spinning_once_it_is_asked_again():
    order = OpenOrder(
        key=OrderKey("m-1/run/0"), kind="start-run", issued_at=NOON - MINUTE, begun=True,
        waits_because="Quota", next_try=NOON - SECOND,
    )  # fmt: skip
    snap = snapshot(missions=(mission(1, orders=(order,)),))
    assert standing(snap).reason == "Capacity"
    assert decide(snap).look_again is None


@pytest.mark.req("GATE-2")
def test_a_check_that_stays_silent_is_noticed_though_nothing_happens():
    """No fact, no event: the standing itself says when silence becomes the answer."""
    asked = next_tick(Evidence().ran().snapshot())
    again = asked.missions[0].standing.look_again
    assert again == NOON + 45 * MINUTE
    assert orders(replace(asked, now=again - SECOND), StartRun) == []
    assert orders(replace(asked, now=again), StartRun)


@pytest.mark.req("GATE-2")
def test_a_silent_check_on_main_ends_the_mission_and_counts_for_nothing():
    red = next_tick(Evidence().ran().checked(CheckResult.RED).snapshot())
    assert red.missions[0].standing.look_again == NOON + 45 * MINUTE
    silent = replace(red, now=NOON + 45 * MINUTE)
    assert outcome(silent) == (OutcomeKind.FAILED, "MainIsRed", False)


@pytest.mark.req("GATE-2")
def test_a_late_green_for_a_head_that_was_given_up_changes_nothing():
    late = (
        Evidence().ran().checked(CheckResult.NEVER_REPORTED).checked(commit=BASE)
        .ran(made=change(head="head0002", base=BASE)).checked()
    )  # fmt: skip
    (order,) = orders(late.snapshot(), RunCheck)
    assert order.commit == "head0002"


@pytest.mark.req("MODE-5")
def test_an_approval_that_runs_out_is_looked_at_again_when_it_does():
    snap = approved(Evidence().ran().checked(), expires_at=NOON + 7 * MINUTE)
    assert standing(snap).reason == "ArtifactPending"
    assert standing(snap).look_again == NOON + 7 * MINUTE


@pytest.mark.req("MODE-5")
def test_an_approval_used_for_a_landing_that_is_under_way_is_not_asked_for_again():
    snap = approved(Evidence().green(), expires_at=NOON - SECOND)
    assert records(snap, AskApproval)
    landing = OpenOrder(
        key=OrderKey(f"m-1/land/{HEAD}/{BASE}"), kind="land", issued_at=NOON, begun=True
    )
    under_way = replace(snap, missions=(replace(snap.missions[0], orders=(landing,)),))
    assert records(under_way, AskApproval) == []
    assert standing(under_way).reason == "MergeAllowed"
