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

from swarm.core.decide import decide
from swarm.core.decision import OpenFreeze, OpenMission, Settle, StartRun
from swarm.core.ids import FreezeId, OrderKey
from swarm.core.nouns import Freeze, Risk
from swarm.core.snapshot import SourceState
from swarm.testing.builders import NOON, REPO, TARGET, installation, need, snapshot, spec
from swarm.testing.states import State, build, work

HOUR = timedelta(hours=1)
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


@pytest.mark.req("OWN-4")
def test_two_replicas_decide_the_same_whatever_their_hash_seed():
    told = {
        subprocess.check_output(
            [sys.executable, "-c", REPLICA], env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    }
    assert len(told) == 1
