import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import special, stats

from swarm.contract.verdict import Answer
from swarm.core.rollout.counts import (
    Absent,
    AbsentWhy,
    ArmCounts,
    LatencyHistogram,
    Reading,
)
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.judgement import CanaryReason
from swarm.core.rollout.slo import judge_slo, limits_from
from swarm.core.rollout.thresholds import SloThresholds

pytestmark = pytest.mark.req("GATE-6")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
OBJECTIVE = SloThresholds(error_objective=0.01, window=WINDOW, p95_increase=None)
BASELINE_ONLY = SloThresholds(window=WINDOW, p95_increase=None)
EDGES = tuple(np.geomspace(0.01, 1, 41).tolist())


def readings(*windows, start=0):
    """Cumulative readings 30 s apart from windows of (requests, bad)."""
    total = bad = 0
    out = [Reading(observed_at=NOON, counts=ArmCounts(total=0, bad=0))]
    for i, (n, s) in enumerate(windows, start=start + 1):
        total, bad = total + n, bad + s
        at = NOON + timedelta(seconds=30 * i)
        out.append(Reading(observed_at=at, counts=ArmCounts(total=total, bad=bad)))
    return out


def slow(n, median, rng):
    durations = np.sort(rng.lognormal(np.log(median), 0.5, n))
    buckets = np.searchsorted(durations, EDGES, side="right").astype(float)
    return LatencyHistogram(edges=EDGES, cumulative=tuple(buckets.tolist()), total=float(n))


def test_nothing_read_waits():
    assert judge_slo([], OBJECTIVE).answer is Answer.WAIT


def test_the_objective_must_hold_for_the_whole_window():
    early = judge_slo(readings(*[(1000, 1)] * 9), OBJECTIVE)
    late = judge_slo(readings(*[(1000, 1)] * 10), OBJECTIVE)
    assert (early.answer, early.reason) == (Answer.WAIT, CanaryReason.OBSERVING)
    assert (late.answer, late.reason) == (Answer.PASS, CanaryReason.SLO_HELD)


def test_a_broken_objective_fails_at_the_second_look_without_waiting_for_the_window():
    once = judge_slo(readings((1000, 80)), OBJECTIVE)
    twice = judge_slo(readings((1000, 80), (1000, 80)), OBJECTIVE)
    assert (once.answer, once.reason) == (Answer.WAIT, CanaryReason.ONE_FAILED_LOOK)
    assert (twice.answer, twice.reason) == (Answer.FAIL, CanaryReason.SLO_ERRORS)
    assert twice.look_again is None


def of_one_process(series):
    return [replace(one, counts=replace(one.counts, epoch="a")) for one in series]


def answered_late(series, *, count, which=0, gap=30):
    """The series, and behind it so many answers that repeat one of its readings."""
    last = series[-1].observed_at
    again = [
        replace(series[which], observed_at=last + timedelta(seconds=gap * (n + 1)))
        for n in range(count)
    ]
    return [*series, *again]


def test_old_readings_are_no_requests_and_take_no_failed_look_back():
    """Seed 80: a failed look was forgotten, and the window filled with what had been before it."""
    known = of_one_process(readings((100_000, 20_000)))
    found = judge_slo(known, OBJECTIVE)
    assert found.reason == CanaryReason.ONE_FAILED_LOOK
    late = judge_slo(answered_late(known, count=12), OBJECTIVE)
    assert (late.answer, late.reason) == (found.answer, found.reason)
    assert late.metrics == found.metrics


