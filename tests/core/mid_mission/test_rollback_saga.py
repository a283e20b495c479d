"""A mission that goes back, to the end, whatever refuses."""

from dataclasses import replace

import pytest

from swarm.contract.verdict import Answer, Verdict
from swarm.core.decide import decide
from swarm.core.decision import (
    Abort,
    GiveVerdict,
    Notify,
    Revert,
    Settle,
    SetTraffic,
    StartRun,
    Sync,
    TakeLook,
    VoidOrder,
)
from swarm.core.evidence import CheckResult
from swarm.core.ids import OrderKey, order_key
from swarm.core.nouns import MissionKind, OutcomeKind, Risk
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, REPO, TARGET, change, installation, mission, snapshot, spec
from swarm.testing.half_way import (
    BASE,
    DELIVERY,
    HEAD,
    HOUR,
    MINUTE,
    SECOND,
    Evidence,
    elsewhere,
    hold,
    orders,
    outcome,
    records,
    rolling,
    standing,
)


def falling():
    return Evidence().green().landed().synced().exposed(0, 10).spoken("rollback")


@pytest.mark.req("LOOP-9")
def test_an_abort_without_proof_is_ordered_again_until_it_is_proven():
    unproven = falling().aborted(proven=False, at=NOON)
    assert orders(unproven.snapshot(), Abort) == []
    assert standing(unproven.snapshot()).look_again == NOON + 15 * SECOND
    (again,) = orders(unproven.snapshot(now=NOON + 15 * SECOND), Abort)
    (first,) = orders(falling().snapshot(), Abort)
    assert again.key != first.key
    unproven.aborted("again-1", proven=False, at=NOON + 20 * SECOND)
    (third,) = orders(unproven.snapshot(now=NOON + MINUTE), Abort)
    assert third.key not in {first.key, again.key}
    proven = unproven.aborted("again-2", at=NOON + MINUTE)
    assert orders(proven.snapshot(now=NOON + MINUTE), Abort) == []
    assert orders(proven.snapshot(now=NOON + MINUTE), Revert)


@pytest.mark.req("LOOP-9")
def test_a_target_that_refuses_to_be_taken_back_waits_for_a_person_and_main_does_not():
    stuck = falling().refused("abort", TARGET, HEAD)
    assert orders(stuck.snapshot(), Revert)
    stuck.reverted()
    snap = stuck.snapshot()
    assert standing(snap).reason == "RollbackRefused"
    assert records(snap, Settle) == []
    (told,) = orders(snap, Notify)
    assert "refused" in told.text
    (again,) = orders(stuck.spoken("retry").snapshot(), Abort)
    assert again.key.endswith("again-1")
    stuck.aborted("again-1")
    assert outcome(stuck.snapshot())[0] is OutcomeKind.ROLLED_BACK


@pytest.mark.req("LOOP-9")
def test_who_gives_a_stuck_rollback_up_ends_it_as_failed_with_the_reason():
    given_up = falling().refused("abort", TARGET, HEAD).reverted().spoken("cancel")
    (settled,) = records(given_up.snapshot(), Settle)
    assert settled.outcome.kind is OutcomeKind.FAILED
    assert "refused to be taken back" in settled.outcome.detail


@pytest.mark.req("LOOP-9")
def test_a_start_that_was_begun_is_waited_for_before_it_is_taken_off_but_not_for_ever():
    syncing = OpenOrder(
        key=OrderKey(f"m-1/sync/{TARGET}/{HEAD}"), kind="sync", issued_at=NOON, begun=True
    )
    me = Evidence().green().landed().spoken("rollback").mission(orders=(syncing,))
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(me,))
    assert decide(snap).orders == ()
    assert standing(snap).look_again == NOON + 10 * MINUTE
    (abort,) = orders(replace(snap, now=NOON + 10 * MINUTE), Abort)
    assert abort.stable == ""


