"""What happens to a mission when the world, people or settings change half-way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer, Verdict
from swarm.core.decide import decide
from swarm.core.decision import (
    Abort,
    AskApproval,
    GiveVerdict,
    Land,
    Learn,
    Notify,
    OpenFreeze,
    OpenMission,
    Promote,
    Restage,
    Revert,
    RunCheck,
    Settle,
    SetTraffic,
    StartRun,
    Sync,
    TakeLook,
    UseApproval,
)
from swarm.core.evidence import (
    Aborted,
    ArtifactJudged,
    ArtifactResult,
    CheckEnded,
    CheckResult,
    Landed,
    LiveSeen,
    LookTaken,
    MainSeen,
    OrderRefused,
    Promoted,
    RegimeRead,
    Restaged,
    Reverted,
    RunEnded,
    RunResult,
    Synced,
    TrafficSet,
)
from swarm.core.ids import ApprovalId, FreezeId, OrderKey, evidence_id, order_key, run_id
from swarm.core.nouns import Approval, Freeze, MissionKind, OutcomeKind, Risk, Settled
from swarm.core.rollout.counts import ArmCounts, LatencyHistogram, Look
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.core.snapshot import AgentBinding, Budget, OpenOrder, SourceState
from swarm.testing.builders import NOON, REPO, TARGET, change, installation, mission, snapshot, spec
from swarm.testing.paper import said
from swarm.testing.states import State, build

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MOMENT = 3 * SECOND  #: so short that readings which lie a dozen of them back are not old
HEAD, BASE = "head0001", "main0001"
DELIVERY = {
    "repoAllowlist": [REPO], "requiredChecks": ["lint"], "deploymentTargets": [TARGET],
}  # fmt: skip
FED = {"sources": [{"name": "feed"}]}


class Evidence:
    """Facts of one mission, each under the id of the order that it settles."""

    def __init__(self, me=None):
        self.me = me or mission(1, contract=replace(mission(1).contract, checks=("lint",)))
        self.facts, self.at = [], NOON - HOUR

    def _add(self, kind, *parts, **fields):
        id_ = evidence_id(order_key(self.me.id, *parts))
        self.at += SECOND
        fields.setdefault("at", self.at)
        self.facts.append(kind(id=id_, **fields))
        return self

    def ran(self, result=RunResult.CHANGED, made=None):
        attempt = sum(isinstance(fact, RunEnded) for fact in self.facts)
        if result is RunResult.CHANGED:
            made = made or change(head=HEAD, base=BASE)
        return self._add(
            RunEnded, "run", str(attempt), run=run_id(self.me.id, attempt), attempt=attempt,
            result=result, change=made,
        )  # fmt: skip

    def checked(self, result=CheckResult.GREEN, commit=HEAD, check="lint", **over):
        return self._add(
            CheckEnded, "check", commit, check, check=check, commit=commit, result=result, **over
        )

    def attested(self, result=ArtifactResult.VERIFIED):
        return self._add(ArtifactJudged, "artifact", HEAD, commit=HEAD, result=result)

    def green(self):
        return self.ran().checked().attested()

    def landed(self, *, landed=True, main=HEAD):
        return self._add(
            Landed, "land", HEAD, BASE, repo=REPO, commit=HEAD, landed=landed, main=main
        )

    def restaged(self, made=None, onto="main0002"):
        return self._add(
            Restaged,
            "restage",
            HEAD,
            onto,
            old_head=HEAD,
            onto=onto,
            change=made,
            detail="conflict",
        )

    def synced(self, target=TARGET, *, healthy=True, stable=BASE):
        return self._add(
            Synced, "sync", target, HEAD, target=target, revision=HEAD, healthy=healthy,
            stable=stable,
        )  # fmt: skip

    def exposed(self, step, percent, target=TARGET, **over):
        return self._add(
            TrafficSet, "traffic", target, HEAD, str(step), target=target, step=step,
            percent=percent, **over,
        )  # fmt: skip

    def looked(self, look, step=0, number=0, regime=None):
        return self._add(
            LookTaken, "look", TARGET, HEAD, f"{step}.{number}", target=TARGET, step=step,
            number=number, look=look, at=look.observed_at, regime=regime,
        )  # fmt: skip

    def promoted(self, target=TARGET, revision=HEAD):
        return self._add(Promoted, "promote", target, HEAD, target=target, revision=revision)

    def aborted(self, *again, target=TARGET, proven=True, **over):
        return self._add(
            Aborted, "abort", target, HEAD, *again, target=target, revision=HEAD, serving=BASE,
            proven=proven, **over,
        )  # fmt: skip

    def refused(self, verb, *parts, **over):
        return self._add(
            OrderRefused, verb, *parts, verb=verb, reason="NotHere", detail="no", **over
        )

    def reverted(self, *, reverted=True):
        return self._add(
            Reverted, "revert", HEAD, repo=REPO, undone=HEAD, commit="undo0001", reverted=reverted
        )

    def spoken(self, word, at=None):
        self.facts.append(said(self.me.id, word, at or self.at + SECOND))
        return self

    def mission(self, **over):
        facts = tuple(self.facts)
        return replace(self.me, facts=facts, version=len(facts), **over)

    def snapshot(self, **over):
        fields = {"spec": spec(delivery=DELIVERY), "missions": (self.mission(),)}
        return snapshot(**{**fields, **over})


def orders(snap, kind):
    return [order for order in decide(snap).orders if isinstance(order, kind)]


def records(snap, kind):
    return [record for record in decide(snap).records if isinstance(record, kind)]


def standing(snap, id_="m-1"):
    return dict(decide(snap).standings)[id_]


def outcome(snap):
    (settled,) = records(snap, Settle)
    return settled.outcome.kind, settled.outcome.reason, settled.outcome.counts_as_failure


def next_tick(snap, **over):
    """The snapshot after this tick's orders were issued and its standings kept."""
    plan = decide(snap)
    stood = dict(plan.standings)
    missions = tuple(
        replace(
            one,
            standing=stood.get(one.id, one.standing),
            orders=(
                *one.orders,
                *(
                    OpenOrder(key=o.key, kind=o.kind, issued_at=snap.now, begun=True)
                    for o in plan.orders
                    if o.mission == one.id and o.key not in {known.key for known in one.orders}
                ),
            ),
        )
        for one in snap.missions
    )
    return replace(snap, missions=missions, **over)


