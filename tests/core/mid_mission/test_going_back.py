"""What goes back: which gate says why, whose failure it is, and which start is still waited for."""

from dataclasses import replace

import pytest

from swarm.contract.verdict import Answer
from swarm.core.decision import Abort, GiveVerdict, Notify, Revert, VoidOrder
from swarm.core.ids import OrderKey
from swarm.core.nouns import OutcomeKind
from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts, Look
from swarm.core.rollout.thresholds import SloThresholds
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, TARGET, snapshot, spec
from swarm.testing.half_way import (
    DELIVERY,
    HEAD,
    HOUR,
    MINUTE,
    SECOND,
    Evidence,
    orders,
    outcome,
    records,
    rolling,
    standing,
)

# --- why ------------------------------------------------------------------------------------------


def kept_failure(snap):
    """Gate and subject of the one verdict that says why it goes back."""
    assert orders(snap, Abort)
    given = records(snap, GiveVerdict)
    return [(r.gate, r.subject) for r in given if r.verdict.answer is Answer.FAIL]


@pytest.mark.req("GATE-5", "GATE-6", "FAIL-2")
@pytest.mark.parametrize(
    ("steps", "gate"),
    [
        pytest.param([(0, 10)], "progressive_rollout", id="the-first-step"),
        pytest.param([(0, 10), (1, 30)], "progressive_rollout", id="the-last-before-all-of-it"),
        pytest.param([(0, 10), (1, 30), (2, 100)], "post_deploy_slo", id="all-of-it"),
    ],
)
def test_what_goes_back_undecided_is_kept_under_the_gate_of_its_share(steps, gate):
    found, begun = rolling(at=NOON), NOON
    for step, percent in steps[1:]:
        begun += MINUTE
        found.exposed(step, percent, at=begun)
    late = found.snapshot(now=begun + SloThresholds().max_hold)
    assert kept_failure(late) == [(gate, f"{TARGET}@{HEAD}#{steps[-1][1]}")]


@pytest.mark.req("LOOP-8", "FAIL-2")
def test_what_runs_another_revision_before_it_had_a_share_is_kept_at_none():
    other = Evidence().green().landed().synced().promoted(revision="other000")
    assert kept_failure(other.snapshot()) == [("progressive_rollout", f"{TARGET}@{HEAD}#0")]


@pytest.mark.req("FAIL-1", "FAIL-2")
@pytest.mark.parametrize(
    ("canary", "counts"),
    [
        pytest.param(ArmCounts(total=1_000.0, bad=0.0), True, id="a-thousand-requests"),
        pytest.param(ArmCounts(total=1.0, bad=0.0), True, id="one-request"),
        pytest.param(ArmCounts(total=0.0, bad=0.0), False, id="no-request"),
        pytest.param(Absent(why=AbsentWhy.NOT_REPORTED), False, id="nobody-counted"),
    ],
)
def test_no_verdict_is_a_failure_only_where_somebody_saw_the_change_at_work(canary, counts):
    """Law 4: without a single request nobody can say how it did."""
    read = Look(
        observed_at=NOON - MINUTE, traffic_percent=10, canary=canary,
        stable=ArmCounts(total=9_000.0, bad=0.0),
    )  # fmt: skip
    gone = rolling().looked(read).aborted().reverted()
    assert outcome(gone.snapshot()) == (OutcomeKind.ROLLED_BACK, "CanaryUndecided", counts)


@pytest.mark.req("FAIL-2", "FRZ-4")
def test_the_owner_is_told_in_the_tick_that_ends_a_rollback():
    """What was live is not any more, and nothing is judged after this tick that could say so."""
    gone = rolling().spoken("rollback").aborted().reverted().snapshot()
    (told,) = orders(gone, Notify)
    assert told.channel == gone.spec.owner.channel
    assert ": rolled back: Cancelled: " in told.text


# --- a start that is still open -------------------------------------------------------------------

SYNC = OrderKey(f"m-1/sync/{TARGET}/{HEAD}")


def taken_off(now, **how):
    """A target that was proven to be back at noon, while the start there is still open."""
    syncing = OpenOrder(key=SYNC, kind="sync", issued_at=NOON, **how)
    gone = Evidence().green().landed().spoken("rollback").aborted(at=NOON)
    return snapshot(
        spec=spec(delivery=DELIVERY), missions=(gone.mission(orders=(syncing,)),), now=now
    )


@pytest.mark.req("LOOP-9", "FAIL-2")
def test_a_start_under_way_is_waited_for_though_the_old_version_was_proven():
    """It waited for room, and was taken up just before it could be taken back."""
    ends = NOON + 10 * MINUTE
    early = taken_off(ends - SECOND, begun=True)
    assert orders(early, Revert) == []
    assert standing(early).next_action == f"{TARGET} is still starting it; then it is taken off"
    assert standing(early).look_again == ends
    assert orders(taken_off(ends, begun=True), Revert)


@pytest.mark.req("LOOP-9", "FAIL-2")
@pytest.mark.parametrize("now", [NOON + MINUTE, NOON + HOUR], ids=["a-minute", "an-hour"])
@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"begun": False}, id="never-begun"),
        pytest.param({"begun": True, "waits_because": "TargetHeld: busy"}, id="waits"),
    ],
)
def test_a_start_that_nobody_is_at_work_on_is_taken_back_however_long_it_waits(how, now):
    """It would be made once the target has room, long after the old version was proven."""
    snap = taken_off(now, **how)
    assert [(void.mission, void.order) for void in records(snap, VoidOrder)] == [("m-1", SYNC)]
    assert orders(snap, Revert) == []
    gone = tuple(replace(me, orders=()) for me in snap.missions)
    assert orders(replace(snap, missions=gone), Revert)