@pytest.mark.req("LOOP-9", "FAIL-2")
@pytest.mark.parametrize(
    ("how", "undone"),
    [
        pytest.param({"begun": False}, [], id="never-begun"),
        pytest.param({"begun": True, "waits_because": "TargetHeld: busy"}, ["abort"], id="waits"),
    ],
)
def test_a_start_that_nobody_is_at_work_on_does_not_outlive_its_rollback(how, undone):
    """It would be made once the target has room for it, and nobody would take it off again."""
    key = OrderKey(f"m-1/sync/{TARGET}/{HEAD}")
    syncing = OpenOrder(key=key, kind="sync", issued_at=NOON, **how)
    said_no = Evidence().green().landed().spoken("rollback")
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(said_no.mission(orders=(syncing,)),))
    (void,) = records(snap, VoidOrder)
    assert (void.mission, void.order) == ("m-1", key)
    assert [order.kind for order in decide(snap).orders] == undone
    # It is taken back now; whatever it began before is proven gone before anything else.
    open_ = tuple(
        OpenOrder(key=one.key, kind=one.kind, issued_at=NOON, begun=True)
        for one in decide(snap).orders
    )
    after = replace(snap, missions=(said_no.mission(orders=open_),))
    assert (orders(after, Revert) == []) is bool(undone)
    assert records(after, VoidOrder) == []
    unproven = replace(snap, missions=(said_no.aborted(proven=False).mission(),))
    assert orders(unproven, Revert) == [], "it was tried, and nobody knows what serves"
    proven = said_no.aborted("again-1").mission()
    assert orders(replace(snap, missions=(proven,)), Revert)


@pytest.mark.req("LOOP-9", "FRZ-2")
def test_a_start_that_a_freeze_keeps_from_answering_holds_up_no_rollback():
    """Its controller died, and nobody may ask for it: it was taken off, and main goes back."""
    key = OrderKey(f"m-1/sync/{TARGET}/{HEAD}")
    syncing = OpenOrder(key=key, kind="sync", issued_at=NOON, begun=True)
    gone = Evidence().green().landed().spoken("rollback").aborted(at=NOON + 10 * MINUTE)
    snap = snapshot(
        spec=spec(delivery=DELIVERY), missions=(gone.mission(orders=(syncing,)),),
        freezes=(hold("*", until=None),), now=NOON + 11 * MINUTE,
    )  # fmt: skip
    assert orders(snap, Abort) == []
    assert orders(snap, Revert)


@pytest.mark.req("LOOP-9")
def test_what_came_up_after_it_was_taken_off_is_taken_off_again():
    late = falling().aborted(at=NOON).synced()
    (again,) = orders(late.snapshot(now=NOON), Abort)
    assert again.key.endswith("again-1")
    assert orders(late.aborted("again-1").snapshot(), Revert)


@pytest.mark.req("FAIL-2")
def test_a_failure_stays_a_failure_when_a_person_cancels_on_top_of_it():
    failed = Verdict(answer=Answer.FAIL, reason="ErrorRateRegressed", detail="slow")
    verdicts = (("progressive_rollout", f"{TARGET}@{HEAD}#10", failed),)
    done = falling().spoken("cancel").aborted().reverted().mission(verdicts=verdicts)
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(done,))
    assert outcome(snap) == (OutcomeKind.ROLLED_BACK, "CanaryFailed", True)


@pytest.mark.req("LOOP-9")
def test_a_denied_revision_goes_back_under_that_reason_to_the_end():
    denied = {"denied": frozenset({(TARGET, HEAD)})}
    assert orders(Evidence().green().landed().snapshot(**denied), Revert)
    done = Evidence().green().landed().reverted().snapshot(**denied)
    assert outcome(done)[1] == "DigestDenied"


@pytest.mark.req("FAIL-2")
def test_what_was_rolled_back_is_denied_and_its_revert_is_no_step_forward():
    (revert,) = orders(falling().aborted().snapshot(), Revert)
    assert not revert.forward
    (settled,) = records(falling().aborted().reverted().snapshot(), Settle)
    assert settled.deny == ((TARGET, HEAD),)


@pytest.mark.req("LOOP-9")
@pytest.mark.parametrize(
    ("undo", "told"),
    [
        pytest.param(lambda e: e.reverted(), "", id="main-is-back"),
        pytest.param(lambda e: e.reverted(reverted=False), "main could not be", id="conflict"),
        pytest.param(lambda e: e.refused("revert", HEAD), "main could not be", id="refused"),
    ],
)
def test_a_rollback_says_whether_main_is_back_and_lets_its_need_rest(undo, told):
    """What main keeps is a person's to undo: it is not asked for again, and it is not hidden."""
    (settled,) = records(undo(falling().aborted()).snapshot(), Settle)
    assert settled.outcome.kind is OutcomeKind.ROLLED_BACK
    assert (told in settled.outcome.detail) if told else ("main" not in settled.outcome.detail)
    assert settled.retry_need_at == NOON + 6 * HOUR


