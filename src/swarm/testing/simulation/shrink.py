"""From a failing seed to a short story: fewer faults, less time, the same broken promise.

Source: delta debugging, Zeller and Hildebrandt 2002 (ddmin). It works because decisions are keyed:
what is left out changes nothing about what stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from swarm.testing.simulation.simulation import BEGIN, Result, Trial

MARGIN = timedelta(minutes=5)  #: kept after the first violation
PATIENCE = 50.0  #: seconds after which what was reached so far is told

Simulate = Callable[[Trial], Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The smallest failing trial that was found, and what finding it took."""

    result: Result
    runs: int
    seconds: float
    before: int  #: decisions of the failure as it was found


class _Search:
    """Runs candidates until patience ends; one is good if it breaks the same promise."""

    def __init__(self, simulate: Simulate, failure: Result) -> None:
        self._simulate, self._kinds = simulate, kinds(failure)
        self.best, self.runs, self.began = failure, 0, time.monotonic()

    @property
    def over(self) -> bool:
        return time.monotonic() - self.began > PATIENCE

    def fails(self, trial: Trial) -> bool:
        """Whether it breaks the same promise; remembers it as the best if it does."""
        self.runs += 1
        result = self._simulate(trial)
        if not kinds(result) & self._kinds:
            return False
        self.best = result
        return True


def kinds(result: Result) -> frozenset[str]:
    """Which promises a result broke, by name."""
    broken = {str(one.rule) for one in result.judgement.violations}
    return frozenset(
        broken | ({"liveness"} if result.stuck else set()) | ({"fault"} if result.faults else set())
    )


def shrink(failure: Result, simulate: Simulate) -> Shrunk:
    """Leave out time and faults while the failure stays. Cost: at most PATIENCE and one run."""
    search, before = _Search(simulate, failure), len(failure.injected)
    search.fails(_sooner(search.best))
    points = sorted(search.best.injected)
    if search.fails(replace(search.best.trial, only=frozenset(points))):
        _fewer(search, points)
        search.fails(_sooner(search.best))
    seconds = time.monotonic() - search.began
    return Shrunk(result=search.best, runs=search.runs, seconds=seconds, before=before)


def _sooner(failure: Result) -> Trial:
    """The same trial, over soon after its first violation."""
    times = [one.at for one in failure.judgement.violations]
    if not times or failure.stuck:
        return failure.trial
    return replace(failure.trial, lasts=min(failure.trial.lasts, min(times) - BEGIN + MARGIN))


def _fewer(search: _Search, points: Sequence[str]) -> None:
    parts, left = 2, list(points)
    while len(left) > 1 and not search.over:
        size = -(-len(left) // parts)
        for at in range(0, len(left), size):
            rest = left[:at] + left[at + size :]
            if search.over or search.fails(replace(search.best.trial, only=frozenset(rest))):
                # What did not even happen any more needs no switching off.
                left, parts = [p for p in rest if p in search.best.injected], max(parts - 1, 2)
                break
        else:
            if size == 1:
                return
            parts = min(parts * 2, len(left))