def hold(scope="tidy", **over):
    fields = {
        "id": FreezeId("f-1"), "mission_class": scope, "reason": "Drill", "detail": "",
        "cause": "m-9", "since": NOON - HOUR, "until": NOON + HOUR,
    }  # fmt: skip
    return Freeze(**{**fields, **over})


# --- waking ---------------------------------------------------------------------------------------


@pytest.mark.req("VAL-4")
def test_the_end_of_shadow_mode_sends_a_held_mission_on():
    held = next_tick(snapshot(missions=(mission(1),), shadow=True))
    assert held.missions[0].standing.reason == "Shadow"
    assert orders(replace(held, shadow=False), StartRun)


@pytest.mark.req("FRZ-2")
def test_a_freeze_whose_window_has_passed_does_not_make_the_swarm_spin():
    """It holds until it is proven; the proof wakes, the clock does not."""
    late = snapshot(missions=(mission(1),), freezes=(hold(until=NOON - MINUTE),))
    late = replace(late, missions=(*late.missions, requalifying()))
    plan = decide(late)
    assert dict(plan.standings)["m-1"].reason == "Frozen"
    assert plan.look_again > NOON


def requalifying(**over):
    contract = replace(mission(7).contract, checks=("lint",))
    return mission(
        7, kind=MissionKind.REQUALIFY, need=None, freeze="f-1", contract=contract, **over
    )


@pytest.mark.req("LOOP-1")
def test_an_agent_without_capacity_is_waited_for_without_spinning_once_it_is_asked_again():
    order = OpenOrder(
        key=OrderKey("m-1/run/0"), kind="start-run", issued_at=NOON - MINUTE, begun=True,
        waits_because="Quota", next_try=NOON - SECOND,
    )  # fmt: skip
    snap = snapshot(missions=(mission(1, orders=(order,)),))
    assert standing(snap).reason == "Capacity"
    assert decide(snap).look_again is None


@pytest.mark.req("GATE-2")
def test_a_check_that_stays_silent_is_noticed_though_nothing_happens():
    """No fact, no event: the standing itself says when silence becomes the answer."""
    asked = next_tick(Evidence().ran().snapshot())
    again = asked.missions[0].standing.look_again
    assert again == NOON + 45 * MINUTE
    assert orders(replace(asked, now=again - SECOND), StartRun) == []
    assert orders(replace(asked, now=again), StartRun)


@pytest.mark.req("GATE-2")
def test_a_silent_check_on_main_ends_the_mission_and_counts_for_nothing():
    red = next_tick(Evidence().ran().checked(CheckResult.RED).snapshot())
    assert red.missions[0].standing.look_again == NOON + 45 * MINUTE
    silent = replace(red, now=NOON + 45 * MINUTE)
    assert outcome(silent) == (OutcomeKind.FAILED, "MainIsRed", False)


