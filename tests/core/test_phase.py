"""One word and nine conditions for what a swarm is doing, derived, never stored (API-6, API-7)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.conditions import ConditionStatus, ConditionType
from swarm.contract.status import Phase
from swarm.core import phase
from swarm.core.decide import decide
from swarm.core.decision import Plan, Settle
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import EvidenceId, FreezeId, MissionId, OrderKey, RunId
from swarm.core.nouns import Freeze, MissionKind, Outcome, OutcomeKind, Settled
from swarm.core.phase import Figures
from swarm.core.snapshot import AgentBinding, Budget, OpenOrder, SourceState
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
        counts_as_failure=counts, at=NOON, reason="RetriesSpent", detail="RequiredCheckRed: lint",
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


TWO = {"sources": [{"name": "feed"}, {"name": "fine"}]}
FINE = SourceState(name="fine", answered=True)


@pytest.mark.req("API-6")
@pytest.mark.parametrize(
    ("sources", "known", "told"),
    [
        pytest.param({}, (), ("NotConfigured", "the spec names no source"), id="none-is-asked-for"),
        pytest.param(FED, (), ("SourceUnread", "no answer yet: feed"), id="never-read"),
        pytest.param(TWO, (FINE,), ("SourceUnread", "no answer yet: feed"), id="one-never-read"),
        pytest.param(
            {"sources": [{"name": "fine"}]}, (SourceState(name="gone"), FINE),
            ("SourcesAnswer", "1 source"), id="taken-out-before-it-ever-answered",
        ),
        pytest.param(
            {}, (SourceState(name="gone", answered=True),),
            ("NotConfigured", "the spec names no source"), id="only-what-was-taken-out",
        ),
    ],
)  # fmt: skip
def test_whether_sources_answer_is_told_of_those_that_the_spec_names(sources, known, told):
    """A row outlives the source's name in the spec, and a new name has none until it is read."""
    found = condition(
        ConditionType.DISCOVERY_HEALTHY, snapshot(spec=spec(discovery=sources), sources=known)
    )
    assert (found.reason, found.message) == told


@pytest.mark.req("API-6", "FAIL-5")
@pytest.mark.parametrize(
    ("reserved", "spent", "told"),
    [
        pytest.param(0, 400, "b is spent until 2026-03-02 13:00 UTC", id="spent"),
        pytest.param(9, 391, "b: what is not spent is reserved by open missions and comes back as"
                     " they end", id="reserved"),
        pytest.param(400, 0, "b: what is not spent is reserved by open missions and comes back as"
                     " they end", id="all-reserved"),
    ],
)  # fmt: skip
def test_what_is_reserved_is_not_called_spent(reserved, spent, told):
    """It comes back when a mission ends, which may be long before the window does."""
    window = Budget(name="b", cap=400, reserved=reserved, spent=spent, window_ends=NOON + HOUR)
    found = condition(ConditionType.BUDGET_AVAILABLE, snapshot(budget=window))
    assert (found.status, found.reason, found.message) == ("False", "BudgetExhausted", told)


@pytest.mark.req("FRZ-4")
def test_a_freeze_says_why_until_when_and_what_would_lift_it():
    status = report(snapshot(freezes=(frozen("tidy"), frozen(id="f-2", reason="Person"))))
    assert status.freeze.until == NOON + HOUR
    assert status.freeze.reason.startswith(
        "Person (everything): practice; since 2026-03-02 12:00:00 UTC; window: ends 2026-03-02"
    )
    assert "requalification" in status.freeze.reason


MINUTE = timedelta(minutes=1)


@pytest.mark.req("FRZ-4", "API-6")
@pytest.mark.parametrize(
    ("others", "until", "also"),
    [
        pytest.param(
            [frozen("docs", id="f-2", since=NOON + MINUTE, until=NOON + 2 * MINUTE)],
            NOON + HOUR, ["Drill (docs) until 2026-03-02 12:02:00 UTC"], id="newer-and-shorter",
        ),
        pytest.param(
            [frozen("docs", id="f-2", until=None)],
            None, ["Drill (tidy) until 2026-03-02 13:00:00 UTC"], id="without-an-end",
        ),
        pytest.param(
            [frozen(id="f-3", reason="Person", until=NOON + MINUTE), frozen("docs", id="f-2")],
            NOON + MINUTE,
            ["Drill (tidy) until 2026-03-02 13:00:00 UTC",
             "Drill (docs) until 2026-03-02 13:00:00 UTC"],
            id="everything-comes-first",
        ),
    ],
)  # fmt: skip
def test_of_several_freezes_the_longest_is_shown_and_the_others_are_named(others, until, also):
    """Who reads only how long it is held must not be told the end of another freeze."""
    for held in (frozen("tidy"), *others), (*others, frozen("tidy")):
        snap = snapshot(freezes=held, now=NOON + MINUTE / 2)
        status = report(snap)
        assert status.freeze.until == until
        assert status.freeze.reason.split("; also held: ")[1:] == also
        assert condition(ConditionType.FROZEN, snap).message == status.freeze.reason


