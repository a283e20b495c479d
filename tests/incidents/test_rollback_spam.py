"""One bad version was rolled back over and over: whoever looked at it asked for one more.

Looks, repeated alerts and wake-ups all meet the same landed commit. It goes back once, its target
never runs it again, and its repair, which is bad as well, goes back once too and is the last.
"""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from swarm.core.ids import mission_of
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.store import Binding, BudgetTerms

REPO, TARGET = "acme/shop", "orders"
FAST = timedelta(milliseconds=100)
STEPS = [{"setWeight": 10, "pause": "0s"}, {"setWeight": 100, "pause": "0s"}]


def bind(_swarm, _spec):
    hold = timedelta(seconds=30)
    bound = Installation(
        checks=frozenset({"lint"}),
        targets=((TARGET, REPO),),
        agents=(AgentBinding(name="tidy"),),
        canary=CanaryThresholds(look_every=FAST, max_hold=hold),
        slo=SloThresholds(look_every=FAST, window=FAST, max_hold=hold),
    )
    terms = BudgetTerms(name="default-budget", cap=10_000_000)
    return Binding(installation=bound, policy_hash="policy-1", budget=terms)


async def until_all_ended(place, swarm):
    """Work on, and say the same again and ring at every turn: all that asks for one more."""
    for _ in range(200):
        await place.work()
        rows = await place.look.rows("missions")
        if rows and all(row["outcome"] != "open" for row in rows):
            return rows
        await place.need(swarm, 0)
        await place.bell.ring(swarm)
        await asyncio.sleep(FAST.total_seconds() / 4)  # the next look is not due before
    raise AssertionError("it never comes to an end")


@pytest.mark.req("FAIL-2", "LOOP-9")
async def test_one_bad_version_goes_back_once_whatever_asks_for_one_more(place):
    place.bind, place.world.bad_errors = bind, 0.3
    delivery = {
        "repoAllowlist": [REPO], "requiredChecks": ["lint"], "deploymentTargets": [TARGET],
        "rollout": {"steps": STEPS},
    }  # fmt: skip
    swarm = await place.apply("shop", delivery=delivery)
    await place.need(swarm, 0)
    rows = await until_all_ended(place, swarm)
    assert {(row["kind"], row["outcome"]) for row in rows} == {
        ("deliver", "rolled-back"), ("remediate", "rolled-back"),
    }  # fmt: skip
    assert (len(rows), place.world.stable[TARGET]) == (2, "main0000")
    for row in rows:
        keys = [key for key in place.world.journal if mission_of(key) == row["id"]]
        verbs = Counter(key.split("/")[1] for key in keys)
        assert (verbs["land"], verbs["abort"], verbs["revert"]) == (1, 1, 1)
    done = place.world.journal.copy()
    for _ in range(30):
        await place.need(swarm, 0)
        await place.bell.ring(swarm)
        await place.work()
    assert place.world.journal == done
    assert set(done.values()) == {1}