@pytest.mark.req("GATE-2")
def test_a_late_green_for_a_head_that_was_given_up_changes_nothing():
    late = (
        Evidence().ran().checked(CheckResult.NEVER_REPORTED).checked(commit=BASE)
        .ran(made=change(head="head0002", base=BASE)).checked()
    )  # fmt: skip
    (order,) = orders(late.snapshot(), RunCheck)
    assert order.commit == "head0002"


@pytest.mark.req("MODE-5")
def test_an_approval_that_runs_out_is_looked_at_again_when_it_does():
    snap = approved(Evidence().ran().checked(), expires_at=NOON + 7 * MINUTE)
    assert standing(snap).reason == "ArtifactPending"
    assert standing(snap).look_again == NOON + 7 * MINUTE


def approved(evidence, **over):
    fields = {
        "id": ApprovalId("a-1"), "mission": "m-1", "commit": HEAD, "policy_hash": "policy-1",
        "approver": "alice", "reason": "ok", "granted": True, "at": NOON - HOUR,
        "expires_at": NOON + HOUR,
    }  # fmt: skip
    answer = Approval(**{**fields, **over})
    me = evidence.mission(approvals=(answer,), risk=Risk.R2)
    return evidence.snapshot(missions=(me,), spec=spec(mode="assisted", delivery=DELIVERY))


@pytest.mark.req("MODE-5")
def test_an_approval_used_for_a_landing_that_is_under_way_is_not_asked_for_again():
    snap = approved(Evidence().green(), expires_at=NOON - SECOND)
    assert records(snap, AskApproval)
    landing = OpenOrder(
        key=OrderKey(f"m-1/land/{HEAD}/{BASE}"), kind="land", issued_at=NOON, begun=True
    )
    under_way = replace(snap, missions=(replace(snap.missions[0], orders=(landing,)),))
    assert records(under_way, AskApproval) == []
    assert standing(under_way).reason == "MergeAllowed"


# --- checks ---------------------------------------------------------------------------------------


@pytest.mark.req("GATE-2")
def test_a_check_that_was_bound_later_is_asked_once_more_per_policy():
    unbound = (
        Evidence()
        .ran()
        .checked(CheckResult.NOT_CONFIGURED)
        .snapshot(installation=installation(checks=frozenset()))
    )
    assert standing(unbound).reason == "CheckNotConfigured"
    assert orders(unbound, RunCheck) == []
    bound = replace(unbound, installation=installation(), policy_hash="policy-2")
    (again,) = orders(bound, RunCheck)
    assert again.key != f"m-1/check/{HEAD}/lint"
    (other,) = orders(replace(bound, policy_hash="policy-3"), RunCheck)
    assert len({again.key, other.key, *(o.key for o in orders(bound, RunCheck))}) == 2


@pytest.mark.req("MODE-6")
def test_a_check_that_policy_adds_binds_a_mission_in_flight():
    more = {**DELIVERY, "requiredChecks": ["lint", "unit-tests"]}
    snap = Evidence().green().snapshot(spec=spec(delivery=more))
    (order,) = orders(snap, RunCheck)
    assert order.check == "unit-tests"
    assert orders(snap, Land) == []


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(RunResult.REFUSED, (OutcomeKind.REFUSED, "ChangeRefused", True), id="hostile"),
        pytest.param(
            RunResult.NOTHING, (OutcomeKind.FAILED, "RunProducedNothing", False), id="there-already"
        ),
    ],
)
def test_after_a_conflict_the_next_runs_own_result_counts(result, expected):
    assert outcome(Evidence().green().restaged().ran(result).snapshot()) == expected


@pytest.mark.req("LOOP-7")
@pytest.mark.parametrize("result", [None, RunResult.FAILED])
def test_after_a_conflict_every_attempt_starts_from_the_main_that_moved(result):
    evidence = Evidence().green().restaged()
    if result is not None:
        evidence.ran(result)
    (order,) = orders(evidence.snapshot(), StartRun)
    assert (order.base, order.attempt) == ("main0002", len(evidence.facts) - 3)


# --- landing --------------------------------------------------------------------------------------


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
    (question,) = records(snapshot(missions=(on_top.mission(**asked),), **policy), AskApproval)
    assert question.commit == "head0002"


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
    under_way = replace(snap, missions=(replace(snap.missions[0], orders=(LANDING,)),))
    assert records(under_way, UseApproval) == []
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


# --- the rollback saga ----------------------------------------------------------------------------


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
    never_begun = replace(me, orders=(replace(syncing, begun=False),))
    assert orders(replace(snap, missions=(never_begun,)), Revert)


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


