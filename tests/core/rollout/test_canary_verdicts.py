"""Every answer of the canary judgement, each from the looks that must give it."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.contract.verdict import Answer
from swarm.core.rollout.canary import CanaryState, judge, observe
from swarm.core.rollout.counts import (
    Absent,
    AbsentWhy,
    ArmCounts,
    LatencyHistogram,
    Look,
)
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.judgement import CanaryReason
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.testing.rollout_traffic import Traffic, looks

pytestmark = pytest.mark.req("GATE-5")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
ERRORS_ONLY = CanaryThresholds(p95_increase=None)
NAN = Absent(why=AbsentWhy.NOT_A_NUMBER)
GONE = Absent(why=AbsentWhy.NOT_REPORTED)
WARM = ArmCounts(total=30_000, bad=300)


def series(*rows, percent=10, start=0):
    """Looks 30 s apart from rows of (canary total, canary bad, stable total, stable bad)."""
    return [
        Look(
            observed_at=NOON + timedelta(seconds=30 * (start + i)),
            traffic_percent=percent,
            canary=ArmCounts(total=c, bad=cb) if c is not None else GONE,
            stable=ArmCounts(total=s, bad=sb),
        )
        for i, (c, cb, s, sb) in enumerate(rows)
    ]


def steady(windows, canary=(300, 3), stable=(2700, 27), **more):
    """Cumulative looks of `windows` equal windows after a first look."""
    rows = [
        (i * canary[0], i * canary[1], WARM.total + i * stable[0], WARM.bad + i * stable[1])
        for i in range(windows + 1)
    ]
    return series(*rows, **more)


def test_nothing_read_is_a_wait():
    found = judge([], ERRORS_ONLY)
    assert (found.answer, found.reason) == (Answer.WAIT, CanaryReason.NO_LOOK_YET)


def test_one_reading_alone_decides_nothing():
    found = judge(steady(0), ERRORS_ONLY)
    assert (found.answer, found.reason) == (Answer.WAIT, CanaryReason.FIRST_LOOK)
    assert found.look_again == NOON + timedelta(seconds=30)


def test_an_equal_canary_passes_in_the_end_and_says_the_numbers():
    found = judge(steady(10, canary=(3000, 30), stable=(27000, 270)), ERRORS_ONLY)
    assert (found.answer, found.reason) == (Answer.PASS, CanaryReason.CANARY_HEALTHY)
    assert "canary 300/30000 (1.000%)" in found.detail
    assert "tolerated 1.200%" in found.detail


def test_a_first_failed_look_waits_and_the_second_rolls_back():
    every = steady(2, canary=(300, 60))
    once, twice = judge(every[:2], ERRORS_ONLY), judge(every, ERRORS_ONLY)
    assert (once.answer, once.reason) == (Answer.WAIT, CanaryReason.ONE_FAILED_LOOK)
    assert once.consecutive_fails == 1
    assert (twice.answer, twice.reason) == (Answer.FAIL, CanaryReason.ERROR_RATE_REGRESSED)
    assert twice.consecutive_fails == 2
    assert twice.look_again is None


def test_one_noisy_look_never_rolls_back():
    """A burst of errors in one window, diluted by good windows before the next look fails."""
    rows = [(0, 0, 30_000, 300), (300, 15, 32_700, 327)]
    rows += [(300 + 6000 * i, 15 + 55 * i, 32_700 + 54_000 * i, 327 + 540 * i) for i in (1, 2, 3)]
    every = series(*rows)
    assert judge(every[:2], ERRORS_ONLY).consecutive_fails == 1
    for end in (3, 4, 5):
        found = judge(every[:end], ERRORS_ONLY)
        assert found.answer is not Answer.FAIL
        assert found.consecutive_fails == 0


def test_a_fail_is_final():
    bad = steady(2, canary=(300, 60))
    better = steady(50, canary=(30_000, 10), stable=(270_000, 2_700))[-1]
    found = judge([*bad, replace(better, observed_at=NOON + timedelta(hours=1))], ERRORS_ONLY)
    assert found.answer is Answer.FAIL
    promoted = replace(better, observed_at=NOON + timedelta(hours=1), traffic_percent=30)
    assert judge([*bad, promoted], ERRORS_ONLY).answer is Answer.FAIL


def test_fewer_than_the_minimum_sample_never_pass():
    """A service that never errs, at a floor so wide that 60 good requests convince."""
    limits = CanaryThresholds(p95_increase=None, error_floor=0.1)
    few = judge(steady(3, canary=(60, 0), stable=(540, 0)), limits)
    enough = judge(steady(4, canary=(60, 0), stable=(540, 0)), limits)
    assert (few.answer, few.reason) == (Answer.WAIT, CanaryReason.COLLECTING_EVIDENCE)
    assert "180 of at least 200" in few.detail
    assert enough.answer is Answer.PASS


def test_a_canary_that_receives_nothing_has_failed():
    every = steady(2, canary=(0, 0))
    assert judge(every[:2], ERRORS_ONLY).reason is CanaryReason.ONE_FAILED_LOOK
    found = judge(every, ERRORS_ONLY)
    assert (found.answer, found.reason) == (Answer.FAIL, CanaryReason.NO_CANARY_TRAFFIC)
    assert "5400 requests and the canary none" in found.detail


def test_a_canary_that_passed_and_is_then_cut_off_fails():
    good = steady(10, canary=(3000, 30), stable=(27_000, 270))
    last = good[-1]
    cut = [
        replace(
            last,
            observed_at=last.observed_at + timedelta(seconds=30 * i),
            stable=ArmCounts(total=last.stable.total + 5000 * i, bad=last.stable.bad + 50 * i),
        )
        for i in (1, 2)
    ]
    assert judge(good, ERRORS_ONLY).answer is Answer.PASS
    assert judge([*good, *cut], ERRORS_ONLY).reason is CanaryReason.NO_CANARY_TRAFFIC


def test_no_traffic_at_all_is_typed_and_no_pass():
    found = judge(steady(5, canary=(0, 0), stable=(0, 0)), ERRORS_ONLY)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_TRAFFIC)


@pytest.mark.parametrize(
    ("canary", "stable", "reason"),
    [
        pytest.param(NAN, WARM, CanaryReason.NO_TRAFFIC, id="canary-nan"),
        pytest.param(WARM, NAN, CanaryReason.NO_TRAFFIC, id="stable-nan"),
        pytest.param(GONE, WARM, CanaryReason.NO_DATA, id="canary-not-reported"),
        pytest.param(NAN, GONE, CanaryReason.NO_DATA, id="both-gone"),
    ],
)
def test_absent_counts_are_no_pass_even_after_a_pass(canary, stable, reason):
    good = steady(10, canary=(3000, 30), stable=(27_000, 270))
    dark = Look(
        observed_at=NOON + timedelta(hours=1), traffic_percent=10, canary=canary, stable=stable
    )
    found = judge([*good, dark], ERRORS_ONLY)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, reason)


def test_a_dark_look_between_two_failed_ones_clears_nothing():
    every = steady(3, canary=(300, 60))
    every[2] = replace(every[2], canary=NAN)
    assert judge(every, ERRORS_ONLY).answer is Answer.FAIL


def test_a_repeated_reading_is_not_a_second_failed_look():
    every = steady(1, canary=(300, 60))
    again = replace(every[1], observed_at=NOON + timedelta(seconds=60))
    found = judge([*every, again, again], ERRORS_ONLY)
    assert found.consecutive_fails == 1
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_TRAFFIC)


def test_a_wrong_split_is_no_pass():
    found = judge(steady(10, canary=(6000, 60), stable=(24_000, 240)), ERRORS_ONLY)
    assert (found.answer, found.reason) == (
        Answer.INCONCLUSIVE,
        CanaryReason.SAMPLE_RATIO_MISMATCH,
    )
    assert "20.00% of the traffic, not 10%" in found.detail


@pytest.mark.parametrize(
    ("percent", "answer", "reason"),
    [
        (0, Answer.WAIT, CanaryReason.NOT_EXPOSED),
        (100, Answer.INCONCLUSIVE, CanaryReason.NO_CONCURRENT_STABLE),
    ],
)
def test_a_weight_without_two_arms_is_not_judged(percent, answer, reason):
    found = judge(steady(10, percent=percent), ERRORS_ONLY)
    assert (found.answer, found.reason) == (answer, reason)


def test_the_hold_expires_into_inconclusive():
    limits = CanaryThresholds(p95_increase=None, max_hold=timedelta(minutes=5))
    before, after = judge(steady(9), limits), judge(steady(10), limits)
    assert before.answer is Answer.WAIT
    assert not before.hold_expired
    assert (after.answer, after.reason) == (Answer.INCONCLUSIVE, CanaryReason.HOLD_EXPIRED)
    assert after.hold_expired


def test_each_weight_is_proven_anew():
    ten = steady(10, canary=(3000, 30), stable=(27_000, 270))
    last = ten[-1]
    thirty = replace(last, observed_at=last.observed_at + timedelta(seconds=30), traffic_percent=30)
    found = judge([*ten, thirty], ERRORS_ONLY)
    assert judge(ten, ERRORS_ONLY).answer is Answer.PASS
    assert (found.answer, found.reason) == (Answer.WAIT, CanaryReason.FIRST_LOOK)


def test_a_restarted_canary_counts_from_zero_and_is_told():
    rows = [(0, 0, 30_000, 300), (3000, 30, 57_000, 570), (1500, 15, 84_000, 840)]
    found = judge(series(*rows), ERRORS_ONLY)
    assert found.canary_restarts == 1
    assert found.metrics[0].canary_total == 4500


def test_looks_out_of_order_are_refused():
    every = steady(2)
    with pytest.raises(BadLooks, match="oldest first"):
        judge([every[1], every[0]], ERRORS_ONLY)


def test_a_look_delivered_twice_is_one_look():
    every = steady(2, canary=(300, 60))
    doubled = [look for look in every[:2] for _ in range(3)]
    assert judge(doubled, ERRORS_ONLY) == judge(every[:2], ERRORS_ONLY)


def test_latency_without_a_histogram_is_no_pass():
    found = judge(steady(10, canary=(3000, 30), stable=(27_000, 270)), CanaryThresholds())
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_LATENCY_DATA)


def with_latency(counts, buckets):
    latency = LatencyHistogram(edges=(0.1, 1.0), cumulative=buckets, total=counts.total)
    return replace(counts, latency=latency)


def test_buckets_too_coarse_are_named():
    every = [
        replace(
            look,
            canary=with_latency(look.canary, (0.0, look.canary.total)),
            stable=with_latency(look.stable, (0.0, look.stable.total)),
        )
        for look in steady(3)
    ]
    found = judge(every, CanaryThresholds())
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.HISTOGRAM_TOO_COARSE)


def test_a_slow_canary_without_errors_is_rolled_back_for_its_latency():
    traffic = Traffic(
        requests_per_second=150, error_share=0.0, p95_factor=3.0, median=0.01, look_every=2
    )
    found = judge(list(looks(traffic, 10, np.random.default_rng(1))), CanaryThresholds())
    assert (found.answer, found.reason) == (Answer.FAIL, CanaryReason.LATENCY_REGRESSED)
    assert "slower than" in found.detail


def test_the_baseline_may_be_learnt_during_the_rollout():
    """A stable arm that was started a moment ago has no preceding window."""
    traffic = Traffic(requests_per_second=150, error_share=0.0, p95_factor=3.0, look_every=2)
    first, *rest = looks(traffic, 40, np.random.default_rng(1))
    zero = replace(
        first.stable,
        total=0,
        bad=0,
        latency=replace(first.stable.latency, cumulative=(0.0,) * 61, total=0),
    )
    before = first.stable
    moved = [
        replace(
            look,
            stable=replace(
                look.stable,
                total=look.stable.total - before.total,
                latency=replace(
                    look.stable.latency,
                    cumulative=tuple(
                        b - a
                        for a, b in zip(
                            before.latency.cumulative, look.stable.latency.cumulative, strict=True
                        )
                    ),
                    total=look.stable.latency.total - before.latency.total,
                ),
            ),
        )
        for look in rest
    ]
    found = judge([replace(first, stable=zero), *moved], CanaryThresholds())
    assert found.reason is CanaryReason.LATENCY_REGRESSED


def test_an_explicit_baseline_with_other_buckets_is_refused():
    traffic = Traffic(requests_per_second=150, p95_factor=1.0)
    every = list(looks(traffic, 60, np.random.default_rng(1)))
    baseline = with_latency(ArmCounts(total=1000, bad=1), (950.0, 1000.0))
    with pytest.raises(BadLooks, match="baseline"):
        judge(every, CanaryThresholds(), baseline)


windows = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 40), st.integers(0, 4000), st.integers(0, 80)),
    min_size=1,
    max_size=8,
)


def cumulate(rows):
    c = cb = 0
    s, sb = WARM.total, WARM.bad
    out = [(c, cb, s, sb)]
    for n_c, s_c, n_b, s_b in rows:
        c, cb, s, sb = c + n_c, cb + min(s_c, n_c), s + n_b, sb + min(s_b, n_b)
        out.append((c, cb, s, sb))
    return series(*out)


@pytest.mark.slow
@given(windows)
@settings(max_examples=80, deadline=None)
def test_looking_one_by_one_equals_judging_from_scratch(rows):
    every, state = cumulate(rows), CanaryState(thresholds=ERRORS_ONLY)
    for end, look in enumerate(every, start=1):
        state = observe(state, look)
        assert state.judgement == judge(every[:end], ERRORS_ONLY)


@pytest.mark.slow
@given(windows, st.integers(1, 60))
@settings(max_examples=120, deadline=None)
def test_more_bad_canary_requests_never_turn_a_failed_look_into_a_pass(rows, more):
    before = judge(cumulate(rows), ERRORS_ONLY)
    worse = [*rows[:-1], (rows[-1][0], rows[-1][1] + more, *rows[-1][2:])]
    after = judge(cumulate(worse), ERRORS_ONLY)
    if before.consecutive_fails > 0:
        assert after.answer is not Answer.PASS
    if after.answer is Answer.PASS:
        assert before.answer is not Answer.FAIL


@pytest.mark.slow
@given(windows)
@settings(max_examples=120, deadline=None)
def test_a_pass_always_rests_on_enough_canary_requests_within_the_margin(rows):
    found = judge(cumulate(rows), ERRORS_ONLY)
    if found.answer is Answer.PASS:
        report = found.metrics[0]
        assert report.canary_total >= 200
        assert report.canary_bad <= report.tolerated * report.canary_total


@pytest.mark.slow
@given(windows)
@settings(max_examples=60, deadline=None)
def test_a_fail_takes_two_failed_looks(rows):
    every = cumulate(rows)
    answers = [judge(every[:end], ERRORS_ONLY) for end in range(1, len(every) + 1)]
    for previous, found in itertools.pairwise(answers):
        if found.answer is Answer.FAIL and previous.answer is not Answer.FAIL:
            assert previous.consecutive_fails == 1


# --- at its edges ---------------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [1, 99])
def test_every_weight_that_leaves_two_arms_is_judged(percent):
    assert judge(steady(0, percent=percent), ERRORS_ONLY).reason is CanaryReason.FIRST_LOOK


def test_failed_looks_of_one_weight_do_not_count_at_the_next():
    failed = steady(1, canary=(300, 60))
    assert judge(failed, ERRORS_ONLY).consecutive_fails == 1
    moved = replace(failed[-1], observed_at=NOON + timedelta(hours=1), traffic_percent=30)
    found = judge([*failed, moved], ERRORS_ONLY)
    assert (found.consecutive_fails, found.metrics) == (0, ())


@pytest.mark.parametrize(("least", "fails"), [(300, 1), (301, 0)])
def test_a_look_fails_from_the_least_sample_on(least, fails):
    """300 canary requests, a fifth of them bad."""
    limits = replace(ERRORS_ONLY, min_fail_sample=least)
    assert judge(steady(1, canary=(300, 60)), limits).consecutive_fails == fails


@pytest.mark.parametrize(("least", "answer"), [(240, Answer.PASS), (241, Answer.WAIT)])
def test_a_canary_passes_from_the_least_sample_on(least, answer):
    limits = CanaryThresholds(p95_increase=None, error_floor=0.1, min_sample=least)
    assert judge(steady(4, canary=(60, 0), stable=(540, 0)), limits).answer is answer


def test_the_first_failed_look_says_what_failed_and_what_comes_next():
    assert judge(steady(1, canary=(300, 60)), ERRORS_ONLY).note == (
        "one failed look (ErrorRateRegressed), a second in a row rolls back"
    )
    assert judge(steady(1, canary=(0, 0)), ERRORS_ONLY).note == (
        "one failed look (NoCanaryTraffic), a second in a row rolls back; "
        "the stable arm answered 2700 requests and the canary none, at a weight of 10%"
    )


def after(every, limits, baseline=None):
    state = CanaryState(thresholds=limits, baseline=baseline)
    for look in every:
        state = observe(state, look)
    return state


def test_each_weight_begins_with_what_was_known_before_the_rollout():
    """The stable arm's window before it, or else its first reading; not what came meanwhile."""
    ten = steady(3)
    moved = replace(ten[-1], observed_at=NOON + timedelta(hours=1), traffic_percent=30)
    first = after([*ten, moved], ERRORS_ONLY).step.errors
    assert (first.prior_total, first.prior_bad) == (WARM.total, WARM.bad)
    given = after([*ten, moved], ERRORS_ONLY, ArmCounts(total=500, bad=5)).step.errors
    assert (given.prior_total, given.prior_bad) == (500, 5)