@pytest.mark.parametrize("which", [0, -1], ids=["older", "the-same"])
def test_a_window_that_ends_in_silence_is_not_held_yet(which):
    """The objective is to hold until the end of the window, and of its end nobody knows."""
    known = of_one_process(readings(*[(1_000, 1)] * 5))
    silent = answered_late(known, count=6, which=which)
    found = judge_slo(silent, OBJECTIVE)
    assert (found.answer, found.reason) == (Answer.WAIT, CanaryReason.COLLECTING_EVIDENCE)
    assert "none were counted since" in found.note
    spoken = replace(silent[-1].counts, total=known[-1].counts.total + 10, bad=5)
    heard = Reading(observed_at=silent[-1].observed_at + timedelta(seconds=30), counts=spoken)
    now = judge_slo([*silent, heard], OBJECTIVE)
    assert now.answer is Answer.PASS
    assert now.metrics == judge_slo([*known, heard], OBJECTIVE).metrics, "nothing counts twice"


def test_where_every_reading_but_the_first_is_older_nothing_was_counted():
    zero, one = of_one_process(readings((1_000, 1)))
    late = replace(zero, observed_at=one.observed_at + WINDOW)
    found = judge_slo([one, late], OBJECTIVE)
    assert (found.answer, found.reason) == (Answer.WAIT, CanaryReason.COLLECTING_EVIDENCE)
    assert found.note.startswith("0 of at least")
    assert "none were counted since" in found.note


def test_a_process_that_began_again_at_the_end_is_no_silence():
    """Its few requests are all new, however many the one before it had answered."""
    known = of_one_process(readings(*[(1_000, 1)] * 9))
    counts = ArmCounts(total=900, bad=1, epoch="b")
    heard = Reading(observed_at=known[-1].observed_at + timedelta(seconds=30), counts=counts)
    assert judge_slo([*known, heard], OBJECTIVE).answer is Answer.PASS


def test_a_window_that_stays_silent_until_the_longest_hold_settles_nothing():
    known = of_one_process(readings(*[(1_000, 1)] * 5))
    gap = OBJECTIVE.max_hold.total_seconds()
    found = judge_slo(answered_late(known, count=1, gap=gap), OBJECTIVE)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_TRAFFIC)


def test_a_failed_window_is_final():
    healed = readings((1000, 80), (1000, 80), *[(100_000, 1)] * 20)
    found = judge_slo(healed, OBJECTIVE)
    assert (found.answer, found.consecutive_fails) == (Answer.FAIL, 2)


def test_above_the_objective_by_chance_is_undecided():
    found = judge_slo(readings(*[(100, 1)] * 9, (100, 2)), OBJECTIVE)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.SLO_UNDECIDED)


def test_the_baseline_is_the_limit_where_no_objective_is_set():
    baseline = ArmCounts(total=100_000, bad=1_000)
    good = judge_slo(readings(*[(10_000, 105)] * 10), BASELINE_ONLY, baseline)
    bad = judge_slo(readings(*[(10_000, 200)] * 10), BASELINE_ONLY, baseline)
    assert good.answer is Answer.PASS
    assert (bad.answer, bad.reason) == (Answer.FAIL, CanaryReason.SLO_ERRORS)


def test_objective_and_baseline_must_both_hold():
    """Within the objective of 1 %, and still ten times worse than before."""
    found = judge_slo(readings(*[(10_000, 50)] * 10), OBJECTIVE, ArmCounts(total=100_000, bad=50))
    assert (found.answer, found.reason) == (Answer.FAIL, CanaryReason.SLO_ERRORS)
    assert "against the baseline" in found.detail


def test_a_short_baseline_does_not_roll_back_a_healthy_service():
    """200 requests without an error say less than that there are none."""
    found = judge_slo(readings(*[(1000, 4)] * 10), BASELINE_ONLY, ArmCounts(total=200, bad=0))
    assert found.answer is not Answer.FAIL


@pytest.mark.parametrize(
    "baseline", [pytest.param(None, id="none"), pytest.param(ArmCounts(total=199, bad=0), id="few")]
)
def test_without_objective_and_baseline_nothing_is_held(baseline):
    found = judge_slo(readings(*[(1000, 0)] * 10), BASELINE_ONLY, baseline)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_OBJECTIVE)


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (AbsentWhy.NOT_A_NUMBER, CanaryReason.NO_TRAFFIC),
        (AbsentWhy.NOT_REPORTED, CanaryReason.NO_DATA),
    ],
)
def test_an_absent_reading_is_no_pass(why, reason):
    dark = Reading(observed_at=NOON + timedelta(hours=1), counts=Absent(why=why))
    found = judge_slo([*readings(*[(1000, 1)] * 10), dark], OBJECTIVE)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, reason)