@pytest.mark.req("FRZ-4")
def test_a_freeze_without_a_word_on_it_ends_in_no_colon():
    assert report(snapshot(freezes=(frozen(detail=""),))).freeze.reason.startswith(
        "Drill (everything); since "
    )


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


# --- what is not there yet, or not there any more -------------------------------------------------

QUIET = Plan(orders=(), records=(), standings=(), look_again=None, idle_reason="")


@pytest.mark.req("API-6")
@pytest.mark.parametrize(
    ("word", "over", "idle", "figures"),
    [
        (Phase.PLANNING, {"queued_needs": 1}, "", READ),
        (Phase.IDLE, {"queued_needs": 1}, "the budget is spent", READ),
        (Phase.IDLE, {"queued_needs": 0}, "", READ),
        (Phase.IDLE, {"spec": spec(discovery=FED)}, "", READ),
        (Phase.IDLE, {}, "", Figures()),
    ],
)
def test_a_quiet_swarm_plans_while_something_waits_that_nothing_holds_back(
    word, over, idle, figures
):
    assert phase.phase(snapshot(**over), replace(QUIET, idle_reason=idle), figures) is word


@pytest.mark.req("API-6")
def test_what_this_tick_opens_is_planning_and_leaves_the_queue_once():
    """The count of the queue may be older than the plan: it never falls below nothing."""
    snap = snapshot(needs=(need(1), need(2)), queued_needs=1)
    assert len(phase._opened(decide(snap))) == 2
    assert (report(snap).phase, report(snap).queued_needs) == (Phase.PLANNING, 0)
    unplanned = replace(snap, queued_needs=0)
    assert (report(unplanned).phase, report(unplanned).queued_needs) == (Phase.PLANNING, 0)


@pytest.mark.req("API-6")
def test_a_mission_that_fails_in_this_very_tick_degrades_it():
    failed = tuple(
        RunEnded(
            id=EvidenceId(f"e-{n}"), at=NOON, run=RunId(f"m-1-run-{n}"), attempt=n,
            result=RunResult.FAILED,
        )
        for n in range(4)
    )  # fmt: skip
    found = condition(ConditionType.DEGRADED, snapshot(missions=(mission(1, facts=failed),)))
    assert (found.reason, found.message) == (
        "RetriesSpent", "m-1 failed: RunFailed",
    )  # fmt: skip


@pytest.mark.req("API-6", "FAIL-1")
@pytest.mark.parametrize(
    ("over", "told"),
    [
        pytest.param({}, ("RetriesSpent", "m-9 failed: RequiredCheckRed: lint"), id="retries"),
        pytest.param(
            {"reason": "ArtifactRefused", "detail": "no signature"},
            ("ArtifactRefused", "m-9 failed: no signature"), id="after-one-attempt",
        ),
        pytest.param({"detail": ""}, ("RetriesSpent", "m-9 failed"), id="without-a-word"),
        pytest.param({"reason": "", "detail": ""}, ("MissionFailed", "m-9 failed"), id="unnoted"),
    ],
)  # fmt: skip
def test_a_failure_degrades_with_its_own_reason(over, told):
    """Who reads of spent retries looks at the checks, and not at the signature that was refused."""
    found = condition(ConditionType.DEGRADED, snapshot(settled=(replace(ended(), **over),)))
    assert (found.reason, found.message) == told


@pytest.mark.req("API-7")
def test_a_failure_is_told_alike_when_it_ends_and_when_it_is_remembered():
    """In this tick it is the whole outcome, in the next one what the store remembers of it."""
    lines = "\n".join(["x" * 400, "more"])
    outcome = Outcome(
        kind=OutcomeKind.FAILED, reason="RetriesSpent", detail=lines, at=NOON, attempts=4,
        cost=0, counts_as_failure=True,
    )  # fmt: skip
    ends = replace(
        QUIET, records=(Settle(mission=MissionId("m-9"), outcome=outcome, need_done=False),)
    )
    now = phase.report(snapshot(), ends, READ, None)
    kept = replace(ended(), detail=outcome.gist)
    then = phase.report(snapshot(settled=(kept,)), QUIET, READ, now)
    assert phase.same_meaning(now, then)
    (found,) = (c for c in then.conditions if c.type is ConditionType.DEGRADED)
    assert found.message == "m-9 failed: " + 300 * "x"


def test_of_what_counts_for_nothing_no_words_are_remembered():
    outcome = Outcome(
        kind=OutcomeKind.REJECTED, reason="Rejected", detail="by alice", at=NOON, attempts=0,
        cost=0, counts_as_failure=False,
    )  # fmt: skip
    assert outcome.gist == ""


