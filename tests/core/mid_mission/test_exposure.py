"""A rollout whose steps, looks and targets change under it."""

from dataclasses import replace

import pytest

from swarm.contract.verdict import Answer
from swarm.core.decide import decide
from swarm.core.decision import (
    Abort,
    GiveVerdict,
    Notify,
    OpenFreeze,
    Promote,
    Settle,
    SetTraffic,
    StartRun,
    Sync,
    TakeLook,
)
from swarm.core.evidence import RegimeRead
from swarm.core.nouns import OutcomeKind
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.testing.builders import NOON, REPO, TARGET, installation, mission, spec
from swarm.testing.half_way import (
    DELIVERY,
    HEAD,
    HOUR,
    MINUTE,
    SECOND,
    Evidence,
    arm,
    hold,
    look,
    next_tick,
    orders,
    outcome,
    records,
    rolling,
    standing,
)

MOMENT = 3 * SECOND  #: so short that readings which lie a dozen of them back are not old


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


@pytest.mark.req("MODE-6", "GATE-5")
@pytest.mark.parametrize(
    ("weights", "percents", "further"),
    [
        pytest.param((20, 30, 100), [(1, 30), (0, 20)], None, id="the-old-30-counts-no-more"),
        pytest.param((10, 100), [(1, 30)], (0, 10), id="the-first-is-not-in-force"),
        pytest.param((10, 50, 100), [(1, 30)], (0, 10), id="nor-is-it-with-three"),
        pytest.param((20, 30, 100), [(1, 30), (2, 100)], (0, 20), id="back-from-all-of-it"),
        pytest.param((20, 30, 100), [(1, 30), (2, 100), (0, 20)], None, id="nor-does-the-old-100"),
        pytest.param((20, 30, 100), [(1, 30), (2, 100), (0, 20), (1, 30)], None, id="in-order"),
    ],
)
def test_only_a_step_that_is_in_force_is_looked_at(weights, percents, further):
    """What was set before a smaller step is in force no more, whatever it proved."""
    found = rolling(at=NOON - HOUR)
    for minutes, (step, percent) in enumerate(percents):
        found.exposed(step, percent, at=NOON - (20 - minutes) * MINUTE)
    snap = found.snapshot(**steps_of(*weights))
    set_next = [(order.step, order.percent) for order in orders(snap, SetTraffic)]
    assert set_next == ([further] if further else [])
    looked_at = [] if further else [percents[-1][0]]
    assert [order.step for order in orders(snap, TakeLook)] == looked_at
    assert orders(snap, Abort) == []


@pytest.mark.req("FRZ-2", "LOOP-9", "MODE-6")
@pytest.mark.parametrize("weights", [(10, 50, 100), (20, 30, 100), (20, 100)])
@pytest.mark.parametrize("lasts", [HOUR, None], ids=["an-hour", "without-end"])
def test_what_is_exposed_at_a_step_that_policy_took_away_is_not_left_so_by_a_freeze(weights, lasts):
    """No gate can judge it there, and nothing may go on: it stays as long as the longest hold."""
    found = rolling(at=NOON - HOUR).exposed(0, 10, at=NOON - 9 * MINUTE).exposed(1, 30, at=NOON)
    frozen = {"freezes": (hold(until=None if lasts is None else NOON + lasts),)}
    snap = found.snapshot(**steps_of(*weights), **frozen)
    ends = NOON + 30 * MINUTE
    assert decide(snap).orders == ()
    assert (standing(snap).reason, standing(snap).look_again) == ("Frozen", ends)
    assert decide(replace(snap, now=ends - SECOND)).orders == ()
    assert orders(replace(snap, now=ends), Abort)


def steps_of(*weights, pause="0s"):
    steps = [{"setWeight": weight, "pause": pause} for weight in weights]
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
    (order,) = orders(proven.snapshot(**steps_of(10, 50, 100, pause="1h")), SetTraffic)
    assert (order.step, order.percent) == (0, 10), "it lasts an hour now, and is not in force"
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
    (frozen,) = (record.freeze for record in records(bad.snapshot(**trading), OpenFreeze))
    assert (frozen.mission_class, frozen.reason) == ("tidy", "LimitBreached")
    assert (frozen.cause, frozen.since, frozen.until) == ("m-1", NOON, NOON + HOUR)
    assert "broke a limit" in frozen.detail
    texts = [order.text for order in orders(bad.snapshot(**trading), Notify)]
    assert any(text.startswith("class tidy is frozen until") for text in texts)
    kept = ((given.gate, given.subject, given.verdict),)
    done = bad.aborted().reverted().mission(verdicts=kept)
    gone = bad.snapshot(missions=(done,), **trading)
    settled, reason, _ = outcome(gone)
    assert (settled, reason) == (OutcomeKind.ROLLED_BACK, "LimitBreached")
    assert records(gone, OpenFreeze) == [], "it is frozen once, and may have been lifted by now"


