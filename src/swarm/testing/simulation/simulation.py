"""One simulated installation under one seed: trouble for a while, then calm, then judgement."""

from __future__ import annotations

import asyncio
import hashlib
from collections import ChainMap, Counter
from collections.abc import Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from swarm.contract.swarm import SwarmSpec
from swarm.core.history.finding import Judgement
from swarm.core.history.journal import Entry, History
from swarm.core.ids import SwarmId
from swarm.ports.store import Binding
from swarm.testing.simulation import cast as casts
from swarm.testing.simulation import truth
from swarm.testing.simulation.calm import Calm
from swarm.testing.simulation.cast import Cast
from swarm.testing.simulation.chance import OCCASION, Chance, Fault
from swarm.testing.simulation.clockwork import VirtualLoop
from swarm.testing.simulation.ground import Ground
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.people import Person
from swarm.testing.simulation.ports import StorePorts
from swarm.testing.simulation.reach import ForgeReach, Reach
from swarm.testing.simulation.replica import Parts, Replica, Start, Watching, clock
from swarm.testing.simulation.scene import Scene
from swarm.testing.simulation.sources import BoundTwins, Sayings
from swarm.testing.simulation.store import TwinStore
from swarm.testing.simulation.weather import Outage, Outside

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
PERIODS, LOOK, NO_TIME = 3, timedelta(minutes=1), timedelta()
FROZEN_MOST = DAY  #: a freeze that nobody lifts in so long, when all is well again, is a failure
TRACE_MOST = 4_096  #: lines that are hashed at once
AT_THE_WORST_MOMENT = 0.25  #: share of what a person does that comes right after a claim
FAULTS_MOST = 20  #: of the program's own; a broken program is not watched for a whole day
SKEW_MOST = 30.0  #: seconds by which a controller's clock may be wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Defence layers that can be switched off one by one, to see whether the others hold.

    keyed:     targets know the keys of orders.    fenced: the store compares fences.
    held_back: freeze, shadow and policy are looked at again when an order is begun.
    """

    keyed: bool = True
    fenced: bool = True
    held_back: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is to be simulated. off, only, kinds, share: what may go wrong; see `chance`."""

    seed: int
    lasts: timedelta = DAY
    off: AbstractSet[str] = frozenset()
    only: AbstractSet[str] | None = None
    kinds: AbstractSet[Fault] | None = None
    share: float = 1.0
    layers: Layers = field(default_factory=Layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one trial came to.

    digest:   of everything that happened, in its order.
    injected: what went wrong on purpose, by its point.    about: which mission a call was about.
    stuck:    missions that did not end in time after the trouble, with where they stand.
    faults:   of the program itself: exceptions that nobody expected.
    seen:     how often the store met what is rare.
    """

    trial: Trial
    digest: str
    judgement: Judgement
    history: History
    injected: Mapping[str, Fault]
    about: Mapping[str, str]
    stuck: tuple[str, ...]
    faults: tuple[str, ...]
    seen: Counter[str]
    story: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether any promise was broken, or what this release's own log tells does not say."""
        return bool(
            self.judgement.violations or self.judgement.unjudged or self.stuck or self.faults
        )

    def what(self) -> tuple[str, ...]:
        """Each broken promise as a line."""
        broken = tuple(str(one) for one in self.judgement.violations)
        unsaid = tuple(
            f"unjudged: the log does not say what {rule} asks, {count} times"
            for rule, count in self.judgement.unjudged.items()
        )
        stuck = tuple(f"liveness: {one}" for one in self.stuck)
        return (*broken, *unsaid, *stuck, *(f"fault: {one}" for one in self.faults))


Follow = Callable[["Simulation"], Coroutine[Any, Any, None]]
"""Somebody who lives beside the controllers until the trouble is over."""


class Simulation:
    """Everything of one trial. Make it, run it once.

    cast:   drawn from the seed where none is given.    follow: started with the controllers.
    faults: whoever watches the program's own log adds what must never be there.
    """

    def __init__(
        self, trial: Trial, start: Start, cast: Cast | None = None, follow: Follow | None = None
    ) -> None:
        self._trial, self._start, self._follow = trial, start, follow
        self._cast = cast or casts.draw(trial.seed)
        self._loop = VirtualLoop(trial.seed)
        self._seconds, self._now = 0.0, BEGIN
        self._chance = Chance(
            trial.seed, trial.off, trial.only, kinds=trial.kinds, share=trial.share
        )
        self._mix, drawn = self._cast.mix, self._cast.scenes
        self._scenes: dict[SwarmId, Scene] = {scene.swarm: scene for scene in drawn}
        self.store = TwinStore(
            clock=self.now, fenced=trial.layers.fenced, held_back=trial.layers.held_back
        )
        self.ground = Ground(self.now, self._chance, self._mix)
        self.ground.keyed, self.ground.cost_most = trial.layers.keyed, self._cast.cost_most
        self._sayings = Sayings(self._chance, self.ground.weather, BEGIN)
        self._outside = Outside(
            self.store, self.ground, self._scenes.values(), self._chance, self._mix
        )
        self._people = {scene.swarm: Person(scene, self._chance) for scene in drawn}
        self.store.on_claim.append(self._interfere)
        self._replicas: dict[int, Replica] = {}
        self._lives: Counter[int] = Counter()
        self._hash, self._trace = hashlib.blake2b(digest_size=16), list[str]()
        self.story: list[str] = []
        self.faults: list[str] = []
        self._stuck: list[str] = []
        weights = self._mix
        self._to_store = Peer(
            weights=weights.store, latency=0.004, patience=10, slow=(1, 20), repeats=True
        )
        self._to_world = Peer(weights=weights.world, latency=0.05, patience=20, slow=(16, 600))

    def now(self) -> datetime:
        """The true time, which is the store's."""
        seconds = self._loop.instant
        if seconds != self._seconds:
            self._seconds, self._now = seconds, BEGIN + timedelta(seconds=seconds)
        return self._now

    def run(self) -> Result:
        """Live through it and judge."""
        try:
            self._loop.run_until_complete(self._live())
        finally:
            self._end()
        history = self._history()
        self._flush()
        for entry in history.entries:
            self._hash.update(repr(entry).encode())
        begun = truth.switched_off(history.entries, ChainMap(*(s.off for s in self._cast.scenes)))
        for effect in history.effects:
            self._hash.update(repr(effect).encode())
        return Result(
            trial=self._trial,
            digest=self._hash.hexdigest(),
            judgement=truth.judged(history, (*self.ground.lies, *begun), self.ground.bad),
            history=history,
            injected=dict(self._chance.injected),
            about=dict(self._chance.about),
            stuck=tuple(self._stuck),
            faults=(*self.faults, *(repr(context) for context in self._loop.faults)),
            seen=self.store.seen,
            story=tuple(self.story),
        )

    def mark(self, what: str) -> None:
        """Note one thing that happened, in its order; what is no plain call is told as well."""
        self._trace.append(f"{self._loop.instant} {what}\n")
        if len(self._trace) >= TRACE_MOST:
            self._flush()
        if " " in what:
            self.story.append(f"{self.now():%d %H:%M:%S} {what}")

    def _flush(self) -> None:
        self._hash.update("".join(self._trace).encode())
        self._trace.clear()

    # --- living ----------------------------------------------------------------------------------

    async def _live(self) -> None:
        for scene in self._scenes.values():
            kept = self.store.add(scene.swarm, scene.spec, namespace="default", name=scene.name)
            kept.paper.change(shadow=self._cast.shadow)
        for number in range(self._cast.size.controllers):
            self._spawn(number)
        background = [
            self._loop.create_task(self._outside.go_on(), name="weather"),
            self._loop.create_task(self._harm(), name="harm"),
            self._loop.create_task(self._speak(), name="people"),
        ]
        if self._follow is not None:
            background.append(self._loop.create_task(self._follow(self), name="follower"))
        over = self.now() + self._trial.lasts
        while self.now() < over and len(self.faults) < FAULTS_MOST:  # noqa: ASYNC110 - time jumps
            await asyncio.sleep(min(OCCASION, (over - self.now()).total_seconds()))
        self._chance.calm = True
        self._outside.calm_down()
        for replica in self._replicas.values():
            replica.line.go_on()
        calm = Calm(store=self.store, scenes=self._scenes, people=self._people, now=self.now)
        self._stuck += await calm.pass_by()
        for task in background:
            task.cancel()
        for task, gone in zip(background, await _ended(background), strict=True):
            if isinstance(gone, Exception):
                self.faults.append(f"{task.get_name()}: {gone!r}")

    def _spawn(self, number: int) -> None:
        """Start the next life of a controller."""
        self._lives[number] += 1
        name = f"c{number}.{self._lives[number]}"
        line = Line(name, self._chance, self.mark, lambda: self._kill(number, name))
        born = self._chance.call(f"c{number}", "skew", "", self._loop.instant)
        wrong = self._chance.happens(born, Fault.SKEW, self._mix.rate(Fault.SKEW))
        seconds = self._chance.number(f"{born}/by", -SKEW_MOST, SKEW_MOST) if wrong else 0.0
        skew = timedelta(seconds=seconds)
        store = StorePorts(self.store, line, self._to_store)
        reach = Reach(self.ground, line, self._to_world, store, skew)
        parts = Parts(
            name=name,
            store=store,
            reach=reach,
            forge=ForgeReach(reach),
            sources=BoundTwins(self._scenes, self._sayings, (line, self._to_world)),
            watching=Watching(self.ground, line, self._to_world),
            targets={scene.target: scene.repo for scene in self._scenes.values()},
            binding_of=self._bind,
            now=clock(self.now, skew),
            poll=self._cast.size.poll,
        )
        replica = Replica(parts, line, self._start)
        replica.task.add_done_callback(lambda task: self._died(number, name, task))
        self._replicas[number] = replica

    def _bind(self, swarm: SwarmId, spec: SwarmSpec) -> Binding:
        return self._scenes[swarm].binding(spec)

    def _kill(self, number: int, name: str) -> None:
        replica = self._replicas[number]
        if replica.parts.name == name and not replica.line.dead:
            self.mark(f"{name} dies")
            replica.kill()
            died = self._chance.call(f"c{number}", "death", "", self._loop.instant)
            down = self._chance.number(f"{died}/down", 1, 300)
            self._loop.call_later(down, self._spawn, number)

    def _died(self, number: int, name: str, task: asyncio.Task[None]) -> None:
        """A controller that ended although nobody killed it is a fault."""
        if task.cancelled() or self._replicas[number].line.dead:
            return
        self.faults.append(f"{name} ended by itself: {task.exception()!r}")

    async def _harm(self) -> None:
        """Kill and stop controllers, once in a while."""
        number = 0
        while True:
            number += 1
            for who in list(self._replicas):
                die, hold = partial(self._kill_now, who), partial(self._hold, who)
                kill = Outage(f"kill-{who}.{number}", Fault.KILL, (1, 2), die, _nothing)
                go_on = partial(self._go_on, who)
                pause = Outage(f"pause-{who}.{number}", Fault.PAUSE, (16, 240), hold, go_on)
                self._outside.perhaps(kill)
                self._outside.perhaps(pause)
            await asyncio.sleep(OCCASION)

    def _kill_now(self, number: int) -> None:
        self._kill(number, self._replicas[number].parts.name)

    def _hold(self, number: int) -> None:
        self._replicas[number].line.hold()

    def _go_on(self, number: int) -> None:
        self._replicas[number].line.go_on()

    async def _speak(self) -> None:
        """People look at their swarm every ten minutes or so."""
        turn = 0
        while True:
            for swarm, person in self._people.items():
                if not self.store.down:
                    rate = self._mix.rate(Fault.PERSON)
                    said = person.act(self.store.at(swarm), turn, rate)
                    if said:
                        self.mark(f"{self._scenes[swarm].name} person: {said}")
                        self.store.ring(swarm)
            turn += 1
            if not self._chance.calm:
                self._sayings.now = self.now()
            await asyncio.sleep(self._chance.number(f"people.{turn}", 60, OCCASION))

    def _interfere(self, swarm: SwarmId) -> None:
        name, rate = self._scenes[swarm].name, self._mix.rate(Fault.PERSON) * AT_THE_WORST_MOMENT
        point = self._chance.call(name, "moment", "", self._loop.instant)
        if deed := self._people[swarm].interfere(self.store.at(swarm), point, rate):
            self.mark(f"{name} person, at once: {deed}")

    # --- afterwards ------------------------------------------------------------------------------

    def _end(self) -> None:
        """Close the loop without running anything that is left."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        for replica in self._replicas.values():
            replica.line.cut()
        self._loop.run_until_complete(_ended(list(asyncio.all_tasks(self._loop))))
        self._loop.close()

    def _history(self) -> History:
        entries: list[Entry] = []
        movements: list[Any] = []
        caps: dict[str, int] = {}
        for swarm, kept in self.store.swarms.items():
            entries += kept.paper.trail
            movements += kept.paper.movements
            for move in kept.paper.movements:
                caps[move.window] = self._scenes[swarm].budget.cap
        return History(
            entries=tuple(sorted(entries, key=lambda entry: entry.at)),
            effects=tuple(self.ground.effects),
            until=self.now(),
            grips=tuple(self.store.grips),
            movements=tuple(sorted(movements, key=lambda move: move.at)),
            caps=caps,
        )


def _nothing() -> None:
    """What has no end."""


async def _ended(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    return list(await asyncio.gather(*tasks, return_exceptions=True))
