"""The promises of `ports.store`: serial ticks, orders under lease and fence, intake."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from swarm.contract.errors import Refused
from swarm.contract.verdict import Answer, Verdict
from swarm.core.decision import GiveVerdict, Plan, Settle
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.ids import NeedId, SwarmId, evidence_id, order_key, signal_id
from swarm.core.nouns import MissionKind, Outcome, OutcomeKind, Settled, Signal
from swarm.core.reasons import Reason
from swarm.core.snapshot import Mission, Snapshot
from swarm.ports.reply import Later
from swarm.ports.sources import Reading
from swarm.ports.store import BudgetTerms, Claim, Intake, Orders, Tick
from swarm.testing.contracts.store_plans import (
    CLASS,
    LEASE,
    land,
    opening,
    plan,
    run_check,
    set_traffic,
    start_run,
)

MOMENT = timedelta(milliseconds=50)


class StoreWorld(Protocol):
    """A store with one swarm in it. policy, budget: what the next tick's binding has."""

    orders: Orders
    intake: Intake
    swarm: SwarmId
    policy: str
    budget: BudgetTerms | None

    async def tick(self, plan: Plan) -> tuple[Tick | None, Snapshot | None]:
        """Ring for the swarm and tick it with this plan; the tick and what it was shown."""

    async def due(self) -> bool:
        """Whether the agenda tells of orders that may be claimed now."""

    async def freeze(self, mission_class: str) -> None:
        """Have a person hold a class until somebody resumes it."""

    async def shadow(self) -> None:
        """Have the swarm only watch."""

    async def sleep(self, by: timedelta) -> None:
        """Let so much time pass in which nobody, the store apart, was awake."""

    def now(self) -> datetime:
        """The store's clock."""


async def opened(world: StoreWorld) -> str:
    """A mission that is open, for a need that one signal made."""
    report = await world.intake.ingest(world.swarm, "linter", reading(world))
    record = opening(report.opened[0], world.now())
    ticked, _ = await world.tick(plan(records=[record]))
    assert ticked is not None
    assert ticked.applied == (record,)
    return record.id


def reading(world: StoreWorld, number: int = 1, cursor: str = "1") -> Reading:
    """One signal, and the cursor after it."""
    signal = Signal(
        id=signal_id(world.swarm, "linter", str(number)), source="linter",
        external_id=str(number), title=f"Something to mend, number {number}", body="",
        citation=f"src/a{number}.py:1@main", origin="linter", author="", external=False, trust=0.9,
        observed_at=world.now(), content_hash=f"{number:064}", mission_class=CLASS,
        repo="acme/shop", paths=(f"src/a{number}.py",), rule=f"F{number}",
    )  # fmt: skip
    return Reading(signals=(signal,), cursor=cursor)


async def issued(world: StoreWorld, *kinds: str) -> str:
    """A mission with these orders issued."""
    mission = await opened(world)
    make = {"run": start_run, "check": run_check, "land": land}
    wanted = [make[kind](mission, world.policy) for kind in kinds]
    ticked, _ = await world.tick(plan(orders=wanted))
    assert ticked is not None
    assert len(ticked.issued) == len(kinds)
    return mission


async def shown(world: StoreWorld, mission: str) -> Mission:
    """The mission as the next tick's snapshot has it."""
    _, snapshot = await world.tick(plan())
    assert snapshot is not None
    return next(one for one in snapshot.missions if one.id == mission)


async def claimed(world: StoreWorld, lease: timedelta = LEASE) -> Claim:
    """The one order that is due; waits for a lease or a delay that runs out."""
    claims: tuple[Claim, ...] = ()
    async with asyncio.timeout(20):
        while True:
            claims = await world.orders.claim("c", 5, lease)
            if claims:
                break
            await asyncio.sleep(0.01)
    (claim,) = claims
    return claim


def green(claim: Claim, world: StoreWorld) -> CheckEnded:
    """The fact that settles a check's order."""
    return CheckEnded(
        id=evidence_id(claim.order.key), at=world.now(), check="lint", commit="c1",
        result=CheckResult.GREEN,
    )  # fmt: skip


