"""Simulated sources: what they say grows with time; they repeat, go dark, and answer late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from swarm.contract.errors import SourceDown
from swarm.core.ids import SwarmId, signal_id
from swarm.core.nouns import Risk, Signal
from swarm.ports.sources import Reading, Source
from swarm.testing.simulation.chance import Chance
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.place import Weather
from swarm.testing.simulation.scene import CLASSES, Scene


class TwinSource:
    """One source of one swarm, read over one controller's line."""

    def __init__(self, name: str, scene: Scene, sayings: Sayings, line: Line, peer: Peer) -> None:
        self.name = name
        self._scene, self._sayings, self._line, self._peer = scene, sayings, line, peer

    async def read(self, cursor: str) -> AsyncIterator[Reading]:
        """What was said since the cursor, a number; some sources repeat themselves."""

        def answer() -> Reading:
            return self._sayings.since(self.name, self._scene, cursor)

        what, of = f"read-{self.name}", str(self._scene.swarm)
        reading = await self._line.read(what, of, answer, self._peer)
        if reading.signals or reading.cursor != cursor:
            yield reading


class Sayings:
    """Everything that the sources of a seed say, and when."""

    def __init__(self, chance: Chance, weather: Weather, begin: datetime) -> None:
        self._chance, self._weather, self._begin = chance, weather, begin
        self.now = begin

    def since(self, source: str, scene: Scene, cursor: str) -> Reading:
        """Everything said after the cursor, until now. Raises SourceDown in the dark."""
        if source in self._weather.dark:
            raise SourceDown(f"{source} does not answer")
        first = int(cursor) if cursor.isdigit() else 0
        last = int((self.now - self._begin) / scene.news_every) + 1
        if last <= first:
            return Reading(signals=(), cursor=cursor)
        again = max(0, first - 1)  # the last one once more: a repetition is no news
        signals = [self._said(source, scene, number) for number in range(again, last)]
        return Reading(signals=tuple(signals), cursor=str(last))

    def _said(self, source: str, scene: Scene, number: int) -> Signal:
        """Both sources speak of the same things, so that a need has two origins."""
        about = f"{scene.name}.need.{number}"
        kind = self._chance.choice(f"{about}/class", CLASSES)
        risks = (*[Risk.R0] * 2, *[Risk.R1] * 4, Risk.R2, Risk.R3)
        return Signal(
            id=signal_id(scene.swarm, source, str(number)),
            source=source,
            external_id=str(number),
            title=scene.news[number % len(scene.news)].format(number=number),
            body="",
            citation=f"src/file{number}.py:1@{number:040x}",
            origin=source,
            author="",
            external=False,
            trust=self._chance.choice(f"{about}/trust", scene.trusts),
            observed_at=self._begin + scene.news_every * number,
            content_hash=f"{number:064}",
            mission_class=kind,
            repo=scene.repo,
            paths=(f"src/file{number}.py",),
            rule=f"F{number}",
            risk=self._chance.choice(f"{about}/risk", risks),
            cost=1_000,
        )


class BoundTwins:
    """The sources of a simulated installation, as `runtime.source_keeper` asks for them."""

    def __init__(
        self, scenes: dict[SwarmId, Scene], sayings: Sayings, at: tuple[Line, Peer]
    ) -> None:
        self._scenes, self._sayings, self._at = scenes, sayings, at

    def source(self, swarm: SwarmId, name: str) -> Source | None:
        """The source of that name for that swarm."""
        return TwinSource(name, self._scenes[swarm], self._sayings, *self._at)

    def every(self, name: str) -> timedelta | None:  # noqa: ARG002 - the port's words
        """Its own cadence: the spec's."""
        return None

    def quiet_after(self, name: str) -> timedelta | None:  # noqa: ARG002 - the port's words
        """Silence is no alarm here."""
        return None
