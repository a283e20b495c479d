"""The one place that chooses adapters: settings in, ports out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from psycopg import AsyncConnection
from pydantic import ValidationError

from swarm.adapters.feeds import build as feeds
from swarm.adapters.feeds.pages import WebPages
from swarm.adapters.feeds.settings import (
    AlertmanagerSettings,
    FeedSettings,
    JsonSettings,
    WebSettings,
)
from swarm.adapters.local.agents.runner import LocalRuns
from swarm.adapters.local.attest.attestations import LocalAttestations
from swarm.adapters.local.channel import LocalChannel
from swarm.adapters.local.checks.runner import LocalChecks
from swarm.adapters.local.git.cited import CitedFiles
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.scratch import WORK_LEFT_BEHIND, sweep
from swarm.adapters.local.notary import LocalNotary
from swarm.adapters.local.process import network
from swarm.adapters.local.service import state
from swarm.adapters.local.service.errors import NoStable
from swarm.adapters.local.sources import build as local
from swarm.adapters.local.sources.checkout import Checkouts
from swarm.adapters.local.targets import LocalTargets
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.clock import PostgresClock
from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.errors import SpecUnreadable
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.missions import PostgresMissions
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.retain import retain
from swarm.adapters.postgres.store.seals import PostgresSeals
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.errors import Unavailable
from swarm.contract.swarm import SwarmSpec
from swarm.core.decision import Notify
from swarm.core.ids import MissionId, SwarmId, order_key
from swarm.ports.reply import Later
from swarm.ports.seals import Notary
from swarm.ports.source_settings import Place
from swarm.ports.sources import Source
from swarm.ports.store import Bell, BindingOf
from swarm.runtime.binding import Bindings
from swarm.runtime.clock_keeper import ClockKeeper
from swarm.runtime.controller import Keeper, Store
from swarm.runtime.database import server_of
from swarm.runtime.events import Event
from swarm.runtime.hands import Hands
from swarm.runtime.home import Home
from swarm.runtime.job_keeper import JobKeeper
from swarm.runtime.regime.keeper import RegimeKeeper
from swarm.runtime.regime.reading import RegimeReader, WithRegime
from swarm.runtime.seal_keeper import SealKeeper
from swarm.runtime.settings import Settings, load
from swarm.runtime.source_keeper import SourceKeeper
from swarm.runtime.store_keeper import StoreKeeper
from swarm.runtime.target_keeper import TargetKeeper
from swarm.runtime.trading.keeper import TradingKeeper
from swarm.runtime.trading.place import TradingPlace

log = structlog.get_logger()


def now() -> datetime:
    """The wall clock of this machine; decisions use the database's instead."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a controller is made of."""

    store: Store
    hands: Hands
    binding_of: BindingOf
    keepers: Sequence[Keeper]
    news: News

    def on_news(self, kick: Callable[[], None]) -> None:
        """Whom to tell when a port has news about an order."""
        self.news.kick = kick


@dataclass(slots=True)
class News:
    """Makes an order due at once when its port has news; a poll stands behind it."""

    orders: PostgresOrders
    kick: Callable[[], None] = lambda: None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def about(self, key: str) -> None:
        """A port has news about the order of this key."""
        task = asyncio.get_running_loop().create_task(self._hasten(key))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _hasten(self, key: str) -> None:
        with suppress(Unavailable):  # the poll behind it finds it
            if await self.orders.hasten(key):
                self.kick()


