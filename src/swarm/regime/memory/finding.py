"""What the two hypotheses come to, and what a regime posterior may do with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from swarm.regime.memory.spectrum import bandwidth, local_whittle, log_periodogram, spectrum
from swarm.regime.memory.spurious import critical_value, qu, sample_split

#: Below this the test finds five switches less often than a coin does (45 % at n = 500).
OBSERVATIONS_LEAST = 1_000
#: Long memory that is worth a name; below it there is nothing to mistake for a regime.
D_NOTABLE = 0.2
#: Of the mean distance from the mean, so that a tick that did not move has a logarithm too.
FLOOR = 0.01
#: What is left of the spread of weights between regimes where a posterior is tempered.
TEMPER_SPREAD = 0.5


class MemoryVerdict(StrEnum):
    """What long memory and switching say together. Never a veto by itself."""

    INSUFFICIENT = "insufficient"  #: too few observations, or none that vary: nothing is known
    SWITCHING = "switching"  #: true long memory is rejected, so a regime model is admissible
    LONG_MEMORY = "long-memory"  #: d is notable and not rejected: temper what the regimes say
    SHORT_MEMORY = "short-memory"  #: no long memory to mistake for a regime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFinding:
    """Both hypotheses, with the numbers that they were judged by; stored as it is.

    Where nothing is known the measures are None, never a number.

    n, m:   observations, and frequencies used.
    d, se:  local Whittle estimate and its standard error.
    d_line: the same by log periodogram, as a check.
    w:      Qu's statistic; `critical` is its critical value at `level`.
    split:  Shimotsu's Wald statistic with four parts, chi-squared with 3 degrees of freedom; None
            too where one of them stands still.
    """

    n: int
    verdict: MemoryVerdict
    critical: float
    level: float
    m: int = 0
    d: float | None = None
    se: float | None = None
    d_line: float | None = None
    w: float | None = None
    split: float | None = None

    @property
    def tempers(self) -> bool:
        """Whether a posterior is to be tempered. What is not known counts as a reason to."""
        return self.verdict in {MemoryVerdict.LONG_MEMORY, MemoryVerdict.INSUFFICIENT}

    @property
    def sentence(self) -> str:
        """For people: what was found, and what the regimes count for because of it."""
        counts = "are tempered" if self.tempers else "count in full"
        if self.d is None or self.se is None or self.w is None:
            return f"{self.verdict}: {self.n:,} ticks in a row tell nothing; regimes {counts}"
        return (
            f"{self.verdict}: d {self.d:.3f}, standard error {self.se:.3f};"
            f" W {self.w:.3f} against {self.critical}; regimes {counts}"
        )

    @property
    def spread_share(self) -> float:
        """What is left, 0 to 1, of the spread of weights between regimes."""
        return TEMPER_SPREAD if self.tempers else 1.0


def volatility(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each tick moved, in logarithms, for `examine`: the longest stretch without a gap.

    returns: shape (T,), NaN where there is none; in any unit.    Gives shape (n,), n <= T.
    Source: log(|r - mean| + a little), as in Qu 2011, section 6.
    """
    known = np.concatenate([[False], np.isfinite(returns), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1]).reshape(-1, 2)
    if not len(edges):
        return np.empty(0)
    first, end = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    moved = np.abs(returns[first:end] - returns[first:end].mean())
    floor = FLOOR * float(moved.mean())
    return np.log(moved + floor) if floor > 0 else np.zeros(len(moved))


def examine(
    series: NDArray[np.float64], *, trim: float = 0.02, level: float = 0.05
) -> MemoryFinding:
    """Test `series` (shape (n,), such as log absolute returns) for long memory and for switching.

    trim: the share of the lowest frequencies that may not decide alone, 0.02 or 0.05.
    level: the chance to reject true long memory, 0.10, 0.05 or 0.01.
    Refuses gaps and infinities; few or constant observations are INSUFFICIENT.
    """
    n = len(series)
    critical = critical_value(trim, level)
    if n < OBSERVATIONS_LEAST or (np.isfinite(series).all() and np.ptp(series) == 0):
        verdict = MemoryVerdict.INSUFFICIENT
        return MemoryFinding(n=n, verdict=verdict, critical=critical, level=level)
    found = spectrum(series, bandwidth(n))
    memory = local_whittle(found)
    w, split = qu(found, trim), sample_split(series)
    return MemoryFinding(
        n=n,
        m=len(found.power),
        d=memory.d,
        se=memory.se,
        d_line=log_periodogram(found).d,
        w=w,
        critical=critical,
        level=level,
        split=None if split is None else split.wald,
        verdict=_verdict(w > critical, memory.d),
    )


def _verdict(rejected: bool, d: float) -> MemoryVerdict:  # noqa: FBT001 - a fact, not a switch
    if rejected:
        return MemoryVerdict.SWITCHING
    return MemoryVerdict.LONG_MEMORY if d > D_NOTABLE else MemoryVerdict.SHORT_MEMORY