class StoreContract:
    """Inherit it and provide a fixture `world` that is a `StoreWorld`."""

    async def test_an_order_is_issued_once_whatever_is_decided_again(
        self, world: StoreWorld
    ) -> None:
        """Its key stays taken, while it is open and after it was settled."""
        mission = await issued(world, "check")
        again = plan(orders=[run_check(mission, world.policy)])
        ticked, _ = await world.tick(again)
        assert ticked is not None
        assert ticked.issued == ()
        claim = await claimed(world)
        await world.orders.begin(claim)
        await world.orders.settle(claim, green(claim, world))
        ticked, snapshot = await world.tick(again)
        assert ticked is not None
        assert ticked.issued == ()
        assert snapshot is not None
        assert [fact.kind for fact in snapshot.missions[0].facts] == ["check-ended"]

    @pytest.mark.req("LOOP-11")
    async def test_what_hangs_on_a_refused_opening_is_refused_with_it(
        self, world: StoreWorld
    ) -> None:
        """Its need was taken since, or the budget spent; the tick goes on."""
        mission = await opened(world)
        need = (await shown(world, mission)).need
        assert need is not None
        second = opening(need, world.now(), 1)
        found = Verdict(answer=Answer.PASS, reason="EnoughEvidence", detail="")
        verdict = GiveVerdict(
            mission=second.id, gate="discovery_quality", subject="citations", verdict=found,
            at=world.now(),
        )  # fmt: skip
        ticked, _ = await world.tick(plan(records=[second, verdict]))
        assert ticked is not None
        assert ticked.applied == ()
        assert {record for record, _ in ticked.refused} == {second, verdict}

    @pytest.mark.req("OWN-4")
    async def test_an_order_has_one_holder_at_a_time(self, world: StoreWorld) -> None:
        """Nobody else gets it while its lease runs."""
        await issued(world, "check")
        found = await asyncio.gather(*(world.orders.claim(f"c{n}", 5, LEASE) for n in range(4)))
        assert sum(len(claims) for claims in found) == 1

    @pytest.mark.req("OWN-3", "OWN-4")
    async def test_whoever_lost_the_lease_can_write_nothing(self, world: StoreWorld) -> None:
        """The newer claim has the higher fence; what the older holder brings is refused whole."""
        mission = await issued(world, "check")
        first = await claimed(world, MOMENT)
        await world.orders.begin(first)
        second = await claimed(world)
        assert second.fence > first.fence
        assert (second.begun, second.tries) == (True, 2)
        assert await world.orders.heartbeat([first], LEASE) == (first,)
        for write in (
            world.orders.settle(first, green(first, world)),
            world.orders.postpone(first, Later(delay=MOMENT, reason="Busy")),
            world.orders.begin(first),
        ):
            with pytest.raises(Refused):
                await write
        assert not (await shown(world, mission)).facts
        await world.orders.settle(second, green(second, world))
        with pytest.raises(Refused):
            await world.orders.settle(second, green(second, world))
        assert len((await shown(world, mission)).facts) == 1

    async def test_a_heartbeat_keeps_the_lease(self, world: StoreWorld) -> None:
        """And says of none that it is lost."""
        await issued(world, "check")
        claim = await claimed(world, timedelta(seconds=5))
        assert await world.orders.heartbeat([claim], LEASE) == ()
        assert await world.orders.claim("other", 5, LEASE) == ()

    @pytest.mark.req("FAIL-1")
    async def test_what_has_no_capacity_waits_and_says_why(self, world: StoreWorld) -> None:
        """Work under way is no waiting: it gives no reason."""
        mission = await issued(world, "check")
        claim = await claimed(world)
        await world.orders.begin(claim)
        await world.orders.postpone(claim, Later(delay=MOMENT, reason="Working"))
        assert (await shown(world, mission)).orders[0].waits_because == ""
        claim = await claimed(world)
        await world.orders.postpone(claim, Later(delay=LEASE, reason="Quota", capacity=True))
        waiting = (await shown(world, mission)).orders[0]
        assert waiting.waits_because.startswith("Quota")
        assert waiting.next_try is not None
        assert await world.orders.claim("c", 5, LEASE) == ()
        assert await world.orders.hasten(claim.order.key)
        assert (await claimed(world)).order == claim.order

    async def test_what_is_given_back_is_due_at_once_under_a_new_fence(
        self, world: StoreWorld
    ) -> None:
        """A controller that stops keeps nothing."""
        await issued(world, "check")
        first = await claimed(world)
        await world.orders.release([first])
        second = await claimed(world)
        assert second.fence > first.fence
        await world.orders.release([first])
        assert await world.orders.claim("c", 5, LEASE) == ()

    @pytest.mark.req("FRZ-2")
    @pytest.mark.parametrize("held_by", ["freeze", "shadow"])
    async def test_what_is_held_begins_nothing_but_goes_on_looking(
        self, world: StoreWorld, held_by: str
    ) -> None:
        """Also when the hold comes between the claim and the beginning."""
        await issued(world, "run", "check")
        claims = await world.orders.claim("c", 5, LEASE)
        by_kind = {claim.order.kind: claim for claim in claims}
        await (world.freeze(CLASS) if held_by == "freeze" else world.shadow())
        with pytest.raises(Refused):
            await world.orders.begin(by_kind["start-run"])
        await world.orders.begin(by_kind["run-check"])
        await world.orders.release(claims)
        (only,) = await world.orders.claim("c", 5, LEASE)
        assert only.order.kind == "run-check"

    @pytest.mark.req("OWN-3")
    async def test_another_policy_voids_what_was_not_begun_and_follows_what_was(
        self, world: StoreWorld
    ) -> None:
        """What was begun may have happened: its answer is kept under whatever policy."""
        mission = await issued(world, "run")
        world.policy = "policy-2"
        ticked, _ = await world.tick(plan())
        assert ticked is not None
        assert ticked.voided == (order_key(mission, "run", "0"),)
        assert await world.orders.claim("c", 5, LEASE) == ()
        await world.tick(plan(orders=[start_run(mission, world.policy)]))
        claim = await claimed(world, MOMENT)
        await world.orders.begin(claim)
        world.policy = "policy-3"
        ticked, _ = await world.tick(plan())
        assert ticked is not None
        assert ticked.voided == ()
        later = await claimed(world)
        assert later.order.key == claim.order.key
        assert (later.begun, later.lapsed) == (True, True)
        await world.orders.begin(later)
        assert (await shown(world, mission)).orders[0].begun

    @pytest.mark.req("FAIL-6")
    @pytest.mark.parametrize("asked", [False, True], ids=["unasked", "asked"])
    async def test_a_check_that_nobody_was_awake_to_ask_was_not_silent(
        self, world: StoreWorld, *, asked: bool
    ) -> None:
        """Else whoever closes the lid over lunch finds each check of then red, green as it was."""
        mission = await issued(world, "check")
        await world.orders.begin(await claimed(world, MOMENT))
        await world.sleep(timedelta(hours=2))
        if asked:
            await claimed(world)
        await world.tick(plan())
        since = (await shown(world, mission)).orders[0].begun_at
        assert since is not None
        assert (world.now() - since < timedelta(hours=1)) != asked

    @pytest.mark.req("MODE-6")
    async def test_a_begun_order_that_did_not_happen_is_taken_back_and_may_be_decided_anew(
        self, world: StoreWorld
    ) -> None:
        """By its holder alone; and a claim of before the policy changed begins nothing."""
        mission = await issued(world, "run")
        claim = await claimed(world, MOMENT)
        await world.orders.begin(claim)
        stale = await claimed(world)
        assert not stale.lapsed
        world.policy = "policy-2"
        await world.tick(plan())
        with pytest.raises(Refused):
            await world.orders.begin(stale)
        later = await claimed(world)
        assert later.lapsed
        with pytest.raises(Refused):
            await world.orders.void(stale)
        await world.orders.void(later)
        assert not (await shown(world, mission)).orders
        ticked, _ = await world.tick(plan(orders=[start_run(mission, world.policy)]))
        assert ticked is not None
        assert len(ticked.issued) == 1
        assert not (await claimed(world)).begun

    @pytest.mark.req("MODE-6")
    async def test_traffic_that_another_policy_decided_is_void_although_it_was_begun(
        self, world: StoreWorld
    ) -> None:
        """Its mission is watched anyway, and asks the gates of the present policy."""
        mission = await opened(world)
        order = set_traffic(mission, world.policy)
        await world.tick(plan(orders=[order]))
        claim = await claimed(world, MOMENT)
        await world.orders.begin(claim)
        world.policy = "policy-2"
        ticked, _ = await world.tick(plan())
        assert ticked is not None
        assert ticked.voided == (order.key,)
        assert await world.orders.claim("c", 5, LEASE) == ()

    @pytest.mark.req("FRZ-4")
    async def test_an_ended_mission_is_shown_with_all_that_later_decisions_ask_of_it(
        self, world: StoreWorld
    ) -> None:
        """Where it worked as well: a freeze that it causes is requalified there."""
        mission = await opened(world)
        at = world.now()
        outcome = Outcome(
            kind=OutcomeKind.FAILED, at=at, reason=Reason.REQUIRED_CHECK_RED,
            detail="lint é " + 400 * "x" + "\nand all that it printed", attempts=1, cost=0,
            counts_as_failure=True,
        )  # fmt: skip
        await world.tick(plan(records=[Settle(mission=mission, outcome=outcome, need_done=False)]))  # type: ignore[arg-type]
        _, snapshot = await world.tick(plan())
        assert snapshot is not None
        assert snapshot.settled == (
            Settled(
                mission=mission, mission_class=CLASS, kind=MissionKind.DELIVER,  # type: ignore[arg-type]
                outcome=OutcomeKind.FAILED, counts_as_failure=True, at=at, repo="acme/shop",
                reason="RequiredCheckRed", detail=outcome.gist,
            ),
        )  # fmt: skip
        assert snapshot.settled[0].detail == "lint é " + 293 * "x"

    @pytest.mark.req("MODE-4")
    async def test_a_repair_is_shown_with_what_it_repairs(self, world: StoreWorld) -> None:
        """Its agent is told, or it would fail as the one before it did."""
        record = opening(NeedId(""), world.now())
        repair = replace(record, need=None, kind=MissionKind.REMEDIATE, cause="CanaryFailed: 9 %")
        await world.tick(plan(records=[repair]))
        assert (await shown(world, record.id)).cause == "CanaryFailed: 9 %"

    @pytest.mark.req("LOOP-2", "OWN-3")
    async def test_what_is_read_twice_is_kept_once(self, world: StoreWorld) -> None:
        """A crash before the answer came back repeats a reading; another reader has gone on."""
        first = await world.intake.ingest(world.swarm, "linter", reading(world), after="")
        assert (first.new, len(first.opened)) == (1, 1)
        again = await world.intake.ingest(world.swarm, "linter", reading(world))
        assert (again.new, again.repeated, again.opened) == (0, 1, ())
        assert await world.intake.cursor(world.swarm, "linter") == "1"
        with pytest.raises(Refused):
            await world.intake.ingest(world.swarm, "linter", reading(world, 2, "2"), after="")
        assert await world.intake.cursor(world.swarm, "linter") == "1"

    @pytest.mark.req("FAIL-4", "FAIL-7")
    async def test_only_what_changed_is_told_as_news(self, world: StoreWorld) -> None:
        """Sources and targets are looked at for ever; a quiet one writes nothing."""
        assert await world.intake.source_failed(world.swarm, "linter", "no answer")
        assert not await world.intake.source_failed(world.swarm, "linter", "no answer")
        assert await world.intake.source_answered(world.swarm, "linter")
        assert await world.intake.saw_drift(world.swarm, {"orders": "runs what nobody asked for"})
        assert not await world.intake.saw_drift(
            world.swarm, {"orders": "runs what nobody asked for"}
        )
        assert await world.intake.saw_drift(world.swarm, {})