# --- the latency rule -----------------------------------------------------------------------------

JUDGES_BOTH = CanaryThresholds(share_tolerance=1.0)  # the split is not what these are about


def timed(*totals, share=0.95, canary=300, edges=(0.1, 1.0), start=0):
    """Looks whose stable arm counted so many requests, 95 % of them within 0.1 s."""
    every = series(*((canary * n, 0, total, 0) for n, total in enumerate(totals)), start=start)

    def arm(counts):
        buckets = (counts.total * share, counts.total)
        latency = LatencyHistogram(edges=edges, cumulative=buckets, total=counts.total)
        return replace(counts, latency=latency)

    return [replace(look, canary=arm(look.canary), stable=arm(look.stable)) for look in every]


@pytest.mark.parametrize(
    ("totals", "known_at"),
    [
        pytest.param((200, 200), 0, id="enough-at-the-first-look"),
        pytest.param((199, 399), 1, id="enough-since-the-first-look"),
        pytest.param((199, 398), None, id="too-few-since-the-first-look"),
        pytest.param((0, 199, 200, 900), 2, id="exactly-enough"),
    ],
)
def test_a_latency_rule_is_made_from_the_least_sample_on(totals, known_at):
    """200 requests: what the stable arm had counted, or what it counted since the first look."""
    every = timed(*totals, canary=20)
    states = [after(every[:end], JUDGES_BOTH) for end in range(1, len(totals) + 1)]
    known = [state.rule is not None for state in states]
    assert known == [known_at is not None and n >= known_at for n in range(len(totals))]
    if known_at is None:
        assert states[-1].judgement.reason is CanaryReason.COLLECTING_EVIDENCE


