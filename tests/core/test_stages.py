"""A stage that spec.execution switched off begins nothing, and stops no protection (API-9)."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from swarm.core.decide import decide
from swarm.core.decision import OpenMission, Settle, StartRun, VoidOrder
from swarm.core.evidence import CheckEnded, CheckResult, Landed, LiveSeen, MainSeen
from swarm.core.ids import EvidenceId, FreezeId
from swarm.core.nouns import Freeze, MissionKind, Risk
from swarm.core.policy import stages
from swarm.core.reasons import Reason
from swarm.testing.builders import NOON, REPO, TARGET, mission, need, snapshot, spec
from swarm.testing.states import BASE, HEAD, State, build, work

STAGES = ("discover", "plan", "implement", "verify")
WORK = [State(**stage) for stage in work()]
BEFORE_LANDING = [state for state in WORK if state.rollout == "not-landed"]
LANDED = [state for state in WORK if state.rollout != "not-landed"]
HOUR = timedelta(hours=1)


def named(state):
    """A state by what makes it unlike the one that is about to land."""
    told = {f.name: getattr(state, f.name) for f in fields(state)}
    return ",".join(f"{k}={v}" for k, v in told.items() if v != getattr(State(), k)) or "green"


def switched(snap, *off):
    """The same, with these stages off; under another policy, as any other spec is."""
    execution = {stage: {"enabled": stage not in off} for stage in STAGES}
    words = snap.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    policy = f"policy-without-{'-'.join(off)}"
    return replace(snap, spec=spec(**{**words, "execution": execution}), policy_hash=policy)


def standing(snap):
    ((_, stands),) = decide(snap).standings
    return stands


def ordered(snap):
    return {order.kind for order in decide(snap).orders}


def opened(snap):
    return [record for record in decide(snap).records if isinstance(record, OpenMission)]


@pytest.mark.req("API-9")
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_on_unless_its_own_field_says_otherwise(stage):
    assert stages.off(spec(), stage) == ""
    others = {name: {"enabled": False} for name in STAGES if name != stage}
    assert stages.off(spec(execution={**others, stage: {"every": "5m"}}), stage) == ""
    why = stages.off(spec(execution={stage: {"enabled": False}}), stage)
    assert why == f"spec.execution.{stage}.enabled is false"


@pytest.mark.req("API-9")
@pytest.mark.parametrize(
    ("execution", "minutes"),
    [
        pytest.param({}, 7, id="nothing-is-said"),
        pytest.param({"discover": {"enabled": True}}, 7, id="the-stage-says-no-pause"),
        pytest.param({"discover": {"every": "5m"}}, 5, id="the-stage-says-one"),
        pytest.param({"plan": {"every": "5m"}}, 7, id="another-stage-says-one"),
    ],
)
def test_sources_are_read_as_the_stage_says_and_else_as_the_cadence_does(execution, minutes):
    said = spec(cadence={"discoverEvery": "7m"}, execution=execution)
    assert stages.discover_every(said) == timedelta(minutes=minutes)


@pytest.mark.req("API-9")
@pytest.mark.parametrize(
    ("off", "opens"), [("discover", True), ("plan", False), ("implement", False), ("verify", True)]
)
def test_without_planning_or_without_agents_no_mission_opens(off, opens):
    """A mission for which no agent is sent would only take a slot from one that can go on."""
    snap = snapshot(needs=(need(1),))
    assert bool(opened(switched(snap, off))) is opens
    assert opened(switched(snap))
    if not opens:
        why = f"StageOff: spec.execution.{off}.enabled is false"
        assert decide(switched(snap, off)).idle_reason == why


@pytest.mark.req("API-9")
@pytest.mark.parametrize("state", BEFORE_LANDING, ids=named)
def test_without_implementing_no_agent_is_sent_and_the_rest_goes_on(state):
    """Neither for a first attempt nor for a fix, whichever room would have asked for it."""
    snap = build(state)
    before, after = ordered(switched(snap)), ordered(switched(snap, "implement"))
    assert after == before - {"start-run"}
    if "start-run" in before:
        stands = standing(switched(snap, "implement"))
        assert (stands.reason, stands.detail, stands.next_action) == (
            "StageOff",
            "spec.execution.implement.enabled is false",
            "goes on when spec.execution.implement.enabled is true again",
        )


@pytest.mark.req("API-9", "LOOP-7")
@pytest.mark.parametrize(
    "state", [one for one in BEFORE_LANDING if one.run == "changed"], ids=named
)
def test_without_verifying_a_change_waits_even_when_its_checks_have_passed(state):
    """Nothing is asked, fixed, put on top of main, signed or landed; but for what main refuses."""
    snap = switched(build(state), "verify")
    if state.main == "conflict":
        assert ordered(snap) == {"start-run"}  # there is nothing to verify before the next attempt
        return
    plan = decide(snap)
    assert (plan.orders, plan.records) == ((), ())
    stands = standing(snap)
    assert (stands.room, stands.reason, stands.detail, stands.next_action) == (
        "verify",
        "StageOff",
        "spec.execution.verify.enabled is false",
        "goes on when spec.execution.verify.enabled is true again",
    )


@pytest.mark.req("API-9", "LOOP-9", "FAIL-2")
@pytest.mark.parametrize("risk", [Risk.R1, Risk.R3])
@pytest.mark.parametrize("frozen", ["no", "class"])
@pytest.mark.parametrize("state", LANDED, ids=named)
def test_what_has_landed_is_exposed_judged_and_rolled_back_with_every_stage_off(
    state, frozen, risk
):
    """Decision 0005: the half-promoted version would stay, unwatched."""
    snap = build(replace(state, frozen=frozen, risk=risk))
    on = decide(replace(switched(snap), policy_hash="policy-1"))
    off = decide(replace(switched(snap, *STAGES), policy_hash="policy-1"))
    assert (off.orders, off.records, off.standings) == (on.orders, on.records, on.standings)


@pytest.mark.req("API-9")
@pytest.mark.parametrize(
    ("off", "state", "goes_on"),
    [
        pytest.param("implement", State(run="none"), "start-run", id="first-attempt"),
        pytest.param("implement", State(checks="red", base="green"), "start-run", id="fix"),
        pytest.param("verify", State(checks="unasked"), "run-check", id="checks"),
        pytest.param("verify", State(artifact="verified"), "land", id="landing"),
    ],
)
def test_a_mission_that_waited_for_its_stage_goes_on_when_that_is_on_again(off, state, goes_on):
    snap = build(state)
    waits = standing(switched(snap, off))
    (open_one,) = snap.missions
    again = replace(snap, missions=(replace(open_one, standing=waits),), now=snap.now + HOUR)
    assert ordered(switched(again, off)) == set()
    assert ordered(switched(again)) == {goes_on}


@pytest.mark.req("API-9")
@pytest.mark.parametrize(
    ("how", "void"),
    [
        pytest.param({"begun": False}, True, id="not-begun"),
        pytest.param({"begun": True, "waits_because": "Quota: spent"}, True, id="without-capacity"),
        pytest.param({"begun": True}, False, id="at-work"),
    ],
)
def test_an_agent_that_is_at_work_is_let_finish_and_one_that_is_not_is_not_sent(how, void):
    snap = build(State(run="open"))
    (first,) = snap.missions
    (run,) = first.orders
    snap = replace(snap, missions=(replace(first, orders=(replace(run, **how),)),))
    plan = decide(switched(snap, "implement"))
    voided = [record for record in plan.records if isinstance(record, VoidOrder)]
    assert [(one.order, one.reason) for one in voided] == ([(run.key, "StageOff")] if void else [])
    assert standing(switched(snap, "implement")).reason == ("StageOff" if void else "RunPending")
    assert not [order for order in plan.orders if isinstance(order, StartRun)]


def landing(*, begun):
    """A green change whose landing was ordered."""
    snap = build(State(artifact="verified"))
    (first,) = snap.missions
    land = next(order for order in decide(snap).orders if order.kind == "land")
    run = build(State(run="open")).missions[0].orders[0]
    order = replace(run, key=land.key, kind="land", begun=begun)
    return replace(snap, missions=(replace(first, orders=(order,)),))


@pytest.mark.req("API-9", "MODE-6")
def test_a_landing_that_was_begun_is_still_asked_about_without_verifying():
    """It may have happened; then it is watched, and its end may not lose a commit on main."""
    snap = switched(landing(begun=True), "verify")
    assert standing(snap).reason == Reason.MERGE_ALLOWED
    (first,) = snap.missions
    fact = Landed(id=EvidenceId("e-99"), at=NOON, repo=REPO, commit=HEAD, landed=True, main=HEAD)
    happened = replace(first, orders=(), facts=(*first.facts, fact), version=9)
    assert ordered(replace(snap, missions=(happened,))) == {"sync"}
    assert standing(switched(landing(begun=False), "verify")).reason == Reason.STAGE_OFF


@pytest.mark.req("API-9", "FRZ-3")
def test_without_verifying_nothing_is_requalified_and_the_freeze_holds():
    """Even when everything that it wants was seen already: that proof is of a stage that is off."""
    hold = Freeze(
        id=FreezeId("f-1"), mission_class="tidy", reason="Drill", detail="", cause="m-9",
        since=NOON - 2 * HOUR, until=NOON - HOUR,
    )  # fmt: skip
    requalify = mission(5, kind=MissionKind.REQUALIFY, need=None, freeze=hold.id)
    snap = snapshot(missions=(requalify,), freezes=(hold,))
    assert ordered(switched(snap)) == {"see-main"}
    assert ordered(switched(snap, "verify")) == set()
    assert standing(switched(snap, "verify")).reason == Reason.STAGE_OFF
    green = [
        CheckEnded(
            id=EvidenceId(f"e-{check}"), at=NOON, check=check, commit=BASE, result=CheckResult.GREEN
        )
        for check in ("lint", "unit-tests")
    ]
    seen = (
        MainSeen(id=EvidenceId("e-main"), at=NOON, repo=REPO, commit=BASE),
        *green,
        LiveSeen(
            id=EvidenceId("e-live"), at=NOON, target=TARGET, stable=BASE, canary="", healthy=True
        ),
    )
    proven = replace(snap, missions=(replace(requalify, facts=seen, version=len(seen)),))
    assert any(isinstance(record, Settle) for record in decide(switched(proven)).records)
    assert decide(switched(proven, "verify")).records == ()
