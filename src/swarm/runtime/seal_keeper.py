"""Seals the trail: due work of every minute in which something happened, and nothing otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from swarm.contract.errors import SwarmError, Unavailable
from swarm.core.decision import Notify
from swarm.core.ids import MissionId, SwarmId, order_key
from swarm.core.seal import Seal
from swarm.ports.hands import Channel
from swarm.runtime.events import Event

LAST_TURN = timedelta(seconds=2)  #: how long stopping waits for the last seal
log = structlog.get_logger()


class Seals(Protocol):
    """The store's part."""

    async def unsealed(self) -> Sequence[SwarmId]:
        """Swarms with events that no seal knows yet; one read."""

    async def seal(self, swarm: SwarmId) -> Seal | None:
        """Seal and publish; None when another controller was first."""


class SealKeeper:
    """Any number of controllers may do this beside each other: the store lets one at a time.

    channel: named in the settings; empty tells nobody but the file.
    """

    def __init__(self, seals: Seals, every: timedelta, channel: Channel, name: str) -> None:
        self._seals, self._every = seals, every
        self._channel, self._name = channel, name
        self._told = ""

    async def prepare(self) -> None:
        """Nothing: no decision waits for a seal."""

    async def run(self) -> None:
        """Seal until cancelled; once more at the end, so that a stopped Swarm is sealed whole."""
        try:
            while True:
                await asyncio.sleep(self._every.total_seconds())
                await self.turn()
        finally:
            # A database that is gone is no reason to hang: the next controller seals the rest.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_TURN.total_seconds()):
                    await self.turn()

    async def turn(self) -> None:
        """Seal every Swarm in which something happened since the last turn."""
        try:
            for swarm in await self._seals.unsealed():
                await self._seal(swarm)
        except Unavailable:
            return  # what happened is sealed at the next turn

    async def _seal(self, swarm: SwarmId) -> None:
        try:
            made = await self._seals.seal(swarm)
        except SwarmError as error:
            if self._told != error.message:
                log.warning(Event.SEAL_REFUSED, swarm=swarm, code=error.code, detail=error.message)
                self._told = error.message
            return
        self._told = ""
        if made is not None:
            log.info(Event.TRAIL_SEALED, swarm=swarm, seal=made.seq, hash=made.hash.hex())
            await self._announce(swarm, made)

    async def _announce(self, swarm: SwarmId, seal: Seal) -> None:
        """Tell the channel. One that fails is made up for by the next: each links to all before."""
        if not self._name:
            return
        await self._channel.notify(
            Notify(
                key=order_key(swarm, "seal", str(seal.seq)),
                mission=MissionId(""),
                mission_class="",
                policy_hash="",
                forward=False,
                channel=self._name,
                event="trail.sealed",
                text=f"{seal.body} {seal.key} {seal.signature.hex()}",
            )
        )
