"""A change on its way to main, which moves, freezes or says no."""

from dataclasses import replace

import pytest

from swarm.core.decide import decide
from swarm.core.decision import (
    Abort,
    AskApproval,
    Land,
    Notify,
    OpenMission,
    Restage,
    Revert,
    Settle,
    StartRun,
    UseApproval,
)
from swarm.core.evidence import (
    ArtifactJudged,
    ArtifactResult,
    CheckEnded,
    CheckResult,
    Landed,
    RunEnded,
    RunResult,
)
from swarm.core.ids import ApprovalId, OrderKey, run_id
from swarm.core.nouns import Approval, OutcomeKind, Risk
from swarm.core.snapshot import OpenOrder, SourceState
from swarm.testing.builders import NOON, REPO, TARGET, change, mission, snapshot, spec
from swarm.testing.half_way import (
    BASE,
    DELIVERY,
    HEAD,
    HOUR,
    MINUTE,
    Evidence,
    approved,
    hold,
    orders,
    outcome,
    records,
    standing,
)

FED = {"sources": [{"name": "feed"}]}


@pytest.mark.req("LOOP-8")
def test_main_that_moved_twice_is_followed_twice():
    second = change(head="head0002", base="main0002")
    moved = Evidence().green().landed(landed=False, main="main0002").restaged(second)
    moved._add(CheckEnded, "x", check="lint", commit="head0002", result=CheckResult.GREEN)
    moved._add(ArtifactJudged, "y", commit="head0002", result=ArtifactResult.VERIFIED)
    (land,) = orders(moved.snapshot(), Land)
    assert (land.head, land.base) == ("head0002", "main0002")
    moved._add(Landed, "z", repo=REPO, commit="head0002", landed=False, main="main0003")
    (restage,) = orders(moved.snapshot(), Restage)
    assert (restage.change.head, restage.onto) == ("head0002", "main0003")


@pytest.mark.req("LOOP-8")
def test_main_that_came_back_is_landed_on_under_a_key_of_its_own():
    (first,) = orders(Evidence().green().snapshot(), Land)
    (again,) = orders(Evidence().green().landed(landed=False, main=BASE).snapshot(), Land)
    assert (again.head, again.base) == (first.head, first.base)
    assert again.key != first.key


@pytest.mark.req("LOOP-5")
def test_a_restaged_change_keeps_its_place_while_it_is_checked_again():
    second = change(head="head0002", base="main0002")
    first = Evidence().green().landed(landed=False, main="main0002").restaged(second).mission()
    other = Evidence(mission(2, contract=replace(mission(2).contract, checks=("lint",)))).green()
    plan = decide(snapshot(spec=spec(delivery=DELIVERY), missions=(first, other.mission())))
    stood = dict(plan.standings)
    assert f"queue:{REPO}" in stood["m-1"].holds
    assert stood["m-2"].reason == "QueuedBehind"


@pytest.mark.req("LOOP-5", "MODE-5")
@pytest.mark.parametrize(
    ("minutes", "over", "kept"),
    [(14, {}, True), (15, {}, False), (14, {"freezes": (hold("*"),)}, False)],
)
def test_a_restaged_change_keeps_its_place_for_a_while_when_a_person_is_asked_anew(
    minutes, over, kept
):
    """Each landing before it would void its approval again, so it would never land."""
    second = change(head="head0002", base="main0002")
    first = Evidence(
        mission(1, risk=Risk.R2, contract=replace(mission(1).contract, checks=("lint",)))
    )
    first.green().landed(landed=False, main="main0002").restaged(second)
    first.checked(commit="head0002", at=NOON - minutes * MINUTE)
    other = Evidence(mission(2, contract=replace(mission(2).contract, checks=("lint",)))).green()
    policy = {"spec": spec(mode="assisted", delivery=DELIVERY), **over}
    plan = decide(snapshot(missions=(first.mission(), other.mission()), **policy))
    stood = dict(plan.standings)
    assert stood["m-1"].reason == "ApprovalNeeded"
    assert (f"queue:{REPO}" in stood["m-1"].holds) is kept
    if kept:
        assert stood["m-2"].reason == "QueuedBehind"
        assert stood["m-1"].look_again <= NOON + MINUTE


