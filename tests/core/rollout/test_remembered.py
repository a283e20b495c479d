from dataclasses import replace

import numpy as np
import pytest

from swarm.core.rollout.canary import judge
from swarm.core.rollout.remembered import RememberedJudge
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.testing.rollout_traffic import Traffic, looks

pytestmark = pytest.mark.req("GATE-5")
LIMITS = CanaryThresholds(p95_increase=None)


def series(seed=0, risk=1.0):
    traffic = Traffic(requests_per_second=100, relative_risk=risk)
    return list(looks(traffic, 600, np.random.default_rng(seed)))


def test_a_growing_series_is_judged_as_from_scratch():
    every, remembered = series(), RememberedJudge()
    for end in range(len(every) + 1):
        assert remembered.judge("r", every[:end], LIMITS) == judge(every[:end], LIMITS)


def test_a_series_that_is_not_a_continuation_is_judged_anew():
    remembered, first, other = RememberedJudge(), series(0), series(1, risk=3.0)
    remembered.judge("r", first, LIMITS)
    assert remembered.judge("r", other, LIMITS) == judge(other, LIMITS)
    assert remembered.judge("r", other[:4], LIMITS) == judge(other[:4], LIMITS)


def test_other_thresholds_are_judged_anew():
    remembered, every, strict = RememberedJudge(), series(risk=1.5), LIMITS.strict()
    remembered.judge("r", every, LIMITS)
    assert remembered.judge("r", every, strict) == judge(every, strict)
    baseline = replace(every[0].stable, bad=0)
    assert remembered.judge("r", every, LIMITS, baseline) == judge(every, LIMITS, baseline)


def test_the_memory_is_bounded():
    remembered, every = RememberedJudge(size=3), series()[:3]
    for name in "abcdef":
        remembered.judge(name, every, LIMITS)
    assert len(remembered._kept) == 3
