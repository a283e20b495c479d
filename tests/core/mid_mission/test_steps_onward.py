"""When a rollout goes on, goes back or is watched: at the very moment, and between two policies."""

from dataclasses import replace

import pytest

from swarm.core.decide import decide
from swarm.core.decision import Abort, Promote, SetTraffic
from swarm.core.evidence import RegimeRead
from swarm.core.ids import OrderKey
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, TARGET, installation, spec
from swarm.testing.half_way import (
    DELIVERY,
    HEAD,
    MINUTE,
    SECOND,
    hold,
    look,
    orders,
    rolling,
    standing,
)

MOMENT = 3 * SECOND


def steps_of(*weights, pause="0s"):
    steps = [{"setWeight": weight, "pause": pause} for weight in weights]
    return {
        "spec": spec(delivery={**DELIVERY, "rollout": {"steps": steps}}),
        "installation": installation(canary=CanaryThresholds(p95_increase=None)),
    }


# --- a policy that changed on the way -------------------------------------------------------------


def replaced(begun=NOON - 9 * MOMENT):
    """Proven at 10 %, and now at 30 %, which is no step of 10/50/100."""
    found = rolling(at=begun).looked(look(NOON - 8 * MOMENT))
    found.looked(look(NOON - 7 * MOMENT, 50_000.0), number=1)
    return found.exposed(1, 30, at=NOON - 6 * MOMENT)


@pytest.mark.req("GATE-5", "MODE-6")
@pytest.mark.parametrize(
    ("pause", "next_step"),
    [
        pytest.param("27s", (1, 50), id="it-lasted-as-long-as-asked"),
        pytest.param("28s", (0, 10), id="a-second-less"),
    ],
)
def test_a_proven_step_of_the_new_policy_is_over_when_it_lasted_its_pause(pause, next_step):
    (order,) = orders(replaced().snapshot(**steps_of(10, 50, 100, pause=pause)), SetTraffic)
    assert (order.step, order.percent) == next_step


@pytest.mark.req("FRZ-2", "MODE-6")
def test_under_a_freeze_nobody_looks_at_a_proven_step_that_is_in_force_no_more():
    """Such a look would read 30 % and be held against 10 %: it waits, and goes back at the end."""
    frozen = {"freezes": (hold(until=None),)}
    snap = replaced().snapshot(**steps_of(10, 50, 100), **frozen)
    assert orders(replaced().snapshot(**steps_of(10, 50, 100)), SetTraffic)
    assert decide(snap).orders == ()
    ends = NOON - 6 * MOMENT + CanaryThresholds().max_hold
    assert (standing(snap).reason, standing(snap).look_again) == ("Frozen", ends)
    assert orders(replace(snap, now=ends), Abort)


# --- the moment itself ----------------------------------------------------------------------------


@pytest.mark.req("GATE-6", "FAIL-2", "LOOP-9")
@pytest.mark.parametrize(("first", "back"), [(0, True), (-1, False)], ids=["then", "before"])
def test_a_target_may_be_astray_from_the_moment_on_in_which_it_is_asked_to_go_on(first, back):
    found = rolling(at=NOON - 2 * MINUTE)
    for number, at in enumerate((NOON + first * SECOND, NOON + 5 * MINUTE - SECOND)):
        found.looked(look(at, percent=0), number=number)
    key = OrderKey(f"m-1/traffic/{TARGET}/{HEAD}/1")
    asked = OpenOrder(key=key, kind="set-traffic", issued_at=NOON, begun=True)
    me = found.mission(orders=(asked,))
    assert not orders(found.snapshot(missions=(me,), now=NOON + 5 * MINUTE), Abort)
    found.looked(look(NOON + 5 * MINUTE, percent=0), number=2)
    me = found.mission(orders=(asked,))
    snap = found.snapshot(missions=(me,), now=NOON + 5 * MINUTE)
    assert bool(orders(snap, Abort)) is back


@pytest.mark.req("REG-8", "MODE-3")
@pytest.mark.parametrize("weight", [10, 100])
@pytest.mark.parametrize(("seconds", "kept"), [(0, True), (-1, False)], ids=["then", "before"])
def test_a_word_on_the_limits_counts_from_the_moment_on_in_which_a_share_is_given(
    weight, seconds, kept
):
    """Its longest hold ends undecided, and the operator chose that such a rollout goes on."""
    bound = installation(
        canary=CanaryThresholds(p95_increase=None, max_hold=MINUTE),
        slo=SloThresholds(max_hold=MINUTE),
        undecided_promotes=True,
        regimes=((TARGET, 5 * MINUTE),),
    )
    begun = NOON - MINUTE
    read = begun + seconds * SECOND
    clean = RegimeRead(regime="trend", posture="normal", at=read)
    found = rolling(at=begun - MINUTE if weight == 100 else begun)
    if weight == 100:
        found.exposed(1, 100, at=begun)
    found.looked(look(read, percent=weight), step=weight // 100, regime=clean)
    snap = found.snapshot(**{**steps_of(10, 100), "installation": bound})
    assert bool(orders(snap, SetTraffic) or orders(snap, Promote)) is kept
    assert bool(orders(snap, Abort)) is not kept
