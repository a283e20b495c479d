"""The controller: tick and act, woken by hints, with a poll as the truth behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from swarm.contract.errors import Unavailable
from swarm.core.decide import decide
from swarm.core.decision import Plan
from swarm.core.snapshot import Snapshot
from swarm.ports.store import Agenda, Bell, BindingOf, Orders, Ticks
from swarm.runtime.act import Act
from swarm.runtime.events import Event
from swarm.runtime.hands import Hands
from swarm.runtime.report import Teller
from swarm.runtime.status import status_of

POLL = timedelta(seconds=15)  #: a lost wake-up costs at most this long
FAULT_PAUSE = timedelta(seconds=30)
SHORTEST = timedelta(milliseconds=1)
HELD = timedelta(seconds=1)  #: pause before asking again for what is due and not to be had
#: The longest is what a returned database may wait for its first order, besides reconnecting.
RETRY_FIRST, RETRY_MOST = timedelta(milliseconds=100), timedelta(seconds=2)
_ANYTHING = Agenda(swarms=True, orders=True, wait=None)  #: nobody knows what is due
log = structlog.get_logger()


def safe_decide(snapshot: Snapshot) -> Plan:
    """Decide; a fault in deciding holds this one swarm and is told, the others go on."""
    try:
        return decide(snapshot)
    except Exception as error:
        log.exception(Event.TICK_FAILED, swarm=snapshot.swarm)
        return Plan(
            orders=(),
            records=(),
            standings=(),
            look_again=snapshot.now + FAULT_PAUSE,
            idle_reason=f"InternalError: {type(error).__name__}: {error}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What the controller needs of a store."""

    ticks: Ticks
    orders: Orders
    bell: Bell


class Keeper(Protocol):
    """Something that watches the world beside the loop: sources, targets."""

    async def prepare(self) -> None:
        """What must be so before anything is decided."""

    async def run(self) -> None:
        """Watch until cancelled; tells the store only what changed."""


class Controller:
    """One replica. Any number of them share one store; no leader is needed.

    A crash at any instant loses nothing: what was decided is in the store, what was begun is
    known to the ports under its key, and a lease that nobody extends ends by itself.
    """

    def __init__(
        self,
        store: Store,
        hands: Hands,
        binding_of: BindingOf,
        name: str,
        *,
        now: Callable[[], datetime],
        keepers: Sequence[Keeper] = (),
        poll: timedelta = POLL,
    ) -> None:
        self._store, self._binding_of, self.name = store, binding_of, name
        self._keepers, self._poll = keepers, poll
        self._work = asyncio.Event()
        self._act = Act(store.orders, hands, name, now, self.kick)
        self._retry = RETRY_FIRST
        self._teller = Teller()

    def kick(self) -> None:
        """Something may be due: look now."""
        self._work.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then give orders back and return."""
        log.info(Event.CONTROLLER_STARTED, controller=self.name)
        for keeper in self._keepers:
            await keeper.prepare()
        parts = [
            asyncio.create_task(self._listen(), name="listen"),
            asyncio.create_task(self._act.keep_leases(), name="leases"),
            asyncio.create_task(self._pump(), name="pump"),
            *(asyncio.create_task(keeper.run(), name="keeper") for keeper in self._keepers),
        ]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([*parts, stopping], return_when=asyncio.FIRST_COMPLETED)
            for part in done - {stopping}:
                part.result()  # a part that ended by itself is a fault: tell it, do not hide it
        finally:
            for task in (*parts, stopping):
                task.cancel()
            await asyncio.gather(*parts, stopping, return_exceptions=True)
            await self._give_back()
            log.info(Event.CONTROLLER_STOPPED, controller=self.name)

    async def _give_back(self) -> None:
        try:
            await self._act.stop()
        except Unavailable:
            return  # the leases end by themselves

    async def _listen(self) -> None:
        while True:
            try:
                async for _ in self._store.bell.listen():
                    self.kick()
            except Unavailable:
                self.kick()
            await asyncio.sleep(RETRY_MOST.total_seconds())

    async def _pump(self) -> None:
        due = _ANYTHING
        while True:
            try:
                due = await self._turn(due)
            except Unavailable as error:
                due = _ANYTHING
                await self._lost(error)
            except Exception as error:
                # A fault of ours must not end the protection of what is live: tell it, wait,
                # and look again. Nothing was written: each turn is whole transactions.
                due = _ANYTHING
                log.exception(Event.TICK_FAILED)
                await self._lost(Unavailable(f"{type(error).__name__}: {error}"))

    async def _turn(self, due: Agenda) -> Agenda:
        """Work on what is due, then see what is due next; wait where that is nothing.

        A hint or a poll that finds nothing costs one read, however many controllers hear it.
        """
        await self._act.give_back()  # nothing, unless the store was away when work ended
        ticked = due.swarms and await self._tick()
        claimed = bool(due.orders and await self._act.claim())
        hinted = self._work.is_set()
        self._work.clear()  # the agenda shows whatever was hinted until now
        self._act.settled = False
        agenda = await self._store.ticks.agenda()
        self._found()
        # Due, and not to be had: another controller ticks that swarm; a freeze, a policy or an old
        # release holds that order. Asking for it at once again and again would change nothing.
        vain = not (ticked or claimed or hinted)
        held = Agenda(swarms=due.swarms and vain, orders=due.orders and vain, wait=None)
        if (agenda.swarms and not held.swarms) or (agenda.orders and not held.orders):
            return agenda
        await self._hinted(agenda)
        # What was settled here has woken its swarm: that need not be asked.
        return Agenda(swarms=self._act.settled, orders=False, wait=None)

    async def _tick(self) -> bool:
        """Tick the swarm that is due the longest; False when there was none to be had."""
        tick = await self._store.ticks.tick(safe_decide, self._binding_of, self.name, status_of)
        if tick is None:
            return False
        if tick.issued:
            await self._act.claim()  # what was just decided waits for nothing, not even to be told
        self._teller.tell(tick)
        return True

    async def _hinted(self, agenda: Agenda) -> None:
        """Sleep until a hint, a timer or the poll; longer where nothing could be had."""
        poll = self._poll
        wait = poll if agenda.wait is None or self._act.full else min(poll, agenda.wait)
        if agenda.orders and not self._act.full:
            wait = max(wait, HELD)
        if agenda.swarms:
            wait = min(wait, HELD)  # whoever ticks it looks again, unless it dies over it
        # Not `wait_for`: in Python 3.11 it loses a cancellation that comes with the hint, and
        # a controller that is told to stop at that moment would never end.
        seconds = max(wait, SHORTEST).total_seconds()
        timer = asyncio.get_running_loop().call_later(seconds, self._work.set)
        try:
            await self._work.wait()
        finally:
            timer.cancel()

    def _found(self) -> None:
        if self._retry != RETRY_FIRST:
            log.info(Event.STORE_FOUND)
            self._retry = RETRY_FIRST

    async def _lost(self, error: Unavailable) -> None:
        """Fail closed: without the store nothing is decided and nothing new is begun."""
        if self._retry == RETRY_FIRST:
            log.warning(Event.STORE_LOST, error=type(error).__name__, detail=error.message)
        await asyncio.sleep(self._retry.total_seconds())
        self._retry = min(RETRY_MOST, self._retry * 2)