def wire(settings: Settings, home: Home, database: Database, name: str) -> Parts:
    """Make every part of one controller."""
    orders = PostgresOrders(database, name)
    intake = PostgresIntake(database)
    news = News(orders)
    forge = LocalForge(settings.guarded_repositories(), home.clones, may_begin=orders.may_begin)
    targets = LocalTargets(settings.targets, forge, home.services)
    hidden = kept_from_agents(home)
    runs = LocalRuns(
        settings.agents, forge, home.jobs / "runs", on_finished=news.about, hidden=hidden,
        may_begin=orders.may_begin,
    )  # fmt: skip
    checks = LocalChecks(
        settings.checks, forge, home.jobs / "checks", on_finished=news.about, hidden=hidden
    )
    trading = RegimeReader(database, settings.regimes, now)
    hands = Hands(
        runs=runs,
        checks=checks,
        forge=forge,
        attestations=LocalAttestations(settings.attestations, forge, home.jobs / "attest"),
        targets=targets,
        metrics=WithRegime(targets, trading),
        channel=LocalChannel(settings.channels, home.logs),
        pages=WebPages(_on_the_network(settings), now),
        files=CitedFiles(forge, now),
    )
    specs = Specs(database)
    checkouts = Checkouts(forge, home.jobs / "readings")
    sources = SourceKeeper(specs, BoundSources(settings, checkouts), intake, now)
    keepers: list[Keeper] = [
        sources,
        ClockKeeper(now, PostgresClock(database).now),
        JobKeeper((runs, checks), PostgresMissions(database)),
        _store_keeper(home, database, orders),
    ]
    if settings.targets:
        repos = {target: one.repo for target, one in settings.targets.items()}
        keepers.append(TargetKeeper(repos, targets, checkouts, intake, specs))
    if settings.regimes:
        desk, token = FreezeDesk(database, name), bool(settings.loop.resume_token_sha256)
        keepers.append(RegimeKeeper(trading, desk, specs, now, needs_token=token))
    seals = PostgresSeals(database, notary(home, settings))
    keepers.append(SealKeeper(seals, settings.seals.every, hands.channel, settings.seals.channel))
    return Parts(
        store=Store(
            ticks=PostgresTicks(database),
            orders=orders,
            bell=OverheardBell(PostgresBell(database), sources.hint),
        ),
        hands=hands,
        binding_of=Bindings(settings).of,
        keepers=keepers,
        news=news,
    )


def order_path(
    settings: Settings, home: Home, database: Database, parts: Parts, name: str
) -> Sequence[Keeper]:
    """What trades, when the installation file says so; one controller of an installation does."""
    trading = settings.trading
    if trading is None:
        return ()

    async def announce(key: str, event: str, text: str) -> timedelta | None:
        notice = Notify(
            key=order_key("trading", event, key),
            mission=MissionId(""),
            mission_class="",
            policy_hash="",
            forward=False,
            channel=trading.channel,
            event=event,
            text=text,
        )
        reply = await parts.hands.channel.notify(notice)
        return reply.delay if isinstance(reply, Later) else None

    place = TradingPlace(home.trading)
    return [TradingKeeper(trading, place, home.folder, database.dsn, announce, name)]


def _store_keeper(home: Home, database: Database, orders: PostgresOrders) -> StoreKeeper:
    server = server_of(home)

    async def tidy() -> None:
        await orders.heal()
        await retain(database)

    look_after = server.look_after if server is not None else None
    return StoreKeeper(look_after, tidy, orders.clock_set_back)


class OverheardBell:
    """A bell that a keeper hears too: one connection listens for both."""

    def __init__(self, bell: Bell, also: Callable[[], None]) -> None:
        self._bell, self._also = bell, also

    async def ring(self, swarm: SwarmId) -> None:
        """Make a swarm due at once and tell every controller."""
        await self._bell.ring(swarm)

    async def listen(self) -> AsyncIterator[str]:
        """Swarm ids that were rung for, as hints."""
        async for hint in self._bell.listen():
            self._also()
            yield hint


