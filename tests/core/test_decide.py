"""Deciding as a function: the same snapshot gives the same plan, and every plan keeps the laws."""

import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm.core.decide import decide, epoch_of
from swarm.core.decision import OpenFreeze, OpenMission, Settle, Standing, StartRun
from swarm.core.ids import FreezeId, OrderKey
from swarm.core.nouns import Freeze, MissionKind, OutcomeKind, Risk, Settled
from swarm.core.snapshot import RiskRule, SourceState
from swarm.testing.builders import NOON, REPO, TARGET, installation, need, snapshot, spec
from swarm.testing.states import State, build, work

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
STANDING = Standing(
    version=0, epoch="", room="implement", reason="QueuedBehind", detail="", since=NOON,
    look_again=None, next_action="starts later", holds=frozenset(), blocked_on=None,
)  # fmt: skip
STAGES = work()
DELIVERY = {"repoAllowlist": [REPO], "requiredChecks": ["lint"], "deploymentTargets": [TARGET]}
LANES = {True: "implement", False: "verify"}
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def renamed(one, number):
    """The same mission under another number, writing elsewhere, with its own order keys."""
    mine = f"m-{number}"
    return replace(
        one,
        id=mine,
        need=f"n-{number}",
        opened_at=one.opened_at + timedelta(minutes=number),
        mission_class=("tidy", "docs", "deps")[number % 3],
        contract=replace(one.contract, allowed_paths=(f"src/file{number}.py",)),
        orders=tuple(
            replace(order, key=OrderKey(order.key.replace("m-1/", f"{mine}/", 1)))
            for order in one.orders
        ),
        approvals=tuple(replace(answer, mission=mine) for answer in one.approvals),
    )


missions = st.lists(st.sampled_from(STAGES), min_size=1, max_size=6).map(
    lambda stages: tuple(
        renamed(build(State(**{**stage, "checks": stage.get("checks", "green")})).missions[0], n)
        for n, stage in enumerate(stages, start=1)
    )
)
freezes = st.lists(
    st.builds(
        Freeze,
        id=st.integers(0, 9).map(lambda number: FreezeId(f"f-{number}")),
        mission_class=st.sampled_from(["tidy", "docs", "*"]),
        reason=st.just("Drill"),
        detail=st.just(""),
        cause=st.just("m-1"),
        since=st.just(NOON - HOUR),
        until=st.none() | st.sampled_from([NOON - HOUR / 2, NOON + HOUR]),
        requalified=st.none() | st.just("m-proof"),
    ),
    max_size=3,
    unique_by=lambda hold: hold.id,  # derived from scope and cause, so never one for two scopes
).map(tuple)
needs = st.integers(0, 6).map(
    lambda count: tuple(
        need(20 + n, value=1.0 + n % 3, risk=Risk(n % 4), mission_class=("tidy", "docs")[n % 2])
        for n in range(count)
    )
)
snapshots = st.builds(
    snapshot,
    missions=missions,
    needs=needs,
    freezes=freezes,
    shadow=st.booleans(),
    spec=st.sampled_from(
        [
            spec(delivery=DELIVERY),
            spec(delivery=DELIVERY, mode="assisted"),
            spec(delivery=DELIVERY, discovery={"sources": [{"name": "feed"}]}),
        ]
    ),
    installation=st.sampled_from(
        [installation(), installation(max_missions=9, attests=frozenset())]
    ),
    sources=st.sampled_from([(), (SourceState(name="feed", dark_since=NOON),)]),
)


@pytest.mark.slow
@pytest.mark.req("OWN-3")
@FEW
@given(snap=snapshots, seed=st.integers(0, 99))
def test_the_same_facts_in_any_order_give_the_same_plan(snap, seed):
    shuffle = random.Random(seed)

    def shuffled(items):
        return tuple(shuffle.sample(items, len(items)))

    other = replace(
        snap,
        missions=shuffled(snap.missions),
        needs=shuffled(snap.needs),
        freezes=shuffled(snap.freezes),
        sources=shuffled(snap.sources),
    )
    assert decide(other) == decide(snap) == decide(snap)


@pytest.mark.req("OWN-3")
@FEW
@given(snap=snapshots)
def test_every_order_has_a_key_of_its_own_that_begins_with_its_mission(snap):
    plan = decide(snap)
    keys = [order.key for order in plan.orders]
    assert len(set(keys)) == len(keys)
    known = {one.id for one in snap.missions}
    for order in plan.orders:
        assert order.mission in known
        assert order.key.startswith(f"{order.mission}/")
        assert order.policy_hash == snap.policy_hash


