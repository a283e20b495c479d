"""Orders under lease and fence: claim, begin, heartbeat, settle, postpone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from pydantic import ValidationError

from swarm.adapters.postgres.database import Database
from swarm.core.evidence import Fact
from swarm.core.ids import SwarmId
from swarm.core.trail import canonical
from swarm.ports.reply import Later
from swarm.ports.store import Claim

from . import shapes, single, texts
from .errors import OrderHeld, StaleFence
from .settling import Written, settle_many, written_of
from .statements import statements

LEASE_LONGEST = timedelta(minutes=5)  #: a lease that ends later proves that the clock was set back
_WORDS = 2_000  #: characters of a reason's detail that are kept


class PostgresOrders:
    """`ports.store.Orders` on Postgres.

    controller: who acts, for the trail and for people; fences do the deciding.
    """

    def __init__(self, database: Database, controller: str) -> None:
        self._database = database
        self._actor = controller
        self._sql = statements("orders")

    async def claim(
        self, controller: str, limit: int, lease: timedelta, kinds: Sequence[str] | None = None
    ) -> tuple[Claim, ...]:
        """Take due orders. See the port; `lease` is at most LEASE_LONGEST."""
        asked = {
            "kinds": shapes.kinds_text(kinds),
            "limit": limit,
            "lease": min(lease, LEASE_LONGEST).total_seconds(),
            "owner": controller,
        }
        taken = await single.rows(self._database, self._sql["claim"], asked)
        found = [claim for row in taken if (claim := _claim_of(row))]
        return tuple(sorted(found, key=lambda claim: claim.issued_at))

    async def begin(self, claim: Claim) -> None:
        """Check the preconditions and mark the order begun. Raises StaleFence or OrderHeld."""
        key = {"key": claim.order.key, "fence": claim.fence, "lapsed": claim.lapsed}
        back = {"keys": [claim.order.key], "fences": [claim.fence]}

        ((begun,),) = await single.rows(self._database, self._sql["begin"], key)
        if begun:
            return
        if await single.rows(self._database, self._sql["give_back"], back):
            raise OrderHeld(f"{claim.order.key}: a freeze, shadow mode or another policy holds it")
        raise StaleFence(f"{claim.order.key}: fence {claim.fence} is not the newest any more")

    async def heartbeat(self, claims: Sequence[Claim], lease: timedelta) -> tuple[Claim, ...]:
        """Extend the leases; the claims that are lost come back."""
        asked = {**_fenced(claims), "lease": min(lease, LEASE_LONGEST).total_seconds()}
        kept = await self._keys("heartbeat", asked)
        return tuple(claim for claim in claims if claim.order.key not in kept)

    async def settle(self, claim: Claim, fact: Fact) -> None:
        """Keep the fact and close the order, or raise StaleFence and write nothing."""
        if await self.settle_all([(claim, fact)]):
            raise StaleFence(f"{claim.order.key}: fence {claim.fence} is not the newest any more")

    async def settle_all(self, facts: Sequence[tuple[Claim, Fact]]) -> tuple[Claim, ...]:
        """Settle many in one transaction; the claims whose fence was stale come back."""
        closed = await self._close([written_of(claim, fact) for claim, fact in facts])
        return tuple(claim for claim, _ in facts if claim.order.key not in closed)

    async def _close(self, written: Sequence[Written]) -> set[str]:
        """Settle all of these or none; the keys of the orders that were closed."""
        if not written:
            return set()
        if len(written) == 1 and written[0].simple:
            asked = {**written[0].parameters, "actor": self._actor}
            rows = await single.rows(self._database, self._sql["settle"], asked)
            return {key for (key,) in rows}

        async def tx(connection: AsyncConnection[Any]) -> set[str]:
            return await settle_many(connection, written, self._actor)

        return await self._database.run(tx)

    async def postpone(self, claim: Claim, later: Later) -> None:
        """Give the order back for later. Raises StaleFence."""
        event = {"order": claim.order.key, "reason": later.reason, "capacity": later.capacity}
        asked = {
            "key": claim.order.key,
            "fence": claim.fence,
            "delay": later.delay.total_seconds(),
            "reason": texts.plain(later.reason) or "Later",
            "detail": texts.plain(later.detail)[:_WORDS],
            "capacity": later.capacity,
            "spent": later.spent,
            "actor": self._actor,
            "event": texts.storable(canonical(event)),
        }

        ((kept,),) = await single.rows(self._database, self._sql["postpone"], asked)
        if not kept:
            raise StaleFence(f"{claim.order.key}: fence {claim.fence} is not the newest any more")

    async def void(self, claim: Claim) -> None:
        """Take a lapsed order back that never happened. Raises StaleFence."""
        event = {
            "order": claim.order.key,
            "reason": "it had not happened",
            "decided_under": claim.order.policy_hash,
        }
        asked = {
            "key": claim.order.key,
            "fence": claim.fence,
            "actor": self._actor,
            "event": texts.storable(canonical(event)),
        }

        if not await single.rows(self._database, self._sql["void"], asked):
            raise StaleFence(f"{claim.order.key}: fence {claim.fence} is not the newest any more")

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give orders back untouched. Lost ones are left alone."""
        await self._keys("give_back", _fenced(claims))

    async def inherit(self, dead: Sequence[str]) -> int:
        """Give back what these controllers hold, which will never write again; how many orders.

        Their fences end with it: a write of theirs that is still under way is refused.
        """
        return len(await self._keys("inherit", {"dead": list(dead)}))

    async def hasten(self, key: str) -> bool:
        """Make a waiting order due at once. False when there is none, or somebody works on it."""

        async def tx(connection: AsyncConnection[Any]) -> bool:
            found = await connection.execute(self._sql["hasten"], {"key": key})
            return found.rowcount > 0

        return await self._database.run(tx)

    async def may_begin(self, key: str) -> bool:
        """Whether nothing holds a begun order back by now: for ports that prepare for long."""
        found = await single.rows(self._database, self._sql["may_begin"], {"key": key})
        return bool(found)

    async def heal(self) -> int:
        """Make owned orders due whose lease ends impossibly late. Returns how many."""
        asked = {"longest": LEASE_LONGEST.total_seconds()}
        return len(await single.rows(self._database, self._sql["heal"], asked))

    async def clock_set_back(self) -> None:
        """Make everything due that waits for a time: that time may be hours away all at once."""
        await single.rows(self._database, self._sql["clock_set_back"], {})

    async def _keys(self, name: str, asked: dict[str, Any]) -> set[str]:
        return {key for (key,) in await single.rows(self._database, self._sql[name], asked)}


def _fenced(claims: Sequence[Claim]) -> dict[str, Any]:
    return {
        "keys": [claim.order.key for claim in claims],
        "fences": [claim.fence for claim in claims],
    }


def _claim_of(row: tuple[Any, ...]) -> Claim | None:
    swarm, fence, tries, issued_at, begun, lapsed, body = row
    try:
        order = shapes.order_adapter().validate_json(body)
    except ValidationError:
        # A shape of a newer release: its lease ends by itself and a newer controller takes it.
        return None
    return Claim(
        order=order,
        swarm=SwarmId(swarm),
        fence=fence,
        tries=tries,
        issued_at=issued_at,
        begun=begun,
        lapsed=lapsed,
    )