@pytest.mark.req("API-6", "FAIL-4")
def test_a_dark_source_degrades_only_while_the_spec_names_it():
    dark = SourceState(name="feed", dark_since=NOON, detail="502", answered=True)
    gone = SourceState(name="gone", dark_since=NOON, detail="404", answered=True)
    fine = SourceState(name="fine", answered=True)
    two = spec(discovery={"sources": [{"name": "feed"}, {"name": "fine"}]})
    snap = snapshot(spec=two, sources=(gone, fine, dark))
    degraded = condition(ConditionType.DEGRADED, snap)
    assert degraded.message == "feed is dark since 2026-03-02 12:00"
    assert condition(ConditionType.DISCOVERY_HEALTHY, snap).message == "feed: 502"
    assert condition(ConditionType.DEGRADED, replace(snap, sources=(gone, fine))).status == "False"


def asked(kind, because=""):
    key = OrderKey("m-1/run/0" if kind == "start-run" else "m-1/check/c0/lint")
    return OpenOrder(key=key, kind=kind, issued_at=NOON, begun=True, waits_because=because)


@pytest.mark.req("API-6", "LOOP-5")
@pytest.mark.parametrize(
    ("orders", "told"),
    [
        pytest.param([asked("start-run")], None, id="under-way"),
        pytest.param([asked("run-check", "Busy")], None, id="a-check-that-waits"),
        pytest.param([asked("start-run", "Quota")], "1 run cannot begin: Quota", id="one"),
        pytest.param(
            [asked("start-run", "Quota"), asked("start-run", "Quota")],
            "2 runs cannot begin: Quota", id="two",
        ),
    ],
)  # fmt: skip
def test_runs_that_find_no_room_do_not_look_healthy(orders, told):
    snap = snapshot(missions=(mission(1, orders=tuple(orders)),))
    found = condition(ConditionType.DEGRADED, snap)
    assert (found.status, found.message) == (("False", "") if told is None else ("True", told))


@pytest.mark.req("API-6")
def test_what_is_said_at_length_is_cut_to_what_the_object_may_hold():
    """4,096 characters, as the schema says: a longer one would be refused, and nothing written."""
    status = report(snapshot(freezes=(frozen(detail="x" * 5_000),)))
    assert len(status.freeze.reason) == 4_096
    (told,) = (c for c in status.conditions if c.type is ConditionType.FROZEN)
    assert len(told.message) == 4_096
    dark = SourceState(name="feed", dark_since=NOON, detail="x" * 5_000)
    long = condition(
        ConditionType.DISCOVERY_HEALTHY, snapshot(spec=spec(discovery=FED), sources=(dark,))
    )
    assert len(long.message) == 4_096


@pytest.mark.req("API-6", "LOOP-4")
def test_nothing_to_do_says_why():
    idle = condition(ConditionType.PROGRESSING, snapshot())
    assert (idle.status, idle.reason) == ("False", "NothingToDo")
    assert decide(snapshot()).idle_reason == f"NothingToDo: {idle.message}"
    assert idle.message
    words = phase.report(snapshot(), QUIET, READ, None).conditions
    (silent,) = (c for c in words if c.type is ConditionType.PROGRESSING)
    assert silent.message == "no mission is open"


@pytest.mark.req("API-6", "FAIL-5")
def test_the_last_micro_unit_is_still_a_budget():
    window = Budget(name="b", cap=6, reserved=2, spent=3, window_ends=NOON + HOUR)
    assert condition(ConditionType.BUDGET_AVAILABLE, snapshot(budget=window)).status == "True"


@pytest.mark.req("API-6")
def test_a_step_that_does_something_again_moves_its_time_again():
    first = report(snapshot(missions=(mission(1),)))
    snap = snapshot(missions=(mission(2),), now=NOON + HOUR)
    assert report(snap, before=first).last_implement_at == NOON + HOUR


@pytest.mark.req("API-9")
def test_who_reads_no_source_because_discovery_is_off_says_so_and_discovers_nothing():
    """But for a source that went dark before: what is risky goes on waiting for it."""
    fed = spec(discovery=FED, execution={"discover": {"enabled": False}})
    snap = snapshot(spec=fed)
    assert report(snap, Figures()).phase is Phase.IDLE
    found = condition(ConditionType.DISCOVERY_HEALTHY, snap)
    assert (found.status, found.reason, found.message) == (
        ConditionStatus.UNKNOWN, "StageOff", "spec.execution.discover.enabled is false",
    )  # fmt: skip
    dark = replace(snap, sources=(SourceState(name="feed", dark_since=NOON),))
    assert condition(ConditionType.DISCOVERY_HEALTHY, dark).reason == "SourceDark"
