"""Before a step begins: whether its traffic can decide it in the time that it may take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.core.decide import decide
from swarm.core.decision import Notify, SetTraffic
from swarm.core.evidence import LookTaken, Synced
from swarm.core.findings import TargetFindings
from swarm.core.gates.progressive_rollout import outlook
from swarm.core.ids import EvidenceId
from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts, Look, Reading
from swarm.core.rollout.planner import traffic
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.testing.builders import NOON, TARGET
from swarm.testing.states import HEAD, State, build

LIMITS = CanaryThresholds()  # +20 % or 0.1 percentage points, at most 30 minutes
MINUTE = timedelta(minutes=1)


def reading(seconds, total, bad=0.0, epoch=""):
    counts = ArmCounts(total=total, bad=bad, epoch=epoch)
    return Reading(observed_at=NOON + timedelta(seconds=seconds), counts=counts)


def synced(*before):
    return Synced(
        id=EvidenceId("e-s"), at=NOON, target=TARGET, revision=HEAD, healthy=True,
        stable="main0001", before=before,
    )  # fmt: skip


def look(number, percent, rps):
    """A look each minute at a target that answers so many requests a second, without errors."""
    at = NOON + number * MINUTE
    canary, stable = rps * 60 * number * percent / 100, rps * 60 * number * (100 - percent) / 100
    seen = Look(
        observed_at=at, traffic_percent=percent,
        canary=ArmCounts(total=canary, bad=0), stable=ArmCounts(total=stable, bad=0),
    )  # fmt: skip
    return LookTaken(
        id=EvidenceId(f"e-{number}"), at=at, target=TARGET, step=0, number=number, look=seen
    )


@pytest.mark.parametrize(
    ("readings", "requests", "share"),
    [
        pytest.param((reading(0, 0), reading(100, 10_000, 50)), 101.7, 0.005, id="busy"),
        pytest.param((reading(0, 7), reading(10, 7)), 0.3, 0.0, id="nobody-came-at-most-3"),
        pytest.param((reading(0, 7), reading(5, 9), reading(10, 107, 1)), 11.9, 0.01, id="ends"),
    ],
)
def test_traffic_is_the_most_that_a_span_allows(readings, requests, share):
    seen = traffic(readings, stable_percent=100)
    assert seen.requests_per_second == pytest.approx(requests, abs=0.1)
    assert seen.error_share == share
    halved = traffic(readings, stable_percent=50).requests_per_second
    assert halved == pytest.approx(2 * seen.requests_per_second)


NOT_READ = Reading(observed_at=NOON, counts=Absent(why=AbsentWhy.NOT_REPORTED))


@pytest.mark.parametrize(
    "readings",
    [
        pytest.param((), id="no-reading"),
        pytest.param((reading(0, 5),), id="one-reading"),
        pytest.param((NOT_READ, reading(9, 5)), id="one-of-two-is-absent"),
        pytest.param((reading(0, 5), reading(0, 9)), id="no-time-between"),
        pytest.param((reading(0, 9), reading(9, 5)), id="counters-began-again"),
        pytest.param((reading(0, 5, epoch="a"), reading(9, 50, epoch="b")), id="another-process"),
    ],
)
def test_what_nobody_can_tell_is_no_traffic_and_no_alarm(readings):
    assert traffic(readings, stable_percent=100) is None
    assert outlook(TargetFindings(synced=synced(*readings)), 10, LIMITS) == ""
    assert outlook(TargetFindings(), 10, LIMITS) == ""


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize(
    ("rps", "percent", "told"),
    [
        # 5,700 requests without errors decide; 10 % of 40/s brings 7,200 in half an hour.
        pytest.param(20, 10, True, id="too-few"),
        pytest.param(20, 50, False, id="enough-at-a-larger-share"),
        pytest.param(40, 10, False, id="enough"),
        pytest.param(20, 1, True, id="the-smallest-share"),
        pytest.param(20, 0, False, id="nothing-is-exposed"),
        pytest.param(20, 100, False, id="nothing-is-compared-at-the-end"),
    ],
)
def test_the_first_step_is_planned_on_what_the_stable_version_carried(rps, percent, told):
    target = TargetFindings(synced=synced(reading(0, 0), reading(600, rps * 600)))
    assert bool(outlook(target, percent, LIMITS)) is told


def test_where_the_stable_version_had_no_share_its_counts_tell_no_traffic():
    busy = (reading(0, 0), reading(1, 100))
    assert traffic(busy, stable_percent=0) is None
    of_all = traffic(busy, stable_percent=100).requests_per_second
    assert traffic(busy, stable_percent=1).requests_per_second == pytest.approx(100 * of_all)


@pytest.mark.req("GATE-5")
def test_a_later_step_is_planned_on_the_traffic_of_the_one_before():
    """What the stable version had before the rollout is old by then."""
    busy = synced(reading(0, 0), reading(600, 600_000))
    target = TargetFindings(synced=busy)
    assert outlook(target, 30, LIMITS) == ""
    for number in range(10):
        target.add_look(look(number, percent=10, rps=1))
    said = outlook(target, 30, LIMITS)
    assert said.startswith("with at most 1.1 requests a second, deciding +20%")
    assert said.endswith("longer than the longest hold of 0:30:00")


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize(("rps", "warned"), [(5, True), (5_000, False)])
def test_the_owner_hears_of_a_step_that_cannot_be_decided_as_it_begins(rps, warned):
    snap = build(State(rollout="landed", artifact="verified"))
    (me,) = snap.missions
    fact = synced(reading(0, 0), reading(600, rps * 600))
    plan = decide(replace(snap, missions=(replace(me, facts=(*me.facts, fact), version=99),)))
    (step,) = [order for order in plan.orders if isinstance(order, SetTraffic)]
    assert step.step == 0, "it is a warning: the step begins"
    told = [order for order in plan.orders if isinstance(order, Notify)]
    assert [order.event for order in told] == [f"undecidable-{TARGET}-{HEAD}-0"] * warned
    ((_, stands),) = plan.standings
    assert ("may end without a verdict" in stands.detail) is warned
