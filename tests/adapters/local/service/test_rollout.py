"""Deploy, split, promote, abort on real processes."""

import asyncio
import os
from datetime import timedelta

import pytest

from swarm.adapters.local.service.errors import (
    BadTarget,
    NoCanary,
    NoStable,
    NothingToGoBackTo,
    PortTaken,
    TargetHeld,
)
from swarm.adapters.local.service.listener import listeners
from swarm.adapters.local.service.proxy import listen
from swarm.contract.errors import Unavailable
from swarm.contract.verdict import Answer
from swarm.core.rollout.canary import judge
from swarm.core.rollout.counts import Absent
from swarm.core.rollout.judgement import CanaryReason
from swarm.core.rollout.thresholds import CanaryThresholds

OLD, NEW, THIRD = "a" * 40, "b" * 40, "c" * 40
pytestmark = [pytest.mark.req("GATE-5"), pytest.mark.req("LOOP-8")]


@pytest.mark.req("LOOP-9")
async def test_a_whole_rollout_to_promotion(target):
    assert (await target.up()).healthy
    assert await target.traffic(5) == {OLD: 5}
    done = await target.canary()
    assert (done.healthy, done.stable) == (True, OLD)
    assert await target.traffic(20) == {OLD: 20}, "a canary starts without traffic"
    assert await target.service.set_traffic(50, "half", NEW) == 50
    both = await target.traffic(60)
    assert set(both) == {OLD, NEW}
    live = await target.service.live()
    assert (live.stable_revision, live.canary_revision) == (OLD, NEW)
    assert (live.traffic_percent, live.healthy, live.drift) == (50, True, ())
    assert await target.service.promote("go", NEW) == NEW
    assert await target.traffic(10) == {NEW: 10}
    live = await target.service.live()
    assert (live.stable_revision, live.canary_revision, live.healthy) == (NEW, None, True)
    assert len(target.processes()) == 2, "the proxy and the new version; the old one ended"


@pytest.mark.slow
@pytest.mark.req("FAIL-2")
@pytest.mark.req("LOOP-9")
async def test_an_abort_proves_that_the_old_version_serves(target):
    await target.up()
    await target.canary(50)
    proof = await target.service.abort("undo", NEW, OLD)
    assert (proof.serving, proof.proven) == (OLD, True)
    assert "5 of 5 probes" in proof.detail
    assert await target.traffic(20) == {OLD: 20}
    assert len(target.processes()) == 2


@pytest.mark.slow
async def test_an_abort_after_promotion_brings_the_old_version_back(target):
    await target.up()
    await target.canary(100)
    await target.service.promote("go")
    proof = await target.service.abort("undo", NEW, OLD)
    assert (proof.serving, proof.proven) == (OLD, True)
    assert await target.traffic(10) == {OLD: 10}
    assert len(target.processes()) == 2


@pytest.mark.slow
async def test_an_abort_of_what_is_not_there_still_proves_the_old_version(target):
    await target.up()
    proof = await target.service.abort("undo", NEW, OLD)
    assert (proof.serving, proof.proven) == (OLD, True)


@pytest.mark.slow
async def test_an_abort_without_a_good_version_says_so(target):
    await target.up()
    with pytest.raises(NothingToGoBackTo, match="not on record"):
        await target.service.abort("undo", OLD, THIRD)


@pytest.mark.slow
async def test_an_abort_restarts_a_stable_version_that_died_meanwhile(target):
    await target.up()
    await target.canary(50)
    os.kill(target.record("stable")["pid"], 9)
    proof = await target.service.abort("undo", NEW, OLD)
    assert (proof.serving, proof.proven) == (OLD, True)


@pytest.mark.slow
async def test_an_abort_is_not_proven_while_another_revision_must_serve(target):
    await target.up()
    await target.canary(50)
    proof = await target.service.abort("undo", NEW, THIRD)
    assert not proof.proven
    assert "and " + THIRD in proof.detail