@pytest.mark.parametrize(("total", "known"), [(200, True), (199, False)])
def test_where_there_is_a_baseline_the_rule_is_made_from_it_or_not_at_all(total, known):
    baseline = timed(total)[0].stable
    state = after(timed(5_000, 9_000), JUDGES_BOTH, baseline)
    assert (state.rule is not None) is known
    assert state.rule is None or state.rule.prior == (pytest.approx(10), 200)


def test_a_rule_stays_for_the_whole_rollout():
    """What the rollout does to the stable arm must not move what counts as slow."""
    every = timed(0, 200, 5_000)
    assert after(every, JUDGES_BOTH).rule == after(every[:2], JUDGES_BOTH).rule
    assert after(every, JUDGES_BOTH).first == every[0].stable


def test_errors_alone_are_judged_whatever_durations_say():
    coarse = timed(5_000, 9_000, share=0.0)
    assert after(coarse, JUDGES_BOTH).judgement.reason is CanaryReason.HISTOGRAM_TOO_COARSE
    found = after(coarse, replace(JUDGES_BOTH, p95_increase=None))
    assert (found.rule, len(found.judgement.metrics)) == (None, 1)
    assert found.judgement.reason is CanaryReason.COLLECTING_EVIDENCE


def test_a_known_rule_is_not_called_too_coarse_while_evidence_is_collected():
    found = after(timed(5_000, 9_000), JUDGES_BOTH).judgement
    assert found.reason is CanaryReason.COLLECTING_EVIDENCE
    assert [metric.name for metric in found.metrics] == ["errors", "latency"]


