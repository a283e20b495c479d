from dataclasses import replace

import numpy as np
import pytest

from swarm.core.rollout import remembered as memory
from swarm.core.rollout.canary import judge, observe
from swarm.core.rollout.counts import ArmCounts
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.remembered import RememberedJudge, RememberedSlo
from swarm.core.rollout.slo import judge_slo
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
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


OBJECTIVE = SloThresholds(error_objective=0.01)


def served(every):
    return [look.serving() for look in every]


@pytest.mark.req("GATE-6")
def test_a_window_is_judged_once_for_as_long_as_nobody_looks_again(monkeypatch):
    judged = []

    def counting(*asked):
        judged.append(asked)
        return judge_slo(*asked)

    monkeypatch.setattr(memory, "judge_slo", counting)
    remembered, every = RememberedSlo(), series(risk=30.0)
    for end in range(len(every) + 1):
        for _ in range(3):
            said = remembered.judge("r", every[:end], OBJECTIVE)
            assert said == judge_slo(served(every[:end]), OBJECTIVE)
    assert len(judged) == len(every) + 1


@pytest.mark.req("GATE-6")
def test_another_series_threshold_or_baseline_has_its_window_judged_anew():
    remembered, first, other = RememberedSlo(), series(0), series(1, risk=30.0)
    remembered.judge("r", first, OBJECTIVE)
    assert remembered.judge("r", other, OBJECTIVE) == judge_slo(served(other), OBJECTIVE)
    strict = replace(OBJECTIVE, error_objective=0.0001)
    assert remembered.judge("r", other, strict) == judge_slo(served(other), strict)
    baseline = first[-1].stable
    told = judge_slo(served(other), strict, baseline)
    assert remembered.judge("r", other, strict, baseline) == told


@pytest.mark.req("GATE-6")
def test_a_window_that_cannot_be_judged_is_refused_each_time():
    remembered, every = RememberedSlo(), series()[:3]
    for _ in range(2):
        with pytest.raises(BadLooks):
            remembered.judge("r", [every[0], every[2], every[1]], OBJECTIVE)


def test_the_memory_of_windows_is_bounded():
    remembered, every = RememberedSlo(size=3), series()[:3]
    for name in "abcdef":
        remembered.judge(name, every, OBJECTIVE)
    assert len(remembered._kept) == 3


@pytest.fixture
def looked_at(monkeypatch):
    """Every look that is judged, as often as it is."""
    seen = []

    def counting(state, look):
        seen.append(look)
        return observe(state, look)

    monkeypatch.setattr(memory, "observe", counting)
    return seen


def test_each_look_of_a_growing_series_is_judged_once(looked_at):
    every, remembered = series()[:6], RememberedJudge()
    for end in range(len(every) + 1):
        remembered.judge("r", every[:end], LIMITS)
    remembered.judge("r", every, LIMITS)
    assert looked_at == every


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        pytest.param({}, 0, id="the-same"),
        pytest.param({"thresholds": LIMITS.strict()}, 4, id="other-thresholds"),
        pytest.param({"baseline": ArmCounts(total=900, bad=9)}, 4, id="another-baseline"),
        pytest.param({"looks": series(1)[:4]}, 4, id="another-series"),
        pytest.param({"looks": series(0)[:3]}, 3, id="a-shorter-one"),
        pytest.param({"rollout": "other"}, 4, id="another-rollout"),
    ],
)
def test_what_was_judged_of_something_else_is_not_used(looked_at, change, anew):
    asked = {"rollout": "r", "looks": series(0)[:4], "thresholds": LIMITS, "baseline": None}
    remembered = RememberedJudge()
    remembered.judge(**asked)
    looked_at.clear()
    remembered.judge(**{**asked, **change})
    assert len(looked_at) == anew


@pytest.mark.parametrize(
    ("made", "limits"), [(RememberedJudge, LIMITS), (RememberedSlo, OBJECTIVE)]
)
def test_what_was_asked_longest_ago_is_forgotten(made, limits):
    remembered, every = made(size=2), series()[:3]
    for name in ("first", "second", "first", "third"):
        remembered.judge(name, every, limits)
    assert list(remembered._kept) == ["first", "third"]
