"""The desk: what people do is bound, recorded and felt at once; what they read is all there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.desk.look import KINDS, Look
from swarm.adapters.postgres.store.desk.people import People
from swarm.adapters.postgres.store.errors import (
    Ambiguous,
    MissionEnded,
    NeedNotOpen,
    NotAnApprover,
    NotFound,
    NothingToApprove,
    ResumeRefused,
    TextRefused,
)
from swarm.contract.profiles import profile
from swarm.core.decision import AskApproval, MarkRequalified, Settle
from swarm.core.evidence import PersonSaid
from swarm.core.nouns import Outcome, OutcomeKind, ResumeRule, ResumeWindow

HOUR = timedelta(hours=1)
ALWAYS = ResumeRule()


def now():
    return datetime.now(UTC)


@pytest.fixture
def people(world):
    return People(world.database, "ann")


@pytest.fixture
def freezes(world):
    return FreezeDesk(world.database, "ann")


@pytest.fixture
def look(world):
    return Look(world.database)


async def ask(world, make, mission, commit="c1234567", expires=HOUR):
    record = AskApproval(
        mission=mission, commit=commit, policy_hash="p1", risk=2, question="May it?", at=now(),
        expires_at=now() + expires,
    )  # fmt: skip
    await world.tick(make.nothing(records=(record,)))


async def settle(world, make, mission, kind=OutcomeKind.DELIVERED, **given):
    ended = Outcome(
        kind=kind, reason="Delivered", detail="", at=now(), attempts=1, cost=5,
        counts_as_failure=False, landed="abc1234def",
    )  # fmt: skip
    record = Settle(mission=mission, outcome=ended, need_done=kind is OutcomeKind.DELIVERED)
    await world.tick(make.nothing(records=(replace(record, **given),)))


async def events(world, kind):
    return await world.sql("select actor, body::jsonb from trail where kind = %s", kind)


# --- apply ---------------------------------------------------------------------------------------


@pytest.mark.req("API-6")
async def test_an_equal_spec_changes_nothing_and_a_new_meaning_counts_one_up(world, make):
    same = await world.desk.apply(make.manifest())
    assert (same.created, same.changed, same.generation) == (False, False, 1)
    spelled = await world.desk.apply(make.manifest(risk={"freezeDuration": "1h"}))
    assert not spelled.changed, "60m is the default, and 1h is the same"
    changed = await world.desk.apply(make.manifest(mode="lights-out"))
    assert (changed.changed, changed.generation) == (True, 2)
    assert len(await events(world, "swarm.applied")) == 2


async def test_what_was_written_is_kept_beside_what_it_means(world, make, look):
    other = make.manifest("billing")
    other.remember_written({"mode": "assisted"})
    applied = await world.desk.apply(other)
    (row,) = await look.rows("swarms", applied.swarm)
    assert row["written"] == {"mode": "assisted"}
    assert row["spec"]["cadence"]["discoverEvery"] == "5m"


async def test_a_deleted_swarm_begins_nothing_and_ends_what_is_open(world, make):
    mission = await world.open_mission("n-1", make.start_run)
    await world.need("n-2")
    assert await world.desk.delete("default", "orders", "moved away") == (mission,)
    snapshot = await world.snapshot()
    assert snapshot.needs == ()
    assert [fact.said for fact in snapshot.missions[0].facts] == ["cancel"]
    assert await world.orders.claim("a", 5, HOUR) == ()
    again = await world.desk.apply(make.manifest())
    assert again.changed
    assert len((await world.snapshot()).needs) == 1


async def test_deleting_what_is_not_there_is_said(world):
    with pytest.raises(NotFound):
        await world.desk.delete("default", "nobody", "because")


@pytest.mark.req("VAL-4")
async def test_shadow_is_set_once(world):
    assert await world.desk.set_shadow(world.swarm, shadow=True)
    assert not await world.desk.set_shadow(world.swarm, shadow=True)
    assert (await world.snapshot()).shadow


# --- approvals -----------------------------------------------------------------------------------


@pytest.mark.req("MODE-5")
async def test_an_answer_is_bound_to_mission_commit_and_person(world, make, people):
    mission = await world.open_mission()
    await ask(world, make, mission)
    answered = await people.answer(mission[:8], granted=True, reason="looks right", commit="c12")
    assert (answered.mission, answered.commit, answered.granted) == (mission, "c1234567", True)
    assert (await world.ticks.agenda()).swarms
    (kept,) = (await world.snapshot()).missions[0].approvals
    assert (kept.approver, kept.reason, kept.commit) == ("ann", "looks right", "c1234567")
    ((actor, body),) = await events(world, "approval.answered")
    assert (actor, body["granted"], body["commit"]) == ("ann", True, "c1234567")


@pytest.mark.req("FAIL-6")
async def test_an_answer_whose_commit_was_lost_on_its_way_back_is_not_an_error(world, make, people):
    """The transaction runs again; the person must hear yes, and not `nothing to answer`."""
    mission = await world.open_mission()
    await ask(world, make, mission)
    first = await people.answer(mission, granted=True, reason="looks right")
    assert await people.answer(mission, granted=True, reason="looks right") == first
    assert len(await events(world, "approval.answered")) == 1
    await ask(world, make, mission, commit="d7654321")
    second = await people.answer(mission, granted=True, reason="looks right")
    assert second.commit == "d7654321", "another question is no repetition"


@pytest.mark.req("MODE-5")
async def test_a_question_is_answered_once(world, make, people):
    mission = await world.open_mission()
    await ask(world, make, mission)
    await people.answer(mission, granted=False, reason="no")
    with pytest.raises(NothingToApprove):
        await people.answer(mission, granted=True, reason="yes after all")
    assert not (await world.snapshot()).missions[0].approvals[0].granted


@pytest.mark.req("MODE-5")
async def test_what_cannot_be_answered_is_refused_with_the_reason(world, make, people):
    mission = await world.open_mission()
    with pytest.raises(NothingToApprove, match="asks nothing"):
        await people.answer(mission, granted=True, reason="ok")
    await ask(world, make, mission)
    with pytest.raises(NothingToApprove, match="asks about commit c1234567"):
        await people.answer(mission, granted=True, reason="ok", commit="deadbeef")
    with pytest.raises(NotAnApprover, match="bob may"):
        await people.answer(mission, granted=True, reason="ok", approvers={"bob"})
    with pytest.raises(TextRefused):
        await people.answer(mission, granted=True, reason="  ")
    await world.sql("update approval set expires_at = now() - interval '1 second'")
    with pytest.raises(NothingToApprove, match="expired"):
        await people.answer(mission, granted=True, reason="ok")


@pytest.mark.req("MODE-5")
async def test_a_yes_may_hold_for_a_shorter_time(world, make, people):
    mission = await world.open_mission()
    await ask(world, make, mission)
    answered = await people.answer(mission, granted=True, reason="ok", lasts=timedelta(minutes=5))
    assert answered.expires_at < now() + timedelta(minutes=6)


# --- words on missions and needs -----------------------------------------------------------------


async def test_a_word_on_a_mission_becomes_evidence(world, make, people):
    mission = await world.open_mission()
    await people.say(mission, "cancel", "not now")
    (fact,) = (await world.snapshot()).missions[0].facts
    assert isinstance(fact, PersonSaid)
    assert (fact.said, fact.by, fact.reason) == ("cancel", "ann", "not now")


async def test_an_ended_mission_can_only_be_retried(world, make, people):
    mission = await world.open_mission()
    await settle(world, make, mission, OutcomeKind.REFUSED)
    with pytest.raises(MissionEnded):
        await people.say(mission, "rollback", "please")
    await people.say(mission, "retry", "the agent is better now")
    (need,) = (await world.snapshot()).needs
    assert (need.id, need.rounds) == ("n-1", 1)
    assert await world.one("select open::int from tally") == 1


async def test_a_need_is_rejected_and_reopened_by_hand(world, people):
    await world.need("n-abc")
    assert await people.reject_need("n-ab", "not worth it") == "n-abc"
    assert (await world.snapshot()).needs == ()
    with pytest.raises(NeedNotOpen):
        await people.reject_need("n-abc", "again")
    await people.reopen_need("n-abc", "worth it after all")
    assert len((await world.snapshot()).needs) == 1
    assert await world.one("select open::int from tally") == 1


# --- freezes -------------------------------------------------------------------------------------


@pytest.mark.req("FRZ-3")
async def test_a_person_freezes_at_once_also_while_a_controller_is_stuck_in_its_tick(
    world, make, freezes
):
    """A stopped process may keep the swarm's row locked for half a minute; the hold is not held."""
    await world.open_mission("n-1", make.start_run)
    async with world.database.connection() as stuck, stuck.transaction():
        await stuck.execute("select 1 from swarm for no key update")
        held = asyncio.create_task(freezes.freeze(world.swarm, "stop everything"))
        begun = asyncio.get_running_loop().time()
        while not await world.sql("select 1 from frozen"):  # noqa: ASYNC110 - no event to await
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - begun < 1
        assert await world.orders.claim("a", 5, HOUR) == ()
    frozen = await held
    assert (frozen.mission_class, frozen.until, frozen.recorded) == ("*", None, True)
    ((actor, body),) = await events(world, "freeze.opened")
    assert (actor, body["detail"]) == ("ann", "stop everything")


