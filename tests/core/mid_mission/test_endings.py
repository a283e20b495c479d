"""Missions that end at once, beside each other, or without money."""

from dataclasses import replace

import pytest

from swarm.contract.verdict import Answer, Verdict
from swarm.core.decide import decide
from swarm.core.decision import Land, Learn, OpenFreeze, OpenMission, Settle, StartRun, UseApproval
from swarm.core.evidence import CheckResult, LiveSeen, MainSeen, RunResult
from swarm.core.nouns import MissionKind, OutcomeKind, Settled
from swarm.core.snapshot import AgentBinding, Budget
from swarm.testing.builders import NOON, REPO, TARGET, installation, mission, snapshot, spec
from swarm.testing.half_way import (
    BASE,
    DELIVERY,
    HEAD,
    HOUR,
    MINUTE,
    Evidence,
    approved,
    hold,
    next_tick,
    orders,
    records,
    requalifying,
    standing,
)
from swarm.testing.states import State, build

# --- one after another ----------------------------------------------------------------------------


def green_mission(number, opened_at):
    contract = replace(mission(number).contract, checks=("lint",), targets=())
    me = mission(number, contract=contract, opened_at=opened_at)
    return Evidence(me).green()


@pytest.mark.req("LOOP-8")
def test_what_comes_free_goes_to_the_oldest_that_waits_and_not_to_who_comes_along():
    first = green_mission(1, NOON - 3 * HOUR)
    waiter = green_mission(2, NOON - 2 * HOUR)
    latecomer = green_mission(3, NOON - HOUR)
    fresh = replace(latecomer.mission(), facts=(), version=0)
    snap = next_tick(
        snapshot(spec=spec(delivery=DELIVERY), missions=(first.mission(), waiter.mission(), fresh))
    )
    assert snap.missions[1].standing.reason == "QueuedBehind"
    landed = replace(snap.missions[0], facts=tuple(first.landed().facts), version=9, orders=())
    arrived = replace(snap.missions[2], facts=tuple(latecomer.facts), version=9)
    plan = decide(replace(snap, missions=(landed, snap.missions[1], arrived)))
    assert [o.mission for o in plan.orders if isinstance(o, Land)] == ["m-2"]
    assert dict(plan.standings)["m-3"].reason == "QueuedBehind"


@pytest.mark.req("LOOP-5")
def test_two_missions_whose_paths_meet_never_wait_for_each_other():
    """A repair may meet a rival of its parent; the elder goes first."""
    rival = mission(1, contract=replace(mission(1).contract, allowed_paths=("src",)))
    repair = mission(
        2, kind=MissionKind.REMEDIATE, opened_at=NOON + MINUTE,
        contract=replace(mission(2).contract, allowed_paths=("src/a.py",)),
    )  # fmt: skip
    plan = decide(snapshot(missions=(repair, rival)))
    assert [o.mission for o in plan.orders if isinstance(o, StartRun)] == ["m-1"]
    later = next_tick(snapshot(missions=(repair, rival)))
    idle = tuple(replace(one, orders=(), version=9) for one in later.missions)
    assert [o.mission for o in decide(replace(later, missions=idle)).orders] == ["m-1"]


# --- one tick, several endings --------------------------------------------------------------------


def spent(number, **over):
    """A mission whose four attempts failed; it ends when it is judged."""
    evidence = Evidence(mission(number, **over))
    for _ in range(4):
        evidence.ran(RunResult.FAILED)
    return evidence.mission()


@pytest.mark.req("FRZ-1")
@pytest.mark.req("FAIL-3")
def test_two_failures_in_one_tick_are_two_failures_in_a_row():
    plan = decide(snapshot(missions=(spent(1), spent(2))))
    assert {r.freeze.mission_class for r in plan.records if isinstance(r, OpenFreeze)} == {"tidy"}


@pytest.mark.req("LOOP-10")
def test_two_lessons_in_one_tick_are_both_learned():
    endings = (spent(1, mission_class="tidy"), spent(2, mission_class="docs"))
    *_, last = (r for r in decide(snapshot(missions=endings)).records if isinstance(r, Learn))
    assert dict(last.class_bias) == {"docs": -0.2, "tidy": -0.2}


@pytest.mark.req("FAIL-5")
def test_repairs_of_one_tick_share_what_is_left_of_the_budget():
    bound = installation(agents=(AgentBinding(name="tidy", cost=100),))
    window = Budget(name="b", cap=800, reserved=400, spent=0, window_ends=NOON + HOUR)
    endings = (spent(1, mission_class="a"), spent(2, mission_class="b"))
    plan = decide(snapshot(missions=endings, installation=bound, budget=window))
    assert sum(r.reserve for r in plan.records if isinstance(r, OpenMission)) == 400


