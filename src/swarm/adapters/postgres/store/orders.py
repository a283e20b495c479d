"""Orders under lease and fence: claim, begin, heartbeat, settle, postpone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from pydantic import ValidationError

from swarm.adapters.postgres.database import Database
from swarm.core.evidence import Fact, RunEnded
from swarm.core.ids import SwarmId
from swarm.core.trail import canonical
from swarm.ports.reply import Later
from swarm.ports.store import Claim

from . import shapes
from .errors import OrderHeld, StaleFence
from .statements import statements

LEASE_LONGEST = timedelta(minutes=5)  #: a lease that ends later proves that the clock was set back
_WORDS = 2_000  #: characters of a reason's detail that are kept

_Written = tuple[Claim, Fact]


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
            "kinds": list(shapes.known_kinds() if kinds is None else kinds),
            "limit": limit,
            "lease": min(lease, LEASE_LONGEST),
            "owner": controller,
        }

        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            return await (await connection.execute(self._sql["claim"], asked)).fetchall()

        found = [claim for row in await self._database.run(tx) if (claim := _claim_of(row))]
        return tuple(sorted(found, key=lambda claim: claim.issued_at))

    async def begin(self, claim: Claim) -> None:
        """Check the preconditions and mark the order begun. Raises StaleFence or OrderHeld."""
        key = {"key": claim.order.key, "fence": claim.fence}
        back = {"keys": [claim.order.key], "fences": [claim.fence]}

        async def tx(connection: AsyncConnection[Any]) -> str:
            if await _count(connection, self._sql["begin"], key):
                return "begun"
            returned = await connection.execute(self._sql["give_back"], back)
            return "held" if await returned.fetchone() else "stale"

        answer = await self._database.run(tx)
        if answer == "stale":
            raise StaleFence(f"{claim.order.key}: fence {claim.fence} is not the newest any more")
        if answer == "held":
            raise OrderHeld(f"{claim.order.key}: a freeze, shadow mode or another policy holds it")

    async def heartbeat(self, claims: Sequence[Claim], lease: timedelta) -> tuple[Claim, ...]:
        """Extend the leases; the claims that are lost come back."""
        asked = {**_fenced(claims), "lease": min(lease, LEASE_LONGEST)}
        kept = await self._keys("heartbeat", asked)
        return tuple(claim for claim in claims if claim.order.key not in kept)

    async def settle(self, claim: Claim, fact: Fact) -> None:
        """Keep the fact and close the order, or raise StaleFence and write nothing."""
        if await self.settle_all([(claim, fact)]):
            raise StaleFence(f"{claim.order.key}: fence {claim.fence} is not the newest any more")

    async def settle_all(self, facts: Sequence[_Written]) -> tuple[Claim, ...]:
        """Settle many in one transaction; the claims whose fence was stale come back."""
        if not facts:
            return ()
        rounds = [(_settlement(part, self._actor), part) for part in _rounds(facts)]
        missions = sorted({claim.order.mission for claim, _ in facts})

        async def tx(connection: AsyncConnection[Any]) -> set[str]:
            if len(missions) > 1:
                await connection.execute(self._sql["lock_missions"], {"ids": missions})
            done: set[str] = set()
            for given, part in rounds:
                found = await connection.execute(self._sql["settle"], given)
                closed = {key for (key,) in await found.fetchall()}
                done |= closed
                await self._spend(connection, part, closed)
            return done

        closed = await self._database.run(tx)
        return tuple(claim for claim, _ in facts if claim.order.key not in closed)

    async def postpone(self, claim: Claim, later: Later) -> None:
        """Give the order back for later. Raises StaleFence."""
        event = {"order": claim.order.key, "reason": later.reason, "capacity": later.capacity}
        asked = {
            "key": claim.order.key,
            "fence": claim.fence,
            "delay": later.delay,
            "reason": shapes.plain(later.reason) or "Later",
            "detail": shapes.plain(later.detail)[:_WORDS],
            "capacity": later.capacity,
            "actor": self._actor,
            "event": shapes.storable(canonical(event)),
        }

        async def tx(connection: AsyncConnection[Any]) -> int:
            return await _count(connection, self._sql["postpone"], asked)

        if not await self._database.run(tx):
            raise StaleFence(f"{claim.order.key}: fence {claim.fence} is not the newest any more")

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give orders back untouched. Lost ones are left alone."""
        await self._keys("give_back", _fenced(claims))

    async def hasten(self, key: str) -> bool:
        """Make a waiting order due at once. False when there is none, or somebody works on it."""

        async def tx(connection: AsyncConnection[Any]) -> bool:
            found = await connection.execute(self._sql["hasten"], {"key": key})
            return found.rowcount > 0

        return await self._database.run(tx)

    async def heal(self) -> int:
        """Make owned orders due whose lease ends impossibly late. Returns how many."""

        async def tx(connection: AsyncConnection[Any]) -> int:
            found = await connection.execute(self._sql["heal"], {"longest": LEASE_LONGEST})
            return found.rowcount

        return await self._database.run(tx)

    async def _keys(self, name: str, asked: dict[str, Any]) -> set[str]:
        async def tx(connection: AsyncConnection[Any]) -> set[str]:
            found = await connection.execute(self._sql[name], asked)
            return {key for (key,) in await found.fetchall()}

        return await self._database.run(tx)

    async def _spend(
        self, connection: AsyncConnection[Any], part: Iterable[_Written], closed: set[str]
    ) -> None:
        for claim, fact in part:
            if isinstance(fact, RunEnded) and fact.cost > 0 and claim.order.key in closed:
                spent = {"mission": claim.order.mission, "effect": fact.id, "amount": fact.cost}
                await connection.execute(self._sql["spend"], spent)


def _rounds(facts: Sequence[_Written]) -> list[list[_Written]]:
    """Parts in which no mission appears twice: each statement moves a head by one link."""
    parts: list[list[_Written]] = []
    place: dict[str, int] = {}
    seen: set[str] = set()
    for claim, fact in facts:
        if claim.order.key in seen:
            continue
        seen.add(claim.order.key)
        owner = claim.order.mission or claim.swarm
        index = place.get(owner, 0)
        place[owner] = index + 1
        if index == len(parts):
            parts.append([])
        parts[index].append((claim, fact))
    return parts


def _settlement(part: Sequence[_Written], actor: str) -> dict[str, Any]:
    texts = [shapes.dump(shapes.fact_adapter(), fact) for _, fact in part]
    return {
        **_fenced([claim for claim, _ in part]),
        "ids": [fact.id for _, fact in part],
        "kinds": [fact.kind for _, fact in part],
        "ats": [fact.at for _, fact in part],
        "facts": texts,
        "events": [
            seen_event(fact, claim.order.key, text)
            for (claim, fact), text in zip(part, texts, strict=True)
        ],
        "actor": actor,
    }


def seen_event(fact: Fact, order: str | None, text: str) -> str:
    """The trail's body for a fact: what it is and the digest of its exact text."""
    body = {"evidence": fact.id, "kind": fact.kind, "order": order, "sha256": shapes.digest(text)}
    return shapes.storable(canonical(body))


def _fenced(claims: Sequence[Claim]) -> dict[str, Any]:
    return {
        "keys": [claim.order.key for claim in claims],
        "fences": [claim.fence for claim in claims],
    }


def _claim_of(row: tuple[Any, ...]) -> Claim | None:
    swarm, fence, tries, issued_at, begun, body = row
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
    )


async def _count(connection: AsyncConnection[Any], statement: Any, asked: dict[str, Any]) -> int:
    row = await (await connection.execute(statement, asked)).fetchone()
    return int(row[0]) if row else 0