@pytest.mark.slow
async def test_no_request_is_lost_while_versions_change(target):
    """Open requests end at the version that took them."""
    await target.up()
    await target.canary(50)
    running = asyncio.create_task(target.traffic(150, at_once=6))
    slow = [asyncio.create_task(target.get("/slow")) for _ in range(6)]
    await asyncio.sleep(0.2)
    await target.service.abort("undo", NEW, OLD)
    assert [status for status, _, _ in await asyncio.gather(*slow)] == [200] * 6
    assert set(await running) <= {OLD, NEW}


@pytest.mark.slow
@pytest.mark.req("OWN-3")
async def test_a_repeated_order_changes_nothing(target):
    await target.up()
    first = await target.canary(30)
    pids = target.processes()
    assert await target.canary() == first
    await target.controller().bootstrap(OLD, target.checkout(OLD), "boot")
    assert await target.controller().set_traffic(30, "set-30") == 30
    assert target.processes() == pids
    await target.service.promote("go", NEW)
    assert await target.service.promote("go", NEW) == NEW


@pytest.mark.slow
@pytest.mark.req("OWN-3")
async def test_a_late_order_after_an_abort_is_without_effect(target):
    """P15: abort is terminal for what came before it."""
    await target.up()
    await target.canary(30)
    await target.service.abort("undo", NEW, OLD)
    assert (await target.canary()).healthy, "the old answer of the repeated start"
    assert await target.service.set_traffic(30, "set-30") == 0
    with pytest.raises(NoCanary):
        await target.service.set_traffic(100, "set-100-late", NEW)
    with pytest.raises(NoCanary):
        await target.service.promote("go-late", NEW)
    assert await target.traffic(10) == {OLD: 10}


@pytest.mark.slow
async def test_a_second_rollout_waits_while_one_is_open(target):
    """A no would take a good change off main again, and count against its class."""
    await target.up()
    await target.canary(10)
    with pytest.raises(TargetHeld, match=NEW) as held:
        await target.service.start_canary(THIRD, target.checkout(THIRD), "other")
    assert isinstance(held.value, Unavailable)
    with pytest.raises(NoCanary, match=NEW):
        await target.service.set_traffic(50, "other-set", THIRD)


async def test_where_nothing_was_deployed_nothing_is_live_and_nothing_drifted(target):
    live = await target.service.heal()
    assert (live.stable_revision, live.canary_revision) == ("", None)
    assert (live.healthy, live.drift) == (False, ())


async def test_a_canary_needs_a_stable_version(target):
    with pytest.raises(NoStable):
        await target.canary()


@pytest.mark.slow
async def test_a_first_version_is_not_replaced_without_a_rollout(target):
    await target.up()
    with pytest.raises(BadTarget, match="by a rollout"):
        await target.service.bootstrap(NEW, target.checkout(NEW), "boot-2")


@pytest.mark.slow
async def test_deploying_the_stable_revision_again_is_already_done(target):
    await target.up()
    done = await target.service.start_canary(OLD, target.checkout(OLD), "again")
    assert (done.healthy, done.detail) == (True, "is stable")
    assert len(target.processes()) == 2


@pytest.mark.parametrize("percent", [-1, 101])
async def test_a_share_outside_0_to_100_is_refused(target, percent):
    with pytest.raises(BadTarget, match="lies in 0"):
        await target.service.set_traffic(percent, "k")


@pytest.mark.slow
async def test_a_revision_that_is_no_name_is_refused(target):
    await target.up()
    for revision in ("", "../up", "a b", "-x", "a/b"):
        with pytest.raises(BadTarget, match="is no revision"):
            await target.service.start_canary(revision, target.checkout(NEW), "k")


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        pytest.param(
            {"unhealthy": True},
            "/healthz gave status 503",
            id="never-healthy",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"exit_at_start": True}, "DATABASE_URL", id="ends-at-start", marks=pytest.mark.slow
        ),
        pytest.param({"claims": "d" * 40}, f"says it is {'d' * 40}", id="is-another-revision"),
        pytest.param(
            {"claims": ""}, "does not say which revision", id="names-none", marks=pytest.mark.slow
        ),
    ],
)
@pytest.mark.req("LOOP-8")
async def test_a_version_that_cannot_take_traffic_never_gets_any(make, behaviour, says):
    target = make(start_within="1s")
    await target.up()
    done = await target.canary(**behaviour)
    assert not done.healthy
    assert says in done.detail
    assert await target.traffic(10) == {OLD: 10}
    assert len(target.processes()) == 2, "the failed version was ended"
    assert await target.canary() == done, "the answer is kept under the key"