@pytest.mark.req("FRZ-2")
def test_a_freeze_that_opens_in_a_tick_halts_what_the_tick_had_begun():
    """An approval is not used up for a landing that does not happen."""
    history = (
        Settled(
            mission="m-0", mission_class="tidy", kind=MissionKind.DELIVER,
            outcome=OutcomeKind.FAILED, counts_as_failure=True, at=NOON,
        ),
    )  # fmt: skip
    ready = approved(Evidence().green())
    assert orders(ready, Land)
    assert [used.approval.id for used in records(ready, UseApproval)] == ["a-1"]
    snap = replace(ready, missions=(*ready.missions, spent(2)), settled=history)
    assert records(snap, OpenFreeze)
    assert orders(snap, Land) == []
    assert records(snap, UseApproval) == []


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.req("FAIL-5")
def test_an_overdrawn_window_pays_for_no_fix_until_it_turns():
    bound = installation(agents=(AgentBinding(name="tidy", cost=100),))
    over = Budget(name="b", cap=100, reserved=0, spent=101, window_ends=NOON + HOUR)
    red = Evidence().ran().checked(CheckResult.RED).checked(commit=BASE)
    snap = red.snapshot(installation=bound, budget=over)
    assert standing(snap).reason == "BudgetExhausted"
    assert standing(snap).look_again == NOON + HOUR
    assert orders(snap, StartRun) == []
    turned = replace(next_tick(snap), budget=replace(over, spent=0))
    assert orders(turned, StartRun)


# --- requalification ------------------------------------------------------------------------------


@pytest.mark.req("FRZ-3")
@pytest.mark.parametrize(
    ("over", "reason", "why"),
    [
        pytest.param(
            {"drifted": ((TARGET, "runs x"),)}, "TargetDrifted", "runs x", id="a-target-drifted"
        ),
        pytest.param(
            {"healthy": False}, "TargetUnhealthy", "is not healthy", id="a-target-unhealthy"
        ),
        pytest.param(
            {"installation": installation(checks=frozenset())},
            "CheckNotConfigured", "swarm.toml", id="a-check-unbound",
        ),
        pytest.param(
            {"result": CheckResult.RED}, "RequiredCheckRed", "lint on", id="a-check-red"
        ),
        pytest.param(
            {"result": CheckResult.NEVER_REPORTED},
            "CheckNeverReported", "passed its deadline", id="a-check-silent",
        ),
        pytest.param(
            {"spec": spec(delivery={**DELIVERY, "requiredChecks": []})},
            "NoRequiredChecks", "no proof", id="no-check",
        ),
    ],
)  # fmt: skip
def test_a_requalification_without_proof_says_what_is_missing_and_counts_for_nothing(
    over, reason, why
):
    """Main is green where the target is at fault: nobody must look for a red check there."""
    snap = build_requalification(**over)
    (settled,) = records(snap, Settle)
    assert (settled.outcome.kind, settled.outcome.reason) == (OutcomeKind.FAILED, reason)
    assert why in settled.outcome.detail
    assert not settled.outcome.counts_as_failure


def build_requalification(*, healthy=True, result=CheckResult.GREEN, **over):
    contract = replace(mission(7).contract, checks=("lint",))
    evidence = Evidence(requalifying())
    if over.get("spec") is not None:
        evidence.me = replace(evidence.me, contract=replace(contract, checks=()))
    evidence._add(MainSeen, "main", "0", repo=REPO, commit=BASE)
    if "installation" not in over:
        evidence.checked(result, commit=BASE)
    evidence._add(
        LiveSeen, "live", TARGET, "0", target=TARGET, stable=BASE, canary="", healthy=healthy
    )
    fields = {"freezes": (hold(until=NOON - MINUTE),), **over}
    return evidence.snapshot(**fields)


@pytest.mark.req("LOOP-5")
def test_a_requalification_writes_nothing_and_is_in_nobodys_way():
    whole = mission(1, contract=replace(mission(1).contract, allowed_paths=()))
    snap = snapshot(missions=(requalifying(opened_at=NOON - HOUR), whole))
    assert orders(snap, StartRun)


# --- every state with a kept failure --------------------------------------------------------------


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize("word", ["watching", "passed", "last", "slo-watching", "slo-held"])
@pytest.mark.parametrize("mode", ["assisted", "lights-out"])
def test_after_a_failing_verdict_nothing_is_promoted_whatever_comes_later(mode, word):
    snap = build(State(mode=mode, rollout=word, artifact="verified"))
    failed = Verdict(answer=Answer.FAIL, reason="ErrorRateRegressed")
    me = replace(
        snap.missions[0], verdicts=(("progressive_rollout", f"{TARGET}@{HEAD}#10", failed),)
    )
    plan = decide(replace(snap, missions=(me,)))
    assert [order.kind for order in plan.orders] == ["abort"]
