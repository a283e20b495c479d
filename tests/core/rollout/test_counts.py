import itertools
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.rollout.counts import (
    Absent,
    AbsentWhy,
    ArmCounts,
    LatencyHistogram,
    Look,
    Reading,
    arm,
    behind,
    increase,
)
from swarm.core.rollout.errors import BadCounts, BadLooks

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def histogram(*cumulative, total):
    return LatencyHistogram(edges=(0.1, 0.2, 0.5), cumulative=cumulative, total=total)


@pytest.mark.parametrize(
    ("total", "bad", "says"),
    [
        pytest.param(-1, 0, "never negative", id="negative-total"),
        pytest.param(1, -1, "never negative", id="negative-bad"),
        pytest.param(math.inf, 0, "finite", id="infinite"),
        pytest.param(math.nan, 0, "Absent", id="nan-is-not-a-count"),
        pytest.param(3, 4, "part of total", id="more-bad-than-total"),
    ],
)
def test_impossible_counters_are_refused_by_name(total, bad, says):
    with pytest.raises(BadCounts, match=says):
        ArmCounts(total=total, bad=bad)


@pytest.mark.parametrize(
    ("edges", "cumulative", "total", "says"),
    [
        pytest.param((0.1,), (1, 2), 2, "exactly one bucket", id="missing-edge"),
        pytest.param((), (), 0, "exactly one bucket", id="no-edges"),
        pytest.param((0.2, 0.1), (1, 2), 2, "strictly increasing", id="edges-back"),
        pytest.param((0.1, 0.3, 0.2), (1, 2, 2), 2, "strictly increasing", id="last-edge-back"),
        pytest.param((0.1, 0.1), (1, 2), 2, "strictly increasing", id="one-edge-twice"),
        pytest.param((0.1, math.inf), (1, 2), 2, "finite and positive", id="infinite-edge"),
        pytest.param((0.0, 0.1), (1, 2), 2, "finite and positive", id="edge-at-nought"),
        pytest.param((0.1, 0.2), (2, 1), 2, "never decrease", id="buckets-back"),
        pytest.param((0.1, 0.2), (1, 3), 2, "below the total", id="bucket-above-total"),
        pytest.param((0.1, 0.2), (1, math.nan), 2, "finite", id="nan-bucket"),
    ],
)
def test_impossible_histograms_are_refused_by_name(edges, cumulative, total, says):
    with pytest.raises(BadCounts, match=says):
        LatencyHistogram(edges=edges, cumulative=cumulative, total=total)


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize(
    ("total", "bad", "why", "told"),
    [
        pytest.param(None, 0, AbsentWhy.NOT_REPORTED, "total is not reported", id="no-total"),
        pytest.param(5, None, AbsentWhy.NOT_REPORTED, "bad is not reported", id="no-bad-series"),
        pytest.param(math.nan, 0, AbsentWhy.NOT_A_NUMBER, "total is NaN", id="nan-total"),
        pytest.param(5, math.nan, AbsentWhy.NOT_A_NUMBER, "bad is NaN", id="nan-bad"),
    ],
)
def test_absence_is_a_value_of_its_own_and_never_zero(total, bad, why, told):
    found = arm(total, bad)
    assert isinstance(found, Absent)
    assert (found.why, found.detail) == (why, told)


def test_a_present_arm_is_counted():
    assert arm(5, 1) == ArmCounts(total=5, bad=1)


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_weight_outside_0_to_100_is_refused(percent):
    counts = ArmCounts(total=1, bad=0)
    with pytest.raises(BadCounts, match="it lies in 0"):
        Look(observed_at=NOON, traffic_percent=percent, canary=counts, stable=counts)


def test_a_look_without_a_time_zone_is_refused():
    counts = ArmCounts(total=1, bad=0)
    with pytest.raises(BadLooks, match="time zone"):
        Reading(observed_at=NOON.replace(tzinfo=None), counts=counts)
    with pytest.raises(BadLooks, match="time zone"):
        Look(
            observed_at=NOON.replace(tzinfo=None), traffic_percent=10, canary=counts, stable=counts
        )


@pytest.mark.parametrize(
    ("percent", "total"), [pytest.param(100, 1, id="canary"), pytest.param(10, 2, id="stable")]
)
def test_the_serving_arm_is_the_one_that_carries_all_traffic(percent, total):
    look = Look(
        observed_at=NOON,
        traffic_percent=percent,
        canary=ArmCounts(total=1, bad=0),
        stable=ArmCounts(total=2, bad=0),
    )
    assert look.serving().counts.total == total


def test_a_window_is_the_increase_of_every_counter():
    before = ArmCounts(total=10, bad=1, latency=histogram(4, 8, 9, total=10))
    after = ArmCounts(total=25, bad=3, latency=histogram(8, 17, 23, total=25))
    grown = increase(before, after)
    assert not grown.restarted
    assert grown.counts == ArmCounts(total=15, bad=2, latency=histogram(4, 9, 14, total=15))


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(ArmCounts(total=4, bad=0, latency=histogram(1, 2, 3, total=4)), id="total"),
        pytest.param(ArmCounts(total=20, bad=0, latency=histogram(9, 9, 9, total=20)), id="bad"),
        pytest.param(ArmCounts(total=20, bad=2, latency=histogram(1, 9, 9, total=20)), id="bucket"),
    ],
)
def test_a_counter_that_went_back_means_a_restart_and_counts_from_zero(after):
    """One counter is enough: all counters of an arm live in one process."""
    before = ArmCounts(total=10, bad=1, latency=histogram(4, 8, 9, total=10))
    grown = increase(before, after)
    assert grown.restarted
    assert grown.counts == after


