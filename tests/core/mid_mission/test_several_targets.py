"""One rollout at two targets, one after the other: what happens at one of them binds the other."""

from dataclasses import replace

import pytest

from swarm.core.decision import Abort, Settle, Sync
from swarm.testing.builders import REPO, TARGET, installation, mission, spec
from swarm.testing.half_way import DELIVERY, Evidence, orders, records, standing

SECOND_TARGET = "billing"
BOTH = (TARGET, SECOND_TARGET)
BOUND = {
    "spec": spec(delivery={**DELIVERY, "deploymentTargets": list(BOTH)}),
    "installation": installation(targets=tuple((name, REPO) for name in BOTH)),
}


def landed():
    """A change on main that is to be served by both."""
    contract = replace(mission(1).contract, targets=BOTH, checks=("lint",))
    return Evidence(mission(1, contract=contract)).green().landed()


@pytest.mark.req("FAIL-7", "LOOP-8")
def test_while_the_next_target_drifted_none_behind_it_is_begun():
    """Nobody knows how long it lasts, and the others would wait half-way for as long."""
    snap = landed().snapshot(**BOUND, drifted=((TARGET, "runs x"),))
    assert standing(snap).reason == "TargetDrifted"
    assert orders(snap, Sync) == []
    (first,) = orders(landed().snapshot(**BOUND, drifted=((SECOND_TARGET, "runs x"),)), Sync)
    assert first.target == TARGET


@pytest.mark.req("LOOP-8", "LOOP-9")
def test_where_one_target_runs_something_else_after_promotion_none_behind_it_is_begun():
    """It goes back: whatever was begun meanwhile would only have to be taken off as well."""
    snap = landed().synced().promoted(revision="other000").snapshot(**BOUND)
    assert orders(snap, Sync) == []
    assert [order.target for order in orders(snap, Abort)] == [TARGET]


@pytest.mark.req("FAIL-7", "LOOP-4")
def test_of_two_targets_that_drifted_each_is_told_in_the_order_of_the_rollout():
    """Who mends one of them hears of the next, until the change is delivered."""
    live = landed().synced().promoted().synced(SECOND_TARGET).promoted(SECOND_TARGET)
    astray = [(TARGET, "runs x"), (SECOND_TARGET, "runs y")]
    for first, (name, seen) in enumerate(astray):
        snap = live.snapshot(**BOUND, drifted=tuple(astray[first:]))
        assert (standing(snap).reason, standing(snap).detail) == ("TargetDrifted", f"{name} {seen}")
        assert records(snap, Settle) == []
    assert records(live.snapshot(**BOUND), Settle)
