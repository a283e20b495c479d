"""Money, tries, pressure and repairs: every limit of the loop, at its edge."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core import findings
from swarm.core.decide import decide
from swarm.core.decision import OpenMission
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import EvidenceId, OrderKey, RunId
from swarm.core.nouns import MissionKind, Risk
from swarm.core.policy import backpressure, budget, remediation, retries
from swarm.core.snapshot import AgentBinding, Budget, OpenOrder
from swarm.testing.builders import NOON, installation, mission, need, snapshot
from swarm.testing.paper import PaperStore


def window(**over):
    fields = {"name": "b", "cap": 1_000, "reserved": 0, "spent": 0}
    return Budget(**{**fields, **over}, window_ends=NOON + timedelta(hours=1))


@pytest.mark.req("FAIL-1")
@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(("ended", "may"), [(1, True), (2, True), (3, True), (4, False)])
def test_three_fixes_follow_the_first_run_and_no_fourth(ended, may):
    assert retries.may_fix(ended) is may


@pytest.mark.req("FAIL-5")
def test_a_mission_costs_what_its_run_and_every_fix_did():
    ends = tuple(
        RunEnded(
            id=EvidenceId(f"e-{attempt}"), at=NOON, source="tidy", run=RunId(f"r-{attempt}"),
            attempt=attempt, result=RunResult.FAILED, cost=cost,
        )
        for attempt, cost in enumerate((25, 30))
    )  # fmt: skip
    assert findings.read(mission(facts=ends)).cost == 55


@pytest.mark.req("FAIL-5")
def test_a_mission_reserves_its_run_and_every_fix():
    assert budget.reservation(AgentBinding(name="tidy", cost=25)) == 100


@pytest.mark.req("FAIL-5")
@pytest.mark.parametrize(
    ("held", "amount", "carries"),
    [
        pytest.param(window(reserved=400, spent=500), 100, True, id="exactly-what-is-left"),
        pytest.param(window(reserved=400, spent=500), 101, False, id="one-more-than-is-left"),
        pytest.param(window(spent=1_000), 0, True, id="free-work-at-the-cap"),
        pytest.param(window(spent=1_001), 0, False, id="free-work-beyond-the-cap"),
        pytest.param(None, 0, True, id="free-work-without-a-budget"),
        pytest.param(None, 1, False, id="absence-is-no-permission-to-spend"),
    ],
)
def test_what_a_window_carries(held, amount, carries):
    assert budget.carries(held, amount) is carries


@pytest.mark.req("FAIL-5")
@given(
    cost=st.integers(0, 300),
    cap=st.integers(0, 3_000),
    needs=st.integers(0, 12),
    slots=st.integers(1, 6),
    rounds=st.integers(1, 4),
)
def test_reservations_never_exceed_the_cap_however_often_one_decides(
    cost, cap, needs, slots, rounds
):
    """And each plan alone keeps within what its snapshot had left, so the store refuses nothing."""
    bound = installation(max_missions=slots, agents=(AgentBinding(name="tidy", cost=cost),))
    store = PaperStore(
        world=snapshot(installation=bound, budget=window(cap=cap)), now=NOON, decide=decide
    )
    for number in range(needs):
        store.needs[f"n-{number}"] = need(number)
    for _ in range(rounds):
        left = store.world.budget.left
        plan = store.tick()
        opened = [record for record in plan.records if isinstance(record, OpenMission)]
        assert sum(record.reserve for record in opened) <= left
        assert store.world.budget.reserved <= cap
    assert store.refused == []
    affordable = slots if cost == 0 else min(slots, cap // (4 * cost))
    assert len(store.missions) == min(needs, affordable)


@pytest.mark.req("LOOP-5")
def test_runs_that_have_not_begun_or_lack_capacity_press_back():
    issued = {"kind": "start-run", "issued_at": NOON}
    orders = (
        OpenOrder(key=OrderKey("m-1/run/0"), begun=False, **issued),
        OpenOrder(key=OrderKey("m-1/run/1"), begun=True, **issued),
        OpenOrder(key=OrderKey("m-1/run/2"), begun=True, waits_because="Quota", **issued),
        OpenOrder(key=OrderKey("m-1/check/a"), kind="run-check", issued_at=NOON, begun=False),
    )
    assert backpressure.pending([mission(1, orders=orders), mission(2)]) == 2


@pytest.mark.req("LOOP-5")
def test_pressure_stops_selection_until_the_pile_is_gone():
    waiting = OpenOrder(key=OrderKey("m-1/run/0"), kind="start-run", issued_at=NOON, begun=False)
    snap = snapshot(
        missions=(mission(1, orders=(waiting,)),),
        needs=(need(2),),
        installation=installation(max_pending=1),
    )
    plan = decide(snap)
    assert plan.idle_reason.startswith("Backpressure")
    assert not any(isinstance(record, OpenMission) for record in plan.records)
    begun = replace(snap, missions=(mission(1, orders=(replace(waiting, begun=True),)),))
    assert any(isinstance(record, OpenMission) for record in decide(begun).records)


@pytest.mark.req("MODE-4")
def test_a_repair_is_linked_and_a_repair_of_a_repair_is_not_opened():
    broken = mission(1, risk=Risk.R0)
    repair = remediation.of(broken, "CanaryFailed: slow", 0, NOON)
    assert (repair.kind, repair.parent, repair.depth) == (MissionKind.REMEDIATE, broken.id, 1)
    assert repair.risk is Risk.R1
    assert repair.cause == "CanaryFailed: slow"
    assert remediation.of(replace(broken, depth=1), "again", 0, NOON) is None
    assert remediation.of(replace(broken, kind=MissionKind.REQUALIFY), "no", 0, NOON) is None


@pytest.mark.req("MODE-4")
def test_the_same_failure_opens_the_same_repair():
    one, other = (remediation.of(mission(1), "x", 0, NOON) for _ in range(2))
    assert one.id == other.id != mission(1).id