@pytest.mark.req("LOOP-9", "LOOP-11")
@pytest.mark.parametrize(
    ("evidence", "ordered", "next_step"),
    [
        pytest.param(lambda e: e, ("abort", TARGET, HEAD), Abort, id="abort-ordered"),
        pytest.param(lambda e: e, ("revert", HEAD), Abort, id="revert-ordered"),
        pytest.param(lambda e: e.refused("abort", TARGET, HEAD), (), Revert, id="abort-refused"),
        pytest.param(lambda e: e.refused("revert", HEAD), (), Abort, id="revert-refused"),
        pytest.param(lambda e: e.reverted(), (), Abort, id="reverted"),
    ],
)
def test_a_rollback_that_was_begun_in_any_way_is_ended(evidence, ordered, next_step):
    """Nobody's word stands behind it any more: a canary that ran out of time is no fact."""
    key = order_key("m-1", *ordered) if ordered else None
    issued = [OpenOrder(key=key, kind=ordered[0], issued_at=NOON, begun=True)] if ordered else []
    me = evidence(rolling(at=NOON)).mission(orders=tuple(issued))
    (order,) = decide(snapshot(spec=spec(delivery=DELIVERY), missions=(me,))).orders
    assert isinstance(order, next_step)


@pytest.mark.req("LOOP-4")
def test_an_abort_says_what_the_target_goes_back_to():
    named = Evidence().green().landed().synced(stable="main0001-and-more").exposed(0, 10)
    text = standing(named.spoken("rollback").snapshot()).next_action
    assert text == f"{TARGET} goes back to main0001, proven by asking it"
    unnamed = Evidence().green().landed().synced(stable="").exposed(0, 10).spoken("rollback")
    assert "goes back to what it ran before," in standing(unnamed.snapshot()).next_action


@pytest.mark.req("LOOP-9")
def test_only_the_start_at_this_very_target_is_waited_for():
    other = OpenOrder(
        key=OrderKey(f"m-1/sync/other/{HEAD}"), kind="sync", issued_at=NOON, begun=True
    )
    me = Evidence().green().landed().spoken("rollback").mission(orders=(other,))
    assert orders(snapshot(spec=spec(delivery=DELIVERY), missions=(me,)), Revert)


@pytest.mark.req("LOOP-9")
@pytest.mark.parametrize(
    ("word", "after", "stuck"),
    [
        pytest.param(None, SECOND, True, id="nobody-said-anything"),
        pytest.param("retry", SECOND, False, id="asked-to-try-again"),
        pytest.param("retry", 0 * SECOND, True, id="not-after-the-refusal"),
        pytest.param("retry", -SECOND, True, id="asked-before-the-refusal"),
        pytest.param("promote", SECOND, True, id="another-word"),
    ],
)
def test_what_refused_to_be_taken_back_is_asked_again_only_at_a_persons_word(word, after, stuck):
    """A canary that failed by itself; the word is about the refusal, so it comes after it."""
    bad = Evidence().green().landed().synced(healthy=False).reverted()
    bad.aborted(proven=False).refused("abort", TARGET, HEAD, "again-1", at=NOON - MINUTE)
    if word is not None:
        bad.spoken(word, NOON - MINUTE + after)
    assert (orders(bad.snapshot(), Abort) == []) is stuck
    assert (standing(bad.snapshot()).reason == "RollbackRefused") is stuck
    assert records(bad.snapshot(), Settle) == []


