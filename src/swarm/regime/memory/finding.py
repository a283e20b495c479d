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
    split:  Shimotsu's Wald statistic with four parts, chi-squared with 3 degrees of freedom.
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
    def spread_share(self) -> float:
        """What is left, 0 to 1, of the spread of weights between regimes."""
        return TEMPER_SPREAD if self.tempers else 1.0


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
    w = qu(found, trim)
    return MemoryFinding(
        n=n,
        m=len(found.power),
        d=memory.d,
        se=memory.se,
        d_line=log_periodogram(found).d,
        w=w,
        critical=critical,
        level=level,
        split=sample_split(series).wald,
        verdict=_verdict(w > critical, memory.d),
    )


def _verdict(rejected: bool, d: float) -> MemoryVerdict:  # noqa: FBT001 - a fact, not a switch
    if rejected:
        return MemoryVerdict.SWITCHING
    return MemoryVerdict.LONG_MEMORY if d > D_NOTABLE else MemoryVerdict.SHORT_MEMORY


def tempered(posterior: NDArray[np.float64], finding: MemoryFinding) -> NDArray[np.float64]:
    """A posterior, shape (K,) or (K, S), as believed under `finding`: mass 1, same order.

    Square roots made to sum to 1 again: the order stays, the certainty shrinks.
    """
    if not finding.tempers:
        return posterior
    # A square root has the same bits on every machine; a power and numpy's lane sums have not.
    rooted = np.sqrt(posterior)
    return np.asarray(rooted / sum(rooted))
