"""The rollout at one target at its edges: how long, how far, when frozen, and what is the same."""

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer, Verdict
from swarm.core.decide import decide
from swarm.core.decision import GiveVerdict, OpenFreeze, Settle
from swarm.core.evidence import LookTaken, Promoted, Synced, TrafficSet
from swarm.core.exposure import OVERDUE
from swarm.core.ids import EvidenceId, OrderKey
from swarm.core.nouns import Risk
from swarm.core.rollout.counts import ArmCounts, Look
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, TARGET, installation, mission, spec
from swarm.testing.paper import said
from swarm.testing.states import HEAD, State, build

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def rollout(word, **over):
    """The snapshot of a mission that stands at this word of the rollout; `over` changes it."""
    fields = {name: over.pop(name) for name in ("mode", "risk", "frozen") if name in over}
    return replace(build(State(rollout=word, artifact="verified", **fields)), **over)


def with_facts(snap, *facts, leaving_out=()):
    (me,) = snap.missions
    kept = tuple(fact for fact in me.facts if not isinstance(fact, leaving_out))
    return replace(snap, missions=(replace(me, facts=(*kept, *facts), version=99),))


def moves(snap):
    """Kind and step of each order but what is said to people."""
    told = [order for order in decide(snap).orders if order.kind != "notify"]
    return [(order.kind, getattr(order, "step", None)) for order in told]


def standing(snap):
    ((_, stands),) = decide(snap).standings
    return stands


def verdicts(snap):
    return [r.verdict for r in decide(snap).records if isinstance(r, GiveVerdict)]


# --- under a freeze -------------------------------------------------------------------------------


@pytest.mark.req("FRZ-2")
@pytest.mark.parametrize(
    ("word", "watched"),
    [
        pytest.param("landed", [], id="nothing-is-started"),
        pytest.param("synced", [], id="nothing-is-exposed-so-nothing-is-watched"),
        pytest.param("passed", [("take-look", 0)], id="the-first-step-lasts"),
        pytest.param("last", [("take-look", 1)], id="the-second-step-lasts"),
        pytest.param("slo-held", [("take-look", 2)], id="full-exposure-lasts"),
    ],
)
def test_under_a_freeze_a_rollout_goes_no_further_and_what_is_exposed_is_watched(word, watched):
    held = rollout(word, frozen="class")
    assert moves(held) == watched
    stands = standing(held)
    assert (stands.reason, stands.look_again) == ("Frozen", NOON + 60 * MINUTE)
    assert stands.next_action == "held until 2026-03-02 13:00:00 UTC, then requalification"
    assert moves(rollout(word)) != watched


# --- the longest hold -----------------------------------------------------------------------------

PROMOTES = installation(undecided_promotes=True)


@pytest.mark.req("GATE-5", "MODE-3")
@pytest.mark.parametrize(
    ("risk", "promotes", "after", "move"),
    [
        pytest.param(Risk.R1, True, -SECOND, ("take-look", 0), id="a-second-before-its-end"),
        pytest.param(Risk.R1, True, 0 * SECOND, ("set-traffic", 1), id="the-operator-chose-on"),
        pytest.param(Risk.R2, True, 0 * SECOND, ("abort", None), id="never-what-is-risky"),
        pytest.param(Risk.R1, False, -SECOND, ("take-look", 0), id="there-is-time-left"),
        pytest.param(Risk.R1, False, 0 * SECOND, ("abort", None), id="back-unless-chosen"),
    ],
)
def test_a_canary_without_a_verdict_goes_back_at_its_longest_hold(risk, promotes, after, move):
    """Half an hour after it was exposed; an operator may choose that R0 and R1 go on instead."""
    bound = PROMOTES if promotes else installation()
    now = NOON - 60 * MINUTE + CanaryThresholds().max_hold + after
    assert moves(rollout("undecided", risk=risk, installation=bound, now=now)) == [move]