@pytest.mark.req("LOOP-9")
@pytest.mark.parametrize(
    ("word", "after", "ends"),
    [
        pytest.param("cancel", SECOND, True, id="cancelled-after-it"),
        pytest.param("reject", SECOND, True, id="rejected-after-it"),
        pytest.param("cancel", 0 * SECOND, False, id="cancelled-with-it"),
        pytest.param("cancel", -SECOND, False, id="cancelled-before-it"),
        pytest.param("promote", SECOND, False, id="another-word"),
    ],
)
def test_only_a_word_after_the_refusal_gives_a_stuck_rollback_up(word, after, ends):
    """The word that began the rollback does not give it up when the target refuses."""
    bad = Evidence().green().landed().synced(healthy=False).reverted()
    bad.refused("abort", TARGET, HEAD, at=NOON - MINUTE).spoken(word, NOON - MINUTE + after)
    assert bool(records(bad.snapshot(), Settle)) is ends


@pytest.mark.req("LOOP-9")
@pytest.mark.parametrize(
    ("words", "again"),
    [
        pytest.param(("cancel", "retry"), True, id="the-newest-says-try-again"),
        pytest.param(("retry", "cancel"), False, id="the-newest-gives-it-up"),
        pytest.param(("retry", "promote"), True, id="another-word-takes-nothing-back"),
        pytest.param(("retry", "rollback"), True, id="neither-does-the-one-that-began-it"),
    ],
)
def test_of_two_words_about_a_stuck_rollback_the_newer_one_counts(words, again):
    bad = Evidence().green().landed().synced(healthy=False).reverted()
    bad.aborted(proven=False).refused("abort", TARGET, HEAD, at=NOON - MINUTE)
    for number, word in enumerate(words):
        bad.spoken(word, NOON + number * SECOND)
    assert bool(orders(bad.snapshot(), Abort)) is again
    assert bool(records(bad.snapshot(), Settle)) is not again


@pytest.mark.req("MODE-2", "LOOP-9")
@pytest.mark.parametrize("against", ["rollback", "cancel", "reject"])
@pytest.mark.parametrize("later", ["retry", "promote"])
def test_no_later_word_takes_back_a_word_against_a_mission(against, later):
    """Seed 20626: both were said before a controller looked, and only the last one was heard.

    A controller that had looked in between would have begun: what follows must not depend on it.
    """
    live = Evidence().green().landed().synced().exposed(0, 10, at=NOON - MINUTE)
    live.spoken(against, NOON - 2 * SECOND).spoken(later, NOON - SECOND)
    assert orders(live.snapshot(), Abort)
    assert orders(live.snapshot(), SetTraffic) == []
    unlanded = Evidence().green().spoken(against, NOON).spoken(later, NOON + SECOND)
    (ended,) = records(unlanded.snapshot(), Settle)
    assert ended.outcome.kind is OutcomeKind.REJECTED


@pytest.mark.req("LOOP-9")
def test_one_stuck_target_hides_neither_the_others_nor_that_it_is_stuck():
    """Two targets: the first refused, the second was proven to be back after it refused once."""
    both = (TARGET, "billing")
    me = mission(1, contract=replace(mission(1).contract, checks=("lint",), targets=both))
    bound = {
        "spec": spec(delivery={**DELIVERY, "deploymentTargets": list(both)}),
        "installation": installation(targets=tuple((name, REPO) for name in both)),
    }
    bad = Evidence(me).green().landed().synced(healthy=False).synced("billing")
    bad.refused("abort", TARGET, HEAD)
    (abort,) = orders(bad.snapshot(**bound), Abort)
    assert abort.target == "billing"
    bad.refused("abort", "billing", HEAD).aborted("again-1", target="billing").reverted()
    snap = bad.snapshot(**bound)
    assert standing(snap).next_action.startswith(f"mend {TARGET}, then")
    (settled,) = records(bad.spoken("cancel").snapshot(**bound), Settle)
    assert f"{TARGET} refused to be taken back" in settled.outcome.detail
    assert "billing" not in settled.outcome.detail
    assert settled.outcome.kind is OutcomeKind.FAILED


@pytest.mark.req("OWN-3")
def test_a_run_has_the_same_key_whenever_it_is_ordered():
    (now,) = orders(snapshot(missions=(mission(1),)), StartRun)
    (later,) = orders(snapshot(missions=(mission(1),), now=NOON + HOUR), StartRun)
    assert now.key == later.key


