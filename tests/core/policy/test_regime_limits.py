"""The limits of the regime, laid over what Gates 5 and 6 make of the counters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from swarm.contract.verdict import Answer, Verdict
from swarm.core.evidence import LookTaken, RegimeRead
from swarm.core.ids import EvidenceId
from swarm.core.policy.regime_limits import hold, over
from swarm.core.rollout.counts import Absent, AbsentWhy, Look

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)
GONE = Absent(why=AbsentWhy.NOT_REPORTED)
CLEAN = RegimeRead(regime="trend", posture="normal", state="abc", at=NOON - timedelta(minutes=4))
BROKEN = RegimeRead(regime="trend", at=NOON, breached=("momentum broke a limit",))


def taken(regime, at=NOON, number=0):
    return LookTaken(
        id=EvidenceId(f"e-{number}"), at=at, source="here", target="orders", step=0, number=number,
        look=Look(observed_at=at, traffic_percent=10, canary=GONE, stable=GONE), regime=regime,
    )  # fmt: skip


def judged(answer=Answer.PASS):
    return Verdict(answer=answer, reason="CanaryHealthy", detail="errors: 0")


def test_a_target_that_does_not_trade_is_judged_by_its_counters_alone():
    assert over(judged(), [taken(None)], None) == judged()


@pytest.mark.req("GATE-6", "REG-8")
@pytest.mark.parametrize("answer", list(Answer))
def test_a_broken_limit_fails_the_gate_whatever_the_counters_say_and_stays_failed(answer):
    looks = [taken(CLEAN), taken(BROKEN, number=1), taken(CLEAN, number=2)]
    verdict = over(judged(answer), looks, FIVE)
    assert (verdict.answer, verdict.reason) == (Answer.FAIL, "LimitBreached")
    assert verdict.evidence == ("e-1",)
    assert "momentum broke a limit" in verdict.detail


@pytest.mark.req("GATE-6", "REG-8")
@pytest.mark.parametrize(
    ("regime", "word"),
    [
        pytest.param(None, "nothing of the regime", id="the-look-does-not-say"),
        pytest.param(RegimeRead(), "older", id="nothing-stored"),
        pytest.param(
            RegimeRead(regime="trend", at=NOON, lacking=("the limits of momentum",)),
            "the limits of momentum", id="one-strategy-unheard",
        ),
        pytest.param(
            RegimeRead(regime="trend", at=NOON - FIVE - timedelta(seconds=1)), "older", id="stale"
        ),
    ],
)  # fmt: skip
def test_without_a_fresh_word_that_the_limits_hold_nothing_passes(regime, word):
    verdict = over(judged(), [taken(CLEAN), taken(regime, number=1)], FIVE)
    assert (verdict.answer, verdict.reason) == (Answer.WAIT, "LimitsUnproven")
    assert word in verdict.detail
    worse = judged(Answer.FAIL)
    assert over(worse, [taken(regime)], FIVE) == worse


@pytest.mark.req("GATE-6", "REG-8")
def test_with_one_it_passes_and_says_within_which_regime():
    verdict = over(judged(), [taken(CLEAN)], FIVE)
    assert verdict.answer is Answer.PASS
    assert verdict.detail.endswith("within the limits of trend")
    assert over(judged(), [], FIVE).answer is Answer.WAIT


@pytest.mark.req("GATE-6", "REG-8")
def test_a_word_is_fresh_up_to_its_age_and_that_included():
    at_its_age = RegimeRead(regime="trend", at=NOON - FIVE)
    assert over(judged(), [taken(at_its_age)], FIVE).answer is Answer.PASS


@pytest.mark.req("REG-8")
@pytest.mark.parametrize(
    ("looks", "late", "holds"),
    [
        pytest.param([], timedelta(0), False, id="nothing-was-read"),
        pytest.param([None], timedelta(0), False, id="the-look-does-not-say"),
        pytest.param([RegimeRead()], timedelta(0), False, id="nothing-stored"),
        pytest.param([CLEAN], timedelta(minutes=1), True, id="fresh-to-the-second"),
        pytest.param([CLEAN], timedelta(minutes=1, seconds=1), False, id="grown-old-since"),
        pytest.param([BROKEN, CLEAN], timedelta(0), True, id="the-newest-counts"),
        pytest.param([CLEAN, BROKEN], timedelta(0), False, id="broken"),
        pytest.param([RegimeRead(at=NOON, lacking=("x",))], timedelta(0), False, id="unheard"),
    ],
)
def test_limits_hold_by_a_word_that_is_fresh_now(looks, late, holds):
    read = [taken(regime, number=number) for number, regime in enumerate(looks)]
    assert hold(read, FIVE, NOON + late) is holds
    assert hold(read, None, NOON + late)
