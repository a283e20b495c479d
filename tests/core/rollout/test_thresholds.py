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