@pytest.mark.req("LOOP-9")
@pytest.mark.parametrize(
    ("verb", "parts"),
    [("sync", (TARGET, HEAD)), ("promote", (TARGET, HEAD)), ("take-look", ("x",))],
)
def test_a_step_of_the_rollout_that_is_refused_for_good_takes_it_back(verb, parts):
    watching = Evidence().green().landed().synced().exposed(0, 10, at=NOON)
    assert orders(watching.refused("notify", "x").snapshot(), Abort) == []
    refused = watching.refused(verb, *parts)
    assert orders(refused.snapshot(), Abort)
    back = refused.aborted().reverted().snapshot()
    assert outcome(back)[:2] == (OutcomeKind.ROLLED_BACK, "OrderRefused")


@pytest.mark.req("LOOP-5")
def test_a_rollout_waits_until_the_one_before_it_has_left_the_target():
    first = Evidence(mission(2, opened_at=NOON - HOUR)).green().landed().synced().exposed(0, 10)
    second = Evidence().green().landed().mission(opened_at=NOON)
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(first.mission(), second))
    assert (standing(snap).reason, standing(snap).blocked_on) == ("TargetBusy", f"target:{TARGET}")
    assert [order for order in orders(snap, Sync) if order.mission == "m-1"] == []


@pytest.mark.req("LOOP-9")
def test_a_rollback_that_was_begun_goes_on_without_the_word_that_began_it():
    begun = Evidence().green().landed().synced().exposed(0, 10, at=NOON).aborted(proven=True)
    assert orders(begun.snapshot(), Revert)
    before_any_sync = Evidence().green().landed().aborted()
    assert orders(before_any_sync.snapshot(), Revert)


@pytest.mark.req("LOOP-5")
def test_only_what_was_put_on_top_keeps_its_place_while_it_is_checked():
    assert f"queue:{REPO}" not in standing(Evidence().ran().snapshot()).holds
    second = change(head="head0002", base="main0002")
    again = Evidence().green().landed(landed=False, main="main0002").restaged(second)
    assert f"queue:{REPO}" in standing(again.snapshot()).holds
    asked = (
        again.mission(opened_at=NOON),
        again.checked(commit="head0002", at=NOON).mission(opened_at=NOON, risk=Risk.R2),
    )
    for me, reason in zip(asked, ("ChecksPending", "ApprovalNeeded"), strict=True):
        policy = spec(mode="assisted", delivery=DELIVERY)
        behind = snapshot(spec=policy, missions=(elsewhere(REPO), me))
        assert standing(behind).reason == reason
        assert f"queue:{REPO}" not in standing(behind).holds


@pytest.mark.req("LOOP-7")
def test_a_fix_is_shown_the_check_that_is_red_and_not_the_one_before_it():
    more = {**DELIVERY, "requiredChecks": ["lint", "unit-tests"]}
    both = Evidence().ran().checked(detail="fine")
    both.checked(CheckResult.RED, check="unit-tests", detail="2 failed")
    both.checked(commit=BASE, check="unit-tests")
    (order,) = orders(both.snapshot(spec=spec(delivery=more)), StartRun)
    assert "unit-tests" in order.brief.failure
    assert order.brief.failure.endswith("2 failed")


@pytest.mark.req("MODE-4")
def test_a_repair_is_not_ended_by_the_red_main_that_it_is_to_mend():
    me = mission(
        1, kind=MissionKind.REMEDIATE, contract=replace(mission(1).contract, checks=("lint",))
    )
    red = Evidence(me).ran().checked(CheckResult.RED).checked(CheckResult.RED, BASE)
    assert orders(red.snapshot(), StartRun)
    assert records(red.snapshot(), Settle) == []


@pytest.mark.req("LOOP-5")
@pytest.mark.parametrize(
    ("repo", "keeps"),
    [
        pytest.param("acme/old", True, id="main-is-free"),
        pytest.param(REPO, False, id="main-is-the-others"),
    ],
)
def test_who_waits_for_a_target_lets_nobody_land_in_between(repo, keeps):
    second = Evidence().green().landed().mission(opened_at=NOON)
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(elsewhere(repo), second))
    assert standing(snap).blocked_on == f"target:{TARGET}"
    assert (f"queue:{REPO}" in standing(snap).holds) is keeps