def test_the_smaller_of_the_two_samples_is_told():
    """The rule was known with the second look, so latency has seen one window and errors two."""
    found = after(timed(0, 200, 2_900), JUDGES_BOTH).judgement
    assert [metric.canary_total for metric in found.metrics] == [600, 300]
    assert found.note == "300 of at least 200 canary requests"


def test_a_stable_arm_without_durations_is_named_although_a_baseline_has_them():
    bare = [replace(look, stable=replace(look.stable, latency=None)) for look in timed(0, 2_700)]
    found = after(bare, JUDGES_BOTH, timed(5_000)[0].stable).judgement
    assert found.reason is CanaryReason.NO_LATENCY_DATA


@pytest.mark.parametrize("bare", ["canary", "stable"])
def test_one_arm_without_durations_is_enough_to_decide_nothing(bare):
    first, last = timed(5_000, 9_000)
    last = replace(last, **{bare: replace(getattr(last, bare), latency=None)})
    assert judge([first, last], JUDGES_BOTH).reason is CanaryReason.NO_LATENCY_DATA


def test_a_pass_takes_both_metrics():
    """Errors are proven in a few large windows; durations that nobody could rule on never are."""
    large = timed(*(90_000 * n for n in range(1, 9)), canary=10_000)
    assert judge(large, JUDGES_BOTH).answer is Answer.PASS
    assert judge(large, ERRORS_ONLY).answer is Answer.PASS
    coarse = timed(*(90_000 * n for n in range(1, 9)), canary=10_000, share=0.0)
    assert judge(coarse, JUDGES_BOTH).answer is Answer.INCONCLUSIVE
    slower = [
        replace(look, canary=replace(look.canary, latency=replace(
            look.canary.latency,
            cumulative=(look.canary.total * 0.827, look.canary.total),
        )))
        for look in timed(*(90_000 * n for n in range(1, 3)), canary=10_000)
    ]  # fmt: skip
    found = judge(slower, JUDGES_BOTH)
    assert [metric.passes for metric in found.metrics] == [True, False]
    assert found.answer is Answer.WAIT


