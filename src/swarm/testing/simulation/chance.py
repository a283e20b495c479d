"""Keyed decisions: what happens at a point is a pure function of the seed and the point's name.

So one of them can be switched off alone and all others stay as they are, which is what makes a
failure shrink. A point's name says where it is, in words that hold whatever else goes otherwise:
`m-41c0ab.land.3` is the third landing asked for that mission, whoever asked, and `c1.agenda.17.2`
the second agenda that controller c1 asked for in the 17th ten minutes, in whichever of its lives.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")
OCCASION = 600.0  #: seconds; whatever may happen at any time may happen once in so long
MISSION = len("m-41c0ab")  #: letters of a mission's id that a point's name carries
_WHOLE = 2.0**64
_TWO = struct.Struct(">QQ").unpack


class Fault(StrEnum):
    """Everything that can go wrong on purpose, and what people do that nobody asked for."""

    LOST = "lost"  #: the request never arrived
    REPLY_LOST = "reply-lost"  #: it was done, and nobody heard
    SLOW = "slow"  #: it took minutes, beyond any lease
    TWICE = "twice"  #: it arrived twice
    STALE = "stale"  #: the answer was of a while ago
    CRASH_BEFORE = "crash-before"  #: the caller died with the request still in hand
    CRASH_AFTER = "crash-after"  #: the caller died when it was done and not yet heard
    KILL = "kill"  #: a controller was killed, wherever it was
    PAUSE = "pause"  #: a controller stood still for longer than its lease
    SKEW = "skew"  #: a controller's clock is wrong
    STORE_DOWN = "store-down"  #: the database could not be reached
    SOURCE_DOWN = "source-down"  #: a source could not be read
    QUOTA = "quota"  #: the agents' provider had no capacity
    DRIFT = "drift"  #: a target ran what nobody asked for
    MAIN_MOVED = "main-moved"  #: somebody else pushed to main
    NO_METRICS = "no-metrics"  #: counters could not be read
    BAD_WORK = "bad-work"  #: an agent failed, was late, hostile, or made a bad change
    BAD_CHECK = "bad-check"  #: a check was red or silent without a reason
    BAD_CITATION = "bad-citation"  #: what a need cites was gone when it was read again
    BAD_CHANGE = "bad-change"  #: a change made its service worse, and no check saw it
    BAD_START = "bad-start"  #: a new revision never became healthy
    REFUSED = "refused"  #: a port said no for good
    CONFLICT = "conflict"  #: a change did not apply on top of main
    PERSON = "person"  #: a person froze, cancelled, changed the policy, ...


Weights = Mapping[Fault, float]


class Chance:
    """Draws for one seed.

    off: points at which nothing happens.    only: when given, nothing happens at any other one.
    kinds: when given, nothing else happens.    share: of all that would happen, in (0, 1].
    calm: nothing happens anywhere any more.
    about: the mission that a call was about to which something happened, by its point.
    """

    def __init__(
        self,
        seed: int,
        off: AbstractSet[str] = frozenset(),
        only: AbstractSet[str] | None = None,
        *,
        kinds: AbstractSet[Fault] | None = None,
        share: float = 1.0,
    ) -> None:
        self._seeded = hashlib.blake2b(f"{seed}\x00".encode(), digest_size=16)
        self._off, self._only, self._kinds, self._share = off, only, kinds, share
        self.calm = False
        self.injected: dict[str, Fault] = {}
        self.about: dict[str, str] = {}
        self._calls: Counter[str] = Counter()

    def call(self, who: str, what: str, mission: str, seconds: float) -> str:
        """The point of the next such call; `seconds` since the beginning."""
        if mission:
            call = f"{mission[:MISSION]}.{what}"
        else:
            call = f"{who}.{what}.{seconds // OCCASION:.0f}"
        self._calls[call] += 1
        return f"{call}.{self._calls[call]}"

    def pair(self, point: str) -> tuple[float, float]:
        """Two numbers in [0, 1) that belong to this point alone."""
        keyed = self._seeded.copy()
        keyed.update(point.encode())
        first, second = _TWO(keyed.digest())
        return first / _WHOLE, second / _WHOLE

    def number(self, point: str, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.pair(point)[1]

    def span(self, point: str, shortest: float, longest: float) -> float:
        """A duration between these, of any order of magnitude alike: mostly short, some long."""
        return float(shortest * (longest / shortest) ** self.pair(point)[1])

    def choice(self, point: str, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self.pair(point)[1] * len(items))]

    def fault(self, point: str, weights: Weights) -> Fault | None:
        """What goes wrong here; None mostly. Notes what does."""
        return self.drawn(point, self.pair(point)[0], weights)

    def drawn(self, point: str, number: float, weights: Weights) -> Fault | None:
        """The same for a number that the caller drew at this point already."""
        if self.calm or not weights:
            return None
        for fault, weight in weights.items():
            number -= weight
            if number < 0:
                if not self._may(point, fault):
                    return None
                self.injected[point] = fault
                return fault
        return None

    def spared(self, point: str) -> None:
        """It went wrong nowhere, because nothing there could."""
        del self.injected[point]

    def _may(self, point: str, fault: Fault) -> bool:
        if point in self._off or (self._only is not None and point not in self._only):
            return False
        if self._kinds is not None and fault not in self._kinds:
            return False
        return self._share >= 1 or self.number(f"{point}/{self._share}") < self._share

    def happens(self, point: str, fault: Fault, rate: float) -> bool:
        """Whether this one fault happens here."""
        return self.fault(point, {fault: rate}) is not None
