"""From a posterior to each expert's share of the capital: capped, and never raised by a caution.

Whoever sizes orders calls it at each tick; `swarmctl regime month` does. The order path sizes none
and trusts no share: it holds each strategy to its rung and its limits, whatever was allocated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from swarm.regime.capital.projection import Group, project_grouped
from swarm.regime.errors import BadInput
from swarm.regime.memory.finding import TEMPER_SPREAD, MemoryFinding
from swarm.regime.nouns import HIDDEN, Posture, Regime, Rung

EXPOSURE: Final[Mapping[Posture, float]] = {
    Posture.NORMAL: 1.0,
    Posture.DEFENSIVE: 0.25,
    Posture.FROZEN: 0.0,
}
"""The share of all capital that may be at work in each posture."""
MASS_SLACK = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """One strategy and what it claims.

    wants: its share of the capital in each regime that it declares; it gets none in others.
    cap:   its risk budget: the greatest share that it may ever hold, in [0, 1].
    group: experts of one group share a cap; empty for none.
    """

    name: str
    wants: Mapping[Regime, float]
    cap: float
    group: str = ""

    def __post_init__(self) -> None:
        for regime, want in self.wants.items():
            if regime not in HIDDEN:
                raise BadInput(f"{self.name}.wants", f"declare {regime!r}", "a hidden regime")
            _require_share(f"{self.name}.wants[{regime}]", want)
        _require_share(f"{self.name}.cap", self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRule:
    """rise: how much any one share may grow in a tick; falling is never slowed.

    The limit is on each share and not on their sum: what one does not use of a sum another could,
    and then a caution about one would raise another.
    """

    rise: float = 0.02
    group_caps: Mapping[str, float]

    def __post_init__(self) -> None:
        _require_share("rise", self.rise)
        for group, cap in self.group_caps.items():
            _require_share(f"group_caps[{group}]", cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What was allowed at one tick, in the order of the experts.

    capital_shares: of all capital, each in [0, 1].
    most:           the bounds it was made under: cap times rung.
    exposure:       the total it was made under.
    group_caps:     the caps of groups it was made under, in the order of their names.
    held_back:      True when nobody was raised because somebody's bound, or the total, had fallen.
    """

    names: tuple[str, ...]
    capital_shares: tuple[float, ...]
    most: tuple[float, ...]
    exposure: float
    group_caps: tuple[float, ...] = ()
    held_back: bool = False

    def bounds(self) -> tuple[float, ...]:
        """Everything that bounded it; if any of them falls, that is a caution."""
        return (self.exposure, *self.most, *self.group_caps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What one tick knows: posterior in the order of HIDDEN, posture, rungs, and long memory.

    memory: None when nothing was tested; then the posterior is tempered, as for long memory.
    """

    posterior: Sequence[float]
    posture: Posture
    rungs: Mapping[str, Rung]
    memory: MemoryFinding | None


def nothing(experts: Sequence[Expert]) -> Allocation:
    """Before the first tick: nobody holds anything."""
    none = (0.0,) * len(experts)
    return Allocation(
        names=tuple(expert.name for expert in experts), capital_shares=none, most=none, exposure=0.0
    )


def allocate(
    experts: Sequence[Expert], situation: Situation, before: Allocation, rule: AllocationRule
) -> Allocation:
    """The shares of this tick. A lower posture, cap or rung never raises anyone at its tick.

    Refuses a posterior that is no distribution, and experts other than those of `before`.
    Cost: see `project_grouped`; 2 ms for 100 experts.
    """
    names = tuple(expert.name for expert in experts)
    if names != before.names or len(set(names)) != len(names):
        raise BadInput("experts", f"are {names}", f"those of the tick before, {before.names}")
    _require_posterior(situation.posterior)
    exposure = EXPOSURE[situation.posture]
    # An expert that stands on no rung stands on the lowest.
    rungs = [situation.rungs.get(expert.name, Rung.SHADOW) for expert in experts]
    most = tuple(e.cap * rung.capital_share for e, rung in zip(experts, rungs, strict=True))
    wanted = targets(experts, situation.posterior, situation.memory)
    groups = _groups(experts, rule)
    shares = [
        min(share, held + rule.rise)
        for share, held in zip(
            project_grouped(wanted, most, exposure, groups), before.capital_shares, strict=True
        )
    ]
    made = Allocation(
        names=names,
        capital_shares=tuple(shares),
        most=most,
        exposure=exposure,
        group_caps=tuple(group.cap for group in groups),
    )
    # Before the first tick there are no group caps yet, and then nothing can have fallen.
    pairs = zip(made.bounds(), before.bounds(), strict=False)
    if not any(now < was for now, was in pairs):
        return made
    # What a caution frees goes to nobody in the same tick: each caution lowers, none raises.
    held = zip(shares, before.capital_shares, strict=True)
    return replace(made, capital_shares=tuple(min(pair) for pair in held), held_back=True)


def targets(
    experts: Sequence[Expert], posterior: Sequence[float], memory: MemoryFinding | None
) -> list[float]:
    """What each expert wants, averaged over the regimes; in the order of the experts.

    Where long memory cannot be told from switching, the posterior is flattened (its square root,
    made to sum to one) and each expert's wants are drawn half way towards their mean.
    """
    tempered = memory is None or memory.tempers
    spread = TEMPER_SPREAD if memory is None else memory.spread_share
    weights = [math.sqrt(p) for p in posterior] if tempered else list(posterior)
    mass = math.fsum(weights)
    found = []
    for expert in experts:
        mean = math.fsum(expert.wants.values()) / max(len(expert.wants), 1)
        drawn = {regime: mean + spread * (want - mean) for regime, want in expert.wants.items()}
        parts = (w * drawn.get(k, 0.0) for w, k in zip(weights, HIDDEN, strict=True))
        found.append(math.fsum(parts) / mass)
    return found


def _groups(experts: Sequence[Expert], rule: AllocationRule) -> list[Group]:
    found = []
    for name in sorted({expert.group for expert in experts} - {""}):
        members = tuple(n for n, expert in enumerate(experts) if expert.group == name)
        if name not in rule.group_caps:
            raise BadInput(f"group_caps[{name}]", "is not configured", "a cap for each group")
        found.append(Group(members, rule.group_caps[name]))
    return found


def _require_share(field: str, value: float) -> None:
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise BadInput(field, f"is {value}", "a share between 0 and 1")


def _require_posterior(posterior: Sequence[float]) -> None:
    if len(posterior) != len(HIDDEN) or not all(p >= 0.0 for p in posterior):
        raise BadInput("posterior", f"is {list(posterior)}", "four probabilities")
    if not abs(math.fsum(posterior) - 1.0) <= MASS_SLACK:
        raise BadInput("posterior", f"sums to {math.fsum(posterior)}", "a sum of one")