@pytest.mark.slow
async def test_a_command_that_does_not_exist_is_named(make):
    target = make(run=("no-such-program", "{port}"))
    with pytest.raises(BadTarget, match="no-such-program cannot be started"):
        await target.up()


@pytest.mark.slow
async def test_a_checkout_that_is_gone_is_named(target):
    await target.up()
    with pytest.raises(BadTarget, match="is no folder"):
        await target.service.start_canary(NEW, target.checkouts / "nowhere", "k")


@pytest.mark.slow
async def test_a_taken_public_port_is_named(make):
    target = make()
    other = listen(target.settings.port)
    try:
        with pytest.raises(PortTaken, match=str(target.settings.port)):
            await target.up()
    finally:
        other.close()


@pytest.mark.slow
async def test_a_version_whose_port_was_taken_gets_another(target):
    await target.up()
    done = await target.canary(steal_port=True)
    stolen = int((target.checkouts / NEW / "stolen").read_text())
    try:
        assert done.healthy
        assert target.record("canary")["port"] != stolen
    finally:
        _end_thief(stolen)


def _end_thief(port):
    for pid in listeners(port):
        os.kill(pid, 9)


@pytest.mark.slow
async def test_a_canary_that_crashes_under_traffic_is_judged_and_hurts_no_user(target):
    """Requests that cannot reach the dead canary are served by the stable version."""
    await target.up()
    await target.canary(20, crash_after=30)
    looks = [await target.service.read_look()]
    for _ in range(5):
        answers = await target.traffic(120)
        assert set(answers) <= {OLD, NEW, "502"}
        assert answers.get("502", 0) <= 8, "only the requests that were open when it died"
        looks.append(await target.service.read_look())
    limits = CanaryThresholds(p95_increase=None)
    found = judge(looks, limits)
    assert (found.answer, found.reason) == (Answer.FAIL, CanaryReason.ERROR_RATE_REGRESSED)
    live = await target.service.live()
    assert not live.healthy
    assert any("canary does not answer" in line for line in live.drift)


@pytest.mark.slow
async def test_a_slow_canary_is_caught_by_its_latency(target):
    """+30 ms on a service that answers in a millisecond; every check of it is green."""
    await target.up()
    await target.traffic(250)
    await target.canary(30, delay=0.03)
    looks = [await target.service.read_look()]
    for _ in range(4):
        await target.traffic(120, at_once=4)
        looks.append(await target.service.read_look())
    found = judge(looks, CanaryThresholds(error_floor=0.05))
    assert (found.answer, found.reason) == (Answer.FAIL, CanaryReason.LATENCY_REGRESSED)


@pytest.mark.slow
async def test_an_equal_canary_passes(target):
    """Wide floors: this machine's own jitter is no property of the canary."""
    wide = CanaryThresholds(error_floor=0.05, p95_floor=timedelta(milliseconds=100))
    await target.up()
    await target.canary(30)
    looks = [await target.service.read_look()]
    for _ in range(12):
        await target.traffic(120, at_once=4)
        looks.append(await target.service.read_look())
        found = judge(looks, wide)
        if found.answer is Answer.PASS:
            break
    assert found.answer is Answer.PASS, found.detail


@pytest.mark.slow
async def test_a_look_counts_each_arm_and_nothing_twice(target):
    await target.up()
    before = await target.service.read_look()
    assert isinstance(before.canary, Absent)
    assert before.stable.total == 0
    await target.canary(40, fail_every=2)
    answers = await target.traffic(100)
    look = await target.service.read_look()
    assert look.traffic_percent == 40
    assert look.stable.total == answers[OLD]
    assert look.canary.total == answers[NEW] + answers["500"]
    assert look.canary.bad == answers["500"]
    assert look.canary.latency.total == look.canary.total
    assert look.canary.epoch == look.stable.epoch != ""
    assert (await target.service.read_look(NEW)).canary == look.canary
    assert isinstance((await target.service.read_look(OLD)).canary, Absent)
