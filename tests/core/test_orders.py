"""What every order says of itself: its key, and whether a freeze holds it back."""

from datetime import timedelta

import pytest

from swarm.core.evidence import LookTaken
from swarm.core.findings import Findings, read
from swarm.core.ids import (
    EvidenceId,
    OrderKey,
    SwarmId,
    evidence_id,
    mission_of,
    need_id,
    run_id,
    swarm_id,
)
from swarm.core.nouns import Brief, Cited
from swarm.core.orders import Orders
from swarm.core.rollout.counts import ArmCounts, Look
from swarm.testing.builders import NOON, change, mission, snapshot

CITED = Cited(
    origin="ruff", citation="src/a.py:3", source="lint", external=False, trust=0.9
)  # fmt: skip
HOUR = timedelta(hours=1)
BRIEF = Brief(run="m-1-run-2", goal="", facts=(), allowed_paths=(), checks=(), rule="")
SAID = {
    "run": (
        lambda o: o.start_run(2, BRIEF, base="b", onto="b", deadline=HOUR), "run/2", True
    ),
    "cite": (lambda o: o.read_citation(CITED, "7"), "cite/bb3c23c8caed7c4cf9bc/7", False),
    "check": (lambda o: o.run_check("lint", "c0", "b"), "check/c0/lint", False),
    "rebound": (
        lambda o: o.run_check("lint", "c0", "b", rebound=True),
        "check-again/c0/policy-1/lint", False,
    ),
    "restage": (lambda o: o.restage(change("h", "b"), "main"), "restage/h/main", False),
    "artifact": (lambda o: o.judge_artifact("h"), "artifact/h", False),
    "land": (lambda o: o.land(change("h", "b"), Findings()), "land/h/b", True),
    "sync": (lambda o: o.sync("shop", "h"), "sync/shop/h", True),
    "traffic": (lambda o: o.set_traffic("shop", "h", 1, 30, Findings()), "traffic/shop/h/1", True),
    "look": (lambda o: o.take_look("shop", "h", 1, 4), "look/shop/h/1.4", False),
    "promote": (lambda o: o.promote("shop", "h"), "promote/shop/h", True),
    "abort": (lambda o: o.aborts("shop", "h", "s", Findings())[-1], "abort/shop/h", False),
    "revert": (lambda o: o.revert("h"), "revert/h", False),
    "main": (lambda o: o.see_main("7"), "main/7", False),
    "live": (lambda o: o.see_live("shop", "7"), "live/shop/7", False),
    "notify": (lambda o: o.notify("c", "stuck", "t"), "notify/stuck", False),
}  # fmt: skip


@pytest.mark.req("FRZ-2", "OWN-3")
@pytest.mark.parametrize(("make", "key", "forward"), SAID.values(), ids=SAID)
def test_each_order_has_its_key_and_only_what_begins_or_promotes_goes_forward(make, key, forward):
    """A freeze holds back dispatch, merge and promotion; rollbacks and verification go on."""
    order = make(Orders(mission(1), snapshot()))
    assert (order.key, order.mission) == (f"m-1/{key}", "m-1")
    assert order.forward is forward


@pytest.mark.req("OWN-3", "LOOP-11")
def test_ids_are_the_same_in_every_release():
    """What a release before this one began is found again under the very same id."""
    assert swarm_id("apps", "shop") == "s-cc5e9472c3abc94e3ebd"
    assert need_id(SwarmId("s-1"), "fingerprint") == "n-afcea844e2c161cf254f"
    assert evidence_id(OrderKey("m-1/run/0")) == "e-4c40bc32a20c90c38d20"


@pytest.mark.parametrize("name", ["m-1", "m-1/run/0", run_id("m-1", 3), "m-1/check/c0/lint"])
def test_the_mission_of_a_run_or_an_order_is_what_its_name_begins_with(name):
    assert mission_of(name) == "m-1"


@pytest.mark.req("GATE-5")
def test_a_second_look_at_the_same_instant_is_the_last_one_and_holds_no_increase():
    """Counters that were read at one instant hold no increase, whoever read them."""
    arm = ArmCounts(total=1.0, bad=0.0, latency=None)
    one = Look(observed_at=NOON, traffic_percent=10, canary=arm, stable=arm)
    facts = tuple(
        LookTaken(id=EvidenceId(f"e-{n}"), at=NOON, target="shop", step=0, number=n, look=one)
        for n in (0, 1)
    )
    target = read(mission(1, facts=facts)).target("shop")
    assert [taken.number for taken in target.looks] == [0]
    assert target.last_look[0].number == 1
