"""Act: carry claimed orders out, keep their leases, and hand the answers back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from swarm.contract.errors import Refused, SwarmError, Unavailable
from swarm.core.decision import Land, Order
from swarm.core.evidence import Fact, Landed, OrderRefused
from swarm.core.ids import evidence_id
from swarm.ports.reply import Done, Later, No, Reply
from swarm.ports.store import Claim, Orders
from swarm.runtime.events import Event
from swarm.runtime.hands import Hands

LEASE = timedelta(seconds=15)
AT_ONCE = 16  #: orders in flight per controller: agents and checks are capped by their adapters
BACKOFF_FIRST = timedelta(seconds=2)
BACKOFF_MOST = timedelta(minutes=5)
log = structlog.get_logger()


class Act:
    """Claims orders and carries them out, several at a time, under lease and fence."""

    def __init__(
        self,
        orders: Orders,
        hands: Hands,
        controller: str,
        now: Callable[[], datetime],
        kick: Callable[[], None],
    ) -> None:
        self._orders, self._hands, self._controller = orders, hands, controller
        self._now, self._kick = now, kick
        self._flying: dict[asyncio.Task[None], Claim] = {}
        self._untold: list[Claim] = []  #: ended here while the store could not be told
        self._at_work = asyncio.Event()
        self.settled = False  #: a fact was kept, which woke its swarm; whoever looks resets it

    @property
    def full(self) -> bool:
        """True when nothing more is claimed until something in flight lands."""
        return len(self._flying) >= AT_ONCE

    async def claim(self) -> int:
        """Take as many due orders as there is room for and start on them; how many it took."""
        room = AT_ONCE - len(self._flying)
        if room <= 0:
            return 0
        claims = await self._orders.claim(self._controller, room, LEASE)
        for claim in claims:
            task = asyncio.create_task(self._carry_out(claim), name=claim.order.key)
            self._flying[task] = claim
            self._at_work.set()
            task.add_done_callback(self._landed)
        return len(claims)

    async def keep_leases(self) -> None:
        """Extend the leases of what is in flight; stop what was lost to somebody else.

        An extension that an outage kept waiting may come through for work that ended meanwhile:
        what is untold is given back with every round.
        """
        while True:
            await self._at_work.wait()
            await asyncio.sleep(LEASE.total_seconds() / 3)
            claims = list(self._flying.values())
            if not (claims or self._untold):
                self._at_work.clear()
                continue
            try:
                await self.give_back()
                lost = await self._orders.heartbeat(claims, LEASE)
            except Unavailable:
                continue  # the fence protects: whoever takes over, our late write is refused
            gone = {(claim.order.key, claim.fence) for claim in lost}
            for task, claim in list(self._flying.items()):
                if (claim.order.key, claim.fence) in gone:
                    task.cancel()

    async def give_back(self) -> None:
        """Let go of what ended here untold, so that it is taken up before its lease ends."""
        if untold := tuple(self._untold):
            await self._orders.release(untold)
            self._untold = [claim for claim in self._untold if claim not in untold]
            self._kick()

    async def stop(self) -> None:
        """End what is in flight and give it back; the work itself goes on outside."""
        claims = [*self._flying.values(), *self._untold]
        for task in list(self._flying):
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)
        if claims:
            await self._orders.release(claims)

    def _landed(self, task: asyncio.Task[None]) -> None:
        claim = self._flying.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The order is taken again, at the latest by its lease.
            if isinstance(error, Unavailable):  # the store could not be told
                log.warning(Event.ORDER_FAILED, error=repr(error), **_fields(claim))
                self._untold.append(claim)
            else:  # a fault of ours, as where a port raises it
                log.error(Event.ORDER_FAILED, exc_info=error, **_fields(claim))
        self._kick()

    async def _carry_out(self, claim: Claim) -> None:
        try:
            await self._asked(claim)
        except Refused as lost:
            # Frozen, voided or taken over meanwhile: the store refused us, and all is well.
            log.debug(Event.ORDER_POSTPONED, reason=type(lost).__name__, **_fields(claim))

    async def _asked(self, claim: Claim) -> None:
        await self._orders.begin(claim)
        if not claim.begun:
            log.info(Event.ORDER_BEGUN, **_fields(claim))
        reply = await self._reply(claim)
        match reply:
            case Done(fact=Landed(landed=False)) if claim.lapsed:
                await self._orders.void(claim)
                log.info(Event.ORDER_POSTPONED, reason="NothingLanded", **_fields(claim))
            case Done(fact=fact):
                await self._settle(claim, fact)
                log.info(Event.ORDER_DONE, fact=fact.kind, **_fields(claim))
            case Later():
                await self._orders.postpone(claim, reply)
                if reply.capacity:
                    log.info(
                        Event.ORDER_POSTPONED,
                        reason=reply.reason,
                        detail=reply.detail,
                        seconds=reply.delay.total_seconds(),
                        **_fields(claim),
                    )
            case No():
                refused = OrderRefused(
                    id=evidence_id(claim.order.key),
                    at=self._now(),
                    source=self._controller,
                    verb=claim.order.kind,
                    reason=reply.reason,
                    detail=reply.detail,
                )
                await self._settle(claim, refused)
                log.warning(
                    Event.ORDER_REFUSED, reason=reply.reason, detail=reply.detail, **_fields(claim)
                )

    async def _settle(self, claim: Claim, fact: Fact) -> None:
        await self._orders.settle(claim, fact)
        self.settled = True

    async def _reply(self, claim: Claim) -> Reply:
        """Ask the port. "We could not ask" backs off; it is never taken for an answer."""
        try:
            return await self._hands.carry_out(_allowed(claim))
        except Unavailable as error:
            reason = type(error).__name__
            return Later(
                delay=min(backoff(claim.tries), error.ask_within),
                reason=reason,
                detail=error.message,
                capacity=True,
            )
        except SwarmError as error:
            return No(reason=type(error).__name__, detail=error.message)
        except Exception as error:
            # A fault of ours. The world was perhaps changed, so the order stands: its key makes
            # the repetition harmless, and the reason is seen in `swarmctl get missions`.
            log.exception(Event.ORDER_FAILED, **_fields(claim))
            detail = f"{type(error).__name__}: {error}"
            return Later(
                delay=backoff(claim.tries), reason="InternalError", detail=detail, capacity=True
            )


def backoff(tries: int) -> timedelta:
    """2 s, doubled per try, at most five minutes."""
    doubled: timedelta = BACKOFF_FIRST * 2 ** min(max(tries - 1, 0), 10)
    return min(BACKOFF_MOST, doubled)


def _allowed(claim: Claim) -> Order:
    """The order under the fence of its claim, as far as it may go by now.

    A landing that has lapsed passes no gate: main is swapped from the change to the change, which
    moves nothing and says whether it had landed (MODE-6, FRZ-2).
    """
    order = replace(claim.order, fence=claim.fence)
    if claim.lapsed and isinstance(order, Land):
        return replace(order, base=order.head)
    return order


def _fields(claim: Claim) -> dict[str, object]:
    return {
        "order": claim.order.key,
        "kind": claim.order.kind,
        "mission": claim.order.mission,
        "swarm": claim.swarm,
        "tries": claim.tries,
    }