@pytest.mark.req("GATE-6", "MODE-3")
@pytest.mark.parametrize(
    ("risk", "promotes", "after", "move"),
    [
        pytest.param(Risk.R1, True, -SECOND, ("take-look", 2), id="a-second-before-its-end"),
        pytest.param(Risk.R1, True, 0 * SECOND, ("promote", None), id="the-operator-chose-on"),
        pytest.param(Risk.R2, True, 0 * SECOND, ("abort", None), id="never-what-is-risky"),
        pytest.param(Risk.R1, False, -SECOND, ("take-look", 2), id="there-is-time-left"),
        pytest.param(Risk.R1, False, 0 * SECOND, ("abort", None), id="back-unless-chosen"),
    ],
)
def test_full_exposure_without_a_verdict_goes_back_at_its_longest_hold(risk, promotes, after, move):
    bound = PROMOTES if promotes else installation()
    now = NOON - 20 * MINUTE + SloThresholds().max_hold + after
    assert moves(rollout("slo-watching", risk=risk, installation=bound, now=now)) == [move]


LAST_LOOK = NOON - MINUTE  #: of a step that passed
DARK = LAST_LOOK + 30 * SECOND + OVERDUE  #: half a minute from look to look


def asked(snap, step, number, at):
    """The same, with that look ordered and nobody able to read."""
    (me,) = snap.missions
    key = f"{me.id}/look/{TARGET}/{HEAD}/{step}.{number}"
    order = OpenOrder(key=OrderKey(key), kind="take-look", issued_at=at, begun=True)
    return replace(snap, missions=(replace(me, orders=(*me.orders, order)),))


@pytest.mark.req("FAIL-6", "GATE-5", "GATE-6")
@pytest.mark.parametrize(
    ("word", "step", "move"),
    [
        pytest.param("passed", 0, ("set-traffic", 1), id="a-step"),
        pytest.param("slo-held", 2, ("promote", None), id="full-exposure"),
    ],
)
def test_a_pass_from_before_the_metrics_went_dark_takes_nothing_further(word, step, move):
    """Eight readings were good; of the hours since then there is none. What slept reads first."""
    assert moves(rollout(word, now=DARK - SECOND)) == [move]
    for now in (DARK, NOON + 8 * HOUR):
        late = rollout(word, now=now)
        assert moves(late) == [("take-look", step)]
        reason = "SloPending" if step else "CanaryPending"
        (verdict,) = [v for v in verdicts(late) if v.reason == reason]
        assert verdict.answer is Answer.WAIT
        assert verdict.detail.startswith("no reading since 11:59:00 UTC; ")


@pytest.mark.req("FAIL-6", "GATE-5")
def test_what_had_not_passed_before_it_went_dark_is_held_no_longer_than_without():
    """One reading, and nobody able to read since: the hold counts from the exposure."""
    exposed = NOON - 60 * MINUTE
    snap = rollout("undecided", now=exposed + CanaryThresholds().max_hold)
    seen = Look(
        observed_at=exposed + MINUTE, traffic_percent=10, canary=ArmCounts(total=9, bad=0.0),
        stable=ArmCounts(total=90, bad=0.0),
    )  # fmt: skip
    first = LookTaken(
        id=EvidenceId("e-first"), at=seen.observed_at, target=TARGET, step=0, number=0, look=seen
    )
    assert moves(with_facts(snap, first)) == [("abort", None)]


@pytest.mark.req("FAIL-6", "MODE-3")
@pytest.mark.parametrize(("word", "step", "number"), [("passed", 0, 8), ("slo-held", 2, 8)])
def test_what_nobody_can_read_for_the_longest_hold_is_undecided(word, step, number):
    """Counted from when the reading was asked for."""
    hold = (SloThresholds() if step else CanaryThresholds()).max_hold
    night = NOON + 8 * HOUR
    for waited, move in ((hold - SECOND, ("take-look", step)), (hold, ("abort", None))):
        snap = asked(rollout(word, now=night), step, number, at=night - waited)
        assert moves(snap) == [move]
        assert ("CanaryUndecided" in standing(snap).detail) == (waited == hold)


@pytest.mark.req("MODE-2")
@pytest.mark.parametrize(
    ("word", "after", "move"),
    [
        pytest.param("promote", 0 * SECOND, ("set-traffic", 1), id="said-when-it-was-exposed"),
        pytest.param("promote", -SECOND, ("take-look", 0), id="said-of-what-was-before"),
        pytest.param("retry", SECOND, ("take-look", 0), id="another-word"),
    ],
)
def test_only_a_persons_promote_for_this_very_step_takes_it_on(word, after, move):
    snap = rollout("undecided", mode="assisted")
    spoken = said(snap.missions[0].id, word, NOON - 60 * MINUTE + after)
    assert moves(with_facts(snap, spoken)) == [move]