@pytest.mark.req("LOOP-8", "MODE-5")
def test_an_approval_that_ran_out_while_landing_found_main_moved_does_not_end_the_story():
    """Seeds 1062, 2435: it was used, so nobody could give it again, and it waited for ever."""
    me = mission(1, risk=Risk.R3, contract=replace(mission(1).contract, checks=("lint",)))
    used = Approval(
        id=ApprovalId("a-1"), mission=me.id, commit=HEAD, policy_hash=snapshot().policy_hash,
        approver="alice", reason="", granted=True, at=NOON - HOUR, expires_at=NOON,
    )  # fmt: skip
    asked = {"approvals": (used,), "asked": frozenset({(HEAD, used.policy_hash)})}
    tried = Evidence(me).green().landed(landed=False, main="main0002").mission(**asked)
    policy = {"spec": spec(mode="assisted", delivery=DELIVERY)}
    snap = snapshot(missions=(tried,), **policy)
    (restage,) = orders(snap, Restage)
    assert (restage.change.head, restage.onto) == (HEAD, "main0002")
    assert orders(snap, Land) == []
    second = change(head="head0002", base="main0002")
    on_top = Evidence(me).green().landed(landed=False, main="main0002").restaged(second)
    on_top.checked(commit="head0002")
    asking = snapshot(missions=(on_top.mission(**asked),), **policy)
    (question,) = records(asking, AskApproval)
    assert question.commit == "head0002"
    why = f"main moved to main0002, so the answer for {HEAD[:8]} counts no more"
    assert why in question.question, "who has said yes is told why it is asked again"
    assert [why in told.text for told in orders(asking, Notify)] == [True]
    never = on_top.mission(asked=asked["asked"])
    (first,) = records(snapshot(missions=(never,), **policy), AskApproval)
    assert "main moved" not in first.question, "who was never asked has no answer to lose"


@pytest.mark.req("LOOP-8", "MODE-5")
def test_an_approval_that_ran_out_is_asked_for_again_when_main_comes_back_to_the_very_base():
    """Nothing is to be put on top, the commit is the same, and its question was answered once."""
    me = mission(1, risk=Risk.R3, contract=replace(mission(1).contract, checks=("lint",)))
    used = Approval(
        id=ApprovalId("a-1"), mission=me.id, commit=HEAD, policy_hash=snapshot().policy_hash,
        approver="alice", reason="", granted=True, at=NOON - HOUR, expires_at=NOON,
    )  # fmt: skip
    asked = {"approvals": (used,), "asked": frozenset({(HEAD, used.policy_hash)})}
    back = Evidence(me).green().landed(landed=False, main=BASE)
    policy = {"spec": spec(mode="assisted", delivery=DELIVERY)}
    snap = snapshot(missions=(back.mission(**asked),), **policy)
    (question,) = records(snap, AskApproval)
    assert question.commit == HEAD
    assert orders(snap, Land) == []
    open_again = snapshot(missions=(back.mission(asked=asked["asked"]),), **policy)
    assert records(open_again, AskApproval) == [], "once"


@pytest.mark.req("MODE-6")
def test_a_restaged_change_without_any_check_is_asked_about():
    """A policy that requires nothing came in the middle; the swarm could not be decided for."""
    second = change(head="head0002", base="main0002")
    moved = Evidence(mission(1, contract=replace(mission(1).contract, checks=())))
    moved.green().landed(landed=False, main="main0002").restaged(second)
    unproven = {"spec": spec(delivery={**DELIVERY, "requiredChecks": []})}
    (question,) = records(moved.snapshot(**unproven), AskApproval)
    assert question.commit == "head0002"


LANDING = OpenOrder(
    key=OrderKey(f"m-1/land/{HEAD}/{BASE}"), kind="land", issued_at=NOON, begun=True
)


@pytest.mark.req("LOOP-11")
def test_a_cancel_waits_for_a_landing_that_was_begun():
    """Ending now could lose a commit that is on main by the time the answer comes."""
    begun = Evidence().green().spoken("cancel").mission(orders=(LANDING,))
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(begun,))
    assert records(snap, Settle) == []
    assert standing(snap).next_action
    not_yet = replace(begun, orders=(replace(LANDING, begun=False),))
    assert outcome(replace(snap, missions=(not_yet,)))[0] is OutcomeKind.REJECTED


