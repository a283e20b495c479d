"""Local services as rollout targets: the orders of a rollout, each under its key.

Implements `ports.hands.Targets` and `ports.hands.Metrics` over `LocalService`. A version runs
from a checkout of its exact commit, made once and shared by every order for it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field

from swarm.adapters.local.git.errors import CheckoutTaken
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.service import state
from swarm.adapters.local.service.errors import BadQuery, MetricsUnreadable, NoStable, ProxyDown
from swarm.adapters.local.service.observing import LiveState
from swarm.adapters.local.service.queries import PrometheusReader, PrometheusSettings
from swarm.adapters.local.service.service import LocalService
from swarm.adapters.local.service.settings import ServiceSettings
from swarm.adapters.local.service.versions import log_of
from swarm.core.decision import Abort, Promote, SeeLive, SetTraffic, Sync, TakeLook
from swarm.core.evidence import Aborted, LiveSeen, LookTaken, Promoted, Synced, TrafficSet
from swarm.core.ids import evidence_id
from swarm.core.rollout.counts import Look, Reading
from swarm.ports.reply import Done, Later, No, Reply

SOURCE = "local-service"
CHECKOUTS_KEPT = 5  #: stable, canary and the way back are three; two more for a late repeat
_SOON = timedelta(seconds=2)
_PRECEDING = timedelta(minutes=10)  #: long beside the pause between two scrapes


class TargetSettings(ServiceSettings):
    """A service on this machine that changes are rolled out to."""

    repo: str = Field(min_length=1, max_length=256, description="Repository whose commits it runs.")
    prometheus: PrometheusSettings | None = Field(
        default=None,
        description="A Prometheus to read its counters from. Unset: the proxy's own are read.",
    )


class LocalTargets:
    """Every local service of an installation.

    forge:  gives the commits.    folder: where services keep their state and checkouts.
    """

    def __init__(
        self,
        settings: Mapping[str, TargetSettings],
        forge: LocalForge,
        folder: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings, self._forge, self._folder, self._now = settings, forge, folder, now
        self._services = {
            name: LocalService(one, folder / name / "service", forge.working_copy(one.repo))
            for name, one in settings.items()
        }

    async def sync(self, order: Sync) -> Reply:
        """The revision beside the stable one; unhealthy is a fact, not an error."""
        service = self._services.get(order.target)
        if service is None:
            return _unbound(order.target)
        checkout = await self._checkout(order.target, order.revision)
        before = await self._before(order.target, service, _PRECEDING)
        try:
            found = await service.start_canary(order.revision, checkout, order.key, order.fence)
        except NoStable as error:
            # Nothing serves yet: `ensure` brings main up first, and then there is a baseline.
            return Later(delay=_SOON, reason="NoStable", detail=error.message, capacity=True)
        return Done(
            fact=Synced(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                target=order.target,
                revision=order.revision,
                healthy=found.healthy,
                stable=found.stable,
                detail=found.detail,
                before=(*before, *await self._before(order.target, service)),
            )
        )

    async def set_traffic(self, order: SetTraffic) -> Reply:
        """The split in force."""
        service = self._services.get(order.target)
        if service is None:
            return _unbound(order.target)
        percent = await service.set_traffic(order.percent, order.key, order.revision, order.fence)
        if percent != order.percent:
            detail = f"{percent} % are in force, {order.percent} % were asked"
            return Later(delay=_SOON, reason="SplitNotInForce", detail=detail)
        return Done(
            fact=TrafficSet(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                target=order.target,
                step=order.step,
                percent=percent,
            )
        )

    async def promote(self, order: Promote) -> Reply:
        """The only version, as its own process says."""
        service = self._services.get(order.target)
        if service is None:
            return _unbound(order.target)
        serving = await service.promote(order.key, order.revision, order.fence)
        if serving != order.revision:
            detail = f"{serving or 'nobody'} answers, {order.revision} should"
            return Later(delay=_SOON, reason="NotServingYet", detail=detail)
        return Done(
            fact=Promoted(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                target=order.target,
                revision=serving,
            )
        )

    async def abort(self, order: Abort) -> Reply:
        """The stable version, proven through the proxy; without proof it is tried again."""
        service = self._services.get(order.target)
        if service is None:
            return _unbound(order.target)
        proof = await service.abort(order.key, order.revision, order.stable or None, order.fence)
        if not proof.proven:
            return Later(delay=_SOON, reason="RollbackUnproven", detail=proof.detail)
        return Done(
            fact=Aborted(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                target=order.target,
                revision=order.revision,
                serving=proof.serving,
                proven=True,
                detail=proof.detail,
            )
        )

    async def live(self, order: SeeLive) -> Reply:
        """What the processes say they are."""
        service = self._services.get(order.target)
        if service is None:
            return _unbound(order.target)
        seen = await service.live()
        return Done(
            fact=LiveSeen(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                target=order.target,
                stable=seen.stable_revision,
                canary=seen.canary_revision or "",
                healthy=seen.healthy,
            )
        )

    async def look(self, order: TakeLook) -> Reply:
        """Both arms, read once."""
        service = self._services.get(order.target)
        if service is None:
            return _unbound(order.target)
        look = await self._read(order.target, service, order.revision)
        return Done(
            fact=LookTaken(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                target=order.target,
                step=order.step,
                number=order.number,
                look=look,
            )
        )

    async def _before(
        self, target: str, service: LocalService, ago: timedelta = timedelta(0)
    ) -> tuple[Reading, ...]:
        """What the stable version counted before it shares its traffic; () if nobody can tell.

        ago: how long before now, for a target whose counters are kept by a Prometheus.
        """
        settings = self._settings[target].prometheus
        try:
            if settings is None:
                look = await service.read_look()
            else:
                stable, at = (await service.live()).stable_revision, datetime.now(UTC) - ago
                look = await PrometheusReader(settings).look(stable, None, 0, at)
        except (BadQuery, MetricsUnreadable, ProxyDown):
            return ()  # the looks of the rollout meet the same, and are waited for
        return (look.serving(),) if look.traffic_percent == 0 else ()

    async def _read(self, target: str, service: LocalService, revision: str) -> Look:
        """From the target's Prometheus where it has one; the split is always the proxy's.

        Another revision in the canary's place is not counted for the one that is asked about.
        """
        settings = self._settings[target].prometheus
        if settings is None:
            return await service.read_look(revision)
        seen = await service.live()
        canary = revision if seen.canary_revision == revision else None
        reader = PrometheusReader(settings)
        return await reader.look(seen.stable_revision, canary, seen.traffic_percent)

    async def ensure(self, target: str, main: str) -> LiveState:
        """Have something serve: what is on record, or `main` where nothing ever did.

        A rollout in progress is left alone; a dead stable version is started again.
        """
        service = self._services[target]
        if state.read(self._folder / target / "service").stable is not None:
            return await service.heal()
        checkout = await self._checkout(target, main)
        await service.bootstrap(main, checkout, f"first/{target}/{main}")
        return await service.live()

    async def seen(self, target: str) -> LiveState:
        """What a target runs; asks and changes nothing."""
        return await self._services[target].live()

    async def stop(self) -> None:
        """End every service; what is stable stays on record."""
        for service in self._services.values():
            await service.stop()

    async def _checkout(self, target: str, commit: str) -> Path:
        """The folder of an exact commit; another controller may have just made it."""
        into = self._folder / target / "checkouts" / commit
        if into.is_dir():
            return into
        try:
            await self._forge.export(self._settings[target].repo, commit, into, with_history=False)
        except (CheckoutTaken, OSError):
            if not into.is_dir():
                raise
        # With each new one, whatever becomes of it: where every rollout fails, none is promoted.
        with suppress(FileNotFoundError):  # another controller was removing the same
            await self._forget_old_checkouts(target, into)
        return into

    async def _forget_old_checkouts(self, target: str, wanted: Path) -> None:
        """Remove checkouts that nobody goes back to, and what the versions in them printed."""
        folder, service = self._folder / target / "checkouts", self._folder / target / "service"
        found = state.read(service)
        in_use = {one.checkout for one in (found.stable, found.canary, found.previous) if one}
        in_use.add(str(wanted))
        oldest_first = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in oldest_first[:-CHECKOUTS_KEPT]:
            if str(path) in in_use:
                continue
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
            log_of(service, path.name).unlink(missing_ok=True)


def _unbound(target: str) -> No:
    return No(reason="TargetNotBound", detail=f"no target {target!r} in swarm.toml")
