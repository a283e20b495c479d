"""Sending an agent: what it is told, where it starts, who pays, and what holds it back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.core.decide import decide
from swarm.core.decision import Settle, StartRun, VoidOrder
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import EvidenceId, RunId
from swarm.core.nouns import MissionKind, Risk
from swarm.core.snapshot import AgentBinding, Budget, RiskRule, SourceState
from swarm.testing.builders import NOON, installation, mission, snapshot, spec
from swarm.testing.states import BASE, HEAD, State, build

HOUR = timedelta(hours=1)
RED = State(checks="red", base="green")


def sent(snap):
    return [order for order in decide(snap).orders if isinstance(order, StartRun)]


def standing(snap):
    ((_, stands),) = decide(snap).standings
    return stands


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(
    ("state", "base", "onto", "goal"),
    [
        pytest.param(
            State(run="none"), "", "", "Make the smallest change that helps.", id="from-main"
        ),
        pytest.param(RED, HEAD, BASE, "Make the failing check pass.", id="from-the-red-head"),
        pytest.param(
            State(main="conflict"), "main0002", "main0002", "Make the failing check pass.",
            id="anew-from-the-main-that-moved",
        ),
    ],
)  # fmt: skip
def test_an_attempt_starts_where_its_failure_is(state, base, onto, goal):
    (order,) = sent(build(state))
    assert (order.base, order.onto, order.brief.goal) == (base, onto, goal)


def attempted(snap, *results):
    """The only mission after more attempts that changed nothing."""
    (one,) = snap.missions
    facts = list(one.facts)
    for result in results:
        number = sum(isinstance(fact, RunEnded) for fact in facts)
        facts.append(
            RunEnded(
                id=EvidenceId(f"e-run-{number}"), at=NOON, run=RunId(f"m-1-run-{number}"),
                attempt=number, result=result, detail="it gave up",
            )
        )  # fmt: skip
    return replace(snap, missions=(replace(one, facts=tuple(facts), version=len(facts)),))


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(
    ("result", "reason"),
    [(RunResult.FAILED, "RunFailed"), (RunResult.TIMED_OUT, "RunTimedOut")],
)
def test_a_fix_that_comes_to_nothing_leaves_the_failing_check_to_the_next(result, reason):
    """It starts from the red head, so it must know what is red there."""
    (first,) = sent(build(RED))
    (second,) = sent(attempted(build(RED), result))
    shown = first.brief.failure.removeprefix("RequiredCheckRed: ")
    assert shown.startswith(f"check 'lint' on {HEAD}:\n")
    assert second.brief.failure == f"{reason}: it gave up\n\n{shown}"
    assert (second.attempt, second.base) == (2, HEAD)
    (fresh,) = sent(attempted(snapshot(missions=(mission(1),)), result))
    assert fresh.brief.failure == f"{reason}: it gave up"


@pytest.mark.req("LOOP-7", "FAIL-3")
@pytest.mark.parametrize(
    ("snap", "results", "counts"),
    [
        pytest.param(snapshot(missions=(mission(1),)), ["nothing"], False, id="at-first"),
        pytest.param(
            snapshot(missions=(mission(1),)), ["failed", "nothing"], False, id="after-a-crash"
        ),
        pytest.param(build(RED), ["nothing"], True, id="of-a-red-check"),
        pytest.param(build(RED), ["failed", "nothing"], True, id="of-a-red-check-after-a-crash"),
    ],
)
def test_nothing_to_change_is_a_failure_only_where_a_change_is_red(snap, results, counts):
    """A crash before it leaves no change and no check that could be red."""
    ended = attempted(snap, *map(RunResult, results))
    (settled,) = (record for record in decide(ended).records if isinstance(record, Settle))
    assert settled.outcome.reason == "RunProducedNothing"
    assert settled.outcome.counts_as_failure is counts


@pytest.mark.req("MODE-4")
def test_a_repair_is_told_what_it_repairs_as_data():
    """The same agent with the same words would fail alike; what checks print instructs nobody."""
    why = "CanaryFailed: errors rose from 1 % to 9 %"
    repair = {"kind": MissionKind.REMEDIATE, "parent": "m-0", "depth": 1}
    snap = snapshot(missions=(mission(1, cause=why, **repair),))
    (order,) = sent(snap)
    assert order.brief.failure == why
    assert why not in order.brief.goal
    assert order.brief.goal == (
        "Make the smallest change that helps and does not fail like the last one."
    )
    (again,) = sent(attempted(snap, RunResult.FAILED))
    assert again.brief.failure == f"{why}\n\nRunFailed: it gave up"
    (long,) = sent(snapshot(missions=(mission(1, cause="x" * 9_000 + "end", **repair),)))
    assert len(long.brief.failure) == 8_000
    assert long.brief.failure.endswith("xend")


@pytest.mark.parametrize(("body", "quoted"), [("as found", ("as found",)), ("", ())])
def test_what_was_found_outside_is_quoted_and_nothing_is_when_it_was_forgotten(body, quoted):
    (order,) = sent(snapshot(missions=(mission(1, body=body),)))
    assert order.brief.quoted == quoted


@pytest.mark.req("FAIL-1")
def test_a_need_rests_after_its_last_repair_spent_its_attempts():
    spent = build(replace(RED, fixes=3))
    last = replace(spent, missions=(replace(spent.missions[0], depth=9),))
    (settled,) = (record for record in decide(last).records if isinstance(record, Settle))
    assert settled.retry_need_at == NOON + 6 * HOUR


@pytest.mark.req("FRZ-1", "FRZ-2")
@pytest.mark.parametrize(
    ("how", "void"),
    [
        pytest.param({"begun": False}, True, id="not-begun"),
        pytest.param({"begun": True, "waits_because": "Quota: spent"}, True, id="without-capacity"),
        pytest.param({"begun": True}, False, id="at-work"),
    ],
)
@pytest.mark.parametrize("frozen", ["class", "other-class"])
def test_a_frozen_class_keeps_the_lane_only_for_an_agent_that_is_at_work(how, void, frozen):
    """Else nothing of any other class would start before that freeze is lifted."""
    snap = build(State(run="open", frozen=frozen))
    (first,) = snap.missions
    (run,) = first.orders
    ordered = replace(first, orders=(replace(run, **how),))
    elsewhere = replace(first.contract, allowed_paths=("docs/a.md",))
    other = mission(7, mission_class="docs", contract=elsewhere)
    snap = replace(snap, missions=(ordered, other))
    plan = decide(snap)
    voided = [record.order for record in plan.records if isinstance(record, VoidOrder)]
    assert voided == ([run.key] if void and frozen == "class" else [])
    # The run may begin before that is written: nobody else starts in this very tick.
    assert sent(snap) == []
    assert (plan.look_again == snap.now) is bool(voided)
    taken_back = replace(snap, missions=(replace(ordered, orders=()), other))
    assert [order.mission for order in sent(taken_back)] == [
        "m-7" if frozen == "class" else first.id
    ]


@pytest.mark.req("FAIL-4", "API-3", "MODE-6")
@pytest.mark.parametrize("waits", [{"begun": False}, {"begun": True, "waits_because": "Quota: no"}])
def test_an_agent_that_is_asked_for_and_not_at_work_is_not_sent_once_that_is_barred(waits):
    """When its quota is back it would be sent, and paid, for what may not be done by now."""
    snap = build(State(run="open"))
    (one,) = snap.missions
    run = replace(one.orders[0], **waits)
    snap = replace(snap, missions=(replace(one, orders=(run,), risk=Risk.R2),))
    dark = {"sources": (SourceState(name="feed", dark_since=NOON),)}
    fed = replace(snap, spec=spec(discovery={"sources": [{"name": "feed"}]}), **dark)
    (void,) = (record for record in decide(fed).records if isinstance(record, VoidOrder))
    assert (void.order, void.reason) == (run.key, "DiscoveryDegraded")
    elsewhere = spec(delivery={"repoAllowlist": ["acme/other"], "requiredChecks": ["lint"]})
    (ended,) = (r for r in decide(replace(snap, spec=elsewhere)).records if isinstance(r, Settle))
    assert ended.outcome.reason == "RepositoryNotAllowed"
    spent = replace(run, begun=True, waits_because="Quota: no", spent=80)
    paid = replace(fed, missions=(replace(one, orders=(spent,), risk=Risk.R2),))
    assert not any(isinstance(record, VoidOrder) for record in decide(paid).records)


@pytest.mark.req("API-3")
def test_a_mission_that_ends_before_its_agent_began_takes_nothing_back_first():
    """Its ending takes the order with it: what is taken back twice is refused by the store."""
    snap = build(State(run="open"))
    (one,) = snap.missions
    run = replace(one.orders[0], begun=False)
    elsewhere = spec(delivery={"repoAllowlist": ["acme/other"], "requiredChecks": ["lint"]})
    snap = replace(snap, missions=(replace(one, orders=(run,)),), spec=elsewhere)
    assert [type(record) for record in decide(snap).records] == [Settle]


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize(
    ("cost", "left", "goes"),
    [
        pytest.param(1, -1, False, id="overdrawn"),
        pytest.param(1, 0, True, id="spent-to-the-last"),
        pytest.param(0, -1, True, id="an-agent-that-costs-nothing"),
        pytest.param(1, None, True, id="no-budget-is-bound"),
    ],
)
def test_no_attempt_is_paid_for_from_an_overdrawn_window(cost, left, goes):
    """What was reserved when the mission was opened is its own; only beyond that it waits."""
    window = left is not None and Budget(
        name="b", cap=10, reserved=0, spent=10 - left, window_ends=NOON + HOUR
    )
    bound = installation(agents=(AgentBinding(name="tidy", cost=cost),))
    snap = snapshot(missions=(mission(1),), installation=bound, budget=window or None)
    assert bool(sent(snap)) is goes
    if not goes:
        assert (standing(snap).reason, standing(snap).look_again) == (
            "BudgetExhausted", NOON + HOUR,
        )  # fmt: skip


def test_a_mission_whose_agent_is_not_bound_any_more_waits_for_one():
    others = installation(agents=(AgentBinding(name="other"),))
    snap = snapshot(missions=(mission(1),), installation=others)
    assert sent(snap) == []
    assert standing(snap).reason == "NoAgent"
    assert sent(replace(build(RED), installation=others)) == []


@pytest.mark.req("FAIL-4")
@pytest.mark.parametrize("attempt", [State(run="none"), RED])
def test_while_a_source_is_dark_no_agent_is_sent_for_what_is_risky(attempt):
    """Not for a fix either; it may have been opened while the source still answered."""
    snap = build(attempt)
    dark = {
        "sources": (SourceState(name="feed", dark_since=NOON),),
        "spec": spec(discovery={"sources": [{"name": "feed"}]}),
    }
    risky = replace(snap, missions=(replace(snap.missions[0], risk=Risk.R2),))
    assert sent(replace(snap, **dark))
    assert sent(replace(risky, **dark)) == []
    assert standing(replace(risky, **dark)).reason == "DiscoveryDegraded"
    assert sent(risky)


@pytest.mark.req("FAIL-4")
def test_a_change_that_raised_the_risk_counts_for_the_fix_that_follows():
    bound = installation(risk_rules=(RiskRule(pattern="*", risk=Risk.R2),))
    fed = spec(discovery={"sources": [{"name": "feed"}]})
    raised = replace(build(RED), installation=bound, spec=fed)
    assert sent(raised)
    assert sent(replace(raised, sources=(SourceState(name="feed", dark_since=NOON),))) == []


@pytest.mark.req("API-3")
@pytest.mark.parametrize(
    "state", [State(run="none"), RED, State()], ids=["before-any-agent", "red", "green"]
)
@pytest.mark.parametrize("frozen", ["no", "class"])
def test_a_mission_whose_repository_was_taken_from_the_list_ends_and_its_need_waits(state, frozen):
    """An edit by mistake loses no need: no new evidence is asked for once it is undone."""
    elsewhere = spec(delivery={"repoAllowlist": ["acme/other"], "requiredChecks": ["lint"]})
    snap = replace(build(replace(state, frozen=frozen)), spec=elsewhere)
    (settled,) = (record for record in decide(snap).records if isinstance(record, Settle))
    assert settled.outcome.reason == "RepositoryNotAllowed"
    assert not settled.outcome.counts_as_failure
    assert (settled.need_done, settled.retry_need_at) == (False, NOON + 6 * HOUR)
    assert sent(snap) == []
