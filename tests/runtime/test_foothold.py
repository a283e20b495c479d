"""Where a strategy stands by its ledger: the same as if every tick had been lived through."""

import numpy as np
import pytest

from swarm.adapters.postgres.store.regime.trials import Tried
from swarm.regime.capital.ladder import Foothold, LadderReason, LadderRule, RungEvidence, move
from swarm.regime.nouns import Regime, Rung
from swarm.runtime.regime.promotion import foothold

SINCE = 99


def told(excess):
    return Tried(id="t", strategy="momentum", content={}, excess=((0, tuple(excess)),))


def lived(excess, rung):
    """Tick by tick on the ladder, and how often the bet against it was won."""
    here, lost = Foothold(rung=rung, tested=7), 0
    for tick in range(SINCE + 1, len(excess)):
        deviations = excess[tick] / excess[:tick].std()
        evidence = RungEvidence(
            regime=Regime.TREND, excess=float(deviations), breach=None, finding=None
        )
        here, why = move(here, evidence, LadderRule())
        lost += LadderReason.WORSE_THAN_BASELINE in why
    return here, lost


@pytest.mark.req("REG-6", "REG-7")
def test_who_loses_the_bet_in_shadow_begins_again_with_nothing():
    """Capital that was lost can be earned again, so what was lost on paper can, too."""
    rng = np.random.default_rng(3)
    excess = np.concatenate([rng.normal(0, 1, 100), rng.normal(-0.6, 1, 300), np.ones(50)])
    expected, lost = lived(excess, Rung.SHADOW)
    assert lost >= 2
    assert expected.seen[0] < 250
    found = foothold(Rung.SHADOW, told(excess), Regime.TREND, since=SINCE, tested=7)
    assert (found.rung, found.seen, found.tested) == (Rung.SHADOW, expected.seen, 7)
    assert found.worse == pytest.approx(expected.worse)
    assert not found.worse.reached(LadderRule().alpha)


@pytest.mark.req("REG-6")
def test_above_shadow_a_lost_bet_stays_lost():
    excess = np.concatenate([np.random.default_rng(3).normal(-0.6, 1, 400), np.ones(400)])
    found = foothold(Rung.ONE, told(excess), Regime.TREND, since=SINCE, tested=0)
    assert found.worse.reached(LadderRule().alpha)
    assert sum(found.seen) == 700
