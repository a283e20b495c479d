"""The capital ladder: never a rung skipped on the way up, never a delay on the way down."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from swarm.regime.capital.ladder import (
    Foothold,
    LadderReason,
    LadderRule,
    RungEvidence,
    move,
)
from swarm.regime.errors import BadInput
from swarm.regime.nouns import HIDDEN, LADDER, Regime, Rung
from swarm.regime.snooping.betting import Wealth
from swarm.regime.snooping.verdict import SnoopingFinding, SnoopingVerdict

RULE = LadderRule(observations=dict.fromkeys(LADDER, 5))


def look(observations, verdict=SnoopingVerdict.PASSED):
    return SnoopingFinding(
        verdict=verdict, why="", observations=observations, trials=3, universe="u"
    )


GOOD = RungEvidence(regime=Regime.TREND, excess=0.1, breach=False, finding=look(100))
READY = Foothold(rung=Rung.ONE, seen=(9, 9, 9, 9), tested=50)


@pytest.mark.req("REG-7")
def test_everything_in_order_is_one_rung_up_and_begins_anew():
    found, why = move(READY, GOOD, RULE)
    assert why == (LadderReason.CLIMBED,)
    assert found == Foothold(rung=Rung.FIVE, tested=100)


@pytest.mark.req("REG-7")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"finding": None}, LadderReason.NOT_TESTED, id="never-tested"),
        pytest.param({"finding": look(50)}, LadderReason.NOT_TESTED, id="old-look"),
        pytest.param(
            {"finding": look(100, SnoopingVerdict.INSUFFICIENT)},
            LadderReason.NOT_TESTED,
            id="insufficient",
        ),
        pytest.param(
            {"finding": look(100, SnoopingVerdict.REJECTED)},
            LadderReason.TEST_REJECTED,
            id="rejected",
        ),
        pytest.param({"breach": None}, LadderReason.LIMITS_NOT_CLEAN, id="limits-unknown"),
        pytest.param(
            {"regime": Regime.UNCERTAIN}, LadderReason.REGIME_UNCERTAIN, id="regime-unknown"
        ),
        pytest.param({"ceiling": Rung.ONE}, LadderReason.CEILING, id="ceiling"),
    ],
)
def test_one_thing_missing_is_no_rung_up(change, reason):
    found, why = move(READY, replace(GOOD, **change), RULE)
    assert (found.rung, why) == (Rung.ONE, (reason,))


@pytest.mark.req("REG-7")
def test_observations_of_another_regime_do_not_count():
    foothold = replace(READY, seen=(3, 99, 99, 99))
    assert move(foothold, GOOD, RULE)[1] == (LadderReason.TOO_FEW_OBSERVATIONS,)
    assert move(replace(foothold, seen=(4, 0, 0, 0)), GOOD, RULE)[0].rung == Rung.FIVE


def test_a_tick_without_a_trade_is_no_observation():
    found, _ = move(Foothold(), replace(GOOD, excess=None), RULE)
    assert found == Foothold()


@pytest.mark.req("REG-7")
@pytest.mark.parametrize("rung", LADDER)
def test_a_breach_is_one_rung_down_at_once(rung):
    found, why = move(replace(READY, rung=rung), replace(GOOD, breach=True), RULE)
    assert found.rung == rung.below
    assert why[0] == LadderReason.LIMIT_BREACHED


@pytest.mark.req("REG-7", "FRZ-5")
def test_a_freeze_brings_everyone_down_at_once():
    top = replace(READY, rung=Rung.FULL)
    assert move(top, replace(GOOD, ceiling=Rung.SHADOW), RULE)[0].rung == Rung.SHADOW


@pytest.mark.req("REG-6")
def test_an_expert_that_loses_the_bet_loses_its_capital():
    foothold, rule_ = Foothold(rung=Rung.TWENTY), LadderRule()
    for _ in range(1_000):
        foothold, why = move(foothold, replace(GOOD, excess=-0.8), rule_)
        if foothold.rung is not Rung.TWENTY:
            break
    assert (foothold.rung, why) == (Rung.SHADOW, (LadderReason.WORSE_THAN_BASELINE,))
    assert foothold.worse == Wealth()
    assert sum(foothold.seen) == 0


def test_who_loses_the_bet_in_shadow_begins_again_with_nothing():
    lost = Foothold(seen=(99,) * 4, worse=Wealth(bets=99, log=3.1, peak=3.1), tested=7)
    assert move(lost, GOOD, RULE)[0] == Foothold(tested=7)


@pytest.mark.req("REG-7")
def test_every_combination_of_evidence_moves_as_it_should():
    """All of them, against the rule in words: up only if all is well, and then by one."""
    for rung, breach, finding, seen, ceiling, regime in itertools.product(
        LADDER,
        (True, False, None),
        (None, look(10), *(look(100, verdict) for verdict in SnoopingVerdict)),
        (0, 9),
        LADDER,
        (Regime.TREND, Regime.UNCERTAIN),
    ):
        foothold = Foothold(rung=rung, seen=(seen,) * 4, tested=50)
        evidence = RungEvidence(
            regime=regime, excess=0.0, breach=breach, finding=finding, ceiling=ceiling
        )
        found, why = move(foothold, evidence, RULE)
        passed = finding is not None and finding.verdict == SnoopingVerdict.PASSED
        well = breach is False and passed and finding.observations > 50 and seen > 0
        if breach or ceiling < rung:
            assert found.rung == min(ceiling, rung.below if breach else rung)
        elif well and regime in HIDDEN and rung.above <= ceiling and rung is not Rung.FULL:
            assert found.rung == rung.above
        else:
            assert found.rung == rung
        assert why


class Climb(RuleBasedStateMachine):
    """Anything may happen to an expert, in any order; what was promised holds throughout."""

    def __init__(self):
        super().__init__()
        self.foothold, self.looks, self.path, self.counted = Foothold(), 0, [Rung.SHADOW], 0

    def tell(self, **change):
        before = self.foothold
        evidence = replace(GOOD, finding=look(self.looks), **change)
        self.foothold, self.why = move(before, evidence, RULE)
        self.counted += evidence.excess is not None
        if self.foothold.rung is not before.rung:
            if self.foothold.rung > before.rung:
                assert self.foothold.rung is before.rung.above
                assert evidence.breach is False
                assert self.looks > before.tested
                assert self.counted >= 5
            self.counted = 0
            self.path.append(self.foothold.rung)

    @rule(ticks=st.integers(1, 9), regime=st.sampled_from(list(Regime)))
    def trade(self, ticks, regime):
        for _ in range(ticks):
            self.tell(regime=regime)

    @rule(more=st.integers(1, 50))
    def reach_a_look(self, more):
        self.looks += more

    @rule(breach=st.sampled_from([True, None]))
    def lose_a_limit(self, breach):
        rung = self.foothold.rung
        self.tell(breach=breach)
        assert self.foothold.rung is (rung.below if breach else rung)

    @rule(ceiling=st.sampled_from(LADDER))
    def freeze(self, ceiling):
        self.tell(ceiling=ceiling)
        assert self.foothold.rung <= ceiling

    @rule(excess=st.floats(-3, -0.5), ticks=st.integers(1, 40))
    def lose_money(self, excess, ticks):
        for _ in range(ticks):
            self.tell(excess=excess)

    @invariant()
    def every_way_up_went_through_every_rung(self):
        for before, after in itertools.pairwise(self.path):
            assert after <= before.above


TestClimb = pytest.mark.req("REG-7")(Climb.TestCase)
TestClimb.settings = settings(stateful_step_count=40)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: LadderRule(observations={Rung.ONE: 3}),
        lambda: LadderRule(observations=dict.fromkeys(LADDER, -1)),
        lambda: LadderRule(alpha=0.0),
        lambda: LadderRule(scale=2.0),
        lambda: move(READY, replace(GOOD, excess=float("nan")), RULE),
    ],
)
def test_what_cannot_be_meant_is_refused(bad):
    with pytest.raises(BadInput):
        bad()
