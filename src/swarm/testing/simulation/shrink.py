"""From a failing seed to a short story: fewer faults, less time, the same broken promise.

Source: delta debugging, Zeller and Hildebrandt 2002 (ddmin). It works because decisions are keyed:
what is left out changes nothing about what stays.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import timedelta

from swarm.testing.simulation.chance import MISSION, Fault
from swarm.testing.simulation.simulation import BEGIN, Result, Trial

MARGIN = timedelta(minutes=5)  #: kept after the first violation
PATIENCE = 45.0  #: seconds after which what was reached so far is told
ENDS = 5  #: how often the end of a stuck trial is halved: a day to less than an hour
DRAWN = 0.6  #: of the patience, for leaving out what is drawn: it leaves out the most
NAMES_MOST = 64  #: faults that a command may name; more fill a screen
HALVES = 4  #: other halves of the faults that are tried before the search goes on with all
_MINUTE = timedelta(minutes=1)
LAST = (4, 16, 64)  #: faults before the failure that are tried as all that there were

Simulate = Callable[[Trial], Result]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The smallest failing trial that was found, and what finding it took."""

    result: Result
    runs: int
    seconds: float
    before: int  #: decisions of the failure as it was found


class _Search:
    """Runs candidates until patience ends; one is good if it breaks the same promise."""

    def __init__(self, simulate: Simulate, failure: Result, clock: Clock) -> None:
        self._simulate, self._kinds, self._clock = simulate, kinds(failure), clock
        self.best, self.runs, self._began = failure, 0, clock()
        self.until = PATIENCE

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    @property
    def over(self) -> bool:
        return self.seconds > self.until

    @property
    def trial(self) -> Trial:
        """The best so far, to be made smaller: it ends soon after the first violation."""
        trial, broken = self.best.trial, self.best.judgement.violations
        if not broken:
            return trial
        soon = _whole(min(one.at for one in broken) - BEGIN + MARGIN)
        return replace(trial, lasts=min(trial.lasts, soon))

    def fails(self, trial: Trial) -> bool:
        """Whether it breaks the same promise with no more faults; it is the best then."""
        if self.over:
            return False
        self.runs += 1
        result = self._simulate(trial)
        if not kinds(result) & self._kinds or len(result.injected) > len(self.best.injected):
            return False
        self.best = result
        return True

    def without(self, points: AbstractSet[str]) -> None:
        """Try the best so far without these points, if it has any of them."""
        happened = self.best.injected.keys()
        if happened & points:
            self.fails(_told(self.trial, happened - points))


def missions(result: Result) -> frozenset[str]:
    """The missions whose promises a result broke."""
    broken = {one.mission for one in result.judgement.violations if one.mission}
    return frozenset(broken | {line.partition(" ")[0] for line in result.stuck})


def kinds(result: Result) -> frozenset[str]:
    """Which promises a result broke, by name."""
    broken = {str(one.rule) for one in result.judgement.violations}
    unsaid = {f"unjudged {rule}" for rule in result.judgement.unjudged}
    stuck = {"liveness"} if result.stuck else set[str]()
    return frozenset(broken | unsaid | stuck | ({"fault"} if result.faults else set[str]()))


def shrink(failure: Result, simulate: Simulate, clock: Clock = time.monotonic) -> Shrunk:
    """Leave out time and faults while the failure stays. Cost: at most PATIENCE and one run.

    clock: what patience is measured by, in seconds.

    First the end comes to the failure. Then kinds of faults go, and a share of the rest: both
    still draw along whatever way the trial then takes, so that the same bug shows again although
    everything before it went otherwise. What is left is told by name: the last of it alone,
    without other missions, without whole kinds and groups, and then part by part. Where that
    leaves more than anybody reads, the seed itself says it in fewer words.
    """
    search, before = _Search(simulate, failure, clock), len(failure.injected)
    search.fails(search.trial)
    _earlier(search)
    plain = search.best
    search.until = PATIENCE * DRAWN
    _fewer_kinds(search)
    _fewer_of_each(search)
    _earlier(search)
    search.until = PATIENCE
    if search.fails(_told(search.trial, search.best.injected)):
        _only_the_first(search)
        _only_the_last(search)
        _fewer_missions(search)
        _fewer_groups(search)
        _fewer(search)
        _earlier(search)
    small = search.best if len(search.best.injected) <= NAMES_MOST else plain
    return Shrunk(result=small, runs=search.runs, seconds=search.seconds, before=before)