def test_no_traffic_waits_and_then_says_so():
    limits = SloThresholds(
        error_objective=0.01, window=WINDOW, p95_increase=None, max_hold=timedelta(minutes=8)
    )
    waiting = judge_slo(readings(*[(1, 0)] * 12), limits)
    expired = judge_slo(readings(*[(1, 0)] * 16), limits)
    assert (waiting.answer, waiting.reason) == (Answer.WAIT, CanaryReason.COLLECTING_EVIDENCE)
    assert (expired.answer, expired.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_TRAFFIC)


@pytest.mark.parametrize(
    ("factor", "answer", "reason"),
    [
        (1.0, Answer.PASS, CanaryReason.SLO_HELD),
        (1.6, Answer.FAIL, CanaryReason.SLO_LATENCY),
    ],
)
@pytest.mark.parametrize("by", ["baseline", "objective"])
def test_latency_is_held_against_baseline_and_objective(factor, answer, reason, by):
    rng = np.random.default_rng(2)
    objective = timedelta(milliseconds=260) if by == "objective" else None
    limits = SloThresholds(
        error_objective=0.01,
        latency_objective=objective,
        window=WINDOW,
        p95_increase=0.15 if by == "baseline" else None,
    )
    baseline = ArmCounts(total=20_000, bad=0, latency=slow(20_000, 0.1, rng))
    total, buckets, every = 0, np.zeros(41), []
    for i in range(11):
        counts = LatencyHistogram(edges=EDGES, cumulative=tuple(buckets.tolist()), total=total)
        every.append(
            Reading(
                observed_at=NOON + timedelta(seconds=30 * i),
                counts=ArmCounts(total=total, bad=0, latency=counts),
            )
        )
        buckets, total = buckets + slow(500, 0.1 * factor, rng).cumulative, total + 500
    found = judge_slo(every, limits, baseline if by == "baseline" else None)
    assert (found.answer, found.reason) == (answer, reason)


def test_a_latency_objective_without_histogram_is_no_pass():
    limits = SloThresholds(
        error_objective=0.01, latency_objective=timedelta(milliseconds=200), window=WINDOW
    )
    found = judge_slo(readings(*[(1000, 1)] * 10), limits)
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, CanaryReason.NO_LATENCY_DATA)


def test_a_service_exactly_at_its_objective_is_rarely_rolled_back():
    rng, failed = np.random.default_rng(7), 0
    for _ in range(200):
        windows = [(1000, int(rng.binomial(1000, 0.01))) for _ in range(20)]
        failed += judge_slo(readings(*windows), OBJECTIVE).answer is Answer.FAIL
    assert failed <= 0.05 * 200


def test_readings_out_of_order_are_refused():
    every = readings((1000, 1), (1000, 1))
    with pytest.raises(BadLooks, match="oldest first"):
        judge_slo([every[1], every[0]], OBJECTIVE)
    with pytest.raises(BadLooks, match="each at its own time"):
        judge_slo([every[0], every[0]], OBJECTIVE)


# --- against independent arithmetic ---------------------------------------------------------------


def plain(windows, beaten):
    """Evidence and dispersion by plain sums, as the module's text tells them."""
    bad, total = (np.array(column, dtype=float) for column in zip(*windows, strict=True))
    theta = np.minimum(np.geomspace(1.15, 6.0, 25), 0.5 * (1 + 1 / beaten))
    pooled = (bad.sum() + 0.5) / (total.sum() + 1)
    chi2 = ((bad - pooled * total) ** 2 / (total * pooled * (1 - pooled))).sum()
    phi = max(1.0, chi2 / (len(bad) - 1)) if len(bad) > 1 else 1.0
    ratio = stats.binom.logpmf(bad.sum(), total.sum(), beaten * theta)
    ratio = (ratio - stats.binom.logpmf(bad.sum(), total.sum(), beaten)) / phi
    return special.logsumexp(ratio) - math.log(25), phi