@pytest.mark.slow
@pytest.mark.req("FRZ-2")
@FEW
@given(snap=snapshots)
def test_nothing_goes_forward_under_a_freeze_or_in_shadow(snap):
    """Nor in the tick that opens the freeze."""
    plan = decide(snap)
    opened = tuple(record.freeze for record in plan.records if isinstance(record, OpenFreeze))
    forward = [order for order in plan.orders if order.forward]
    assert not (snap.shadow and forward)
    for order in forward:
        assert not any(hold.covers(order.mission_class) for hold in (*snap.freezes, *opened))


@pytest.mark.req("LOOP-5")
@FEW
@given(snap=snapshots)
def test_at_most_one_run_is_outstanding_per_loop_step(snap):
    plan = decide(snap)
    known = {order.key for one in snap.missions for order in one.orders}
    begun = Counter(key.rpartition("/")[2] == "0" for key in known if "/run/" in key)
    for order in plan.orders:
        if isinstance(order, StartRun) and order.key not in known:
            begun[order.attempt == 0] += 1
            assert begun[order.attempt == 0] <= 1, LANES[order.attempt == 0]


@pytest.mark.req("LOOP-4")
@FEW
@given(snap=snapshots)
def test_whatever_stays_open_says_why_and_what_comes_next(snap):
    plan = decide(snap)
    ended = {record.mission for record in plan.records if isinstance(record, Settle)}
    stood = dict(plan.standings)
    for one in snap.missions:
        if one.id not in ended:
            assert stood[one.id].reason
            assert stood[one.id].next_action
    assert plan.look_again is None or plan.look_again >= snap.now


@pytest.mark.req("LOOP-5")
@FEW
@given(snap=snapshots)
def test_no_more_missions_are_open_than_the_installation_allows(snap):
    """Repairs and requalifications come with what they repair; needs wait for a slot."""
    plan = decide(snap)
    opened = [record for record in plan.records if isinstance(record, OpenMission)]
    mine = {one.id for one in snap.missions}
    settled = [record.mission for record in plan.records if isinstance(record, Settle)]
    ended = sum(mission in mine for mission in settled)
    if any(record.need and record.parent is None for record in opened) and not snap.shadow:
        assert len(mine) - ended + len(opened) <= snap.installation.max_missions


# --- one tick: what one mission brings about binds the others -------------------------------------

FAILS = State(checks="red", base="green", fixes=3)


def met(*stages, **over):
    """One snapshot of these missions, numbered 3, 6, 9, ...: all of the class "tidy"."""
    built = [build(stage).missions[0] for stage in stages]
    open_ones = tuple(renamed(one, 3 * n) for n, one in enumerate(built, start=1))
    fields = {"spec": spec(delivery=DELIVERY), "installation": installation(max_missions=9)}
    return snapshot(missions=open_ones, **{**fields, **over})


def opened(plan):
    return {record.need for record in plan.records if isinstance(record, OpenMission)}


@pytest.mark.req("LOOP-5")
def test_a_mission_that_ends_leaves_its_slot_to_a_need_in_the_same_tick():
    done = State(rollout="promoted", artifact="verified")
    one_slot = installation(max_missions=1)
    plan = decide(met(done, needs=(need(20), need(21)), installation=one_slot))
    assert len(opened(plan)) == 1
    busy = decide(met(State(run="open"), needs=(need(20),), installation=one_slot))
    assert opened(busy) == set()


@pytest.mark.req("LOOP-3")
def test_no_need_is_taken_that_writes_where_a_repair_of_the_same_tick_does():
    there = need(20, paths=("src/file3.py",))
    assert opened(decide(met(FAILS, needs=(there, need(21))))) == {"n-3", "n-21"}


@pytest.mark.req("FRZ-2")
def test_a_freeze_opened_in_this_tick_holds_back_what_goes_forward_and_no_rollback():
    before = Settled(
        mission="m-0", mission_class="tidy", kind=MissionKind.DELIVER, at=NOON - HOUR, repo=REPO,
        outcome=OutcomeKind.FAILED, counts_as_failure=True,
    )  # fmt: skip
    failing = State(rollout="failing", artifact="verified")
    snap = met(FAILS, failing, State(run="none"))
    calm = {(order.kind, order.mission) for order in decide(snap).orders}
    plan = decide(replace(snap, settled=(before,)))
    held = {(order.kind, order.mission) for order in plan.orders}
    assert [r.freeze.mission_class for r in plan.records if isinstance(r, OpenFreeze)] == ["tidy"]
    assert ("abort", "m-6") in held
    assert calm - held == {("start-run", "m-9")}