class Specs:
    """The Swarms in the store, as the keepers need them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: dict[str, str] = {}

    async def all(self) -> Sequence[tuple[SwarmId, SwarmSpec]]:
        """Every Swarm that is not deleted, with its defaulted spec.

        One whose spec only a newer release can read is that release's to look after.
        """
        found = []
        for id_, spec in await self._rows():
            try:
                found.append((SwarmId(id_), SwarmSpec.model_validate(spec)))
            except ValidationError as error:
                self._tell(id_, error)
        return found

    async def ids(self) -> Sequence[SwarmId]:
        """The ids alone."""
        return [SwarmId(id_) for id_, _ in await self._rows()]

    async def _rows(self) -> list[tuple[Any, ...]]:
        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found = await connection.execute(
                "select id, spec from swarm where deleted_at is null order by id"
            )
            return await found.fetchall()

        return await self._database.run(tx)

    def _tell(self, swarm: str, error: ValidationError) -> None:
        first = error.errors(include_url=False)[0]
        why = f"spec.{'.'.join(map(str, first['loc']))}: {first['msg']}; {SpecUnreadable.remedy}"
        if self._told.get(swarm) != why:
            self._told[swarm] = why
            log.warning(Event.TICK_FAILED, swarm=swarm, error="SpecUnreadable", detail=why)


class BoundSources:
    """Makes the sources of one installation, anew for each reading: they hold no state."""

    def __init__(self, settings: Settings, checkouts: Checkouts) -> None:
        self._settings, self._checkouts = settings, checkouts

    def source(self, swarm: SwarmId, name: str) -> Source | None:
        """The source of that name; None when nobody bound it."""
        settings = self._settings.sources.get(name)
        if settings is None:
            return None
        place = Place(swarm=swarm, now=now, secret=os.environ.get)
        match settings:
            case FeedSettings() | JsonSettings() | AlertmanagerSettings():
                return feeds.source(settings, place)
            case _:
                return local.source(settings, place, self._checkouts)

    def every(self, name: str) -> timedelta | None:
        """Its own cadence, where it has one."""
        settings = self._settings.sources.get(name)
        return settings.every if settings is not None else None

    def quiet_after(self, name: str) -> timedelta | None:
        """How long it may say nothing new; None where silence is no alarm."""
        settings = self._settings.sources.get(name)
        return settings.quiet_after if settings is not None else None


def _on_the_network(settings: Settings) -> dict[str, WebSettings]:
    return {name: one for name, one in settings.sources.items() if isinstance(one, WebSettings)}


def notary(home: Home, settings: Settings) -> Notary:
    """Who signs this installation's seals, where they are published, and who else may sign."""
    return LocalNotary(home.seals, settings.seals.keys)


def kept_from_agents(home: Home) -> tuple[Path, ...]:
    """What no agent and no check may read: settings, secrets, data, other people's output."""
    places = (
        home.file, home.note, home.database, home.logs, home.services, home.seals, home.trading,
    )  # fmt: skip
    server = server_of(home)
    # As root the data stands elsewhere, and root reads what it likes unless it is kept from it.
    return places if server is None else (*places, server.layout.data)


def private_clones(settings: Settings, home: Home) -> LocalForge:
    """The installation's repositories and their private clones."""
    return LocalForge(settings.guarded_repositories(), home.clones)


def bound_sources(settings: Settings, home: Home) -> BoundSources:
    """The sources of an installation alone, to read one by hand."""
    forge = LocalForge(settings.guarded_repositories(), home.clones)
    return BoundSources(settings, Checkouts(forge, home.jobs / "readings"))


def scratch_runs(
    settings: Settings, home: Home, folder: Path, on_finished: Callable[[str], None]
) -> tuple[LocalForge, LocalRuns]:
    """Agents on clones of their own below `folder`: nothing of the installation is written."""
    forge = LocalForge(settings.guarded_repositories(), folder / "clones")
    hidden = kept_from_agents(home)
    runs = LocalRuns(
        settings.agents, forge, folder / "runs", on_finished=on_finished, hidden=hidden
    )
    return forge, runs


def scratch_checks(
    settings: Settings, home: Home, folder: Path, on_finished: Callable[[str], None]
) -> tuple[LocalForge, LocalChecks]:
    """Checks whose jobs and results lie below `folder`, on the installation's private clones."""
    forge = LocalForge(settings.guarded_repositories(), home.clones)
    hidden = kept_from_agents(home)
    checks = LocalChecks(
        settings.checks, forge, folder / "checks", on_finished=on_finished, hidden=hidden
    )
    return forge, checks


def clear_left_behind(inside: Path, prefix: str) -> None:
    """Remove folders of that prefix in which nobody has begun anything for a day."""
    sweep(inside, prefix, WORK_LEFT_BEHIND)


def can_cut_network() -> bool:
    """Whether `network = "none"` of agents and checks can be kept on this machine."""
    return network.can_cut()


def serving(home: Home, target: str) -> tuple[int, int]:
    """The process and the port of a target's stable version. Raises `NoStable`."""
    stable = state.read(home.services / target / "service").stable
    if stable is None or not stable.ready:
        raise NoStable(f"{target} has no stable version that serves yet")
    return stable.pid, stable.port


def stop_local(home: Home) -> None:
    """End the local services of an installation whose controller has ended.

    Agents and checks under way are left to `work_left`: they are bounded in time, and the next
    controller takes up what they came to.
    """
    if not home.file.exists():
        return
    settings = load(home.file)
    forge = LocalForge(settings.guarded_repositories(), home.clones)
    asyncio.run(LocalTargets(settings.targets, forge, home.services).stop())