@pytest.mark.req("FAIL-2", "LOOP-9")
@pytest.mark.parametrize("how", ["drifted", "undecided", "lost"])
def test_why_a_rollout_goes_back_is_known_to_the_end(how):
    """Later ticks see the abort, and no more of what it was for."""
    found, now, counts = rolling(at=NOON - HOUR), NOON, True
    if how == "drifted":
        found.promoted(revision="0ther999")
        told, counts = ("TargetDrifted", "says that it runs 0ther999"), False
    else:
        found.looked(look(NOON - 59 * MINUTE))
        told = ("CanaryUndecided", "no verdict at 10 %")
    if how == "lost":
        found, now = rolling(at=NOON - 31 * MINUTE), NOON
        told, counts = ("CanaryUndecided", "no verdict at 10 %"), False
    first = found.snapshot(now=now)
    assert orders(first, Abort)
    assert standing(first).detail.startswith(f"{told[0]}: ")
    kept = tuple((r.gate, r.subject, r.verdict) for r in records(first, GiveVerdict))
    done = replace(found.aborted().reverted().mission(), verdicts=kept)
    (ended,) = records(replace(first, missions=(done,)), Settle)
    assert (ended.outcome.reason, ended.outcome.counts_as_failure) == (told[0], counts)
    assert told[1] in ended.outcome.detail


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


@pytest.mark.req("REG-8", "MODE-3")
@pytest.mark.parametrize("weight", [10, 100])
def test_no_operator_lets_a_target_that_trades_go_on_without_a_word_on_its_limits(weight):
    """The longest hold is over, R1 may go on undecided, and the counters say nothing."""
    trading = steps_of(10, 100)
    bound = replace(trading["installation"], undecided_promotes=True)
    read = look(NOON - MINUTE, percent=weight)
    begun = NOON - 3 * HOUR
    clean = RegimeRead(regime="trend", posture="normal", at=NOON - 2 * MINUTE)
    before = RegimeRead(regime="trend", posture="normal", at=NOON - 6 * MINUTE)
    onward = SetTraffic if weight == 10 else Promote
    for regimes, regime, kind in (
        ((), None, onward),
        (((TARGET, 5 * MINUTE),), clean, onward),
        (((TARGET, 5 * MINUTE),), before, Abort),
        (((TARGET, 5 * MINUTE),), None, Abort),
    ):
        undecided = rolling(at=begun)
        if weight == 100:
            undecided.exposed(1, 100, at=begun)
        undecided.looked(read, step=weight // 100, regime=regime)
        trading["installation"] = replace(bound, regimes=regimes)
        snap = undecided.snapshot(**trading)
        found = [kind_ for kind_ in (SetTraffic, Promote, Abort) if orders(snap, kind_)]
        assert found == [kind]


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
    other = mission(2, opened_at=NOON)
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


@pytest.mark.req("FAIL-7", "LOOP-9")
def test_a_target_that_drifted_after_its_promotion_blinds_no_other():
    """What is exposed at the next one is looked at, and goes back, while the first is gone."""
    both = {**DELIVERY, "deploymentTargets": [TARGET, "billing"]}
    bound = installation(targets=((TARGET, REPO), ("billing", REPO)))
    contract = replace(mission(1).contract, targets=(TARGET, "billing"), checks=("lint",))
    evidence = Evidence(mission(1, contract=contract)).green().landed().synced().promoted()
    evidence.synced("billing").exposed(0, 10, "billing", at=NOON)
    gone = {"spec": spec(delivery=both), "installation": bound, "drifted": ((TARGET, "is gone"),)}
    assert [order.target for order in orders(evidence.snapshot(**gone), TakeLook)] == ["billing"]
    late = evidence.snapshot(**gone, now=NOON + 30 * MINUTE)
    assert orders(late, Abort)
    done = evidence.promoted("billing").snapshot(**gone)
    assert (records(done, Settle), standing(done).reason) == ([], "TargetDrifted")