@pytest.mark.req("LOOP-11", "MODE-6")
@pytest.mark.parametrize(
    "then",
    [
        pytest.param({"policy_hash": "policy-2"}, id="another-policy-asks-for-an-approval"),
        pytest.param(
            {"spec": spec(delivery={**DELIVERY, "repoAllowlist": ["acme/docs"]})},
            id="its-repository-is-not-allowed-any-more",
        ),
        pytest.param(
            {"spec": spec(delivery={**DELIVERY, "requiredChecks": ["lint", "new"]})},
            id="another-check-is-required",
        ),
    ],
)
def test_nothing_is_decided_beside_a_landing_that_was_begun(then):
    """A person who was asked meanwhile said no; the change was on main, and nobody watched it."""
    waiting = approved(Evidence().green())
    begun = replace(waiting.missions[0], orders=(LANDING,))
    plan = decide(replace(waiting, missions=(begun,), **then))
    assert (plan.orders, plan.records) == ((), ())
    (said,) = (standing for _, standing in plan.standings)
    assert (said.room, said.reason) == ("deliver", "MergeAllowed")
    taken_back = decide(replace(waiting, **then))
    assert taken_back.orders or taken_back.records, "else it would not matter"


@pytest.mark.req("FRZ-2", "LOOP-11")
def test_a_landing_that_was_begun_is_said_to_be_asked_after_under_a_freeze():
    """Frozen would be half the truth: what it waits for is the answer."""
    waiting = Evidence().green().snapshot(freezes=(hold(),))
    for because, why in (
        ("", ""),
        ("CloneBusy: a backup reads it", "; land waits: CloneBusy: a backup reads it"),
    ):
        begun = replace(waiting.missions[0], orders=(replace(LANDING, waits_because=because),))
        plan = decide(replace(waiting, missions=(begun,)))
        assert plan.orders == ()
        (said,) = (standing for _, standing in plan.standings)
        assert (said.room, said.reason) == ("deliver", "MergeAllowed")
        told = f"a landing on {REPO} was begun, and it is asked whether it happened{why}"
        assert said.detail == told


@pytest.mark.req("LOOP-10")
def test_what_is_known_to_have_landed_is_watched_whatever_else_is_asked():
    older = replace(LANDING, key=OrderKey(f"m-1/land/{HEAD}/main0000"))
    snap = Evidence().green().landed().snapshot()
    asked = replace(snap, missions=(replace(snap.missions[0], orders=(older,)),))
    assert standing(asked).room == "protect"


@pytest.mark.req("LOOP-11")
def test_a_no_to_what_may_have_landed_ends_nothing():
    denied = approved(Evidence().green(), granted=False)
    begun = replace(denied.missions[0], orders=(LANDING,))
    assert records(replace(denied, missions=(begun,)), Settle) == []


@pytest.mark.req("LOOP-11")
def test_a_cancel_waits_for_no_other_order():
    checking = OpenOrder(
        key=OrderKey(f"m-1/check/{HEAD}/lint"), kind="run-check", issued_at=NOON, begun=True
    )
    begun = Evidence().ran().spoken("cancel").mission(orders=(checking,))
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(begun,))
    assert outcome(snap) == (OutcomeKind.REJECTED, "Cancelled", False)


@pytest.mark.req("LOOP-11")
@pytest.mark.parametrize("word", ["retry", "promote"])
def test_a_word_for_a_mission_does_not_end_it(word):
    assert records(Evidence().ran().spoken(word).snapshot(), Settle) == []


@pytest.mark.req("MODE-5")
def test_a_person_is_asked_once_with_a_day_to_answer_and_told_where_he_reads():
    snap = (
        Evidence()
        .green()
        .snapshot(
            missions=(Evidence().green().mission(risk=Risk.R2),),
            spec=spec(mode="assisted", delivery=DELIVERY),
        )
    )
    (question,) = records(snap, AskApproval)
    assert (question.commit, question.expires_at) == (HEAD, NOON + 24 * HOUR)
    (told,) = orders(snap, Notify)
    assert told.channel == "swarm://owner/platform"
    again = replace(snap.missions[0], asked=frozenset({(HEAD, "policy-1")}))
    asked = replace(snap, missions=(again,))
    assert (records(asked, AskApproval), orders(asked, Notify)) == ([], [])
    assert standing(asked).reason == "ApprovalNeeded"


@pytest.mark.req("MODE-5")
def test_an_approval_is_used_up_by_the_landing_that_it_lets_begin():
    snap = approved(Evidence().green())
    (used,) = records(snap, UseApproval)
    assert used.approval.id == "a-1"
    issued = replace(snap.missions[0], orders=(replace(LANDING, begun=False),))
    assert records(replace(snap, missions=(issued,)), UseApproval) == []
    assert records(Evidence().green().snapshot(), UseApproval) == []


