"""The small shared values say what the contract says."""

from __future__ import annotations

import pytest

from swarm.regime.nouns import DEFENSIVENESS, HIDDEN, LADDER, Regime, Rung


@pytest.mark.req("REG-1")
def test_the_regimes_are_the_five_of_the_contract():
    assert list(Regime) == ["trend", "mean-revert", "high-vol", "stressed-liquidity", "uncertain"]


@pytest.mark.req("REG-1")
def test_uncertain_is_a_decision_and_has_no_probability():
    assert HIDDEN == ("trend", "mean-revert", "high-vol", "stressed-liquidity")


@pytest.mark.req("REG-7")
def test_the_ladder_is_shadow_1_5_20_full():
    assert [rung.label for rung in LADDER] == ["shadow", "1%", "5%", "20%", "full"]
    assert [rung.capital_share for rung in LADDER] == [0.0, 0.01, 0.05, 0.2, 1.0]


@pytest.mark.req("REG-7")
def test_each_rung_leads_to_its_neighbours_only():
    assert [rung.above for rung in LADDER] == [
        Rung.ONE,
        Rung.FIVE,
        Rung.TWENTY,
        Rung.FULL,
        Rung.FULL,
    ]
    assert [rung.below for rung in LADDER] == [
        Rung.SHADOW,
        Rung.SHADOW,
        Rung.ONE,
        Rung.FIVE,
        Rung.TWENTY,
    ]


@pytest.mark.req("REG-4")
def test_not_to_know_asks_for_as_much_caution_as_the_worst():
    assert DEFENSIVENESS[Regime.UNCERTAIN] == max(DEFENSIVENESS.values())
    assert set(DEFENSIVENESS) == set(Regime)