def _told(trial: Trial, points: Iterable[str]) -> Trial:
    """The trial in which these faults happen and no other, as its one command says."""
    return replace(trial, only=frozenset(points), kinds=None, share=1.0)


def _earlier(search: _Search) -> None:
    """Where a mission is stuck: end at the earliest half of the time at which it still is."""
    well = timedelta()
    for _ in range(ENDS if search.best.stuck else 0):
        half = _whole((well + search.best.trial.lasts) / 2)
        if not search.fails(replace(search.best.trial, lasts=half)):
            well = half


def _whole(span: timedelta) -> timedelta:
    """In minutes, as its command says it."""
    return -(-span // _MINUTE) * _MINUTE


def _fewer_kinds(search: _Search) -> None:
    """Try none at all, then leave out each half of the kinds, each quarter, ..., each kind."""
    if search.fails(replace(search.trial, kinds=frozenset())):
        return
    size = len(_kinds(search))
    while size > 1 and not search.over:
        size, met = (size + 1) // 2, _kinds(search)
        for at in reversed(range(0, len(met), size)):
            known = frozenset(_kinds(search))
            rest = known.difference(met[at : at + size])
            if rest and rest != known:
                search.fails(replace(search.trial, kinds=rest))


def _kinds(search: _Search) -> list[Fault]:
    """The kinds that are met in the best so far, the rarest first."""
    often = Counter(search.best.injected.values()).most_common()
    return [fault for fault, _ in reversed(often)]


def _fewer_of_each(search: _Search) -> None:
    """About half of what is drawn, half of that, ...; another half where one does not do."""
    share, tried = 1.0, 0
    while tried < HALVES and search.best.injected and not search.over:
        half = share * (0.5 + tried / 16)
        if search.fails(replace(search.trial, share=half)):
            share, tried = half, 0
        else:
            tried += 1


def _only_the_first(search: _Search) -> None:
    """Leave out what struck after a mission was stuck: that changed nothing of what was before."""
    points, well, broken = list(search.best.injected), 0, len(search.best.injected)
    while search.best.stuck and broken - well > 1 and not search.over:
        half = (well + broken) // 2
        if search.fails(_told(search.trial, points[:half])):
            broken = half
        else:
            well = half


def _only_the_last(search: _Search) -> None:
    """Where a bug needs little, what it needs struck shortly before."""
    for last in LAST:
        points = list(search.best.injected)
        if last < len(points) and search.fails(_told(search.trial, points[-last:])):
            return


def _fewer_missions(search: _Search) -> None:
    """Leave out at once what struck other missions than those whose promises were broken."""
    about = tuple(mission[:MISSION] for mission in missions(search.best))
    calls = {point for point in search.best.injected if point.startswith("m-")}
    search.without({point for point in calls if not point.startswith(about)})


def _fewer_groups(search: _Search) -> None:
    """Leave out all of one kind at one place: a bug needs few of the many kinds there are."""
    for kind, _ in Counter(search.best.injected.values()).most_common():
        search.without({point for point, fault in search.best.injected.items() if fault is kind})
    for group, _ in Counter(map(_group, search.best.injected)).most_common():
        search.without({point for point in search.best.injected if _group(point) == group})


def _group(point: str) -> str:
    """Where a point lies, without its number: a mission, what a controller calls, an outage."""
    return point.partition(".")[0] if point.startswith("m-") else point.rstrip(".0123456789")


def _fewer(search: _Search) -> None:
    """Leave out each half, each quarter, ..., each point; the latest first, they change least."""
    size = len(search.best.injected)
    while size > 1 and not search.over:
        size = (size + 1) // 2
        points = list(search.best.injected)
        for at in reversed(range(0, len(points), size)):
            search.without(set(points[at : at + size]))
