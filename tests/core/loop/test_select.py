"""Selecting: the best need that policy allows, and for every other one the reason (LOOP-5)."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.core.decide import decide, epoch_of
from swarm.core.decision import OpenMission, RejectNeed, Standing
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import EvidenceId, FreezeId, MissionId, OrderKey, RunId
from swarm.core.loop import select
from swarm.core.nouns import Freeze, MissionKind, NeedState, OutcomeKind, Risk, Settled
from swarm.core.policy import overlap, ranking
from swarm.core.reasons import Reason
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.core.snapshot import AgentBinding, Budget, OpenOrder, RiskRule, SourceState
from swarm.testing.builders import NOON, REPO, installation, mission, need, snapshot, spec

HOUR = timedelta(hours=1)
DELIVERY = {"repoAllowlist": [REPO], "requiredChecks": ["lint"]}
FED = {"sources": [{"name": "feed"}]}


def opened(snap):
    records = decide(snap).records
    return [r for r in records if isinstance(r, OpenMission) and r.kind is MissionKind.DELIVER]


def passed_over(snap):
    return {need: reason for need, reason, _ in decide(snap).selected}


def window(**over):
    fields = {"name": "b", "cap": 1_000, "reserved": 0, "spent": 0}
    return Budget(**{**fields, **over}, window_ends=NOON + HOUR)


def hold(scope="tidy"):
    return Freeze(
        id=FreezeId("f-1"), mission_class=scope, reason="Drill", detail="", cause="m-9",
        since=NOON, until=NOON + HOUR,
    )  # fmt: skip


NOTHING_CAME_OF_IT = tuple(
    RunEnded(
        id=EvidenceId(f"e-{attempt}"),
        at=NOON,
        run=RunId(f"m-5-run-{attempt}"),
        attempt=attempt,
        result=RunResult.FAILED,
    )
    for attempt in range(4)
)
STANDS = Standing(
    version=0, epoch="", room="deliver", reason="Frozen", detail="", since=NOON, look_again=None,
    next_action="waits", holds=frozenset(), blocked_on=None,
)  # fmt: skip
ENDED = Settled(
    mission=MissionId("m-1"), mission_class="tidy", kind=MissionKind.DELIVER,
    outcome=OutcomeKind.FAILED, counts_as_failure=True, at=NOON,
)  # fmt: skip
PAID = installation(agents=(AgentBinding(name="tidy", cost=100),))


@pytest.mark.req("LOOP-5")
@pytest.mark.req("LOOP-4")
@pytest.mark.parametrize(
    ("one", "over", "reason"),
    [
        pytest.param({"state": NeedState.TAKEN}, {}, Reason.ALREADY_OPEN, id="taken"),
        pytest.param({"not_before": NOON + HOUR}, {}, Reason.NOT_BEFORE, id="resting"),
        pytest.param({"repo": ""}, {}, Reason.NO_REPOSITORY, id="no-repository"),
        pytest.param({"repo": "acme/x"}, {}, Reason.REPOSITORY_NOT_ALLOWED, id="not-allowed"),
        pytest.param({}, {"freezes": (hold(),)}, Reason.FROZEN, id="class-frozen"),
        pytest.param(
            {"risk": Risk.R2},
            {
                "spec": spec(discovery=FED, delivery=DELIVERY),
                "sources": (SourceState(name="feed", dark_since=NOON),),
            },
            Reason.DISCOVERY_DEGRADED,
            id="a-source-is-dark",
        ),
        pytest.param(
            {},
            {"installation": installation(agents=(AgentBinding(name="x", classes=("docs",)),))},
            Reason.NO_AGENT,
            id="no-agent-for-the-class",
        ),
        pytest.param(
            {},
            {"installation": installation(agents=(AgentBinding(name="x", rules=("E501",)),))},
            Reason.NO_AGENT,
            id="no-agent-for-the-rule",
        ),
        pytest.param(
            {}, {"missions": (mission(1),)}, Reason.REPOSITORY_BUSY, id="somebody-writes-there"
        ),
        pytest.param(
            {},
            {"installation": PAID, "budget": window(reserved=601)},
            Reason.BUDGET_EXHAUSTED,
            id="too-dear",
        ),
        pytest.param(
            {}, {"installation": PAID, "budget": None}, Reason.BUDGET_UNKNOWN, id="no-budget-bound"
        ),
    ],
)
def test_a_need_that_is_passed_over_has_its_reason(one, over, reason):
    wanted = need(1, **one)
    snap = snapshot(needs=(wanted,), **over)
    assert opened(snap) == []
    assert passed_over(snap) == {wanted.id: reason}
    assert decide(snap).idle_reason.startswith(reason)


@pytest.mark.req("LOOP-5")
@pytest.mark.parametrize(
    ("over", "reason"),
    [
        pytest.param({"freezes": (hold("*"),)}, "Frozen", id="swarm-frozen"),
        pytest.param(
            {"installation": installation(max_missions=1), "missions": (mission(9),)},
            "NoFreeSlot",
            id="slots-full",
        ),
        pytest.param({"budget": window(spent=1_001)}, "BudgetExhausted", id="window-overdrawn"),
        pytest.param(
            {
                "installation": installation(max_pending=1),
                "missions": (
                    mission(
                        9,
                        orders=(
                            OpenOrder(
                                key=OrderKey("m-9/run/0"),
                                kind="start-run",
                                issued_at=NOON,
                                begun=False,
                            ),
                        ),
                    ),
                ),
            },
            "Backpressure",
            id="a-pile-outside",
        ),
    ],
)
def test_when_nothing_at_all_may_begin_the_swarm_says_why_it_idles(over, reason):
    snap = snapshot(needs=(need(1),), **over)
    assert opened(snap) == []
    assert decide(snap).idle_reason.startswith(reason)


@pytest.mark.req("FAIL-5")
def test_an_overdrawn_window_begins_not_even_what_costs_nothing():
    free = installation(agents=(AgentBinding(name="tidy", cost=0),))
    snap = snapshot(needs=(need(1),), installation=free, budget=window(spent=1_001))
    assert opened(snap) == []
    assert decide(snap).idle_reason == "BudgetExhausted: the window is overdrawn"


@pytest.mark.parametrize(("rule", "told"), [("F401", ", rule 'F401'"), ("", "")])
def test_a_need_that_no_agent_takes_is_told_by_class_and_by_its_rule_if_it_has_one(rule, told):
    one = need(1, rule=rule)
    said = decide(snapshot(needs=(one,), installation=installation(agents=()))).idle_reason
    assert said.endswith(f"no agent takes class {one.mission_class!r}{told}")


@pytest.mark.req("LOOP-5")
def test_an_empty_backlog_is_told_too():
    assert decide(snapshot()).idle_reason.startswith("NothingToDo")


@pytest.mark.req("GATE-1")
def test_what_gate_1_refuses_leaves_the_backlog_with_the_reason():
    plan = decide(snapshot(needs=(need(1, citations=1),)))
    (rejected,) = [r for r in plan.records if isinstance(r, RejectNeed)]
    assert (rejected.need, rejected.reason) == ("n-1", "TooFewCitations")
    assert plan.idle_reason.startswith("TooFewCitations: n-1")


@pytest.mark.req("LOOP-4")
def test_what_only_people_may_change_leaves_the_backlog_with_the_reason():
    """It would be the oldest before long, and nothing that came later would be read any more."""
    kept = need(1, paths=("docs/a.md", "src/swarm/Regime/Controls/pretrade.py"))
    plan = decide(snapshot(needs=(kept, need(2))))
    (rejected,) = [r for r in plan.records if isinstance(r, RejectNeed)]
    assert (rejected.need, rejected.reason) == ("n-1", Reason.EXCLUSIVE_CONTROL)
    assert "Controls/pretrade.py' is changed by people alone" in rejected.detail
    assert [one.need for one in opened(snapshot(needs=(kept, need(2))))] == ["n-2"]
    assert decide(snapshot(needs=(kept,))).idle_reason.startswith("ExclusiveControl: n-1")


@pytest.mark.req("GATE-1", "LOOP-5")
def test_behind_needs_that_are_refused_the_next_are_looked_at_at_once():
    """A tick reads the best few hundred: nothing else would wake it for those behind them."""
    bad = tuple(need(number, citations=1) for number in range(1, 201))
    plan = decide(snapshot(needs=bad, queued_needs=500))
    assert len([r for r in plan.records if isinstance(r, RejectNeed)]) == 200
    assert plan.look_again == NOON
    assert decide(snapshot()).look_again is None  # they are gone by then: it comes to rest


CI = (".github/workflows/ci.yml",)


@pytest.mark.req("MODE-1")
@pytest.mark.parametrize(
    ("one", "level"),
    [
        pytest.param({"paths": CI}, Risk.R3, id="built-in-rule"),
        pytest.param({"paths": ("src/pay/a.py",)}, Risk.R2, id="rule-of-the-installation"),
        pytest.param({"paths": ("src/a.py",)}, Risk.R1, id="no-rule"),
        pytest.param({"paths": ("src/a.py",), "risk": Risk.R3}, Risk.R3, id="never-lowered"),
    ],
)
def test_a_mission_has_the_class_of_the_paths_that_its_need_names(one, level):
    rules = installation(risk_rules=(RiskRule(pattern="src/pay/**", risk=Risk.R2),))
    (mission,) = opened(snapshot(needs=(need(1, **one),), installation=rules))
    assert mission.risk is level
    # Ranked as it was declared: what it is told that its rank was made of is what it was.
    assert sum(nats for _, nats in mission.rank_terms) == pytest.approx(
        sum(nats for _, nats in ranking.terms(need(1, **one), NOON, 0.0))
    )


@pytest.mark.req("MODE-1", "FAIL-4")
def test_while_a_source_is_dark_what_names_a_risky_path_waits():
    dark = {
        "sources": (SourceState(name="feed", dark_since=NOON),),
        "spec": spec(discovery=FED, delivery=DELIVERY),
    }
    assert passed_over(snapshot(needs=(need(1, paths=CI),), **dark)) == {"n-1": "DiscoveryDegraded"}


@pytest.mark.req("MODE-1", "GATE-1")
def test_what_names_a_risky_path_wants_a_source_that_is_our_own_or_trusted():
    loose = need(1, paths=CI, external=True, anchored=False)
    plan = decide(snapshot(needs=(loose,)))
    (rejected,) = [r for r in plan.records if isinstance(r, RejectNeed)]
    assert (rejected.reason, rejected.detail[:10]) == ("NotAnchored", "this is R3")


@pytest.mark.req("FAIL-4")
@pytest.mark.parametrize(
    ("risk", "opens"), [(Risk.R0, 1), (Risk.R1, 1), (Risk.R2, 0), (Risk.R3, 0)]
)
def test_an_outage_blocks_the_risky_and_no_other(risk, opens):
    snap = snapshot(
        needs=(need(1, risk=risk),),
        spec=spec(discovery=FED, delivery=DELIVERY),
        sources=(SourceState(name="feed", dark_since=NOON),),
    )
    assert len(opened(snap)) == opens


@pytest.mark.req("FAIL-4")
def test_a_source_that_the_spec_does_not_name_any_more_blocks_nothing():
    gone = (SourceState(name="old-feed", dark_since=NOON),)
    assert len(opened(snapshot(needs=(need(1, risk=Risk.R2),), sources=gone))) == 1


@pytest.mark.req("LOOP-5")
def test_the_best_come_first_and_the_slots_are_the_limit():
    needs = tuple(need(number, value=float(number)) for number in range(1, 8))
    found = opened(snapshot(needs=needs, installation=installation(max_missions=3)))
    assert [record.need for record in found] == ["n-7", "n-6", "n-5"]


@pytest.mark.req("LOOP-5")
@pytest.mark.parametrize("reason", ["Frozen", "ApprovalNeeded", "DiscoveryDegraded"])
def test_who_reads_that_no_slot_is_free_learns_how_many_wait_for_somebody(reason):
    """An answer, a lifted freeze or a larger limit makes room; more time alone does not."""
    snap = snapshot(needs=(need(1),), installation=installation(max_missions=2))
    base = {"version": mission(4).version, "epoch": epoch_of(snap)}

    def idle(*reasons):
        stands = [replace(STANDS, reason=why, **base) for why in reasons]
        open_ = tuple(mission(4 + at, standing=one) for at, one in enumerate(stands))
        return decide(replace(snap, missions=open_)).idle_reason

    assert idle("RunPending", "ChecksPending") == "NoFreeSlot: 2 missions open"
    who = "of them wait for a freeze, an approval or a dark source"
    assert idle("RunPending", reason) == f"NoFreeSlot: 2 missions open; 1 {who}"
    assert idle(reason, reason) == f"NoFreeSlot: 2 missions open; 2 {who}"


@pytest.mark.req("LOOP-10")
def test_what_was_learned_about_a_class_moves_it():
    needs = (need(1, mission_class="docs"), need(2, mission_class="tidy"))
    slots = installation(max_missions=1)
    before = snapshot(needs=needs, installation=slots)
    assert opened(before)[0].need == "n-1"
    after = replace(before, class_bias=(("docs", -0.5), ("tidy", 0.5)))
    assert opened(after)[0].need == "n-2"


@pytest.mark.req("LOOP-5")
def test_two_needs_that_write_to_the_same_place_do_not_begin_together():
    needs = (need(1, paths=("src",)), need(2, paths=("src/a.py",)), need(3, paths=("docs",)))
    assert {record.need for record in opened(snapshot(needs=needs))} == {"n-1", "n-3"}


@pytest.mark.req("LOOP-5")
def test_the_order_of_the_tuple_does_not_matter():
    needs = [need(number, value=1.0 + number % 3) for number in range(1, 12)]
    whole = decide(snapshot(needs=tuple(needs)))
    for seed in range(5):
        random.Random(seed).shuffle(needs)
        assert decide(snapshot(needs=tuple(needs))) == whole


@pytest.mark.req("FAIL-5")
def test_the_swarm_looks_again_when_the_budget_window_turns():
    for over in (
        {"installation": PAID, "budget": window(reserved=900)},
        {"budget": window(spent=2_000)},
    ):
        assert decide(snapshot(needs=(need(1),), **over)).look_again == NOON + HOUR


@pytest.mark.req("LOOP-6")
def test_the_contract_is_written_before_any_code_exists():
    (record,) = opened(snapshot(needs=(need(1),)))
    contract = record.contract
    assert contract.checks == ("lint", "unit-tests")
    assert contract.targets == ("orders",)
    assert contract.allowed_paths == ("src/file1.py",)
    assert (contract.error_increase, contract.latency_increase) == (0.2, 0.15)
    assert len(contract.evidence_wanted) == 6
    assert next(name for name, _ in record.rank_terms) == "value"


@pytest.mark.req("LOOP-4")
def test_why_prints_the_same_refusal():
    snap = snapshot(freezes=(hold(),))
    reason, detail = select.refusal(need(1), snap, overlap.Occupied({}))
    assert (reason, detail) == (Reason.FROZEN, "tidy: Drill")


@pytest.mark.req("FRZ-2")
def test_a_freeze_that_an_ending_opens_binds_the_selection_of_the_same_tick():
    """The mission below fails for the second time of its class: nothing of it is begun."""
    failed = mission(5, facts=NOTHING_CAME_OF_IT, version=1)
    history = (replace(ENDED, mission="m-old"),)
    snap = snapshot(
        missions=(failed,), needs=(need(1), need(2, mission_class="docs")), settled=history
    )
    assert [record.need for record in opened(snap)] == ["n-2"]


@pytest.mark.req("FAIL-4")
def test_a_need_that_only_just_passes_waits_while_a_source_is_dark():
    at_the_bar = need(1, confidence=0.75)
    dark = (SourceState(name="feed", dark_since=NOON),)
    snap = snapshot(needs=(at_the_bar,), sources=dark, spec=spec(discovery=FED))
    assert opened(snap) == []
    assert passed_over(snap) == {"n-1": Reason.DISCOVERY_DEGRADED}
    assert opened(replace(snap, sources=()))


def test_of_a_long_queue_that_cannot_be_taken_the_first_twenty_are_told():
    many = tuple(need(n, mission_class="nobody") for n in range(30))
    agent = AgentBinding(name="tidy", classes=("tidy",))
    snap = snapshot(needs=many, installation=installation(agents=(agent,)))
    assert len(decide(snap).selected) == 20


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize(
    ("cost", "budget", "missions"),
    [
        pytest.param(10, window(cap=40), 1, id="exactly-one-with-its-three-fixes"),
        pytest.param(10, window(cap=79), 1, id="not-quite-two"),
        pytest.param(10, window(cap=80), 2, id="exactly-two"),
        pytest.param(10, window(cap=39), 0, id="not-quite-one"),
        pytest.param(0, window(cap=40, spent=40), 2, id="spent-to-the-last-and-free"),
        pytest.param(0, None, 2, id="no-budget-and-free"),
        pytest.param(1, None, 0, id="no-budget-and-not-free"),
    ],
)
def test_as_many_missions_are_opened_as_the_window_carries(cost, budget, missions):
    agent = AgentBinding(name="tidy", cost=cost)
    snap = snapshot(needs=(need(1), need(2)), installation=installation(agents=(agent,)))
    assert len(opened(replace(snap, budget=budget))) == missions


@pytest.mark.req("LOOP-5")
@pytest.mark.parametrize(
    ("rests_until", "taken"),
    [(None, True), (NOON - HOUR, True), (NOON, True), (NOON + HOUR, False)],
)
def test_a_need_rests_until_its_time_and_no_longer(rests_until, taken):
    snap = snapshot(needs=(need(1, not_before=rests_until),))
    assert bool(opened(snap)) is taken
    if not taken:
        assert passed_over(snap) == {"n-1": Reason.NOT_BEFORE}


@pytest.mark.req("LOOP-5")
@pytest.mark.parametrize(
    ("classes", "rules", "name"),
    [
        pytest.param((), (), "first", id="takes-everything"),
        pytest.param(("docs", "tidy"), (), "first", id="takes-the-class"),
        pytest.param(("docs",), (), "second", id="takes-another-class"),
        pytest.param((), ("E501", "F401"), "first", id="takes-the-rule"),
        pytest.param(("tidy",), ("E501",), "second", id="takes-another-rule"),
    ],
)
def test_the_first_agent_that_takes_class_and_rule_is_asked(classes, rules, name):
    agents = (AgentBinding(name="first", classes=classes, rules=rules), AgentBinding(name="second"))
    (one,) = opened(snapshot(needs=(need(1),), installation=installation(agents=agents)))
    assert one.agent == name


@pytest.mark.req("FRZ-2")
def test_a_frozen_swarm_says_so_instead_of_looking_at_its_needs():
    plan = decide(snapshot(needs=(need(1),), freezes=(hold("*"),)))
    assert plan.idle_reason == "Frozen: Drill"
    assert plan.selected == ()


@pytest.mark.req("LOOP-6")
def test_a_promise_that_is_not_judged_by_latency_allows_no_rise_of_it():
    unjudged = installation(canary=CanaryThresholds(p95_increase=None))
    (one,) = opened(snapshot(needs=(need(1),), installation=unjudged))
    assert one.contract.latency_increase == 0.0