@pytest.mark.parametrize(
    "windows",
    [
        pytest.param([(3, 100)], id="one-window"),
        pytest.param([(1, 100), (2, 100), (1, 100)], id="even"),
        pytest.param([(0, 100), (9, 150), (0, 90), (7, 300)], id="scattered"),
        pytest.param([(30, 100), (1, 400)], id="a-burst"),
    ],
)
def test_evidence_and_dispersion_equal_the_plain_sums(windows):
    found = judge_slo(readings(*((n, bad) for bad, n in windows)), OBJECTIVE).metrics[0]
    log_fail, phi = plain(windows, 0.01)
    assert found.log_fail == pytest.approx(log_fail, abs=1e-9)
    assert found.phi == pytest.approx(phi)
    assert bool(phi > 1.0) is (windows[0][0] in {0, 30})


@pytest.mark.parametrize(("bad", "total"), [(0, 200), (3, 200), (50, 1_000), (500, 1_000)])
def test_evidence_must_beat_the_upper_bound_of_the_baseline(bad, total):
    """Wilson's 95 % upper bound and a fifth more, or the absolute floor where that is more."""
    limits = replace(BASELINE_ONLY, error_increase=0.2, error_floor=0.001)
    (limit,) = limits_from(limits, ArmCounts(total=total, bad=bad))
    upper = stats.binomtest(bad, total).proportion_ci(0.9, "wilson").high
    share = bad / total
    assert limit.beaten == pytest.approx(min(upper + max(0.2 * upper, 0.001), 0.999), rel=5e-4)
    assert limit.share == pytest.approx(share + max(0.2 * share, 0.001))


def test_a_limit_is_never_above_what_evidence_must_beat():
    (limit,) = limits_from(BASELINE_ONLY, ArmCounts(total=1_000, bad=990))
    assert (limit.share, limit.beaten) == (0.999, 0.999)


def histogram(total, within, edges=(0.1, 0.25, 1.0)):
    cumulative = (within, within, float(total))
    return LatencyHistogram(edges=edges, cumulative=cumulative, total=float(total))


def arm(total, latency=None, bad=0):
    return ArmCounts(total=total, bad=bad, latency=latency)


BY_BOTH = SloThresholds(window=WINDOW, p95_increase=0.15)


@pytest.mark.parametrize(
    ("baseline", "thresholds", "names"),
    [
        (ArmCounts(total=199, bad=0, latency=histogram(199, 189)), BY_BOTH, []),
        (ArmCounts(total=200, bad=0), BY_BOTH, ["errors"]),
        (ArmCounts(total=200, bad=0, latency=histogram(200, 190)), BY_BOTH, ["errors", "latency"]),
        (ArmCounts(total=200, bad=0, latency=histogram(199, 189)), BY_BOTH, ["errors"]),
        (ArmCounts(total=200, bad=0, latency=histogram(200, 0)), BY_BOTH, ["errors"]),
        (ArmCounts(total=200, bad=0, latency=histogram(200, 190)), BASELINE_ONLY, ["errors"]),
    ],
)
def test_a_baseline_limits_what_it_measured_often_enough(baseline, thresholds, names):
    found = [limit.name for limit in limits_from(thresholds, baseline)]
    assert found == [f"{name} against the baseline" for name in names]


def served(*counts):
    return [
        Reading(observed_at=NOON + timedelta(seconds=30 * n), counts=one)
        for n, one in enumerate(counts)
    ]


