"""Three strategies, and what each showed: decided on paper at every bar, whatever its rung."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from swarm.regime.capital.allocation import Expert
from swarm.regime.capital.ladder import Foothold, LadderReason, LadderRule, RungEvidence, move
from swarm.regime.nouns import HIDDEN, Regime, Rung
from swarm.regime.snooping.trials import Trial, universe
from swarm.regime.snooping.verdict import SnoopingFinding, SnoopingRule, judge

COST = 0.00002  #: of a unit's turnover, as the paper account is charged
SPREAD_LEAST = 20
LOOKS = SnoopingRule(looks=(300, 500, 700, 900, 1_100, 1_300, 1_500), resamples=400)
EXPERTS = (
    Expert(name="drift", wants={Regime.TREND: 0.5}, cap=0.3),
    Expert(name="mean", wants={Regime.MEAN_REVERT: 0.5}, cap=0.3),
    Expert(name="carry", wants=dict.fromkeys(HIDDEN, 0.3), cap=0.2),
)
#: Variants that were tried beside those and given up: each counts in every test.
GIVEN_UP = 12
FADES_AT_DAY = 15  #: from here on `carry` loses what it earned before
_EARNS, _LOSES = 0.00012, -0.00025


@dataclass(slots=True)
class Stance:
    """One expert: which side it is on, what it showed, and where it stands on the ladder."""

    expert: Expert
    side: int = 0
    excess: list[float] = field(default_factory=list)
    foothold: Foothold = field(default_factory=Foothold)
    finding: SnoopingFinding | None = None

    @property
    def rung(self) -> Rung:
        """Where it stands."""
        return self.foothold.rung

    def see(self, ret: float, day: int, noise: float) -> float:
        """Its net return on paper over one bar; then it chooses its side for the next."""
        earned = self.side * ret - (COST if self.side else 0.0)
        if self.expert.name == "carry":
            earned = (_LOSES if day >= FADES_AT_DAY else _EARNS) + 0.0006 * noise
            self.side = 1
        else:
            sign = (ret > 0) - (ret < 0)
            self.side = sign if self.expert.name == "drift" else -sign
        return earned

    def observe(self, regime: Regime, earned: float) -> float | None:
        """The excess that counts, in standard deviations of what came before; None when idle."""
        trades = regime in self.expert.wants
        traded = [one for one in self.excess[-500:] if one]
        self.excess.append(earned if trades else 0.0)
        spread = float(np.std(traded)) if len(traded) > SPREAD_LEAST else 0.0
        return earned / spread if trades and spread > 0 else None

    def climb(
        self, evidence: RungEvidence, rule: LadderRule
    ) -> tuple[Rung, tuple[LadderReason, ...]]:
        """One tick on the ladder: the rung before it, and why it moved or did not."""
        before = self.rung
        self.foothold, why = move(self.foothold, evidence, rule)
        return before, why


def look(stances: Mapping[str, Stance], given_up: list[list[float]], n: int) -> None:
    """A registered look: each expert is judged against everything that was ever tried."""
    if n not in LOOKS.looks:
        return
    tried = {name: np.array(one.excess) for name, one in stances.items()}
    tried |= {f"given up {place}": np.array(one) for place, one in enumerate(given_up)}
    contents = {name: hashlib.sha256(name.encode()).hexdigest() for name in tried}
    whole = universe(Trial(content=contents[name], excess=one) for name, one in tried.items())
    for name, stance in stances.items():
        stance.finding = judge(contents[name], whole, LOOKS)
