"""What goes wrong around the controllers, ten minutes at a time: outages, drift, other people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from swarm.testing.simulation.chance import OCCASION, Chance, Fault
from swarm.testing.simulation.ground import Ground
from swarm.testing.simulation.mix import Mix
from swarm.testing.simulation.scene import SOURCES, Scene
from swarm.testing.simulation.store import TwinStore

TURNS = (0, 5, 100)  #: percent of the traffic to which somebody turns a target by hand


@dataclass(frozen=True, slots=True)
class Outage:
    """Something that begins and passes. seconds: least and most that it lasts, mostly short."""

    point: str
    fault: Fault
    seconds: tuple[float, float]
    begin: Callable[[], None]
    end: Callable[[], None]


class Outside:
    """Everything that may happen to store, sources, agents, targets and mains of one seed."""

    def __init__(
        self,
        store: TwinStore,
        ground: Ground,
        scenes: Iterable[Scene],
        chance: Chance,
        mix: Mix,
    ) -> None:
        self._store, self._ground, self._scenes = store, ground, tuple(scenes)
        self._chance, self._mix = chance, mix
        self._tasks: set[asyncio.Task[None]] = set()

    async def go_on(self) -> None:
        """Until cancelled."""
        number = 0
        while True:
            number += 1
            for outage in self._possible(number):
                self.perhaps(outage)
            await asyncio.sleep(OCCASION)

    def perhaps(self, outage: Outage) -> None:
        """Have it happen somewhere within this occasion, or not."""
        if self._chance.happens(outage.point, outage.fault, self._mix.rate(outage.fault)):
            task = asyncio.get_running_loop().create_task(self._last(outage))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _last(self, outage: Outage) -> None:
        await asyncio.sleep(self._chance.number(f"{outage.point}/when", 0, OCCASION))
        outage.begin()
        await asyncio.sleep(self._chance.span(f"{outage.point}/lasts", *outage.seconds))
        outage.end()

    def calm_down(self) -> None:
        """Everything passes now."""
        for task in list(self._tasks):
            task.cancel()
        self._store.down = False
        self._ground.weather.quota = self._ground.weather.no_metrics = False
        self._ground.weather.dark.clear()
        for place in self._ground.places.values():
            place.drift = ""

    def _possible(self, number: int) -> Iterable[Outage]:
        weather, dark = self._ground.weather, self._ground.weather.dark
        yield self._flag(f"store.{number}", Fault.STORE_DOWN, (5, 1_200), (self._store, "down"))
        yield self._flag(f"quota.{number}", Fault.QUOTA, (60, 3_600), (weather, "quota"))
        gone = (weather, "no_metrics")
        yield self._flag(f"metrics.{number}", Fault.NO_METRICS, (60, 2_400), gone)
        for name in SOURCES:
            point, out, back = f"source-{name}.{number}", partial(dark.add, name), dark.discard
            yield Outage(point, Fault.SOURCE_DOWN, (60, 7_200), out, partial(back, name))
        for scene in self._scenes:
            place, point = self._ground.place(scene.target), f"drift-{scene.name}.{number}"
            turn = partial(self._ground.turn, place, self._chance.choice(f"{point}/to", TURNS))
            back_again = partial(setattr, place, "drift", "")
            yield Outage(point, Fault.DRIFT, (60, 1_800), turn, back_again)
            push = partial(self._ground.push, scene.repo, f"other-{scene.name}-{number}")
            yield Outage(f"push-{scene.name}.{number}", Fault.MAIN_MOVED, (1, 2), push, _nothing)

    def _flag(
        self, point: str, fault: Fault, seconds: tuple[float, float], flag: tuple[object, str]
    ) -> Outage:
        begin, end = partial(setattr, *flag, True), partial(setattr, *flag, False)  # noqa: FBT003
        return Outage(point, fault, seconds, begin, end)


def _nothing() -> None:
    """What has no end."""