def test_a_latency_objective_lies_at_its_edge_once_durations_are_read():
    limits = replace(OBJECTIVE, latency_objective=timedelta(milliseconds=250))
    gone = Absent(why=AbsentWhy.NOT_REPORTED)
    every = served(gone, ArmCounts(total=9, bad=0), arm(9, histogram(9, 9)))
    assert [limit.edge for limit in limits_from(limits, None, every)] == [None, 0.25]
    assert len(limits_from(limits, None, every[:2])) == 1


# --- what a window counts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "bad", "total"),
    [
        pytest.param([(5_000, 50)], 0, 0, id="one-reading-is-no-window"),
        pytest.param([(5_000, 50), (5_300, 53), (5_600, 60)], 10, 600, id="increases-alone"),
        pytest.param([(5_000, 50), (5_000, 50), (5_001, 51)], 1, 1, id="a-window-of-one-request"),
        pytest.param([(5_000, 50), (5_300, 53), (40, 4)], 7, 340, id="it-began-again"),
    ],
)
def test_only_what_came_since_the_first_reading_counts(counts, bad, total):
    found = judge_slo(served(*(ArmCounts(total=n, bad=b) for n, b in counts)), OBJECTIVE).metrics[0]
    assert (found.canary_bad, found.canary_total) == (bad, total)
    assert (found.stable_bad, found.stable_total) == (0.0, 0.0)
    assert math.isfinite(found.log_fail)
    assert total or (found.log_fail, found.phi) == (0.0, 1.0)


def test_the_numbers_of_the_baseline_are_told():
    found = judge_slo(readings((1_000, 1)), BASELINE_ONLY, ArmCounts(total=900, bad=9))
    assert (found.metrics[0].stable_bad, found.metrics[0].stable_total) == (9, 900)


def test_readings_of_different_edges_are_refused_and_durations_may_come_and_go():
    one, other = histogram(9, 9), histogram(20, 20, edges=(0.2, 0.3, 1.0))
    with pytest.raises(BadLooks, match=r"different latency\.edges"):
        judge_slo(served(arm(9, one), arm(20, other)), OBJECTIVE)
    for pair in ((arm(9, one), arm(20)), (arm(9), arm(20, one))):
        assert judge_slo(served(*pair), OBJECTIVE).reason is CanaryReason.OBSERVING


# --- where exactly it turns -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "reason"), [(20, CanaryReason.ONE_FAILED_LOOK), (19, CanaryReason.OBSERVING)]
)
def test_a_look_fails_from_the_least_sample_on(requests, reason):
    found = judge_slo(readings((requests, requests)), OBJECTIVE)
    assert found.reason is reason
    assert found.look_again == NOON + timedelta(seconds=60)


def test_a_look_fails_from_its_bound_on():
    every = readings((1_000, 30))
    evidence = judge_slo(every, OBJECTIVE).metrics[0].log_fail
    at_it = next(
        alpha for n in range(-50, 50)
        if math.log(1 / (alpha := math.exp(-evidence) * (1 + n * 2.0**-52))) == evidence
    )  # fmt: skip
    assert judge_slo(every, replace(OBJECTIVE, alpha=at_it)).consecutive_fails == 1
    assert judge_slo(every, replace(OBJECTIVE, alpha=at_it * 0.999)).consecutive_fails == 0


def test_a_good_look_between_two_bad_ones_clears_the_first():
    found = judge_slo(readings((1_000, 30), (3_000, 15), (100_000, 3_000)), OBJECTIVE)
    assert (found.answer, found.consecutive_fails) == (Answer.WAIT, 1)


@pytest.mark.parametrize(
    ("requests", "reason"), [(20, CanaryReason.SLO_HELD), (19, CanaryReason.COLLECTING_EVIDENCE)]
)
def test_a_window_holds_from_the_least_sample_on(requests, reason):
    """Ten windows: 200 requests, or 190."""
    assert judge_slo(readings(*[(requests, 0)] * 10), OBJECTIVE).reason is reason