# --- a step onward that is under way --------------------------------------------------------------

PROMOTE, TRAFFIC = f"promote/{TARGET}/{HEAD}", f"traffic/{TARGET}/{HEAD}/1"
ONWARD = pytest.mark.parametrize(
    ("word", "step", "key"),
    [
        pytest.param("passed", 0, TRAFFIC, id="a-share"),
        pytest.param("slo-held", 2, PROMOTE, id="promotion"),
    ],
)


def under_way(snap, key, at=NOON):
    """The same, with that step onward begun, and nobody having said that it is done."""
    (me,) = snap.missions
    kind = "promote" if key is PROMOTE else "set-traffic"
    order = OpenOrder(key=OrderKey(f"{me.id}/{key}"), kind=kind, issued_at=at, begun=True)
    return replace(snap, missions=(replace(me, orders=(*me.orders, order), version=98),))


@pytest.mark.req("GATE-5", "GATE-6", "LOOP-9")
@ONWARD
def test_what_is_exposed_is_watched_until_the_step_onward_is_done(word, step, key):
    """The target repeats `not yet` every two seconds, which is no news: nothing else wakes us."""
    first = rollout(word)
    ((onward, _),) = moves(first)
    assert standing(first).look_again == NOON + 15 * SECOND
    early = under_way(replace(first, now=NOON + 14 * SECOND), key)
    assert [kind for kind, _ in moves(early)] == [onward]
    assert standing(early).look_again == NOON + 15 * SECOND
    due = under_way(replace(first, now=NOON + 15 * SECOND), key)
    assert moves(due)[1:] == [("take-look", step)]
    assert standing(due).look_again == DARK
    dark = under_way(replace(first, now=DARK), key)
    assert moves(dark) == [("take-look", step)]
    assert standing(dark).reason == ("SloPending" if step else "CanaryPending")
    failing = rollout("slo-failing" if step else "failing")
    assert moves(under_way(failing, key)) == [("abort", None)]


def astray(snap, step, *minutes, percent=0):
    """Looks, so many minutes after noon, at a target that splits its traffic as nobody set."""
    gone = ArmCounts(total=0.0, bad=0.0)
    looks = [
        LookTaken(
            id=EvidenceId(f"e-astray-{minute}"), at=NOON + minute * MINUTE, target=TARGET,
            step=step, number=20 + minute,
            look=Look(
                observed_at=NOON + minute * MINUTE, traffic_percent=percent, canary=gone,
                stable=gone,
            ),
        )
        for minute in minutes
    ]  # fmt: skip
    return with_facts(snap, *looks)


@pytest.mark.req("GATE-6", "FAIL-2", "LOOP-9")
@pytest.mark.parametrize("mode", ["lights-out", "assisted"])
@ONWARD
def test_a_target_that_left_its_split_and_never_says_that_it_went_on_is_taken_back(
    word, step, key, mode
):
    """Promoted, and the process died: 0 % of a canary that is none, and nobody who answers.

    Whatever a person or an operator chose before was about another thing.
    """
    snap = under_way(rollout(word, mode=mode, installation=PROMOTES, now=NOON + 6 * MINUTE), key)
    snap = with_facts(snap, said(snap.missions[0].id, "promote", NOON))
    back = [("abort", None)]
    assert moves(astray(snap, step, 1, 2, 3, 5)) != back
    assert moves(astray(snap, step, 1, 2, 3, 6)) == back
    assert standing(astray(snap, step, 1, 6)).detail.startswith("CanaryUndecided: ")
    here = 100 if step else 10
    assert moves(astray(astray(astray(snap, step, 1), step, 3, percent=here), step, 6)) != back
    later = under_way(rollout(word, now=NOON + 6 * MINUTE), key, at=NOON + 2 * MINUTE)
    assert moves(astray(later, step, 1, 6)) != back, "it was astray before it was asked"
    assert moves(astray(rollout(word, now=NOON + 6 * MINUTE), step, 1, 6)) != back