@pytest.mark.req("FRZ-3")
async def test_freezing_a_frozen_scope_extends_it(world, freezes):
    first = await freezes.freeze(world.swarm, "a", mission_class="docs", lasts=HOUR)
    second = await freezes.freeze(world.swarm, "b", mission_class="docs", lasts=2 * HOUR)
    assert (second.id, second.extended) == (first.id, True)
    (held,) = (await world.snapshot()).freezes
    assert held.until > now() + HOUR


@pytest.mark.req("FRZ-3")
async def test_resume_refuses_until_the_checklist_is_met(world, make, freezes):
    frozen = await freezes.freeze(world.swarm, "why", lasts=HOUR, needs_token=True)
    with pytest.raises(ResumeRefused) as refused:
        await freezes.resume(world.swarm, "go on", rule=ALWAYS)
    for item in ("window", "requalification", "token"):
        assert item in refused.value.message
    await world.sql("update frozen set until = now()")
    with pytest.raises(ResumeRefused, match="requalification"):
        await freezes.resume(world.swarm, "go on", rule=ALWAYS, token_given=True)
    mark = MarkRequalified(freeze=frozen.id, mission="m-9", began=now(), at=now())
    await world.tick(make.nothing(records=(mark,)))
    assert await freezes.resume(world.swarm, "go on", rule=ALWAYS) == (frozen.id,)
    assert (await world.snapshot()).freezes == ()
    assert len(await events(world, "freeze.token-given")) == 1
    with pytest.raises(NotFound):
        await freezes.resume(world.swarm, "go on", rule=ALWAYS)