def elsewhere(repo, targets=(TARGET,)):
    """A mission of that repository in the middle of its rollout, opened before all others."""
    contract = replace(mission(2).contract, checks=("lint",), targets=targets)
    me = mission(2, repo=repo, opened_at=NOON - HOUR, contract=contract)
    return Evidence(me).green().landed().synced().exposed(0, 10).mission()


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


# --- exposure -------------------------------------------------------------------------------------


def arm(total, edges=(0.01, 0.1)):
    latency = LatencyHistogram(edges=edges, cumulative=(total / 2, total), total=total)
    return ArmCounts(total=total, bad=0.0, latency=latency)


def look(at, total=1_000.0, percent=10, **over):
    return Look(
        observed_at=at, traffic_percent=percent, canary=arm(total, **over), stable=arm(9 * total)
    )


def rolling(**over):
    return Evidence().green().landed().synced().exposed(0, 10, **over)


@pytest.mark.req("FAIL-6")
def test_a_canary_whose_metrics_stay_away_is_decided_at_its_longest_hold():
    waiting = next_tick(rolling(at=NOON).snapshot())
    assert orders(rolling(at=NOON).snapshot(), TakeLook)
    assert waiting.missions[0].standing.look_again == NOON + 30 * MINUTE
    assert orders(replace(waiting, now=NOON + 30 * MINUTE), Abort)


@pytest.mark.req("MODE-2")
def test_an_undecided_canary_is_watched_while_a_person_is_asked():
    assisted = spec(mode="assisted", delivery=DELIVERY)
    snap = rolling(at=NOON - 30 * MINUTE).snapshot(spec=assisted)
    assert standing(snap).reason == "CanaryUndecided"
    assert orders(snap, Notify)
    assert orders(snap, TakeLook)


@pytest.mark.req("GATE-5")
def test_a_persons_promote_counts_for_the_step_it_was_said_at_and_no_other():
    quick = {
        **DELIVERY,
        "rollout": {"steps": [{"setWeight": w, "pause": "0s"} for w in (10, 50, 100)]},
    }
    said_at_first = rolling(at=NOON - MINUTE).spoken("promote", NOON)
    (order,) = orders(said_at_first.snapshot(spec=spec(delivery=quick)), SetTraffic)
    assert order.percent == 50
    said_at_first.exposed(1, 50, at=NOON + MINUTE)
    snap = said_at_first.snapshot(spec=spec(delivery=quick), now=NOON + 2 * MINUTE)
    assert orders(snap, SetTraffic) == []


@pytest.mark.req("GATE-5")
def test_what_was_proven_at_one_weight_is_no_proof_at_the_next():
    """Without a pause nothing but Gate 5 stands between two steps, and it has seen nothing yet."""
    steps = [{"setWeight": w, "pause": "0s"} for w in (10, 50, 100)]
    quick = {
        "spec": spec(delivery={**DELIVERY, "rollout": {"steps": steps}}),
        "installation": installation(canary=CanaryThresholds(p95_increase=None)),
    }
    proven = rolling(at=NOON - 3 * MINUTE).looked(look(NOON - 2 * MINUTE))
    proven.looked(look(NOON - MINUTE, 50_000.0), number=1)
    (order,) = orders(proven.snapshot(**quick), SetTraffic)
    assert order.percent == 50
    snap = proven.exposed(1, 50, at=NOON - SECOND).snapshot(**quick)
    assert orders(snap, SetTraffic) == []
    assert [order.step for order in orders(snap, TakeLook)] == [1]
    (verdict,) = (r.verdict for r in records(snap, GiveVerdict) if r.subject.endswith("#50"))
    assert (verdict.answer, verdict.reason) == (Answer.WAIT, "NoLookYet")


@pytest.mark.req("LOOP-9", "GATE-5")
def test_a_step_that_is_proven_early_lasts_as_long_as_its_pause_all_the_same():
    """Asked for: ten minutes at 10 %. Its numbers were good after one; it stays the other nine."""
    steps = [{"setWeight": 10, "pause": "10m"}, {"setWeight": 100, "pause": "0s"}]
    slow = {
        "spec": spec(delivery={**DELIVERY, "rollout": {"steps": steps}}),
        "installation": installation(canary=CanaryThresholds(p95_increase=None)),
    }
    begun = NOON - 2 * MINUTE
    proven = rolling(at=begun).looked(look(begun + 30 * SECOND))
    proven.looked(look(begun + MINUTE, 50_000.0), number=1)
    proven.looked(look(begun + 9 * MINUTE, 90_000.0), number=2)
    early = proven.snapshot(**slow, now=begun + 10 * MINUTE - SECOND)
    assert {r.verdict.answer for r in records(early, GiveVerdict)} == {Answer.PASS}
    assert orders(early, SetTraffic) == []
    assert orders(early, TakeLook), "what is paused is watched"
    (order,) = orders(proven.snapshot(**slow, now=begun + 10 * MINUTE), SetTraffic)
    assert order.percent == 100