@pytest.mark.req("GATE-5", "GATE-6", "FAIL-2")
@pytest.mark.parametrize("mode", ["lights-out", "assisted"])
@ONWARD
def test_a_step_that_is_seen_half_way_after_the_longest_hold_is_given_its_time(
    word, step, key, mode
):
    """It was proven and asked for; a freeze before it may have lasted longer than any hold."""
    short = installation(
        canary=CanaryThresholds(p95_increase=None, max_hold=MINUTE),
        slo=SloThresholds(max_hold=MINUTE),
    )
    snap = rollout(word, mode=mode, installation=short, now=NOON + 4 * MINUTE + 30 * SECOND)
    half_way = astray(under_way(snap, key), step, 1, 4)
    assert [kind for kind, _ in moves(half_way)] == ["take-look"]
    assert standing(half_way).reason != "CanaryUndecided"
    late = replace(half_way, now=NOON + 5 * MINUTE)
    if mode == "assisted":
        assert standing(late).reason == "CanaryUndecided"
    else:
        assert moves(late) == [("abort", None)]


@pytest.mark.req("GATE-6", "FRZ-1", "FRZ-2")
def test_a_regression_holds_its_class_from_the_verdict_on_however_long_it_takes_to_go_back():
    """A target that does not answer is asked for ever; the next of the class may not meet it."""
    snap = rollout("slo-failing")
    apart = replace(mission(2).contract, allowed_paths=("docs/a.md",))
    other = mission(2, opened_at=NOON, contract=apart)
    both = replace(snap, missions=(*snap.missions, other))
    assert moves(replace(snap, missions=(other,))) == [("start-run", None)]
    assert moves(both) == [("abort", None)], "nor in this very tick"
    (frozen,) = (r.freeze for r in decide(both).records if isinstance(r, OpenFreeze))
    assert (frozen.mission_class, frozen.reason) == ("tidy", "SloRegressed")
    assert (frozen.since, frozen.until) == (NOON, NOON + HOUR)
    texts = [order.text for order in decide(both).orders if order.kind == "notify"]
    assert any(text.startswith("class tidy is frozen until") for text in texts)


@pytest.mark.req("FAIL-7")
def test_what_was_promoted_and_runs_no_more_is_not_delivered():
    drifted = rollout("promoted", drifted=((TARGET, "runs x"),))
    assert (moves(drifted), standing(drifted).reason) == ([], "TargetDrifted")
    assert not any(isinstance(record, Settle) for record in decide(drifted).records)
    healed = replace(drifted, drifted=())
    assert any(isinstance(record, Settle) for record in decide(healed).records)


# --- how far --------------------------------------------------------------------------------------


def split(percent, at=NOON):
    return TrafficSet(id=EvidenceId("e-split"), at=at, target=TARGET, step=0, percent=percent)


@pytest.mark.req("LOOP-9")
def test_a_split_that_is_not_the_wanted_one_is_asked_for_again_after_a_moment():
    snap = with_facts(rollout("synced"), split(5))
    assert moves(snap) == []
    assert standing(snap).look_again == NOON + 15 * SECOND
    assert moves(replace(snap, now=NOON + 15 * SECOND - SECOND)) == []
    assert moves(replace(snap, now=NOON + 15 * SECOND)) == [("set-traffic", 0)]


@pytest.mark.req("MODE-6", "GATE-6")
def test_what_held_at_full_exposure_promotes_nothing_that_policy_took_back_to_a_smaller_step():
    """All of it was proven under 10/30/100. Under 20/30/100 it stands at 20 %, which was not."""
    steps = [{"setWeight": weight, "pause": "0s"} for weight in (20, 30, 100)]
    delivery = {
        "repoAllowlist": ["acme/shop"], "requiredChecks": ["lint"], "deploymentTargets": [TARGET],
        "rollout": {"steps": steps},
    }  # fmt: skip
    held = rollout("slo-held", spec=spec(delivery=delivery))
    assert moves(held) == [("set-traffic", 0)]
    assert moves(with_facts(held, split(20))) == [("take-look", 0)]


