"""One word and nine conditions for what a swarm is doing, derived, never stored (API-6, API-7)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.conditions import ConditionStatus, ConditionType
from swarm.contract.status import Phase
from swarm.core import phase
from swarm.core.decide import decide
from swarm.core.decision import Plan
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import EvidenceId, FreezeId, MissionId, RunId
from swarm.core.nouns import Freeze, MissionKind, OutcomeKind, Settled
from swarm.core.phase import Figures
from swarm.core.snapshot import AgentBinding, Budget, SourceState
from swarm.testing.builders import NOON, REPO, change, installation, mission, need, snapshot, spec

HOUR = timedelta(hours=1)
FED = {"sources": [{"name": "feed"}]}
READ = Figures(last_discover_at=NOON)


def report(snap, figures=READ, before=None):
    return phase.report(snap, decide(snap), figures, before)


def condition(kind, snap, figures=READ):
    (found,) = (c for c in report(snap, figures).conditions if c.type is kind)
    return found


def frozen(scope="*", **over):
    fields = {
        "id": FreezeId("f-1"), "mission_class": scope, "reason": "Drill", "detail": "practice",
        "cause": "m-9", "since": NOON, "until": NOON + HOUR,
    }  # fmt: skip
    return Freeze(**{**fields, **over})


def ended(outcome=OutcomeKind.FAILED, *, counts=True, kind=MissionKind.DELIVER):
    return Settled(
        mission=MissionId("m-9"), mission_class="tidy", kind=kind, outcome=outcome,
        counts_as_failure=counts, at=NOON,
    )  # fmt: skip


def with_a_change():
    fact = RunEnded(
        id=EvidenceId("e-1"), at=NOON, run=RunId("m-1-run-0"), attempt=0, result=RunResult.CHANGED,
        change=change(),
    )  # fmt: skip
    return mission(1, facts=(fact,), version=1)


@pytest.mark.req("API-6")
@pytest.mark.parametrize(
    ("word", "over", "figures"),
    [
        (Phase.IDLE, {}, READ),
        (Phase.DISCOVERING, {"spec": spec(discovery=FED)}, Figures()),
        (Phase.PLANNING, {"needs": (need(1),), "queued_needs": 1}, READ),
        (Phase.IMPLEMENTING, {"missions": (mission(1),)}, READ),
        (Phase.VERIFYING, {"missions": (with_a_change(),)}, READ),
        (Phase.FROZEN, {"freezes": (frozen(),), "missions": (with_a_change(),)}, READ),
        (Phase.DEGRADED, {"settled": (ended(),), "missions": (mission(1),)}, READ),
        (
            Phase.DEGRADED,
            {
                "spec": spec(discovery=FED),
                "sources": (SourceState(name="feed", dark_since=NOON),),
            },
            READ,
        ),
    ],
)
def test_every_phase_is_reached(word, over, figures):
    snap = snapshot(**over)
    assert phase.phase(snap, decide(snap), figures) is word


@pytest.mark.req("API-6")
@pytest.mark.parametrize(
    ("settled", "degraded"),
    [
        pytest.param((ended(),), True, id="retries-spent"),
        pytest.param((ended(), ended(OutcomeKind.DELIVERED, counts=False)), False, id="delivered"),
        pytest.param(
            (ended(), ended(OutcomeKind.DELIVERED, counts=False, kind=MissionKind.REQUALIFY)),
            False,
            id="requalified",
        ),
        pytest.param((ended(counts=False),), False, id="no-failure-of-ours"),
        pytest.param((ended(OutcomeKind.ROLLED_BACK),), False, id="a-rollback-is-its-own-word"),
    ],
)
def test_degraded_lasts_until_something_goes_well(settled, degraded):
    snap = snapshot(settled=settled)
    assert (phase.phase(snap, decide(snap), READ) is Phase.DEGRADED) is degraded


@pytest.mark.req("API-6")
def test_a_class_freeze_is_a_condition_and_not_the_phase():
    snap = snapshot(freezes=(frozen("tidy"),))
    assert phase.phase(snap, decide(snap), READ) is Phase.IDLE
    assert condition(ConditionType.FROZEN, snap).status is ConditionStatus.TRUE


@pytest.mark.req("API-6")
def test_the_list_of_conditions_is_complete_and_closed():
    found = [item.type for item in report(snapshot()).conditions]
    assert found == list(ConditionType)
    wanted = {
        "Ready", "Progressing", "Stalled", "DiscoveryHealthy", "BudgetAvailable", "Frozen",
        "Degraded", "DependenciesReady",
    }  # fmt: skip
    assert wanted <= {str(item) for item in found}
    assert {item.observed_generation for item in report(snapshot()).conditions} == {1}


@pytest.mark.req("API-6")
@pytest.mark.parametrize(
    ("kind", "over", "figures", "status", "reason"),
    [
        (ConditionType.READY, {}, READ, "True", "Observed"),
        (ConditionType.READY, {}, Figures(unavailable=("forge",)), "False", "Unavailable"),
        (ConditionType.DEPENDENCIES_READY, {}, READ, "True", "AllAnswer"),
        (
            ConditionType.DEPENDENCIES_READY, {}, Figures(unavailable=("forge",)), "False",
            "Unavailable",
        ),
        (ConditionType.PROGRESSING, {"missions": (mission(1),)}, READ, "True", "MissionsOpen"),
        (ConditionType.PROGRESSING, {}, READ, "False", "NothingToDo"),
        (ConditionType.STALLED, {}, READ, "False", "NothingStuck"),
        (
            ConditionType.STALLED,
            {"missions": (mission(1),), "installation": installation(agents=())},
            READ, "True", "NoAgent",
        ),
        (
            ConditionType.STALLED,
            {"missions": (with_a_change(),), "installation": installation(checks=frozenset())},
            READ, "True", "CheckNotConfigured",
        ),
        (ConditionType.DISCOVERY_HEALTHY, {}, READ, "Unknown", "NotConfigured"),
        (
            ConditionType.DISCOVERY_HEALTHY,
            {"spec": spec(discovery=FED), "sources": (SourceState(name="feed", answered=True),)},
            READ, "True", "SourcesAnswer",
        ),
        (
            ConditionType.DISCOVERY_HEALTHY,
            {"spec": spec(discovery=FED), "sources": (SourceState(name="feed"),)},
            READ, "Unknown", "SourceUnread",
        ),
        (
            ConditionType.DISCOVERY_HEALTHY,
            {
                "spec": spec(discovery=FED),
                "sources": (SourceState(name="feed", dark_since=NOON, detail="502"),),
            },
            READ, "False", "SourceDark",
        ),
        (ConditionType.BUDGET_AVAILABLE, {}, READ, "True", "BudgetLeft"),
        (ConditionType.BUDGET_AVAILABLE, {"budget": None}, READ, "Unknown", "BudgetUnknown"),
        (
            ConditionType.BUDGET_AVAILABLE,
            {"budget": Budget(name="b", cap=5, reserved=2, spent=3, window_ends=NOON + HOUR)},
            READ, "False", "BudgetExhausted",
        ),
        (
            ConditionType.BUDGET_AVAILABLE,
            {
                "needs": (need(1),),
                "installation": installation(agents=(AgentBinding(name="tidy", cost=100),)),
                "budget": Budget(name="b", cap=500, reserved=0, spent=101, window_ends=NOON + HOUR),
            },
            READ, "False", "BudgetExhausted",
        ),
        (ConditionType.FROZEN, {}, READ, "False", "NotFrozen"),
        (ConditionType.FROZEN, {"freezes": (frozen(),)}, READ, "True", "Frozen"),
        (ConditionType.DEGRADED, {}, READ, "False", "NotDegraded"),
        (ConditionType.DEGRADED, {"settled": (ended(),)}, READ, "True", "RetriesSpent"),
        (ConditionType.POLICY_COMPLETE, {}, READ, "True", "PolicyWritten"),
        (ConditionType.POLICY_COMPLETE, {"budget": None}, READ, "False", "PolicyMissing"),
    ],
)  # fmt: skip
def test_every_condition_says_its_word(kind, over, figures, status, reason):
    found = condition(kind, snapshot(**over), figures)
    assert (str(found.status), found.reason) == (status, reason)


@pytest.mark.req("FRZ-4")
def test_a_freeze_says_why_until_when_and_what_would_lift_it():
    status = report(snapshot(freezes=(frozen("tidy"), frozen(id="f-2", reason="Person"))))
    assert status.freeze.until == NOON + HOUR
    assert status.freeze.reason.startswith("Person (everything): practice; window: ends 2026-03-02")
    assert "requalification" in status.freeze.reason


@pytest.mark.req("FRZ-4")
def test_a_freeze_that_is_lifted_does_not_linger_in_the_status():
    proven = frozen(until=NOON, requalified="m-proof")
    status = report(snapshot(freezes=(proven,)))
    assert status.freeze is None
    assert status.phase is Phase.IDLE


@pytest.mark.req("API-7")
def test_time_alone_changes_no_meaning():
    snap = snapshot(missions=(mission(1),))
    one = report(snap)
    plan = replace(decide(snap), standings=())
    kept = replace(
        snap, missions=(replace(snap.missions[0], standing=dict(decide(snap).standings)["m-1"]),)
    )
    later = phase.report(
        replace(kept, now=NOON + HOUR), plan, replace(READ, last_discover_at=NOON + HOUR), one
    )
    assert later.updated_at != one.updated_at
    assert phase.same_meaning(one, later)
    stamps = {item.last_transition_time for item in later.conditions}
    assert stamps == {NOON}


@pytest.mark.req("API-7")
@pytest.mark.parametrize(
    "over",
    [
        {"generation": 2},
        {"missions": ()},
        {"freezes": (frozen(),)},
        {"queued_needs": 9},
        {"budget": None},
    ],
)
def test_what_means_something_is_told(over):
    snap = snapshot(missions=(mission(1),))
    assert not phase.same_meaning(report(snap), report(replace(snap, **over)))


@pytest.mark.req("API-6")
def test_a_repair_takes_no_need_out_of_the_queue():
    snap = snapshot(needs=(need(1),), queued_needs=5)
    assert report(snap).queued_needs == 4
    requalify = snapshot(queued_needs=5, freezes=(frozen(until=NOON),))
    assert report(requalify).queued_needs == 5


@pytest.mark.req("API-6")
def test_latest_times_move_when_their_step_did_something():
    snap = snapshot(missions=(mission(1),))
    first = report(snap)
    assert (first.last_implement_at, first.last_verify_at) == (NOON, None)
    quiet = Plan(orders=(), records=(), standings=(), look_again=None, idle_reason="")
    later = phase.report(replace(snap, now=NOON + HOUR), quiet, READ, first)
    assert later.last_implement_at == NOON


@pytest.mark.req("MODE-3")
def test_lights_out_without_its_policy_says_that_it_assists():
    bare = spec(delivery={"repoAllowlist": [REPO]})
    found = condition(ConditionType.POLICY_COMPLETE, snapshot(spec=bare, budget=None))
    assert found.message.startswith("acts as in assisted mode: spec.delivery.requiredChecks")
    assert "budgetRef" in found.message


@pytest.mark.req("LOOP-5")
def test_an_agent_that_takes_everything_stalls_nothing():
    snap = snapshot(
        missions=(mission(1),), installation=installation(agents=(AgentBinding(name="tidy"),))
    )
    assert condition(ConditionType.STALLED, snap).status is ConditionStatus.FALSE