@pytest.mark.req("MODE-6")
def test_new_rollout_steps_bind_a_rollout_in_flight():
    """It stood at 30 % of 10/30/100; now the steps are 20/100, and it begins at 20 %."""
    steps = [{"setWeight": 20, "pause": "0s"}, {"setWeight": 100, "pause": "0s"}]
    shorter = spec(delivery={**DELIVERY, "rollout": {"steps": steps}})
    snap = rolling().exposed(1, 30).snapshot(spec=shorter)
    (order,) = orders(snap, SetTraffic)
    assert (order.step, order.percent) == (0, 20)
    assert order.key.endswith("again-1")
    assert orders(snap, Promote) == []


def steps_of(*weights):
    steps = [{"setWeight": weight, "pause": "0s"} for weight in weights]
    return {
        "spec": spec(delivery={**DELIVERY, "rollout": {"steps": steps}}),
        "installation": installation(canary=CanaryThresholds(p95_increase=None)),
    }


@pytest.mark.req("GATE-5", "MODE-6")
def test_what_was_proven_before_a_step_got_another_weight_is_no_proof_of_it():
    """Proven at 10 and 30 %; then policy makes the second step 50 %."""
    proven = rolling(at=NOON - 9 * MOMENT).looked(look(NOON - 8 * MOMENT))
    proven.looked(look(NOON - 7 * MOMENT, 50_000.0), number=1).exposed(1, 30, at=NOON - 6 * MOMENT)
    proven.looked(look(NOON - 5 * MOMENT, 50_000.0, percent=30), step=1)
    proven.looked(look(NOON - 4 * MOMENT, 99_000.0, percent=30), step=1, number=1)
    (order,) = orders(proven.snapshot(**steps_of(10, 50, 100)), SetTraffic)
    assert (order.step, order.percent) == (1, 50)
    snap = proven.exposed(1, 50, at=NOON - SECOND).snapshot(**steps_of(10, 50, 100))
    assert orders(snap, SetTraffic) == []
    (verdict,) = (r.verdict for r in records(snap, GiveVerdict) if r.subject.endswith("#50"))
    assert (verdict.answer, verdict.reason) == (Answer.WAIT, "NoLookYet")


@pytest.mark.req("REG-8", "FRZ-5", "GATE-5")
def test_a_broken_limit_takes_the_rollout_back_and_freezes_the_class_at_once():
    trading = steps_of(10, 100)
    trading["installation"] = replace(
        trading["installation"], regimes=((TARGET, 5 * MINUTE),), class_freeze_after=9
    )
    broken = RegimeRead(regime="trend", at=NOON, breached=("momentum broke a limit",))
    bad = rolling(at=NOON - 3 * MINUTE).looked(look(NOON - 2 * MINUTE), regime=broken)
    assert orders(bad.snapshot(**trading), Abort)
    assert orders(bad.snapshot(**trading), SetTraffic) == []
    assert standing(bad.snapshot(**trading)).detail.startswith("LimitBreached: ")
    (given,) = (
        r for r in records(bad.snapshot(**trading), GiveVerdict) if r.verdict.answer is Answer.FAIL
    )
    kept = ((given.gate, given.subject, given.verdict),)
    done = bad.aborted().reverted().mission(verdicts=kept)
    gone = bad.snapshot(missions=(done,), **trading)
    settled, reason, _ = outcome(gone)
    assert (settled, reason) == (OutcomeKind.ROLLED_BACK, "LimitBreached")
    (frozen,) = (record.freeze for record in records(gone, OpenFreeze))
    assert (frozen.mission_class, frozen.reason) == ("tidy", "LimitBreached")


@pytest.mark.req("REG-8", "GATE-5")
def test_a_target_that_trades_goes_no_further_without_a_word_on_its_limits():
    trading = steps_of(10, 100)
    trading["installation"] = replace(trading["installation"], regimes=((TARGET, 5 * MINUTE),))
    clean = RegimeRead(regime="trend", posture="normal", at=NOON - 2 * MINUTE)
    for read, further in ((None, []), (clean, [100])):
        good = rolling(at=NOON - 3 * MINUTE).looked(look(NOON - 2 * MINUTE), regime=read)
        good.looked(look(NOON - MINUTE, 50_000.0), number=1, regime=read)
        found = orders(good.snapshot(**trading), SetTraffic)
        assert [order.percent for order in found] == further