@pytest.mark.req("GATE-6")
def test_a_rollout_of_one_step_is_full_exposure_at_once():
    steps = {"steps": [{"setWeight": 100, "pause": "0s"}]}
    delivery = {
        "repoAllowlist": ["acme/shop"], "requiredChecks": ["lint"], "deploymentTargets": [TARGET],
        "rollout": steps,
    }  # fmt: skip
    snap = rollout("synced", spec=spec(delivery=delivery))
    (order,) = decide(snap).orders
    assert (order.kind, order.step, order.percent) == ("set-traffic", 0, 100)
    full = with_facts(snap, split(100))
    (order,) = decide(full).orders
    assert (order.kind, order.step, order.number) == ("take-look", 0, 0)
    assert standing(full).reason == "SloPending"


@pytest.mark.req("FAIL-7")
def test_a_target_that_is_being_rolled_out_to_has_not_drifted():
    """It runs two versions now, and that is our own doing."""
    assert moves(rollout("watching", drifted=((TARGET, "runs x"),))) == [("take-look", 0)]


@pytest.mark.req("GATE-5")
def test_a_look_is_followed_by_the_next_one_half_a_minute_later():
    """And a verdict that was kept and is no failure takes nothing back."""
    nothing = ArmCounts(total=0.0, bad=0.0, latency=None)
    seen = Look(observed_at=NOON - 10 * SECOND, traffic_percent=10, canary=nothing, stable=nothing)
    taken = LookTaken(
        id=EvidenceId("e-l"), at=seen.observed_at, target=TARGET, step=0, number=0, look=seen
    )
    snap = with_facts(rollout("watching"), taken)
    waiting = Verdict(answer=Answer.WAIT, reason="NoLookYet")
    kept = (("progressive_rollout", f"{TARGET}@{HEAD}#10", waiting),)
    snap = replace(snap, missions=(replace(snap.missions[0], verdicts=kept),))
    assert moves(snap) == moves(replace(snap, now=NOON + 19 * SECOND)) == []
    assert standing(snap).look_again == NOON + 20 * SECOND
    (order,) = decide(replace(snap, now=NOON + 20 * SECOND)).orders
    assert (order.kind, order.number) == ("take-look", 1)


@pytest.mark.req("LOOP-4", "FAIL-2")
@pytest.mark.parametrize(
    ("word", "reason"), [("failing", "CanaryFailed"), ("slo-failing", "SloRegressed")]
)
def test_a_rollback_names_the_gate_that_failed_from_its_first_moment(word, reason):
    assert standing(rollout(word)).detail.startswith(f"{reason}: errors")


# --- what is the same -----------------------------------------------------------------------------


@pytest.mark.req("LOOP-8", "FAIL-7")
@pytest.mark.parametrize(
    ("seen", "same"),
    [
        pytest.param(HEAD, True, id="the-commit"),
        pytest.param(HEAD[:7], True, id="seven-digits-of-it"),
        pytest.param(HEAD[:6], False, id="six-digits-could-be-anything"),
        pytest.param("", False, id="it-does-not-say"),
        pytest.param(f"{HEAD}ffff", True, id="more-digits-than-we-know"),
        pytest.param("other0001", False, id="another-commit"),
    ],
)
def test_a_promoted_target_is_delivered_when_it_says_that_it_runs_the_commit(seen, same):
    """Commits may be abbreviated, but not so far that another one could be meant."""
    promoted = Promoted(id=EvidenceId("e-p"), at=NOON, target=TARGET, revision=seen)
    snap = with_facts(rollout("slo-held"), promoted)
    assert any(isinstance(record, Settle) for record in decide(snap).records) is same
    assert moves(snap) == ([] if same else [("abort", None)])


@pytest.mark.req("GATE-5", "GATE-6")
@pytest.mark.parametrize(("stable", "kinds"), [(HEAD, []), ("main0001", ["set-traffic"])])
def test_what_runs_the_revision_already_passes_as_not_configured(stable, kinds):
    synced = Synced(
        id=EvidenceId("e-s"), at=NOON, target=TARGET, revision=HEAD, healthy=True, stable=stable
    )
    snap = with_facts(rollout("landed"), synced)
    assert [kind for kind, _ in moves(snap)] == kinds
    told = [(v.answer.name, v.configured) for v in verdicts(snap) if v.reason == "NotConfigured"]
    assert told == ([("PASS", False)] * 2 if stable == HEAD else [])
