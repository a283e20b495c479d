"""The limits that depend on the regime, and what they say about what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarm.regime.limits import checked
from swarm.regime.limits.errors import LimitsInvalid
from swarm.regime.limits.instrument import PPM
from swarm.regime.nouns import Regime


class Measure(StrEnum):
    """What is limited by regime. The names are the fields of RegimeLimits and of Metrics."""

    DRAWDOWN = "drawdown_ppm"  #: fall from the day's opening equity
    EXPOSURE = "exposure"  #: gross money in positions and working orders
    CONCENTRATION = "concentration_ppm"  #: largest instrument as a share of the exposure limit
    SLIPPAGE = "slippage_ppm"  #: mean cost against the price at decision
    IMPACT = "impact_ppm"  #: mean move that our own trades left
    REJECTS = "rejects_ppm"  #: share of orders that the venue refused
    ERRORS = "errors_ppm"  #: share of requests that failed


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeLimits:
    """The most that is allowed in one regime. Shares in parts per million, money in micro-units."""

    regime: Regime
    drawdown_ppm: int
    exposure: int
    concentration_ppm: int
    slippage_ppm: int
    impact_ppm: int
    rejects_ppm: int
    errors_ppm: int

    def __post_init__(self) -> None:
        if not isinstance(self.regime, Regime):
            raise LimitsInvalid("regimes.regime", f"{self.regime!r}", "name a regime")
        for measure in Measure:
            most = checked.LARGEST if measure is Measure.EXPOSURE else PPM
            where = f"regimes[{self.regime}].{measure}"
            checked.whole(where, getattr(self, measure), most=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What was measured, at one time. None is "not known", which is never within a limit.

    Units as in RegimeLimits; at_ns is when the newest of it was true.
    """

    at_ns: int
    drawdown_ppm: int | None
    exposure: int | None
    concentration_ppm: int | None
    slippage_ppm: int | None
    impact_ppm: int | None
    rejects_ppm: int | None
    errors_ppm: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that does not hold, or of which nobody knows that it holds (found None)."""

    measure: Measure
    regime: Regime
    limit: int
    found: int | None

    @property
    def sentence(self) -> str:
        """For people."""
        found = "is not known" if self.found is None else f"is {self.found}"
        return f"{self.measure} {found}; in {self.regime} at most {self.limit}"


def breaches(limits: RegimeLimits, metrics: Metrics | None) -> tuple[Breach, ...]:
    """Every limit that what was measured does not keep. A value that is no integer is not known."""
    found = []
    for measure in Measure:
        value = getattr(metrics, measure, None)
        known = value if type(value) is int and value >= 0 else None
        limit = getattr(limits, measure)
        if known is None or known > limit:
            breach = Breach(measure=measure, regime=limits.regime, limit=limit, found=known)
            found.append(breach)
    return tuple(found)