@pytest.mark.req("GATE-3")
def test_what_gate_3_refuses_ends_and_only_a_persons_no_is_a_rejection():
    denied = approved(Evidence().green(), granted=False)
    assert outcome(denied) == (OutcomeKind.REJECTED, "ApprovalDenied", False)
    elsewhere = spec(delivery={**DELIVERY, "repoAllowlist": ["acme/docs"]})
    assert outcome(Evidence().green().snapshot(spec=elsewhere)) == (
        OutcomeKind.REFUSED, "RepositoryNotAllowed", False,
    )  # fmt: skip


@pytest.mark.req("FRZ-2")
def test_under_a_freeze_a_green_change_waits_before_it_lands():
    snap = Evidence().green().snapshot(freezes=(hold(),))
    assert orders(snap, Land) == []
    assert standing(snap).reason == "Frozen"


@pytest.mark.req("LOOP-5")
@pytest.mark.parametrize(
    ("repo", "reason", "behind"),
    [
        pytest.param(REPO, "QueuedBehind", f"queue:{REPO}", id="of-the-same-repository"),
        pytest.param("acme/old", "TargetBusy", f"target:{TARGET}", id="from-where-it-was-before"),
    ],
)
def test_nothing_lands_beside_a_rollout_and_nobody_is_put_on_top_before_its_turn(
    repo, reason, behind
):
    """What landed now would be carried along by the other's rollout."""
    other = (
        Evidence(mission(2, repo=repo, opened_at=NOON - HOUR))
        .green()
        .landed()
        .synced()
        .exposed(0, 10)
    )
    green = Evidence().green().mission(opened_at=NOON)
    moved = Evidence().green().landed(landed=False, main="main0002")
    for me in (green, moved.mission(opened_at=NOON, risk=Risk.R2)):
        snap = snapshot(
            spec=spec(mode="assisted", delivery=DELIVERY), missions=(other.mission(), me)
        )
        assert (standing(snap).reason, standing(snap).blocked_on) == (reason, behind)
        assert [o for o in orders(snap, Land) + orders(snap, Restage) if o.mission == "m-1"] == []


@pytest.mark.req("LOOP-3")
@pytest.mark.parametrize(
    "ends",
    [
        pytest.param(lambda: Evidence().ran().checked().attested(ArtifactResult.REFUSED), id="art"),
        pytest.param(
            lambda: Evidence().ran().checked().attested(ArtifactResult.NOT_CONFIGURED),
            id="nobody-bound-it",
        ),
        pytest.param(lambda: Evidence().ran().refused("run-check"), id="order-refused"),
        pytest.param(
            lambda: Evidence().ran().checked(CheckResult.RED).checked(CheckResult.RED, BASE),
            id="main-is-red",
        ),
    ],
)
def test_a_need_rests_six_hours_after_a_bad_end(ends):
    (settled,) = records(ends().snapshot(), Settle)
    if records(ends().snapshot(), OpenMission):
        assert settled.retry_need_at == NOON, "a repair takes it over at once"
    else:
        assert settled.retry_need_at == NOON + 6 * HOUR


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(
    ("result", "named"), [(RunResult.TIMED_OUT, "RunTimedOut"), (RunResult.FAILED, "RunFailed")]
)
def test_the_next_attempt_is_shown_how_the_last_one_ended(result, named):
    (order,) = orders(Evidence().ran(result).snapshot(), StartRun)
    assert order.brief.failure.startswith(f"{named}: ")


@pytest.mark.req("LOOP-7")
def test_a_fix_that_changes_nothing_fails_and_a_first_run_that_does_has_nothing_to_do():
    first = Evidence().ran(RunResult.NOTHING)
    assert outcome(first.snapshot()) == (OutcomeKind.FAILED, "RunProducedNothing", False)
    red = Evidence().ran().checked(CheckResult.RED).checked(commit=BASE).ran(RunResult.NOTHING)
    assert outcome(red.snapshot()) == (OutcomeKind.FAILED, "RunProducedNothing", True)


@pytest.mark.req("GATE-3")
@pytest.mark.parametrize(
    ("violations", "detail"),
    [(("Symlink: a: link", "Submodule: b"), "Symlink: a: link; Submodule: b"), ((), "too odd")],
)
def test_a_refused_patch_says_what_it_broke(violations, detail):
    refused = Evidence()._add(
        RunEnded, "run", "0", run=run_id("m-1", 0), attempt=0, result=RunResult.REFUSED,
        violations=violations, detail="too odd",
    )  # fmt: skip
    (settled,) = records(refused.snapshot(), Settle)
    assert settled.outcome.detail == detail


