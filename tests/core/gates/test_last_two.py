"""Gates 5 and 6: which looks each reads, and what it says while they cannot decide."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer
from swarm.core.evidence import LookTaken, Synced, TrafficSet
from swarm.core.findings import TargetFindings
from swarm.core.gates import post_deploy_slo, progressive_rollout
from swarm.core.ids import EvidenceId
from swarm.core.nouns import Risk
from swarm.core.rollout.counts import Absent, AbsentWhy, ArmCounts, LatencyHistogram, Look
from swarm.core.rollout.planner import plan_step
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.testing.builders import NOON, TARGET, installation

MINUTE = timedelta(minutes=1)
LIMITS = CanaryThresholds(p95_increase=None)
OBJECTIVE = SloThresholds(error_objective=0.01, p95_increase=None)
NOBODY = Absent(why=AbsentWhy.NOT_REPORTED)


def arm(total, bad=0.0, edges=None):
    if edges is None:
        return ArmCounts(total=total, bad=bad)
    latency = LatencyHistogram(edges=edges, cumulative=(total,), total=total)
    return ArmCounts(total=total, bad=bad, latency=latency)


def rollout(*looks, name="e"):
    """Each look: (step, minutes after noon, percent, canary, stable). name: of its evidence."""
    target = TargetFindings(
        synced=Synced(
            id=EvidenceId("e-synced"), at=NOON, target=TARGET, revision="head0001",
            stable="main0001", healthy=True,
        )
    )  # fmt: skip
    for number, (step, minutes, percent, canary, stable) in enumerate(looks):
        at = NOON + minutes * MINUTE
        taken = Look(observed_at=at, traffic_percent=percent, canary=canary, stable=stable)
        target.add_look(
            LookTaken(
                id=EvidenceId(f"{name}-{number}"), at=at, target=TARGET, step=step, number=number,
                look=taken,
            )
        )  # fmt: skip
    return target


def gate_5(target, step=0, since=NOON, limits=LIMITS):
    return progressive_rollout.judge(target, step, limits, since)


def gate_6(target, since=NOON, limits=OBJECTIVE):
    return post_deploy_slo.judge(target, 1, limits, since)


# --- Gate 5 ---------------------------------------------------------------------------------------


@pytest.mark.req("MODE-3")
def test_gate_5_is_stricter_for_r3_and_for_r3_alone():
    bound = installation(canary=LIMITS)
    assert progressive_rollout.thresholds(bound, Risk.R2) == LIMITS
    assert progressive_rollout.thresholds(bound, Risk.R3).alpha == pytest.approx(LIMITS.alpha / 5)


@pytest.mark.req("GATE-5")
def test_gate_5_reads_what_was_counted_from_the_moment_of_the_exposure_on():
    target = rollout((0, 1, 10, arm(100), arm(900)))
    assert gate_5(target, since=NOON + MINUTE).evidence == ("e-0",)
    before = gate_5(target, since=NOON + 2 * MINUTE)
    assert (before.answer, before.reason, before.evidence) == (Answer.WAIT, "NoLookYet", ())


@pytest.mark.req("GATE-5")
def test_gate_5_says_in_time_that_the_traffic_of_a_step_can_never_decide_it():
    """Told from all that this step counted, at this weight: a person can act on it at once."""
    slow = rollout(
        (0, 1, 5, arm(0), arm(0)),
        (1, 2, 10, arm(500), arm(10_000, 500)),
        (1, 3, 10, arm(510, 1), arm(10_090, 501)),
        (1, 5, 10, arm(530, 1), arm(10_270, 503)),
    )
    verdict = gate_5(slow, step=1)
    assert verdict.answer is Answer.WAIT
    plan = plan_step(300 / 180, 3 / 270, 10, LIMITS)
    assert not plan.decidable
    assert plan.detail in verdict.detail
    # And stays silent while it will be decided.
    fast = rollout(
        (0, 1, 10, arm(0), arm(0)),
        (0, 2, 10, arm(200), arm(1_800)),
    )
    assert gate_5(fast).answer is Answer.WAIT
    assert "longest hold" not in gate_5(fast).detail


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize(
    "before",
    [
        pytest.param([], id="two-readings"),
        pytest.param([(0, 1, 10, NOBODY, arm(9_000))], id="the-new-one-was-silent-before"),
        pytest.param([(0, 1, 10, arm(400), NOBODY)], id="the-old-one-was-silent-before"),
    ],
)
def test_gate_5_foretells_from_the_readings_of_both_versions_alone(before):
    first, second = (arm(500), arm(10_000, 500)), (arm(510, 1), arm(10_090, 501))
    plan = plan_step(100 / 60, 1 / 90, 10, LIMITS)
    verdict = gate_5(rollout(*before, (0, 9, 10, *first), (0, 10, 10, *second)))
    assert verdict.detail.endswith(f"; {plan.detail}")


@pytest.mark.req("GATE-5")
def test_gate_5_takes_a_late_reading_of_a_smaller_step_for_nothing_read_here():
    late = rollout(
        (0, 1, 10, arm(10), arm(90)), (1, 2, 30, arm(20), arm(180)), (0, 3, 10, arm(30), arm(270))
    )
    verdict = gate_5(late, step=1)
    assert (verdict.answer, verdict.reason) == (Answer.WAIT, "NoLookYet")


@pytest.mark.req("GATE-5")
def test_gate_5_judges_each_rollout_by_its_own_looks():
    """Two rollouts may read the very same numbers at the same instant, after different ones."""
    shared = (0, 2, 10, arm(100), arm(900))
    one = rollout((0, 1, 10, arm(0), arm(0)), shared, name="one")
    other = rollout((0, 1, 10, arm(90), arm(810)), shared, (0, 3, 10, arm(200), arm(1_800)))
    assert "0/100" in gate_5(one).detail
    assert "0/110" in gate_5(other).detail


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([(0, 1, 10, arm(10), arm(90))], id="one-reading"),
        pytest.param([(0, 1, 100, arm(10), arm(9)), (0, 2, 100, arm(20), arm(9))], id="no-old-one"),
        pytest.param([(0, 1, 0, arm(0), arm(9)), (0, 2, 0, arm(0), arm(99))], id="not-exposed"),
        pytest.param([(0, 1, 10, NOBODY, arm(9)), (0, 2, 10, arm(5), arm(49))], id="was-absent"),
        pytest.param([(0, 1, 10, arm(1), arm(9)), (0, 2, 10, NOBODY, arm(49))], id="is-absent"),
        pytest.param([(0, 1, 10, arm(1), arm(9)), (0, 2, 10, arm(5), NOBODY)], id="nobody-beside"),
    ],
)
def test_gate_5_foretells_nothing_without_two_readings_of_both_versions(looks):
    verdict = gate_5(rollout(*looks))
    assert verdict.answer is not Answer.PASS
    assert "needs" not in verdict.detail


@pytest.mark.req("GATE-5")
def test_gate_5_bears_a_step_at_which_nobody_asked_the_old_version():
    target = rollout((0, 1, 50, arm(0), arm(9)), (0, 2, 50, arm(40), arm(9)))
    assert gate_5(target).answer in {Answer.WAIT, Answer.INCONCLUSIVE, Answer.FAIL}


# --- Gate 6 ---------------------------------------------------------------------------------------


def observed(*served, before=()):
    """Looks at full exposure, a minute apart from noon on: what the new version had counted."""
    looks = [(1, minutes, 100, counts, NOBODY) for minutes, counts in enumerate(served)]
    return rollout(*before, *looks)


@pytest.mark.req("GATE-6")
def test_gate_6_reads_the_looks_since_full_exposure_and_says_when_the_next_is_due():
    target = observed(arm(0), arm(1_000), arm(2_000))
    verdict = gate_6(target, since=NOON + MINUTE)
    assert verdict.answer is Answer.WAIT
    assert verdict.evidence == ("e-1", "e-2")
    assert verdict.look_again == NOON + 2 * MINUTE + OBJECTIVE.look_every
    assert gate_6(target, since=NOON + 2 * MINUTE).evidence == ("e-2",), "one is enough to say so"
    nothing = gate_6(target, since=NOON + 3 * MINUTE)
    assert (nothing.answer, nothing.evidence, nothing.look_again) == (Answer.WAIT, (), None)


@pytest.mark.req("GATE-6")
def test_gate_6_passes_a_window_that_held_and_fails_one_that_did_not():
    good = observed(*(arm(1_000 * n) for n in range(12)))
    assert gate_6(good).answer is Answer.PASS
    bad = observed(*(arm(1_000 * n, 100 * n) for n in range(12)))
    assert gate_6(bad).answer is Answer.FAIL


BEFORE = tuple((0, n - 10, 10, arm(100 * n), arm(900 * n, 9 * n)) for n in range(3))
RELATIVE = replace(OBJECTIVE, error_objective=None)


@pytest.mark.req("GATE-6")
def test_gate_6_without_an_objective_holds_the_old_version_against_the_new_one():
    equal = observed(*(arm(1_000 * n, 10 * n) for n in range(12)), before=BEFORE)
    assert gate_6(equal, limits=RELATIVE).answer is not Answer.FAIL
    worse = observed(*(arm(1_000 * n, 50 * n) for n in range(12)), before=BEFORE)
    assert gate_6(worse, limits=RELATIVE).answer is Answer.FAIL


@pytest.mark.req("GATE-6")
@pytest.mark.parametrize(
    ("before", "grown"),
    [
        pytest.param((), None, id="nobody-looked"),
        pytest.param(BEFORE[:1], None, id="one-reading"),
        pytest.param(BEFORE[:2], (900, 9), id="two-readings"),
        pytest.param(BEFORE, (1_800, 18), id="from-the-first-to-the-last"),
        pytest.param(
            (BEFORE[0], (0, -9, 10, arm(100), NOBODY), BEFORE[2]), (1_800, 18), id="a-gap-between"
        ),
        pytest.param((BEFORE[0], (0, -9, 10, arm(100), NOBODY)), None, id="one-and-a-gap"),
    ],
)
def test_the_baseline_is_what_the_old_version_counted_before_full_exposure(before, grown):
    after = [(1, n, 100, arm(1_000 * n), arm(99_000, 900)) for n in range(1, 3)]
    counted = post_deploy_slo.baseline(rollout(*before, *after), 1)
    assert (None if counted is None else (counted.total, counted.bad)) == grown


@pytest.mark.req("GATE-6")
def test_readings_that_cannot_be_compared_settle_nothing_and_are_taken_again():
    target = observed(arm(10, edges=(0.1,)), arm(20, edges=(0.2,)))
    verdict = gate_6(target, limits=SloThresholds(error_objective=0.01))
    assert (verdict.answer, verdict.reason) == (Answer.INCONCLUSIVE, "CanaryUndecided")
    assert verdict.look_again == NOON + MINUTE + OBJECTIVE.look_every


# --- what a cache or a target that was not told answers -------------------------------------------


def exposed(target, step, percent):
    target.traffic[step] = TrafficSet(
        id=EvidenceId(f"e-set-{step}"), at=NOON, target=TARGET, step=step, percent=percent
    )
    return target


@pytest.mark.req("GATE-5", "GATE-6")
@pytest.mark.parametrize("gate", [pytest.param(gate_5, id="5"), pytest.param(gate_6, id="6")])
def test_a_look_at_another_split_than_was_set_proves_nothing(gate):
    """Seed 80: the stable arm of a look at 10 % was read as the new version at 100 %."""
    step, percent, other = (0, 10, 1) if gate is gate_5 else (1, 100, 10)
    here = [
        (step, n, percent, arm(10**5 * n, 200 * n), arm(9 * 10**5 * n, 1_800 * n))
        for n in range(12)
    ]
    late = (step, 12, other, arm(100), arm(9_000_000, 90))
    target = exposed(rollout(*here, late), step, percent)
    verdict = gate(target)
    assert (verdict.answer, verdict.reason) == (Answer.INCONCLUSIVE, "SampleRatioMismatch")
    assert f"given {other} %" in verdict.detail
    assert verdict.evidence == ("e-12",)
    assert verdict.look_again > NOON + 12 * MINUTE


@pytest.mark.req("GATE-5", "GATE-6")
@pytest.mark.parametrize("gate", [pytest.param(gate_5, id="5"), pytest.param(gate_6, id="6")])
def test_a_look_at_another_split_changes_nothing_of_what_the_others_say(gate):
    step, percent, other = (0, 10, 1) if gate is gate_5 else (1, 100, 10)
    here = [
        (step, n, percent, arm(10**5 * n, 200 * n), arm(9 * 10**5 * n, 1_800 * n))
        for n in range(12)
    ]
    odd = (step, 5.5, other, arm(510_000), arm(9_000_000, 900_000))
    plain = gate(exposed(rollout(*here, name="plain"), step, percent))
    mixed = gate(exposed(rollout(*here[:6], odd, *here[6:], name="mixed"), step, percent))
    assert (mixed.answer, mixed.reason, mixed.detail) == (plain.answer, plain.reason, plain.detail)
    assert plain.answer is Answer.PASS


@pytest.mark.req("GATE-5")
def test_what_was_seen_before_the_split_was_set_anew_keeps_its_weight():
    """A policy may change the weight of a step in the middle of a rollout."""
    looks = [(0, minutes, 5, arm(0), arm(0)) for minutes in (-1, 0)]
    target = exposed(rollout(*looks, (0, 1, 10, arm(9), arm(99))), 0, 10)
    assert [target.in_force(taken) for taken in target.looks] == [True, False, True]


@pytest.mark.req("GATE-6")
def test_the_baseline_leaves_out_what_was_read_at_another_split():
    after = [(1, n, 100, arm(1_000 * n), arm(99_000, 900)) for n in range(1, 3)]
    late = (0, 0.5, 50, arm(100), arm(9_999, 9_999))
    target = exposed(rollout(*BEFORE, late, *after), 0, 10)
    counted = post_deploy_slo.baseline(target, 1)
    assert (counted.total, counted.bad) == (1_800, 18)