def test_a_share_exactly_at_the_objective_holds():
    exact = replace(OBJECTIVE, error_objective=0.25)
    assert judge_slo(readings(*[(100, 25)] * 10), exact).answer is Answer.PASS
    assert judge_slo(readings(*[(100, 25)] * 9, (100, 26)), exact).answer is Answer.INCONCLUSIVE


def test_what_is_left_of_the_window_is_told():
    assert judge_slo(readings((1_000, 1)), OBJECTIVE).note == "0:04:30 of the window left"


@pytest.mark.parametrize(
    ("detail", "told"), [("bad is not reported", "bad is not reported"), ("", "not-reported")]
)
def test_an_absent_reading_says_what_is_absent(detail, told):
    gone = Absent(why=AbsentWhy.NOT_REPORTED, detail=detail)
    assert judge_slo(served(gone), OBJECTIVE).note == told


# --- two limits at once ---------------------------------------------------------------------------


def timed(*rows):
    """Readings of (requests, bad, durations known of, of them within 0.1 s); None knows none."""
    return served(
        *(
            arm(n, None if known is None else histogram(known, within), bad=bad)
            for n, bad, known, within in rows
        )
    )


WITH_LATENCY = replace(OBJECTIVE, latency_objective=timedelta(milliseconds=100))


def test_each_limit_is_judged_along_its_own_windows():
    """Errors are counted from the first reading on, durations were known for one window only."""
    rows = [(0, 0, 0, 0), (1_000, 80, 1_000, 1_000), (2_000, 160, 1_000, 1_000)]
    found = judge_slo(timed(*rows), WITH_LATENCY)
    assert (found.answer, found.reason) == (Answer.FAIL, CanaryReason.SLO_ERRORS)
    cleared = [(0, 0, 0, 0), (1_000, 30, 1_000, 1_000), (4_000, 45, 1_000, 1_000)]
    found = judge_slo(timed(*cleared), WITH_LATENCY)
    assert (found.consecutive_fails, found.reason) == (0, CanaryReason.OBSERVING)


def test_the_smaller_sample_of_two_limits_decides():
    rows = [(1_000 * n, 0, 19 * n, 19 * n) for n in range(11)]
    found = judge_slo(timed(*rows), WITH_LATENCY)
    assert (found.reason, found.note) == (
        CanaryReason.COLLECTING_EVIDENCE, "190 of at least 200 requests",
    )  # fmt: skip


def test_all_limits_must_hold():
    """Errors do; 52 of 1,000 are slower than the objective: too many, and no proof of it."""
    rows = [(100 * n, 0, 100 * n, 95 * n - (2 if n == 10 else 0)) for n in range(11)]
    assert judge_slo(timed(*rows), WITH_LATENCY).reason is CanaryReason.SLO_UNDECIDED


@pytest.mark.parametrize(
    ("thresholds", "known", "seen"),
    [
        pytest.param(WITH_LATENCY, True, True, id="an-objective-with-durations"),
        pytest.param(WITH_LATENCY, False, False, id="an-objective-without"),
        pytest.param(
            replace(OBJECTIVE, latency_objective=timedelta(seconds=9)), True, False,
            id="an-objective-beyond-every-edge",
        ),
        pytest.param(BY_BOTH, True, True, id="a-baseline-with-durations"),
        pytest.param(BY_BOTH, False, False, id="a-baseline-without"),
        pytest.param(OBJECTIVE, False, True, id="nobody-wants-durations"),
    ],
)  # fmt: skip
def test_wanted_durations_that_are_not_seen_hold_nothing(thresholds, known, seen):
    rows = [(100 * n, 0, 100 * n, 100 * n) for n in range(11)]
    rows[-1] = rows[-1] if known else (1_000, 0, None, None)
    baseline = ArmCounts(total=1_000, bad=0, latency=histogram(1_000, 950))
    found = judge_slo(timed(*rows), thresholds, baseline if thresholds is BY_BOTH else None)
    assert found.reason is (CanaryReason.SLO_HELD if seen else CanaryReason.NO_LATENCY_DATA)
