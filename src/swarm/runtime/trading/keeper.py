"""The order path as a part of `swarmctl up`: opened, fed, watched, and closed in good order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.adapters.postgres.store.trading.limit_sets import LimitSets
from swarm.adapters.postgres.store.trading.tenure import Tenure
from swarm.contract.errors import SwarmError, Unavailable
from swarm.regime.controls import stop_checks
from swarm.regime.controls.events import Killed, RegimeSeen
from swarm.regime.controls.measures import Measures
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.nouns import Regime
from swarm.runtime.events import Event
from swarm.runtime.trading import loading, telling, venues
from swarm.runtime.trading.door import Door
from swarm.runtime.trading.kill import carry_out, insist, working
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.path import OrderPath
from swarm.runtime.trading.place import TradingPlace
from swarm.runtime.trading.proving import Proving
from swarm.runtime.trading.settings import TradingSettings
from swarm.runtime.trading.state import TradingState
from swarm.runtime.trading.watching import Watching

AGAIN = 2.0  #: seconds before an order path that could not stay open is opened again
ASK_STORE = 1.0  #: seconds between two looks for another regime, rung or limit set
CONFIRM = 0.25  #: seconds between two looks at what a kill has come to
#: The trading database's own: whoever trades is told soon that nothing can be written.
PATIENCE = timedelta(seconds=1)
ENDS_WITHIN = 3.0
NEWS_MOST = 1_000  #: alerts that wait for the channel
log = structlog.get_logger()


class TradingKeeper:
    """One order path. It is open while limits hold, records verify, and the venues are asked.

    folder:   of swarm.toml.
    announce: tells the owner's channel, once for a key; gives when to try again, if not told yet.
    me:       who writes, in the records.
    """

    def __init__(
        self,
        settings: TradingSettings,
        place: TradingPlace,
        folder: Path,
        dsn: str,
        announce: Callable[[str, str, str], Awaitable[timedelta | None]],
        me: str,
    ) -> None:
        self._settings, self._place, self._dsn, self._me = settings, place, dsn, me
        self._venues, self._announce = venues.bound(settings), announce
        self._watching = Watching(place, venues.sockets(settings), self._alerted)
        self._door = Door(place.door, settings.roster(), self._said)
        self._where = f"{me} in {folder.resolve()}"
        self._why = ""
        self._news: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue(NEWS_MOST)

    async def prepare(self) -> None:
        """Refuse what could never be spoken to. Raises BadSettings."""
        self._door.check()

    async def run(self) -> None:
        """Trade until cancelled. What ends it is told, and it is tried again."""
        while True:
            try:
                async with (
                    self._door.opened(),
                    Database(self._dsn, size=3, patience=PATIENCE) as database,
                ):
                    await self._keep_open(database)
            except OSError as error:
                self._closed(str(error))
            await asyncio.sleep(AGAIN)

    async def _keep_open(self, database: Database) -> None:
        while True:
            try:
                async with Tenure(database, self._settings.chain, self._where) as tenure:
                    await self._trade(database, tenure)
            except SwarmError as error:
                self._closed(f"{error.code} {error.message}. {error.fix}")
            except OSError as error:
                self._closed(str(error))
            except Exception as error:
                # A fault of ours stops trading and nothing else: what is live stays protected.
                why = f"{type(error).__name__}: {error}"
                if why != self._why:
                    log.exception(Event.TRADING_CLOSED)
                self._closed(why)
            await asyncio.sleep(AGAIN)

    def _closed(self, why: str) -> None:
        self._door.path, self._door.why = None, why
        if why != self._why:
            log.warning(Event.TRADING_CLOSED, detail=why)
        self._why = why

    async def _trade(self, database: Database, tenure: Tenure) -> None:
        """Open the path and keep it fed until something ends it."""
        roster = self._settings.roster()
        held, signature = await loading.newest(database, self._settings.limits, roster)
        self._place.keep(held, signature, roster)
        path = OrderPath(self._state(database, held))
        state = path.state
        await path.open()
        # Told once before the monitor begins, so that it does not begin with alarms.
        await self._learn(state, database)
        if not await telling.market(state):
            self._measure(state)
        self._door.path = path
        self._why = ""
        log.info(Event.TRADING_OPENED, limits=held.hash, version=held.limits.version)
        proving = Proving(database, self._me, self._settings.stream)
        parts = [
            asyncio.create_task(self._watching.run(), name="monitor"),
            asyncio.create_task(self._tell(), name="channel"),
            asyncio.create_task(self._follow(path), name="venues"),
            asyncio.create_task(self._kills(state, proving), name="kills"),
            asyncio.create_task(self._ask_store(path, database, proving), name="store"),
            asyncio.create_task(self._stay(tenure), name="tenure"),
        ]
        told_to_stop = False
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        except asyncio.CancelledError:
            told_to_stop = True
            raise
        finally:
            self._door.path, state.opened = None, False  # nothing goes out behind what is cancelled
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            with contextlib.suppress(TimeoutError, SwarmError):
                async with asyncio.timeout(ENDS_WITHIN):
                    if told_to_stop:
                        # Nobody would watch them. After a fault they stay: another process may
                        # have taken over, and its orders are not ours to cancel.
                        await path.cancel(tuple(state.ledger.working))
                        await path.follow()
                    await path.close()

    def _state(self, database: Database, held: LimitsInForce) -> TradingState:
        settings = self._settings
        measures = Measures(
            capital=settings.capital_micro,
            window_ns=_ns(settings.measured_over),
            settle_ns=_ns(settings.impact_after),
        )
        telling.resume_day(measures, self._place)
        return TradingState(
            limits=held,
            roster=settings.roster(),
            venues=self._venues,
            records=GateChain(database, settings.chain, self._me),
            kill_file=KillFile(self._place.kills),
            clock=time.time_ns,
            measures=measures,
        )

    async def _follow(self, path: OrderPath) -> None:
        """Reports, prices and measures, many times a second; all books every now and then."""
        agreed = 0.0
        while True:
            silent = set(await path.follow()) | set(await telling.market(path.state))
            # Nobody watches, or a venue is dark: then nothing is known to be within its limits,
            # and by growing old that stops what would grow.
            if self._watching.alive and not silent:
                self._measure(path.state)
            if time.monotonic() - agreed >= self._settings.agree_every.total_seconds():
                await path.agree()
                agreed = time.monotonic()
            await asyncio.sleep(self._settings.follow_every.total_seconds())

    def _measure(self, state: TradingState) -> None:
        if not self._settings.stream:
            state.see(RegimeSeen(regime=Regime.UNCERTAIN, at_ns=state.clock()))
        telling.measures(state, self._place)

    async def _learn(self, state: TradingState, database: Database) -> None:
        """The regime and the rungs as they are stored."""
        if self._settings.stream:
            await telling.regime(state, database, self._settings.stream)
        await telling.rungs(state, database)

    async def _kills(self, state: TradingState, proving: Proving) -> None:
        """Carry out every kill, whoever wrote it; again while anything in its scope works."""
        told, asked = set(state.ledger.kills), 0.0
        while True:
            state.remember_kills()
            again = time.monotonic() - asked >= CONFIRM
            for event in tuple(state.ledger.kills.values()):
                if event.kill not in told:
                    told.add(event.kill)
                    await self._carry_out(state, event, proving)
                elif again and working(state, event.scope):
                    await insist(state, event)
            asked = time.monotonic() if again else asked
            await asyncio.sleep(self._settings.follow_every.total_seconds())

    async def _carry_out(self, state: TradingState, event: Killed, proving: Proving) -> None:
        report = await carry_out(state, event)
        deaf = [name for name, _ in report.failed]
        log.warning(
            Event.TRADING_KILLED, kill=event.kill, scope=event.scope, by=event.by,
            cancelled=len(report.asked), deaf=deaf,
        )  # fmt: skip
        if event.scope == stop_checks.WHOLE:
            await proving.killed(event.kill, state.venues, deaf)

    async def _ask_store(self, path: OrderPath, database: Database, proving: Proving) -> None:
        """Regime, rungs and limits as they are stored now. A lost database leaves them as old."""
        while True:
            with contextlib.suppress(Unavailable):
                await self._learn(path.state, database)
                await self._renew(path, database)
                await proving.limits(path.state)
                await proving.books(path.state)
            await asyncio.sleep(ASK_STORE)

    async def _stay(self, tenure: Tenure) -> None:
        """Hold the chain again after the database was away; ends when another has it by then."""
        while True:
            await asyncio.sleep(ASK_STORE)
            with contextlib.suppress(Unavailable):
                await tenure.hold()

    async def _renew(self, path: OrderPath, database: Database) -> None:
        held, roster, name = path.state.limits, path.state.roster, self._settings.limits
        if await LimitSets(database, name).newest_hash() == held.hash:
            return
        found, signature = await loading.newest(database, name, roster, held)
        self._place.keep(found, signature, roster)
        path.put_in_force(found)
        self._watching.renew()
        log.info(Event.LIMITS_CHANGED, limits=found.hash, version=found.limits.version)

    async def _alerted(self, said: dict[str, Any]) -> None:
        alert = said["alert"]
        event = Event.ALERT_ENDED if said.get("over") else Event.ALERT_RAISED
        log.warning(
            event, subject=alert["subject"], detail=alert["detail"], lag_ms=said.get("lag_ms")
        )
        if self._settings.channel:
            news = (f"{alert['subject']}/{said['at_ns']}", str(event), alert["detail"])
            # When a thousand wait for the channel, the log must do.
            with contextlib.suppress(asyncio.QueueFull):
                self._news.put_nowait(news)

    async def _tell(self) -> None:
        """Tell the channel of each alert, in order. A slow one delays nothing but itself."""
        while True:
            news = await self._news.get()
            try:
                again = await self._announce(*news)
                while again is not None:
                    await asyncio.sleep(again.total_seconds())
                    again = await self._announce(*news)
            except (SwarmError, OSError) as error:
                log.warning(Event.ALERT_UNTOLD, subject=news[0], detail=str(error))

    def _said(self) -> dict[str, Any]:
        """What `status` adds to what the ledger says."""
        return {"monitored": self._watching.alive}


def _ns(span: timedelta) -> int:
    return round(span.total_seconds() * 1_000_000_000)