@pytest.mark.req("GATE-5", "MODE-6")
def test_a_smaller_step_that_is_looked_at_again_keeps_the_looks_in_their_order():
    """At 100 % already when policy puts a step before it: its looks are older than the next."""
    full = rolling(at=NOON - 19 * MOMENT).looked(look(NOON - 18 * MOMENT))
    full.looked(look(NOON - 17 * MOMENT, 50_000.0), number=1).exposed(1, 100, at=NOON - 16 * MOMENT)
    full.looked(look(NOON - 15 * MOMENT, 60_000.0, percent=100), step=1)
    full.looked(look(NOON - 5 * MOMENT, 70_000.0), number=2)  # the smaller step, once more
    full.exposed(1, 50, at=NOON - 4 * MOMENT)
    for number, total in enumerate((80_000.0, 160_000.0), 1):
        even = replace(look(NOON - (4 - number) * MOMENT, total, percent=50), stable=arm(total))
        full.looked(even, step=1, number=number)
    snap = full.snapshot(**steps_of(10, 50, 100))
    (verdict,) = (r.verdict for r in records(snap, GiveVerdict) if r.subject.endswith("#50"))
    assert verdict.answer is Answer.PASS
    (order,) = orders(snap, SetTraffic)
    assert (order.step, order.percent) == (2, 100)


@pytest.mark.req("GATE-5")
def test_the_same_look_twice_and_a_look_of_the_past_say_nothing_new():
    first = look(NOON - 2 * MINUTE)
    evidence = rolling(at=NOON - 3 * MINUTE).looked(first).looked(first, number=1)
    evidence.looked(look(NOON - 150 * SECOND, 500.0), number=2)
    (order,) = orders(evidence.snapshot(), TakeLook)
    assert order.number == 3
    assert standing(evidence.snapshot()).reason == "CanaryPending"


@pytest.mark.req("GATE-5")
def test_readings_that_do_not_fit_together_decide_nothing_and_stop_nobody_else():
    odd = rolling(at=NOON - 3 * MINUTE).looked(look(NOON - 2 * MINUTE))
    odd.looked(look(NOON - MINUTE, 2_000.0, edges=(0.02, 0.2)), number=1)
    other = mission(2, repo="acme/docs", opened_at=NOON)
    snap = odd.snapshot(missions=(odd.mission(), other))
    (verdict,) = (r.verdict for r in records(snap, GiveVerdict) if r.gate == "progressive_rollout")
    assert verdict.answer is Answer.INCONCLUSIVE
    assert orders(snap, StartRun)


@pytest.mark.req("LOOP-8")
def test_a_target_that_runs_something_else_after_promotion_is_not_delivered():
    full = Evidence().green().landed().synced()
    assert outcome(full.promoted().snapshot())[0] is OutcomeKind.DELIVERED
    other = Evidence().green().landed().synced().promoted(revision="other000")
    assert orders(other.snapshot(), Abort)
    short = Evidence().green().landed().synced().promoted(revision=HEAD[:7])
    assert outcome(short.snapshot())[0] is OutcomeKind.DELIVERED


@pytest.mark.req("LOOP-8")
def test_a_target_that_runs_the_revision_already_reads_not_configured_never_passed():
    snap = Evidence().green().landed().synced(stable=HEAD).snapshot()
    assert outcome(snap)[0] is OutcomeKind.DELIVERED
    gates = [r.verdict for r in records(snap, GiveVerdict) if r.gate.startswith(("prog", "post"))]
    assert len(gates) == 2
    assert not any(verdict.configured for verdict in gates)


@pytest.mark.req("LOOP-8")
@pytest.mark.parametrize(
    ("targets", "evidence", "told"),
    [
        pytest.param([TARGET], Evidence().green().landed().synced().promoted(), "live and proven",
                     id="promoted"),
        pytest.param([TARGET], Evidence().green().landed().synced(stable=HEAD),
                     "nothing was exposed or observed", id="ran-it-already"),
        pytest.param([], Evidence().green().landed(), "on main; it has no deployment target",
                     id="no-target"),
    ],
)  # fmt: skip
def test_delivered_claims_no_more_than_was_seen(targets, evidence, told):
    """Absence of evidence is never a pass: without a target nobody saw it serve."""
    contract = replace(mission(1).contract, targets=tuple(targets), checks=("lint",))
    snap = evidence.snapshot(
        spec=spec(delivery={**DELIVERY, "deploymentTargets": targets}),
        missions=(replace(evidence.mission(), contract=contract),),
    )
    (settled,) = records(snap, Settle)
    assert settled.outcome.kind is OutcomeKind.DELIVERED
    assert told in settled.outcome.detail
    if not targets:
        unseen = [r.verdict for r in records(snap, GiveVerdict) if r.subject == HEAD]
        assert [v.configured for v in unseen if v.reason == "NotConfigured"] == [False, False]


