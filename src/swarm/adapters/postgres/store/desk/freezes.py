"""Freezing at once, by hand or for a cause; resuming, only by a met checklist (FRZ-3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.bell import hint
from swarm.adapters.postgres.store.chains import Chains
from swarm.adapters.postgres.store.desk.swarm_chain import (
    sentence,
    swarm_chains,
    write_swarm_chain,
)
from swarm.adapters.postgres.store.errors import NotFound, ResumeRefused
from swarm.adapters.postgres.store.statements import statements
from swarm.contract.errors import Unavailable
from swarm.core.ids import FreezeId, SwarmId, freeze_id
from swarm.core.nouns import Freeze, ResumeRule
from swarm.core.policy.freeze import EVERYTHING, checklist
from swarm.core.trail import EventKind

_FIELDS = (
    "id", "mission_class", "reason", "detail", "cause", "since", "until", "requalified",
    "needs_token", "by",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A freeze that holds now.

    extended: one was open for this scope already and was extended.
    recorded: the trail has it; False when a stuck controller kept the trail busy, and the freeze
              holds all the same.
    """

    id: FreezeId
    mission_class: str
    until: datetime | None
    extended: bool
    recorded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lifting:
    """What was asked for at the desk."""

    reason: str
    rule: ResumeRule
    token_given: bool


class FreezeDesk:
    """Freezing and resuming by hand. by: who does it."""

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._by = by

    async def freeze(
        self,
        swarm: SwarmId,
        reason: str,
        *,
        mission_class: str = EVERYTHING,
        lasts: timedelta | None = None,
        needs_token: bool = False,
    ) -> Frozen:
        """Hold a scope at once. lasts None: until somebody resumes it. Raises TextRefused.

        The hold itself waits for no lock that a controller may keep; its trail event follows.
        """
        held = await self.hold(
            swarm, reason, mission_class=mission_class, lasts=lasts, needs_token=needs_token
        )
        assert held is not None  # noqa: S101 - each freeze by hand is one of its own
        return held

    async def hold(
        self,
        swarm: SwarmId,
        detail: str,
        *,
        why: str = "Person",
        cause: str = "",
        mission_class: str = EVERYTHING,
        lasts: timedelta | None = None,
        needs_token: bool = False,
    ) -> Frozen | None:
        """Hold a scope for a reason; None when this very cause held it before.

        cause: what brought it about, known by its id; "" for whoever holds it, now.
        """
        words = sentence(detail)

        async def hold(connection: AsyncConnection[Any]) -> tuple[Any, ...] | None:
            found = await connection.execute("select now()")
            now = (await found.fetchone() or (None,))[0]
            assert isinstance(now, datetime)  # noqa: S101 - the server's clock
            about = f"{why}:{cause}" if cause else f"{self._by}:{now.isoformat()}"
            values = {
                "id": freeze_id(swarm, mission_class, about),
                "swarm": swarm,
                "mission_class": mission_class,
                "reason": why,
                "detail": words,
                "cause": cause or self._by,
                "since": now,
                "until": now + lasts if lasts is not None else None,
                "needs_token": needs_token,
                "by": self._by,
            }
            made = await connection.execute(statements("missions")["freeze"], values)
            await connection.execute(statements("tick")["wake"], {"swarm": swarm})
            return await made.fetchone()

        if (row := await self._database.run(hold)) is None:
            return None
        id_, until, fresh = row
        await hint(self._database, swarm)
        kind = EventKind.FREEZE_OPENED if fresh else EventKind.FREEZE_EXTENDED
        body = {
            "freeze": id_, "class": mission_class, "reason": why, "detail": words,
            "cause": cause or self._by, "until": until.isoformat() if until else None,
        }  # fmt: skip
        recorded = await self._record(swarm, kind, body)
        return Frozen(
            id=id_, mission_class=mission_class, until=until, extended=not fresh, recorded=recorded
        )

    async def resume(
        self,
        swarm: SwarmId,
        reason: str,
        *,
        rule: ResumeRule,
        freeze: str | None = None,
        mission_class: str | None = None,
        token_given: bool = False,
    ) -> tuple[FreezeId, ...]:
        """Lift the open freezes of a swarm (or one of them) whose checklist is met.

        rule:        when a freeze of this Swarm may be lifted at all.
        token_given: the caller has checked the reset token against the installation's.
        Raises NotFound without an open one, ResumeRefused when any item of any is missing; a
        token counts all the same.
        """
        words = sentence(reason)
        scope = {"swarm": swarm, "freeze": freeze, "mission_class": mission_class}

        async def tx(
            connection: AsyncConnection[Any],
        ) -> tuple[tuple[FreezeId, ...], list[str]]:
            chains = await swarm_chains(connection, swarm, self._by)
            found = await connection.execute(statements("people")["open_freezes"], scope)
            rows = await found.fetchall()
            holds = [Freeze(**dict(zip(_FIELDS, row, strict=True))) for row in rows]
            if not holds:
                raise NotFound("no freeze is open there")
            lifting = _Lifting(reason=words, rule=rule, token_given=token_given)
            lifted, missing = await self._lift(connection, chains, holds, lifting)
            await write_swarm_chain(connection, chains)
            await connection.execute(statements("tick")["wake"], {"swarm": swarm})
            return lifted, missing

        lifted, missing = await self._database.run(tx)
        await hint(self._database, swarm)
        if missing:
            raise ResumeRefused("not yet: " + "; ".join(missing))
        return lifted

    async def _lift(
        self,
        connection: AsyncConnection[Any],
        chains: Chains,
        holds: list[Freeze],
        asked: _Lifting,
    ) -> tuple[tuple[FreezeId, ...], list[str]]:
        lifted: list[FreezeId] = []
        missing: list[str] = []
        for hold in holds:
            takes_token = hold.needs_token and asked.token_given
            if takes_token:
                await connection.execute(statements("people")["accept_token"], {"id": hold.id})
                chains.add(chains.swarm, EventKind.FREEZE_TOKEN_GIVEN, {"freeze": hold.id})
            wanting = [
                item.text
                for item in checklist(hold, chains.at, asked.rule)
                if not item.done and not (takes_token and "token" in item.text)
            ]
            if wanting:
                missing.extend(f"{hold.id} ({hold.mission_class}): {text}" for text in wanting)
                continue
            values = {"swarm": chains.swarm, "id": hold.id, "at": chains.at, "by": self._by}
            await connection.execute(statements("missions")["lift"], values)
            body = {"freeze": hold.id, "class": hold.mission_class, "reason": asked.reason}
            chains.add(chains.swarm, EventKind.FREEZE_LIFTED, body)
            lifted.append(hold.id)
        return tuple(lifted), missing

    async def _record(self, swarm: SwarmId, kind: EventKind, body: dict[str, Any]) -> bool:
        async def tx(connection: AsyncConnection[Any]) -> None:
            chains = await swarm_chains(connection, swarm, self._by)
            chains.add(swarm, kind, body)
            await write_swarm_chain(connection, chains)

        try:
            await self._database.run(tx)
        except Unavailable:
            return False
        return True
