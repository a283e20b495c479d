from datetime import timedelta

import pytest

from swarm.core.rollout.errors import BadThresholds
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds


@pytest.mark.req("GATE-5")
def test_the_defaults_are_the_documents():
    limits = CanaryThresholds()
    assert limits.error_increase == 0.20
    assert limits.p95_increase == 0.15
    assert limits.alpha == 0.05
    assert limits.min_sample == 200
    assert limits.error_floor == 0.001
    assert limits.p95_floor == timedelta(milliseconds=3)


@pytest.mark.req("GATE-5")
def test_alpha_is_split_over_the_metrics():
    assert CanaryThresholds().metric_alpha == 0.025
    assert CanaryThresholds(p95_increase=None).metric_alpha == 0.05


@pytest.mark.req("MODE-3")
def test_the_strict_variant_is_stricter_everywhere():
    usual, strict = CanaryThresholds(), CanaryThresholds().strict()
    assert strict.error_increase < usual.error_increase
    assert strict.error_floor < usual.error_floor
    assert strict.p95_increase < usual.p95_increase
    assert strict.alpha < usual.alpha
    assert strict.min_sample > usual.min_sample


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (CanaryThresholds, "error_increase", 0.0),
        (CanaryThresholds, "error_increase", float("nan")),
        (CanaryThresholds, "error_floor", -0.1),
        (CanaryThresholds, "p95_increase", -0.15),
        (CanaryThresholds, "alpha", 0.9),
        (CanaryThresholds, "min_sample", 0),
        (CanaryThresholds, "look_every", timedelta(0)),
        (CanaryThresholds, "max_hold", timedelta(seconds=1)),
        (SloThresholds, "error_objective", 0.0),
        (SloThresholds, "alpha", 0.0),
        (SloThresholds, "window", timedelta(seconds=-1)),
        (SloThresholds, "p95_floor", timedelta(seconds=-1)),
    ],
)
def test_a_threshold_outside_its_range_is_refused_by_name(kind, field, value):
    with pytest.raises(BadThresholds, match=field):
        kind(**{field: value})


BOTH = (CanaryThresholds, SloThresholds)
RANGES = [
    (BOTH, "error_increase", 0.01, 10.0),
    (BOTH, "error_floor", 0.0, 0.5),
    (BOTH, "p95_increase", 0.01, 10.0),
    (BOTH, "alpha", 1e-6, 0.5),
    (BOTH, "min_sample", 1, 10**9),
    (BOTH, "min_fail_sample", 1, 10**9),
    (BOTH[:1], "sample_ratio_alpha", 1e-12, 0.5),
    (BOTH[:1], "share_tolerance", 0.0, 1.0),
    (BOTH[1:], "error_objective", 1e-7, 0.5),
]


@pytest.mark.parametrize(
    ("kind", "field", "low", "high"),
    [(kind, *rest) for kinds, *rest in RANGES for kind in kinds],
)
def test_each_range_holds_both_its_ends_and_nothing_beyond_them(kind, field, low, high):
    for value in (low, high):
        assert getattr(kind(**{field: value}), field) == value
    step = 1 if isinstance(low, int) else 1e-13
    for value in (low - step, high + step):
        with pytest.raises(BadThresholds, match=field):
            kind(**{field: value})


@pytest.mark.parametrize("kind", BOTH)
def test_a_pause_is_longer_than_nothing_and_a_hold_allows_one_look(kind):
    second, moment = timedelta(seconds=30), timedelta(microseconds=1)
    assert kind(look_every=second, max_hold=second).max_hold == second
    assert kind(p95_floor=timedelta(0)).p95_floor == timedelta(0)
    for wrong in ({"max_hold": second - moment}, {"look_every": timedelta(0)}):
        with pytest.raises(BadThresholds, match="look_every"):
            kind(**wrong)
    with pytest.raises(BadThresholds, match="p95_floor"):
        kind(p95_floor=-moment)
    assert SloThresholds(window=timedelta(0)).window == timedelta(0)


@pytest.mark.req("MODE-3")
def test_the_strict_variant_halves_the_margins_and_stays_in_range():
    strict = CanaryThresholds().strict()
    found = (strict.error_increase, strict.error_floor, strict.p95_increase, strict.alpha)
    assert found == pytest.approx((0.1, 0.0005, 0.075, 0.01))
    assert strict.min_sample == 1_000
    least = CanaryThresholds(error_increase=0.01, p95_increase=0.01, alpha=1e-6).strict()
    assert (least.error_increase, least.p95_increase, least.alpha) == (0.01, 0.01, 1e-6)
    assert CanaryThresholds(p95_increase=None).strict().p95_increase is None