@pytest.mark.req("FAIL-7")
@pytest.mark.parametrize("evidence", [Evidence().green().landed(), rolling()])
def test_a_target_that_nobody_binds_any_more_is_waited_for(evidence):
    snap = evidence.snapshot(installation=installation(targets=()))
    assert standing(snap).reason == "TargetNotBound"
    assert decide(snap).orders == ()


@pytest.mark.req("LOOP-8")
def test_a_rollout_holds_every_target_and_main_from_the_first_one_on():
    """Who came between would be taken off the first target when the second one fails."""
    both = {**DELIVERY, "deploymentTargets": [TARGET, "billing"]}
    bound = installation(targets=((TARGET, REPO), ("billing", REPO)))
    contract = replace(mission(1).contract, targets=(TARGET, "billing"), checks=("lint",))
    evidence = Evidence(mission(1, contract=contract)).green().landed().synced().promoted()
    snap = evidence.snapshot(spec=spec(delivery=both), installation=bound)
    assert orders(snap, Sync)[0].target == "billing"
    wanted = {f"target:{TARGET}", "target:billing", f"queue:{REPO}"}
    assert standing(snap).holds == wanted


# --- one after another ----------------------------------------------------------------------------


def green_mission(number, opened_at):
    contract = replace(mission(number).contract, checks=("lint",), targets=())
    me = mission(number, contract=contract, opened_at=opened_at)
    return Evidence(me).green()


@pytest.mark.req("LOOP-8")
def test_what_comes_free_goes_to_the_oldest_that_waits_and_not_to_who_comes_along():
    first = green_mission(1, NOON - 3 * HOUR)
    waiter = green_mission(2, NOON - 2 * HOUR)
    latecomer = green_mission(3, NOON - HOUR)
    fresh = replace(latecomer.mission(), facts=(), version=0)
    snap = next_tick(
        snapshot(spec=spec(delivery=DELIVERY), missions=(first.mission(), waiter.mission(), fresh))
    )
    assert snap.missions[1].standing.reason == "QueuedBehind"
    landed = replace(snap.missions[0], facts=tuple(first.landed().facts), version=9, orders=())
    arrived = replace(snap.missions[2], facts=tuple(latecomer.facts), version=9)
    plan = decide(replace(snap, missions=(landed, snap.missions[1], arrived)))
    assert [o.mission for o in plan.orders if isinstance(o, Land)] == ["m-2"]
    assert dict(plan.standings)["m-3"].reason == "QueuedBehind"


@pytest.mark.req("LOOP-5")
def test_two_missions_whose_paths_meet_never_wait_for_each_other():
    """A repair may meet a rival of its parent; the elder goes first."""
    rival = mission(1, contract=replace(mission(1).contract, allowed_paths=("src",)))
    repair = mission(
        2, kind=MissionKind.REMEDIATE, opened_at=NOON + MINUTE,
        contract=replace(mission(2).contract, allowed_paths=("src/a.py",)),
    )  # fmt: skip
    plan = decide(snapshot(missions=(repair, rival)))
    assert [o.mission for o in plan.orders if isinstance(o, StartRun)] == ["m-1"]
    later = next_tick(snapshot(missions=(repair, rival)))
    idle = tuple(replace(one, orders=(), version=9) for one in later.missions)
    assert [o.mission for o in decide(replace(later, missions=idle)).orders] == ["m-1"]


# --- one tick, several endings --------------------------------------------------------------------


def spent(number, **over):
    """A mission whose four attempts failed; it ends when it is judged."""
    evidence = Evidence(mission(number, **over))
    for _ in range(4):
        evidence.ran(RunResult.FAILED)
    return evidence.mission()


@pytest.mark.req("FRZ-1")
@pytest.mark.req("FAIL-3")
def test_two_failures_in_one_tick_are_two_failures_in_a_row():
    plan = decide(snapshot(missions=(spent(1), spent(2))))
    assert {r.freeze.mission_class for r in plan.records if isinstance(r, OpenFreeze)} == {"tidy"}


@pytest.mark.req("LOOP-10")
def test_two_lessons_in_one_tick_are_both_learned():
    endings = (spent(1, mission_class="tidy"), spent(2, mission_class="docs"))
    *_, last = (r for r in decide(snapshot(missions=endings)).records if isinstance(r, Learn))
    assert dict(last.class_bias) == {"docs": -0.2, "tidy": -0.2}


