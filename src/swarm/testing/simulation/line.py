"""The line between one controller and everything outside: late, lost, doubled, cut."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from swarm.contract.errors import Unavailable
from swarm.testing.simulation.chance import Chance, Fault, Weights

T = TypeVar("T")
#: Share of calls that take any time: what others do meanwhile is what makes a call dangerous, and
#: each moment in which they may costs the simulation most of what a call costs.
NOTICED = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other end. Seconds: of an ordinary call, of patience, of a very slow answer.

    repeats: it carries a request out again at once (a transaction that is tried again) instead
             of having it arrive once more later.
    """

    weights: Weights
    latency: float
    patience: float
    slow: tuple[float, float]
    repeats: bool = False
    risk: float = field(init=False)  #: the chance that anything goes wrong with a call

    def __post_init__(self) -> None:
        object.__setattr__(self, "risk", sum(self.weights.values()))


class Line:
    """One controller's connection. Cut it, and nothing gets through any more, for good.

    name:  of this life of the controller: `c1.2` is the second of c1.
    mark:  told of every call and what came of it, for the trace.
    crash: kills the controller at the other end of this line.
    """

    def __init__(
        self,
        name: str,
        chance: Chance,
        mark: Callable[[str], None],
        crash: Callable[[], None],
    ) -> None:
        self.name, self.chance = name, chance
        self._mark, self._crash = mark, crash
        self._who = name.partition(".")[0]
        self._answers: dict[tuple[str, str], Any] = {}
        self._flights: set[asyncio.Task[object]] = set()
        self._moving = asyncio.Event()
        self._stands = self.dead = False

    def cut(self) -> None:
        """The controller is gone: what it sent still arrives, what it sends now does not."""
        self.dead = self._stands = True
        self._moving.set()

    def hold(self) -> None:
        """The controller stands still."""
        self._stands = True
        self._moving.clear()

    def go_on(self) -> None:
        """It moves again."""
        self._stands = self.dead
        self._moving.set()

    async def read(self, what: str, of: str, effect: Callable[[], T], peer: Peer) -> T:
        """Ask how things stand with one of them; the answer may be the one of the time before."""
        key = (what, of)
        stale = (lambda: earlier) if (earlier := self._answers.get(key)) is not None else None
        answer: T = await self.call(what, effect, peer, stale)
        self._answers[key] = answer
        return answer

    async def call(
        self,
        what: str,
        effect: Callable[[], T],
        peer: Peer,
        stale: Callable[[], T] | None = None,
        about: str = "",
    ) -> T:
        """Carry one request over and its answer back; `effect` happens in one piece.

        stale: what an answer of a while ago would have said, where that may happen.
        about: the mission that it is about, if it is about one.
        Raises Unavailable when nobody answers, and whatever `effect` raises; to a controller that
        crashes it never returns.
        """
        seconds = asyncio.get_running_loop().time()
        point = self.chance.call(self._who, what, about, seconds)
        if self._stands:
            await self._standing()
        first, second = self.chance.pair(point)
        fault = self.chance.drawn(point, first, peer.weights) if first < peer.risk else None
        if fault is Fault.STALE and stale is None:
            self.chance.spared(point)  # what has no earlier answer is no fault
            fault = None
        if second < NOTICED:
            await asyncio.sleep(peer.latency * (0.2 + second / NOTICED))
            if self._stands:
                await self._standing()
        if fault is None:
            answer = effect()
            self._mark(f"{point}@{self.name}")
        else:
            self.chance.about[point] = about
            answer = await self._faulty((point, fault), effect, peer, stale)
        if self._stands:
            await self._standing()
        return answer

    async def _faulty(
        self,
        at: tuple[str, Fault],
        effect: Callable[[], T],
        peer: Peer,
        stale: Callable[[], T] | None,
    ) -> T:
        point, fault = at
        self._mark(f"{point} {fault} at {self.name}")
        match fault:
            case Fault.LOST:
                await asyncio.sleep(peer.patience)
                raise Unavailable(f"{point}: no answer")
            case Fault.REPLY_LOST:
                self._quietly(effect)
                await asyncio.sleep(peer.patience)
                raise Unavailable(f"{point}: no answer")
            case Fault.SLOW:
                delay = self.chance.span(f"{point}/slow", *peer.slow)
                return await asyncio.shield(self._later(delay, effect))
            case Fault.TWICE if peer.repeats:
                self._quietly(effect)
                return effect()
            case Fault.TWICE:
                delay = self.chance.span(f"{point}/again", *peer.slow)
                self._later(delay, lambda: self._quietly(effect))
                return effect()
            case Fault.STALE if stale is not None:
                return stale()
            case Fault.CRASH_BEFORE | Fault.CRASH_AFTER:
                if fault is Fault.CRASH_AFTER:
                    self._quietly(effect)
                return await self._die()
            case _:
                return effect()

    def _quietly(self, effect: Callable[[], object]) -> None:
        """Carry it out where nobody hears the answer, so that nobody hears an error either."""
        try:
            effect()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is not there
            self._mark(f"unheard {type(error).__name__}")

    def _later(self, delay: float, effect: Callable[[], T]) -> asyncio.Task[T]:
        """A request on its way; it arrives whatever becomes of its sender."""

        async def fly() -> T:
            await asyncio.sleep(delay)
            self._mark(f"late {self.name}")
            return effect()

        flight = asyncio.get_running_loop().create_task(fly())
        self._flights.add(flight)
        flight.add_done_callback(self._arrived)
        return flight

    def _arrived(self, flight: asyncio.Task[T]) -> None:
        self._flights.discard(flight)
        if not flight.cancelled():
            flight.exception()  # looked at: its sender may be gone

    async def _standing(self) -> None:
        """Wait while the controller stands still; end what goes on in one that is gone."""
        await self._moving.wait()
        if self.dead:
            raise Unavailable(f"{self.name} is dead")

    async def _die(self) -> NoReturn:
        self._crash()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a dead controller went on")


def at_once(work: Awaitable[T]) -> T:
    """The result of a coroutine that never waits; for effects that happen in one piece."""
    step = work.__await__()
    try:
        next(step)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("an effect waited: it would not have happened in one piece")
