"""From a failing seed to a short story: fewer faults, less time, the same broken promise.

Source: delta debugging, Zeller and Hildebrandt 2002 (ddmin). It works because decisions are keyed:
what is left out changes nothing about what stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from swarm.testing.simulation.chance import Fault
from swarm.testing.simulation.simulation import BEGIN, Result, Trial

MARGIN = timedelta(minutes=5)  #: kept after the first violation
PATIENCE = 50.0  #: seconds after which what was reached so far is told

Simulate = Callable[[Trial], Result]
Group = tuple[str, ...]  #: points of faults


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
    """Leave out time and faults while the failure stays. Cost: at most PATIENCE and one run.

    Whole kinds of faults go first: most have nothing to do with it, and each that goes takes
    hundreds of points along. What is left goes one by one, in the order in which it struck, so that
    what is tried together happened together.
    """
    search, before = _Search(simulate, failure), len(failure.injected)
    _earlier(search)
    if search.fails(replace(search.best.trial, only=frozenset(search.best.injected))):
        _fewer(search, _by_kind(search.best))
        _earlier(search)
        _fewer(search, [(point,) for point in search.best.injected])
        _earlier(search)
    seconds = time.monotonic() - search.began
    return Shrunk(result=search.best, runs=search.runs, seconds=seconds, before=before)


def _earlier(search: _Search) -> None:
    """End it soon after the first violation; where a mission is stuck, after half the time."""
    times = [one.at for one in search.best.judgement.violations]
    trial = search.best.trial
    if times:
        search.fails(replace(trial, lasts=min(trial.lasts, min(times) - BEGIN + MARGIN)))
        return
    while search.best.stuck and trial.lasts > MARGIN and not search.over:
        trial = replace(trial, lasts=trial.lasts / 2)
        if not search.fails(trial):
            return


def _by_kind(failure: Result) -> list[Group]:
    found: dict[Fault, list[str]] = {}
    for point, fault in failure.injected.items():
        found.setdefault(fault, []).append(point)
    return [tuple(points) for points in found.values()]


def _fewer(search: _Search, groups: Sequence[Group]) -> None:
    """Delta debugging over groups of points that are switched off together."""
    parts, left = 2, list(groups)
    while len(left) > 1 and not search.over:
        size = -(-len(left) // parts)
        for at in range(0, len(left), size):
            rest = left[:at] + left[at + size :]
            only = frozenset(point for group in rest for point in group)
            if search.over or search.fails(replace(search.best.trial, only=only)):
                # What did not even happen any more needs no switching off.
                happened = search.best.injected
                left = [kept for g in rest if (kept := tuple(p for p in g if p in happened))]
                parts = max(parts - 1, 2)
                break
        else:
            if size == 1:
                return
            parts = min(parts * 2, len(left))