def test_another_epoch_is_a_restart_even_when_the_counts_have_overtaken():
    """Read as growth, 300 requests with 10 bad ones would be 200 without a single one."""
    before = ArmCounts(total=100, bad=10, epoch="first")
    after = ArmCounts(total=300, bad=10, epoch="second")
    assert increase(before, after).counts == after
    assert not increase(before, replace(after, epoch="first")).restarted
    assert not increase(before, replace(after, epoch="")).restarted


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(ArmCounts(total=9, bad=1), id="total"),
        pytest.param(ArmCounts(total=20, bad=0), id="bad"),
        pytest.param(ArmCounts(total=20, bad=1, latency=histogram(1, 8, 9, total=20)), id="bucket"),
    ],
)
def test_fewer_requests_of_the_same_process_are_an_old_reading(after):
    """Taken for a restart, what it counted long ago would be counted once more."""
    before = ArmCounts(total=10, bad=1, latency=histogram(4, 8, 9, total=10), epoch="first")
    after = replace(after, epoch="first")
    assert behind(before, after)
    assert not behind(before, replace(after, epoch="second"))
    assert not behind(before, replace(after, epoch=""))
    assert not behind(before, before)
    grown = increase(before, after)
    assert (grown.counts, grown.restarted) == (ArmCounts(total=0, bad=0), False)


def test_a_changed_bucket_layout_is_refused():
    before = ArmCounts(total=1, bad=0, latency=histogram(1, 1, 1, total=1))
    other = LatencyHistogram(edges=(0.1, 0.3), cumulative=(1, 2), total=2)
    with pytest.raises(BadLooks, match=r"latency\.edges"):
        increase(before, ArmCounts(total=2, bad=0, latency=other))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12),
)
def test_windows_add_up_to_what_was_counted(steps):
    """Without restarts the increases of all windows sum to the last reading minus the first."""
    total, bad, readings = 0, 0, []
    for grown, part in steps:
        total, bad = total + grown + part, bad + part
        readings.append(ArmCounts(total=total, bad=bad))
    grown = [increase(a, b).counts for a, b in itertools.pairwise(readings)]
    assert sum(g.total for g in grown) == readings[-1].total - readings[0].total
    assert sum(g.bad for g in grown) == readings[-1].bad - readings[0].bad


def test_a_look_is_dated():
    counts = ArmCounts(total=1, bad=0)
    look = Look(observed_at=NOON + timedelta(1), traffic_percent=10, canary=counts, stable=counts)
    assert look.serving().observed_at == NOON + timedelta(1)


@pytest.mark.parametrize(
    ("before", "after", "restarted"),
    [
        pytest.param(("a", 10, 1), ("a", 20, 2), False, id="one-process"),
        pytest.param(("a", 10, 1), ("b", 20, 2), True, id="another-that-has-overtaken-it"),
        pytest.param(("", 10, 1), ("b", 20, 2), False, id="it-did-not-say-before"),
        pytest.param(("a", 10, 1), ("", 20, 2), False, id="it-does-not-say-any-more"),
        pytest.param(("", 10, 0), ("", 9, 0), True, id="fewer-requests"),
        pytest.param(("", 10, 1), ("", 10, 0), True, id="fewer-bad-ones"),
        pytest.param(("", 10, 1), ("", 10, 1), False, id="nothing-happened"),
    ],
)
def test_counters_began_again_with_another_process_or_a_lower_number(before, after, restarted):
    made = [ArmCounts(epoch=epoch, total=n, bad=bad) for epoch, n, bad in (before, after)]
    assert increase(*made).restarted is restarted


def measured(total, *cumulative, of):
    return ArmCounts(total=total, bad=0, latency=histogram(*cumulative, total=of))


@pytest.mark.parametrize(
    ("before", "after", "restarted"),
    [
        pytest.param(measured(10, 1, 2, 3, of=10), measured(20, 1, 2, 3, of=9), True, id="fewer"),
        pytest.param(measured(10, 1, 2, 3, of=10), measured(20, 1, 2, 3, of=10), False, id="none"),
        pytest.param(measured(10, 1, 2, 3, of=10), measured(20, 1, 1, 3, of=10), True, id="bucket"),
    ],
)
def test_a_histogram_that_lost_requests_began_again(before, after, restarted):
    assert increase(before, after).restarted is restarted


def test_a_histogram_that_comes_or_goes_gives_no_durations():
    with_it, without = measured(10, 1, 2, 3, of=10), ArmCounts(total=10, bad=0)
    for before, after in ((with_it, without), (without, with_it)):
        found = increase(before, after)
        assert not found.restarted
        assert found.counts.latency is None


def test_a_scrape_that_races_with_requests_stays_a_histogram():
    """A bucket may have grown by more than the total that was read a moment before it."""
    found = increase(measured(10, 0, 3, 3, of=10), measured(20, 5, 6, 20, of=20))
    assert found.counts.latency == histogram(5, 5, 10, total=10)
