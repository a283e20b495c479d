"""One simulated controller process: it starts, stands still, dies anywhere, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from swarm.contract.swarm import SwarmSpec
from swarm.core.ids import SwarmId
from swarm.ports.store import Binding
from swarm.testing.simulation.ground import Ground
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.ports import StorePorts
from swarm.testing.simulation.reach import ForgeReach, Reach
from swarm.testing.simulation.sources import BoundTwins

BindingOf = Callable[[SwarmId, SwarmSpec], Binding]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a target says of itself, as `runtime.target_keeper` asks."""

    healthy: bool
    drift: tuple[str, ...]


class Watching:
    """Targets and mains as keepers see them, over one line."""

    def __init__(self, ground: Ground, line: Line, peer: Peer) -> None:
        self._ground, self._line, self._peer = ground, line, peer

    async def seen(self, target: str) -> Condition:
        """What a target runs."""

        def look() -> Condition:
            drift = self._ground.place(target).drift
            return Condition(not drift, (drift,) if drift else ())

        return await self._line.read("seen", target, look, self._peer)

    async def ensure(self, target: str, main: str) -> Condition:
        """What nobody asked for cannot be healed away."""
        del main
        return await self.seen(target)

    async def tip(self, repo: str) -> str:
        """Where main stands."""
        return await self._line.read("tip", repo, lambda: self._ground.tip(repo), self._peer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a controller is made of, simulated.

    targets: name -> repository.    now: its own clock, which may be wrong.
    poll:    how often it looks by itself, behind the bell.
    on_news: give it what shall be called when a port has news.
    """

    name: str
    store: StorePorts
    reach: Reach
    forge: ForgeReach
    sources: BoundTwins
    watching: Watching
    targets: Mapping[str, str]
    binding_of: BindingOf
    now: Callable[[], datetime]
    poll: timedelta


Start = Callable[[Parts], Awaitable[None]]
"""Makes the controller of these parts and runs it until it is cancelled."""


class Replica:
    """One process. A second life has a new name and a new line: the old one stays cut."""

    def __init__(self, parts: Parts, line: Line, start: Start) -> None:
        self.parts, self.line = parts, line
        self.task = asyncio.get_running_loop().create_task(_run(start, parts), name=parts.name)

    def kill(self) -> None:
        """End it as kill -9 does: nothing that it does from now on reaches anybody."""
        if not self.line.dead:
            self.line.cut()
            self.parts.store.leave()
            self.task.cancel()


async def _run(start: Start, parts: Parts) -> None:
    await start(parts)


def clock(true: Callable[[], datetime], skew: timedelta) -> Callable[[], datetime]:
    """A clock that is wrong by so much."""
    return lambda: true() + skew