@pytest.mark.req("FAIL-5")
def test_repairs_of_one_tick_share_what_is_left_of_the_budget():
    bound = installation(agents=(AgentBinding(name="tidy", cost=100),))
    window = Budget(name="b", cap=800, reserved=400, spent=0, window_ends=NOON + HOUR)
    endings = (spent(1, mission_class="a"), spent(2, mission_class="b"))
    plan = decide(snapshot(missions=endings, installation=bound, budget=window))
    assert sum(r.reserve for r in plan.records if isinstance(r, OpenMission)) == 400


@pytest.mark.req("FRZ-2")
def test_a_freeze_that_opens_in_a_tick_halts_what_the_tick_had_begun():
    """An approval is not used up for a landing that does not happen."""
    history = (
        Settled(
            mission="m-0", mission_class="tidy", kind=MissionKind.DELIVER,
            outcome=OutcomeKind.FAILED, counts_as_failure=True, at=NOON,
        ),
    )  # fmt: skip
    ready = approved(Evidence().green())
    assert orders(ready, Land)
    assert [used.approval.id for used in records(ready, UseApproval)] == ["a-1"]
    snap = replace(ready, missions=(*ready.missions, spent(2)), settled=history)
    assert records(snap, OpenFreeze)
    assert orders(snap, Land) == []
    assert records(snap, UseApproval) == []


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.req("FAIL-5")
def test_an_overdrawn_window_pays_for_no_fix_until_it_turns():
    bound = installation(agents=(AgentBinding(name="tidy", cost=100),))
    over = Budget(name="b", cap=100, reserved=0, spent=101, window_ends=NOON + HOUR)
    red = Evidence().ran().checked(CheckResult.RED).checked(commit=BASE)
    snap = red.snapshot(installation=bound, budget=over)
    assert standing(snap).reason == "BudgetExhausted"
    assert standing(snap).look_again == NOON + HOUR
    assert orders(snap, StartRun) == []
    turned = replace(next_tick(snap), budget=replace(over, spent=0))
    assert orders(turned, StartRun)


# --- requalification ------------------------------------------------------------------------------


@pytest.mark.req("FRZ-3")
@pytest.mark.parametrize(
    ("over", "why"),
    [
        pytest.param({"drifted": ((TARGET, "runs x"),)}, "runs x", id="a-target-drifted"),
        pytest.param(
            {"installation": installation(checks=frozenset())}, "swarm.toml", id="a-check-unbound"
        ),
        pytest.param(
            {"spec": spec(delivery={**DELIVERY, "requiredChecks": []})}, "no proof", id="no-check"
        ),
    ],
)
def test_a_requalification_without_proof_fails_and_counts_for_nothing(over, why):
    snap = build_requalification(**over)
    (settled,) = records(snap, Settle)
    assert settled.outcome.kind is OutcomeKind.FAILED
    assert why in settled.outcome.detail
    assert not settled.outcome.counts_as_failure


def build_requalification(**over):
    contract = replace(mission(7).contract, checks=("lint",))
    evidence = Evidence(requalifying())
    if over.get("spec") is not None:
        evidence.me = replace(evidence.me, contract=replace(contract, checks=()))
    evidence._add(MainSeen, "main", "0", repo=REPO, commit=BASE)
    if "installation" not in over:
        evidence.checked(commit=BASE)
    evidence._add(
        LiveSeen, "live", TARGET, "0", target=TARGET, stable=BASE, canary="", healthy=True
    )
    fields = {"freezes": (hold(until=NOON - MINUTE),), **over}
    return evidence.snapshot(**fields)


@pytest.mark.req("LOOP-5")
def test_a_requalification_writes_nothing_and_is_in_nobodys_way():
    whole = mission(1, contract=replace(mission(1).contract, allowed_paths=()))
    snap = snapshot(missions=(requalifying(opened_at=NOON - HOUR), whole))
    assert orders(snap, StartRun)


# --- every state with a kept failure --------------------------------------------------------------


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize("word", ["watching", "passed", "last", "slo-watching", "slo-held"])
@pytest.mark.parametrize("mode", ["assisted", "lights-out"])
def test_after_a_failing_verdict_nothing_is_promoted_whatever_comes_later(mode, word):
    snap = build(State(mode=mode, rollout=word, artifact="verified"))
    failed = Verdict(answer=Answer.FAIL, reason="ErrorRateRegressed")
    me = replace(
        snap.missions[0], verdicts=(("progressive_rollout", f"{TARGET}@{HEAD}#10", failed),)
    )
    plan = decide(replace(snap, missions=(me,)))
    assert [order.kind for order in plan.orders] == ["abort"]