@pytest.mark.req("MODE-1")
@pytest.mark.parametrize(
    ("stage", "level"),
    [
        pytest.param({"run": "none"}, Risk.R1, id="nothing-changed-yet"),
        pytest.param({"checks": "green"}, Risk.R2, id="deliver"),
        pytest.param({"rollout": "watching", "artifact": "verified"}, Risk.R2, id="protect"),
    ],
)
def test_a_standing_says_which_class_its_mission_is_judged_as(stage, level):
    raising = RiskRule(pattern="src/**", risk=Risk.R2, why="money")
    snap = build(State(**{"checks": "green", **stage}))
    snap = replace(snap, installation=replace(snap.installation, risk_rules=(raising,)))
    ((_, standing),) = decide(snap).standings
    assert standing.risk is level


@pytest.mark.req("LOOP-4")
def test_since_is_when_the_reason_began_and_not_when_it_was_last_said():
    once = decide(met(State(checks="unbound"), installation=installation(checks=frozenset())))
    ((_, first),) = once.standings
    assert first.since == NOON
    snap = met(State(checks="unbound"), installation=installation(checks=frozenset()))
    (one,) = snap.missions
    for before, since in [
        (replace(first, since=NOON - HOUR, detail="told otherwise"), NOON - HOUR),
        (replace(first, since=NOON - HOUR, reason="ChecksPending"), NOON),
        (replace(first, since=NOON - HOUR, room="deliver"), NOON),
    ]:
        told = replace(one, standing=replace(before, version=one.version - 1))
        ((_, after),) = decide(replace(snap, missions=(told,))).standings
        assert (after.reason, after.since) == (first.reason, since)


@pytest.mark.req("LOOP-3")
def test_a_tick_that_freed_something_too_late_for_its_heir_is_followed_by_another_at_once():
    """m-3 waits for what m-6 holds, and m-6 for what m-9 gives up: m-3 was passed by then."""
    snap = met(State(run="none"), State(run="none"), State(run="none"))
    epoch = epoch_of(snap)
    stands = [
        {"blocked_on": "near"},
        {"blocked_on": "far", "holds": frozenset({"near"})},
        {"holds": frozenset({"far"}), "version": -1},
    ]
    waiting = tuple(
        replace(one, standing=replace(STANDING, **{"version": one.version, "epoch": epoch, **own}))
        for one, own in zip(snap.missions, stands, strict=True)
    )
    plan = decide(replace(snap, missions=waiting))
    assert {id_ for id_, _ in plan.standings} == {"m-6", "m-9"}
    assert plan.look_again == NOON


@pytest.mark.req("LOOP-1")
def test_the_next_tick_is_due_when_the_first_need_has_rested_and_what_is_past_wakes_nobody():
    """The freeze ends later; and of a need that may go on already only a free slot is wanted."""
    needs = (
        need(20, not_before=NOON + 5 * MINUTE), need(21, not_before=NOON + 2 * MINUTE),
        need(22, not_before=NOON), need(23, not_before=NOON - HOUR), need(24),
    )  # fmt: skip
    hold = Freeze(
        id=FreezeId("f-1"), mission_class="docs", reason="Drill", detail="", cause="m-1",
        since=NOON - HOUR, until=NOON + HOUR,
    )  # fmt: skip
    snap = met(
        State(run="open"), needs=needs, freezes=(hold,), installation=installation(max_missions=1)
    )
    assert decide(snap).look_again == NOON + 2 * MINUTE
    assert decide(replace(snap, needs=needs[2:])).look_again == NOON + HOUR
    assert decide(replace(snap, needs=needs[2:], freezes=())).look_again is None


REPLICA = """
import hashlib
from swarm.core.decide import decide
from swarm.testing.states import build, every_state
told = hashlib.sha256()
for state in every_state()[::97]:
    plan = decide(build(state))
    told.update(repr((plan.orders, plan.records, plan.look_again)).encode())
print(told.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.req("OWN-4")
def test_two_replicas_decide_the_same_whatever_their_hash_seed():
    told = {
        subprocess.check_output(
            [sys.executable, "-c", REPLICA], env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    }
    assert len(told) == 1


@pytest.mark.req("OWN-3")
def test_a_step_forward_has_one_key_however_often_it_is_decided():
    """A controller that died after deciding must not be doubled by one that decides anew."""
    kinds = set()
    for stage in STAGES:
        snap = build(State(**{**stage, "checks": stage.get("checks", "green")}))
        later = decide(replace(snap, now=snap.now + timedelta(seconds=1)))
        first = {order.key for order in decide(snap).orders if order.forward}
        assert first == {order.key for order in later.orders if order.forward}
        kinds |= {order.kind for order in later.orders if order.forward}
    assert kinds == {"start-run", "land", "sync", "set-traffic", "promote"}
