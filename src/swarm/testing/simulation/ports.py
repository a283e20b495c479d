"""One controller's view of the store and of the world: every call goes over its line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from swarm.contract.errors import Refused
from swarm.contract.swarm import SwarmSpec
from swarm.core.evidence import Fact
from swarm.core.ids import SwarmId
from swarm.ports.reply import Later
from swarm.ports.sources import Reading
from swarm.ports.store import (
    Agenda,
    BindingOf,
    Claim,
    Decide,
    IngestReport,
    StatusOf,
    Tick,
)
from swarm.testing.simulation.line import Line, Peer
from swarm.testing.simulation.store import TwinStore

T = TypeVar("T")


class StorePorts:
    """`ports.store` in one: ticks, orders, intake, bell, and the specs that keepers read.

    begun: when each order was last begun over this line, and under which fence.
    """

    def __init__(self, store: TwinStore, line: Line, peer: Peer) -> None:
        self._store, self._line, self._peer = store, line, peer
        self.begun: dict[str, tuple[datetime, int]] = {}
        self._hints: asyncio.Queue[str] = asyncio.Queue()
        store.on_bell.append(self._hints.put_nowait)

    def leave(self) -> None:
        """Hear nothing any more."""
        self._store.on_bell.remove(self._hints.put_nowait)

    async def _call(
        self,
        what: str,
        effect: Callable[[], T],
        stale: Callable[[], T] | None = None,
        claim: Claim | None = None,
    ) -> T:
        if claim is None:
            return await self._line.call(what, effect, self._peer, stale)
        order = claim.order
        what = f"{what}-{order.kind}"
        return await self._line.call(what, effect, self._peer, stale, order.mission)

    # --- ticks -----------------------------------------------------------------------------------

    async def agenda(self, kinds: Sequence[str] | None = None) -> Agenda:
        """What is due; sometimes what was due a while ago."""
        del kinds
        return await self._line.read("agenda", "", self._store.agenda, self._peer)

    async def tick(
        self,
        decide: Decide,
        binding_of: BindingOf,
        controller: str,
        status_of: StatusOf | None = None,
    ) -> Tick | None:
        """Decide for the swarm that is due the longest."""
        del controller
        return await self._call("tick", lambda: self._store.tick(decide, binding_of, status_of))

    # --- orders ----------------------------------------------------------------------------------

    async def claim(
        self, controller: str, limit: int, lease: timedelta, kinds: Sequence[str] | None = None
    ) -> tuple[Claim, ...]:
        """Take due orders."""
        del kinds
        return await self._call("claim", lambda: self._store.claim(controller, limit, lease))

    async def begin(self, claim: Claim) -> None:
        """Check once more, and remember when the store allowed it."""

        def begin() -> None:
            self._store.begin(claim)
            self.begun[claim.order.key] = (self._store.clock(), claim.fence)

        await self._call("begin", begin, claim=claim)

    async def may_begin(self, key: str) -> bool:
        """Whether nothing holds it back by now; a yes is when the store allowed it."""

        def ask() -> bool:
            may = self._store.may_begin(key)
            if may and key in self.begun:
                self.begun[key] = (self._store.clock(), self.begun[key][1])
            return may

        return await self._call("may-begin", ask)

    async def heartbeat(self, claims: Sequence[Claim], lease: timedelta) -> tuple[Claim, ...]:
        """Extend the leases."""
        return await self._call("heartbeat", lambda: self._store.heartbeat(claims, lease))

    async def settle(self, claim: Claim, fact: Fact) -> None:
        """Keep the fact."""
        await self._call("settle", lambda: self._store.settle(claim, fact), claim=claim)

    async def settle_all(self, facts: Sequence[tuple[Claim, Fact]]) -> tuple[Claim, ...]:
        """Keep many; the claims whose fence was stale."""

        def settle() -> tuple[Claim, ...]:
            stale = []
            for claim, fact in facts:
                try:
                    self._store.settle(claim, fact)
                except Refused:
                    stale.append(claim)
            return tuple(stale)

        return await self._call("settle", settle, claim=facts[0][0] if facts else None)

    async def postpone(self, claim: Claim, later: Later) -> None:
        """Give it back for later."""
        await self._call("postpone", lambda: self._store.postpone(claim, later), claim=claim)

    async def void(self, claim: Claim) -> None:
        """Take a lapsed order back that did not happen."""
        await self._call("void", lambda: self._store.void(claim), claim=claim)

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give them back untouched."""
        await self._call("release", lambda: self._store.release(claims))

    async def hasten(self, key: str) -> bool:
        """Make a waiting order due at once."""
        return await self._call("hasten", lambda: self._store.hasten(key))

    # --- intake ----------------------------------------------------------------------------------

    async def cursor(self, swarm: SwarmId, source: str) -> str:
        """Where the next reading begins."""
        return await self._call("cursor", lambda: self._cursor(swarm, source), lambda: "")

    def _cursor(self, swarm: SwarmId, source: str) -> str:
        self._store.at(swarm)
        return self._store.swarms[swarm].backlog.cursors.get(source, "")

    async def ingest(
        self, swarm: SwarmId, source: str, reading: Reading, after: str | None = None
    ) -> IngestReport:
        """Keep one reading. Raises Refused when somebody else has read on."""

        def ingest() -> IngestReport:
            known = self._cursor(swarm, source)
            if after is not None and known != after:
                raise Refused(f"{source}: somebody else has read on to {known!r}")
            report = self._store.swarms[swarm].backlog.ingest(source, reading)
            if report.new:
                self._store.ring(swarm)
            return report

        return await self._call("ingest", ingest)

    async def source_failed(self, swarm: SwarmId, source: str, detail: str) -> bool:
        """Note that a source is dark."""
        return await self._call("source", lambda: self._stand(swarm, source, detail))

    async def source_answered(self, swarm: SwarmId, source: str) -> bool:
        """Note that a source answers."""
        return await self._call("source", lambda: self._stand(swarm, source, None))

    def _stand(self, swarm: SwarmId, source: str, dark: str | None) -> bool:
        self._store.at(swarm)
        changed = self._store.swarms[swarm].backlog.stand(source, dark)
        if changed:
            self._store.ring(swarm)
        return changed

    async def saw_drift(self, swarm: SwarmId, drifted: Mapping[str, str]) -> bool:
        """Note what targets run that Git does not say."""

        def note() -> bool:
            self._store.at(swarm)
            changed = self._store.swarms[swarm].backlog.drift(drifted)
            if changed:
                self._store.ring(swarm)
            return changed

        return await self._call("drift", note)

    # --- bell and specs --------------------------------------------------------------------------

    async def ring(self, swarm: SwarmId) -> None:
        """Make a swarm due at once."""
        await self._call("ring", lambda: self._store.ring(swarm))

    async def listen(self) -> AsyncIterator[str]:
        """Swarm ids that were rung for, as hints."""
        yield ""
        while True:
            yield await self._hints.get()

    async def all(self) -> Sequence[tuple[SwarmId, SwarmSpec]]:
        """Every swarm with its spec."""

        def read() -> list[tuple[SwarmId, SwarmSpec]]:
            return [(swarm, paper.world.spec) for swarm, paper in self._store.every()]

        return await self._call("specs", read)

    async def ids(self) -> Sequence[SwarmId]:
        """The ids alone."""
        return [swarm for swarm, _ in await self.all()]