@pytest.mark.req("LOOP-11")
def test_what_landed_although_it_was_cancelled_goes_back():
    cancelled = Evidence().green().spoken("cancel")
    (order,) = orders(cancelled.landed().snapshot(), Revert)
    assert order.commit == HEAD
    missed = Evidence().green().spoken("cancel").landed(landed=False, main="main0002")
    assert outcome(missed.snapshot())[:2] == (OutcomeKind.REJECTED, "Cancelled")


@pytest.mark.req("VAL-2")
@pytest.mark.parametrize("word", ["cancel", "reject", "rollback"])
@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(Evidence, id="before-the-run"),
        pytest.param(lambda: Evidence().ran(), id="while-checked"),
        pytest.param(lambda: Evidence().green(), id="before-landing"),
    ],
)
def test_a_word_against_a_mission_that_has_not_landed_ends_it(evidence, word):
    kind, reason, counts = outcome(evidence().spoken(word).snapshot())
    assert kind is OutcomeKind.REJECTED
    assert reason == ("Rejected" if word == "reject" else "Cancelled")
    assert not counts


@pytest.mark.req("FAIL-2")
@pytest.mark.parametrize("word", ["cancel", "reject", "rollback"])
def test_a_word_against_a_landed_mission_takes_it_back_and_counts_for_nothing(word):
    exposed = Evidence().green().landed().synced().exposed(0, 10).spoken(word)
    assert orders(exposed.snapshot(), Abort)
    assert orders(exposed.aborted().snapshot(), Revert)
    assert outcome(exposed.reverted().snapshot()) == (OutcomeKind.ROLLED_BACK, "Cancelled", False)


@pytest.mark.req("FAIL-4")
def test_while_a_source_is_dark_nothing_risky_lands_that_nobody_looked_at():
    dark = {
        "sources": (SourceState(name="feed", dark_since=NOON),),
        "spec": spec(discovery=FED, delivery=DELIVERY),
    }
    risky = Evidence().green().mission(risk=Risk.R2)
    snap = Evidence().green().snapshot(missions=(risky,), **dark)
    assert standing(snap).reason == "DiscoveryDegraded"
    assert orders(snap, Land) == []
    assert orders(replace(snap, sources=()), Land)
    assert orders(Evidence().green().snapshot(**dark), Land)
    looked_at = approved(Evidence().green())
    assert orders(replace(looked_at, **dark), Land)


@pytest.mark.req("GATE-4")
def test_an_artifact_policy_that_is_not_there_fails_the_mission_and_counts_for_nothing():
    nobody = Evidence().ran().checked().attested(ArtifactResult.NOT_CONFIGURED).snapshot()
    assert outcome(nobody) == (OutcomeKind.FAILED, "ArtifactRefused", False)
    refused = Evidence().ran().checked().attested(ArtifactResult.REFUSED).snapshot()
    assert outcome(refused) == (OutcomeKind.FAILED, "ArtifactRefused", True)


@pytest.mark.req("MODE-4")
def test_what_the_installation_cannot_do_opens_no_repair():
    refused = Evidence().ran().refused("run-check").snapshot()
    assert outcome(refused) == (OutcomeKind.REFUSED, "OrderRefused", False)
    assert records(refused, OpenMission) == []


@pytest.mark.req("LOOP-4")
def test_an_order_that_cannot_be_carried_out_says_so_in_the_standing():
    waits = OpenOrder(
        key=OrderKey(f"m-1/sync/{TARGET}/{HEAD}"), kind="sync", issued_at=NOON, begun=True,
        waits_because="TargetLocked: busy",
    )  # fmt: skip
    landed = Evidence().green().landed().mission(orders=(waits,))
    snap = snapshot(spec=spec(delivery=DELIVERY), missions=(landed,))
    assert standing(snap).detail.endswith("sync waits: TargetLocked: busy")


@pytest.mark.req("LOOP-4")
def test_what_an_order_waits_for_is_said_once_and_of_no_order_that_is_under_way():
    run = OpenOrder(
        key=OrderKey("m-1/run/0"), kind="start-run", issued_at=NOON, begun=True,
        waits_because="Quota",
    )  # fmt: skip
    told = OpenOrder(key=OrderKey("m-1/notify/x"), kind="notify", issued_at=NOON, begun=True)
    snap = snapshot(missions=(mission(1, orders=(run, told)),))
    assert standing(snap).detail.count("Quota") == 1
    assert "waits" not in standing(snap).detail