def test_looks_of_different_edges_are_refused():
    first, *_ = timed(5_000, 9_000)
    *_, other = timed(5_000, 9_000, edges=(0.2, 1.0))
    with pytest.raises(BadLooks, match=r"different latency\.edges"):
        judge([first, other], JUDGES_BOTH)
    with pytest.raises(BadLooks, match="of one rollout"):
        judge([first, replace(other, stable=timed(5_000, 9_000)[1].stable)], JUDGES_BOTH)


def test_durations_that_come_late_or_begin_again_are_counted_from_nought():
    """Of 300 canary requests of the second window 15 are slow, of 4,000 stable ones 200."""
    first, second, third = timed(5_000, 9_000, 13_000)
    late = replace(first, canary=replace(first.canary, latency=None))
    (_, found) = judge([late, second], JUDGES_BOTH).metrics
    assert (found.canary_bad, found.canary_total) == (pytest.approx(15), 300)
    assert (found.stable_bad, found.stable_total) == (pytest.approx(200), 4_000)
    anew = replace(third, stable=timed(4_000)[0].stable)
    state = after([first, second, anew], JUDGES_BOTH)
    (_, found) = state.judgement.metrics
    assert (found.canary_bad, found.canary_total) == (pytest.approx(30), 600)
    assert (found.stable_bad, found.stable_total) == (pytest.approx(400), 8_000)
    assert state.judgement.canary_restarts == 0


