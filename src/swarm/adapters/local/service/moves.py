"""What is done to a target while one controller holds it: start, settle, take off, restore.

Each step writes the state before the next one relies on it, so that a crash between any two
leaves a state from which the same order goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from swarm.adapters.local.service import state
from swarm.adapters.local.service.asking import borne, is_revision
from swarm.adapters.local.service.errors import NoCanary, NothingToGoBackTo, TargetLocked
from swarm.adapters.local.service.front import Front
from swarm.adapters.local.service.settings import ServiceSettings
from swarm.adapters.local.service.state import Target, Version
from swarm.adapters.local.service.versions import Health, Versions

_PORT_TRIES = 3
Slot = Literal["stable", "canary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a target on this machine is made of."""

    settings: ServiceSettings
    folder: Path
    versions: Versions
    front: Front


class Moves:
    """One change of a target; `target` is the state as last written."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.target = state.read(parts.folder)

    def save(self, target: Target) -> None:
        """Make this the state."""
        self.target = state.write(self._parts.folder, target)

    def admit(self, fence: int) -> None:
        """Let no step forward come late. Raises TargetLocked after one that was claimed later.

        0 is whoever claims nothing: the first version, and tools.
        """
        if 0 < fence < self.target.fence:
            raise TargetLocked(
                f"{self._parts.settings.name} has carried out an order that was claimed later"
            )

    async def in_force(self) -> int:
        """Wait until a running proxy splits as the state says; returns the share in force."""
        await self._parts.front.ensure()
        return (await self._parts.front.in_force(self.target.generation)).percent

    def canary(self, revision: str | None) -> Version:
        """The canary that an order means. Raises NoCanary when it is not there, or not ready."""
        found, name = self.target.canary, self._parts.settings.name
        if found is None:
            raise NoCanary(f"{name} has no canary")
        if revision is not None and found.revision != revision:
            raise NoCanary(f"{name} has the canary {found.revision}, not {revision}")
        if not found.ready:
            raise NoCanary(f"the canary {found.revision} is not healthy yet")
        return found

    async def bring_up(self, slot: Slot, revision: str, checkout: Path) -> Health:
        """Have a version run in a slot, ready once it is healthy; one that runs is adopted.

        A version that does not become healthy is ended and taken out of the slot.
        """
        versions = self._parts.versions
        await self._parts.front.ensure()
        for attempt in range(1, _PORT_TRIES + 1):
            running = self._in(slot)
            if running is None or not versions.alive(running):
                version = await versions.start(revision, checkout)
                self._put(slot, version)
            else:
                version = running
            health = await versions.wait_healthy(version)
            if health.healthy:
                self._put(slot, replace(version, ready=True))
                return health
            if attempt == _PORT_TRIES or not versions.lost_its_port(version):
                break
        await versions.stop(version)
        self._put(slot, None)
        return health

    async def promote(self, key: str, revision: str | None, fence: int) -> None:
        """Make the canary the stable version and keep the old one on record."""
        target = self.target
        if target.canary is None and target.stable and target.stable.revision == revision:
            self.save(target.remembering(key, revision, fence))
            return
        canary = self.canary(revision)
        if not await self._parts.versions.is_healthy(canary):
            raise NoCanary(f"the canary {canary.revision} does not answer its health check")
        target = replace(target, stable=canary, canary=None, previous=target.stable, percent=0)
        self.save(target.remembering(key, canary.revision, fence))

    async def take_off(self, revision: str | None, stable: str | None) -> None:
        """Take a revision off. Its traffic is cut before anything else is tried.

        Raises NothingToGoBackTo when it is the stable one and no earlier one can be started.
        """
        canary, current = self.target.canary, self.target.stable
        if canary is not None and revision in {None, canary.revision}:
            self.save(replace(self.target, canary=None, percent=0))
            await self.in_force()
            await self.retire(canary)
        elif current is not None and current.revision == revision and stable != revision:
            back = await self._way_back(current, stable)
            self.save(replace(self.target, stable=back, canary=None, previous=None, percent=0))
            await self.in_force()
            await self.retire(current)

    async def _way_back(self, current: Version, stable: str | None) -> Version:
        back, name = self.target.previous, self._parts.settings.name
        if back is None or (stable is not None and back.revision != stable):
            raise NothingToGoBackTo(
                f"{current.revision} is the stable version of {name}, and "
                f"{stable or 'an earlier one'} is not on record"
            )
        if back.ready and self._parts.versions.alive(back):
            return back
        health = await self.bring_up("canary", back.revision, Path(back.checkout))
        if self.target.canary is None:
            raise NothingToGoBackTo(f"{back.revision} does not start: {health.detail}")
        return self.target.canary

    async def restore_stable(self) -> None:
        """Have the stable version run and be itself; it is started again if it is not.

        Raises NothingToGoBackTo when there is no stable version on record, or its checkout is
        gone or does not start any more.
        """
        stable, versions = self.target.stable, self._parts.versions
        if stable is None:
            raise NothingToGoBackTo(f"{self._parts.settings.name} has no stable version on record")
        if stable.ready and await self._is_itself(stable):
            return
        await versions.stop(stable)
        fresh = await versions.start(stable.revision, Path(stable.checkout))
        self._put("stable", fresh)
        health = await versions.wait_healthy(fresh)
        if not health.healthy:
            raise NothingToGoBackTo(f"{stable.revision} does not start: {health.detail}")
        self._put("stable", replace(fresh, ready=True))
        await self.in_force()

    async def _is_itself(self, version: Version) -> bool:
        versions = self._parts.versions

        async def look() -> bool | None:
            named = await versions.revision_at(version.port)
            if named and not is_revision(named, version.revision):
                return False
            return (named and await versions.is_healthy(version)) or None

        def lives() -> bool:
            return versions.alive(version)

        return lives() and await borne(look, lives) is True

    async def retire(self, version: Version) -> None:
        """End a version that gets no new requests, once its open ones are answered."""
        if self._parts.versions.alive(version):
            within = self._parts.settings.stop_within.total_seconds()
            await self._parts.front.drained(version.port, within)
        await self._parts.versions.stop(version)

    def _in(self, slot: Slot) -> Version | None:
        return self.target.stable if slot == "stable" else self.target.canary

    def _put(self, slot: Slot, version: Version | None) -> None:
        if slot == "stable":
            self.save(replace(self.target, stable=version))
        else:
            self.save(replace(self.target, canary=version, percent=0))
