"""What a judgement says of its numbers, and where exactly it turns."""

import math

import pytest

from swarm.contract.verdict import Answer
from swarm.core.rollout.judgement import CanaryJudgement, CanaryReason, MetricReport

pytestmark = pytest.mark.req("GATE-5")


def report(*, share=0.01, fail=0.0, passing=0.0, name="errors", edge=None, total=1_000.0):
    return MetricReport(
        name=name, canary_bad=share * total, canary_total=total, stable_bad=10.0,
        stable_total=1_000.0, tolerated=0.5, log_fail=fail, log_pass=passing, bound=3.0, edge=edge,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "share", "fails", "passes"),
    [
        pytest.param(3.0, 0.75, True, False, id="at-the-bound-and-too-high"),
        pytest.param(2.9, 0.75, False, False, id="below-the-bound-and-too-high"),
        pytest.param(3.0, 0.5, False, True, id="at-the-bound-and-as-high-as-tolerated"),
        pytest.param(2.9, 0.5, False, False, id="below-the-bound"),
        pytest.param(3.0, 0.25, False, True, id="at-the-bound-and-low"),
    ],
)
def test_a_metric_decides_at_its_bound_and_never_against_its_own_estimate(
    evidence, share, fails, passes
):
    found = report(share=share, fail=evidence, passing=evidence)
    assert (found.fails, found.passes) == (fails, passes)


def test_a_canary_that_was_asked_nothing_has_no_bad_share():
    nothing = report(total=0.0, fail=3.0, passing=3.0)
    assert (nothing.fails, nothing.passes) == (False, True)
    assert "canary 0/0, stable" in nothing.sentence()


@pytest.mark.parametrize(
    ("edge", "told"),
    [(0.25, "slower than 250 ms:"), (1.0, "slower than 1 s:"), (1.5, "slower than 1.5 s:")],
)
def test_a_duration_is_told_in_the_unit_that_people_use(edge, told):
    assert report(name="latency", edge=edge).sentence().startswith(told)


@pytest.mark.parametrize(
    ("log_value", "told"),
    [
        (0.0, "evidence against 1,"),
        (math.log(1e6), "evidence against 1e+06,"),
        (math.log(1e6) + 0.001, "evidence against over a million,"),
    ],
)
def test_evidence_beyond_a_million_is_not_spelled_out(log_value, told):
    assert told in report(fail=log_value).sentence()


def test_what_fails_is_told_first():
    good, bad = report(), report(name="latency", share=0.75, fail=9.0)
    found = CanaryJudgement(
        answer=Answer.FAIL, reason=CanaryReason.LATENCY_REGRESSED, note="so", metrics=(good, bad)
    )
    assert [part.split(":")[0] for part in found.detail.split("; ")][:2] == ["so", "latency"]