@pytest.mark.req("FRZ-3")
async def test_an_open_ended_freeze_is_lifted_by_hand_once_it_requalified(world, make, freezes):
    frozen = await freezes.freeze(world.swarm, "why")
    with pytest.raises(ResumeRefused):
        await freezes.resume(world.swarm, "go on", rule=ALWAYS)
    mark = MarkRequalified(freeze=frozen.id, mission="m-9", began=now(), at=now())
    await world.tick(make.nothing(records=(mark,)))
    assert await freezes.resume(world.swarm, "go on", rule=ALWAYS, freeze=frozen.id) == (frozen.id,)


@pytest.mark.req("FRZ-5")
async def test_by_hand_too_a_freeze_is_lifted_in_the_resume_window_alone(world, make, freezes):
    await freezes.freeze(world.swarm, "why", lasts=HOUR)
    await world.sql("update frozen set until = now(), requalified = 'm-9'")
    away = time(14) if now().hour < 12 else time(1)
    shut = ResumeRule(required=True, window=ResumeWindow(opens=away, closes=time(away.hour + 1)))
    for rule in (ResumeRule(required=True), shut):
        with pytest.raises(ResumeRefused, match="resume window"):
            await freezes.resume(world.swarm, "go on", rule=rule)
    all_day = ResumeRule(required=True, window=ResumeWindow(opens=time.min, closes=time.max))
    assert len(await freezes.resume(world.swarm, "go on", rule=all_day)) == 1


@pytest.mark.req("FRZ-5")
async def test_a_tick_knows_the_profile_by_domain_and_by_annotation(world, make):
    assert not (await world.snapshot()).held_to.resume_window_required
    annotated = """update swarm set metadata =
        '{"annotations": {"swarm.proompteng.ai/profile": "quant"}}'"""
    await world.sql(annotated)
    assert (await world.snapshot()).held_to == profile("quant").thresholds
    await world.sql(annotated.replace('"quant"', '"lunar"'))
    assert await world.tick(make.nothing()) is None, "no profile of that name: nobody decides"


# --- looking -------------------------------------------------------------------------------------


@pytest.mark.fast("swarms", "needs")
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_can_be_listed(world, make, look, kind):
    mission = await world.open_mission("n-1", make.start_run, make.run_check)
    (claim, *_) = await world.orders.claim("a", 1, HOUR)
    await world.orders.settle(claim, make.run_ended(claim.order, cost=5))
    await ask(world, make, mission)
    rows = await look.rows(kind, world.swarm)
    assert isinstance(rows, list)
    if kind in {"swarms", "needs", "missions", "runs", "approvals", "orders", "evidence"}:
        assert rows
    assert await look.rows(kind, "s-nobody") == []


async def test_an_unknown_kind_is_named(look):
    with pytest.raises(NotFound, match="gadgets"):
        await look.rows("gadgets")


async def test_lists_are_cut_by_state_and_prefix(world, make, look):
    await world.need("n-aa1")
    await world.need("n-ab2", state="rejected")
    assert [row["id"] for row in await look.rows("needs", like="n-a")] == ["n-aa1", "n-ab2"]
    assert [row["id"] for row in await look.rows("needs", state="rejected")] == ["n-ab2"]
    mission = await world.open_mission("n-aa1")
    assert [row["id"] for row in await look.rows("missions", state="open")] == [mission]
    assert await look.rows("missions", state="delivered") == []


async def test_any_unique_prefix_finds_its_thing(world, look):
    await world.need("n-abc1")
    await world.need("n-abd2")
    assert await look.find("n-abc") == ("need", "n-abc1")
    with pytest.raises(Ambiguous, match="n-abc1, n-abd2"):
        await look.find("n-ab")
    with pytest.raises(NotFound):
        await look.find("n-x")
    await world.need("n-abc")
    assert await look.find("n-abc") == ("need", "n-abc"), "an exact id wins over longer ones"


async def test_a_swarm_is_found_by_name(world, look):
    assert await look.swarm_id("default", "orders") == world.swarm
    with pytest.raises(NotFound):
        await look.swarm_id("default", "nobody")