@pytest.mark.req("LOOP-5")
def test_a_rollout_that_is_half_way_waits_for_nobody():
    """All targets or none: two of them, each half-way at the other's target, would never end."""
    both = (TARGET, "second")
    delivery = {**DELIVERY, "deploymentTargets": list(both)}
    half = replace(mission(1).contract, checks=("lint",), targets=both)
    me = Evidence(mission(1, contract=half, opened_at=NOON)).green().landed().synced()
    snap = snapshot(
        spec=spec(delivery=delivery),
        installation=installation(targets=((TARGET, REPO), ("second", REPO))),
        missions=(elsewhere("acme/old", ("second",)), me.exposed(0, 10, at=NOON).mission()),
    )
    assert standing(snap).blocked_on is None
    assert [o.target for o in orders(snap, TakeLook) if o.mission == "m-1"] == [TARGET]


@pytest.mark.req("GATE-5", "GATE-6")
def test_where_nothing_is_deployed_gates_5_and_6_read_not_configured():
    contract = replace(mission(1).contract, checks=("lint",), targets=())
    landed = Evidence(mission(1, contract=contract)).green().landed().snapshot()
    told = {v.gate: v.verdict for v in records(landed, GiveVerdict)}
    for gate in ("progressive_rollout", "post_deploy_slo"):
        assert (told[gate].answer, told[gate].configured) == (Answer.PASS, False)


@pytest.mark.req("FAIL-7")
def test_a_rollout_does_not_begin_on_a_target_that_drifted():
    drifted = Evidence().green().landed().snapshot(drifted=((TARGET, "runs x"),))
    assert standing(drifted).reason == "TargetDrifted"
    assert orders(drifted, Sync) == []


@pytest.mark.req("LOOP-9")
def test_a_start_that_is_not_healthy_goes_back_under_that_reason_to_the_end():
    sick = Evidence().green().landed().synced(healthy=False)
    assert orders(sick.snapshot(), Abort)
    done = sick.aborted().reverted()
    assert outcome(done.snapshot()) == (OutcomeKind.ROLLED_BACK, "SyncFailed", True)


@pytest.mark.req("FRZ-2")
@pytest.mark.parametrize("held", [{"shadow": True}, {"freezes": (hold("*"),)}])
def test_a_rollback_goes_on_under_a_freeze_and_in_shadow(held):
    assert orders(falling().snapshot(**held), Abort)
    assert orders(falling().aborted().snapshot(**held), Revert)


@pytest.mark.req("FRZ-1", "LOOP-9")
@pytest.mark.parametrize(
    ("evidence", "ends"),
    [
        pytest.param(
            rolling().spoken("rollback").refused("set-traffic", "x").aborted().reverted(),
            ("Cancelled", False), id="a-person-came-first",
        ),
        pytest.param(
            rolling().refused("set-traffic", "x").spoken("rollback").aborted().reverted(),
            ("OrderRefused", True), id="a-word-hides-no-refusal",
        ),
        pytest.param(
            rolling().aborted().refused("set-traffic", "x").reverted(),
            ("CanaryUndecided", False), id="it-was-off-already",
        ),
        pytest.param(
            rolling().spoken("promote").refused("set-traffic", "x").aborted().reverted(),
            ("OrderRefused", True), id="a-word-for-it",
        ),
    ],
)  # fmt: skip
def test_what_is_taken_off_may_refuse_the_step_that_was_still_on_its_way(evidence, ends):
    """A person's rollback meets an open set-traffic: NoCanary is no failure of the change."""
    assert outcome(evidence.snapshot()) == (OutcomeKind.ROLLED_BACK, *ends)


@pytest.mark.req("GATE-6", "FRZ-1")
@pytest.mark.parametrize(
    ("gate", "reason"),
    [("post_deploy_slo", "SloRegressed"), ("progressive_rollout", "CanaryFailed")],
)
def test_no_refusal_hides_that_a_gate_failed(gate, reason):
    """Gate 6 freezes its class for what it saw, not for an order that came late."""
    failed = Verdict(answer=Answer.FAIL, reason="ErrorRate")
    gone = rolling().refused("promote", TARGET, HEAD).aborted().reverted()
    kept = gone.mission(verdicts=((gate, f"{TARGET}@{HEAD}#100", failed),))
    assert outcome(gone.snapshot(missions=(kept,))) == (OutcomeKind.ROLLED_BACK, reason, True)