def test_one_request_is_news():
    found = judge(steady(1, canary=(0, 0), stable=(1, 0)), ERRORS_ONLY)
    assert found.reason is CanaryReason.COLLECTING_EVIDENCE


def of_one_process(seen):
    arms = (replace(seen.canary, epoch="c"), replace(seen.stable, epoch="s"))
    return replace(seen, canary=arms[0], stable=arms[1])


@pytest.mark.parametrize("arm", ["canary", "stable"])
def test_older_counters_than_before_are_no_window(arm):
    """A cache may answer with them; as a restart they would count once more."""
    known = [of_one_process(look) for look in steady(4)]
    after = known[-1].observed_at + timedelta(seconds=30)
    old = replace(known[-1], observed_at=after, **{arm: getattr(known[1], arm)})
    before, found = judge(known, ERRORS_ONLY), judge([*known, old], ERRORS_ONLY)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_DATA)
    assert "older counters" in found.note
    assert found.metrics == before.metrics
    assert found.canary_restarts == before.canary_restarts
    more = [of_one_process(look) for look in steady(6)[6:]]
    more = [replace(look, observed_at=after + timedelta(seconds=30)) for look in more]
    mixed = judge([*known, old, *more], ERRORS_ONLY)
    assert mixed.metrics == judge([*known, *more], ERRORS_ONLY).metrics
