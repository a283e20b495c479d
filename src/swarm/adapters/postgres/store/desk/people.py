"""What people do to missions, needs and freezes. Every deed names who did it and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store import shapes, texts
from swarm.adapters.postgres.store.bell import hint
from swarm.adapters.postgres.store.chains import Chains
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.swarm_chain import (
    sentence,
    swarm_chains,
    write_swarm_chain,
)
from swarm.adapters.postgres.store.errors import (
    MissionEnded,
    NeedNotOpen,
    NotAnApprover,
    NotFound,
    NothingToApprove,
)
from swarm.adapters.postgres.store.statements import statements
from swarm.core.evidence import PersonSaid
from swarm.core.ids import EvidenceId, evidence_id, order_key
from swarm.core.trail import EventKind

T = TypeVar("T")

_MOVED = {
    "rejected": EventKind.NEED_REJECTED,
    "open": EventKind.NEED_REOPENED,
    "done": EventKind.NEED_DONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A person's answer as it was kept."""

    mission: str
    approval: str
    commit: str
    granted: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The locked head of a mission's chain."""

    id: str
    swarm: str
    need: str | None
    ended: bool
    now: datetime
    chains: Chains


class People:
    """Approvals, words on missions, and verdicts on needs. by: who speaks."""

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._look = Look(database)
        self._by = by

    async def answer(
        self,
        ref: str,
        *,
        granted: bool,
        reason: str,
        approvers: Collection[str] | None = None,
        commit: str | None = None,
        lasts: timedelta | None = None,
    ) -> Answered:
        """Answer the newest open question of a mission.

        approvers: who may answer, as the installation binds it; None lets anybody.
        commit:    the commit the person looked at, or a prefix; another one is refused.
        lasts:     how long a yes holds; None: as long as the question stands.
        Raises NotFound, MissionEnded, NotAnApprover, NothingToApprove, TextRefused.
        """
        said = sentence(reason)
        if approvers is not None and self._by not in approvers:
            known = ", ".join(sorted(approvers)) or "nobody"
            raise NotAnApprover(f"{self._by} may not answer here; {known} may")
        mission = await self._look.find_mission(ref)

        async def tx(connection: AsyncConnection[Any]) -> Answered:
            sql = statements("people")
            head = await self.lock_mission(connection, mission)
            about = {"mission": mission, "by": self._by, "reason": said}
            asked = await (await connection.execute(sql["questions"], about)).fetchall()
            state = "granted" if granted else "denied"
            # The first is an open one wherever there is one: only then is this no repetition.
            if asked and asked[0][3] == state and asked[0][1].startswith(commit or ""):
                return Answered(
                    mission=mission,
                    approval=asked[0][0],
                    commit=asked[0][1],
                    granted=granted,
                    expires_at=asked[0][2],
                )
            id_, at_commit = _question(mission, commit, asked)
            kept = await connection.execute(
                sql["answer"],
                {"id": id_, "state": state, "by": self._by, "reason": said, "lasts": lasts},
            )
            row = await kept.fetchone()
            expires_at = row[0] if row else head.now
            body = {"approval": id_, "commit": at_commit, "granted": granted, "reason": said}
            head.chains.add(mission, EventKind.APPROVAL_ANSWERED, body)
            await self.advance(connection, head)
            return Answered(
                mission=mission,
                approval=id_,
                commit=at_commit,
                granted=granted,
                expires_at=expires_at,
            )

        return await self._and_hint(tx)

    async def say(
        self,
        ref: str,
        said: Literal["cancel", "reject", "retry", "promote", "rollback"],
        reason: str,
    ) -> str:
        """Say something about an open mission; what follows is decided like everything else.

        `retry` of a mission that ended opens its need again instead. Returns the mission's id.
        Raises NotFound, MissionEnded, NeedNotOpen, TextRefused.
        """  # fmt: skip
        words = sentence(reason)
        mission = await self._look.find_mission(ref)

        async def tx(connection: AsyncConnection[Any]) -> str:
            head = await self.lock_mission(connection, mission, even_ended=said == "retry")
            if head.ended:
                await self._reopen(connection, head, words)
                return mission
            fact = PersonSaid(
                id=_saying_id(mission, said, head.now),
                at=head.now,
                source="swarmctl",
                said=said,
                by=self._by,
                reason=words,
            )
            text = shapes.dump(shapes.fact_adapter(), fact)
            values = {"id": fact.id, "mission": mission, "swarm": head.swarm, "at": head.now}
            await connection.execute(statements("people")["say"], {**values, "body": text})
            body = {
                "evidence": fact.id, "kind": fact.kind, "order": None, "said": said,
                "reason": words, "sha256": texts.digest(text),
            }  # fmt: skip
            head.chains.add(mission, EventKind.EVIDENCE_SEEN, body)
            await self.advance(connection, head)
            return mission

        return await self._and_hint(tx)

    async def reject_need(self, ref: str, reason: str) -> str:
        """Take a need out of the backlog until new evidence arrives. Returns its id."""
        return await self._move_need(ref, "rejected", sentence(reason), {"open"})

    async def reopen_need(self, ref: str, reason: str) -> str:
        """Put a closed need back into the backlog. Returns its id."""
        closed = {"rejected", "expired", "done", "open"}
        return await self._move_need(ref, "open", sentence(reason), closed)

    async def finish_need(self, ref: str, reason: str) -> str:
        """Say that people carried an open need out. Returns its id."""
        return await self._move_need(ref, "done", sentence(reason), {"open"})

    async def _move_need(self, ref: str, state: str, reason: str, allowed: set[str]) -> str:
        _, need = await self._look.find(ref, "need")

        async def tx(connection: AsyncConnection[Any]) -> str:
            sql = statements("people")
            found = await connection.execute(sql["need"], {"id": need})
            row = await found.fetchone()
            if row is None:
                raise NotFound(f"{need} is gone")
            _, swarm, before, mission_class = row
            if before not in allowed:
                raise NeedNotOpen(f"{need} is {before}; it must be {' or '.join(sorted(allowed))}")
            await self.write_need(connection, need, before, state, f"{self._by}: {reason}")
            chains = await swarm_chains(connection, swarm, self._by)
            chains.add(
                swarm, _MOVED[state], {"need": need, "class": mission_class, "reason": reason}
            )
            await write_swarm_chain(connection, chains)
            await connection.execute(statements("tick")["wake"], {"swarm": swarm})
            return need

        return await self._and_hint(tx)

    async def write_need(
        self, connection: AsyncConnection[Any], need: str, before: str, state: str, reason: str
    ) -> None:
        """Write a need's state and keep the tally of open ones. The need's row is locked."""
        values = {"id": need, "state": state, "reason": reason}
        await connection.execute(statements("people")["move_need"], values)
        change = (state == "open") - (before == "open")
        if change:
            found = await connection.execute(
                "select swarm, mission_class from need where id = %s", (need,)
            )
            swarm, mission_class = await found.fetchone() or ("", "")
            counted = {"swarm": swarm, "classes": [mission_class], "changes": [change]}
            await connection.execute(statements("needs")["count"], counted)

    async def lock_mission(
        self, connection: AsyncConnection[Any], mission: str, *, even_ended: bool = False
    ) -> Head:
        """Lock a mission and take its chain in hand. Raises NotFound or MissionEnded."""
        found = await connection.execute(statements("people")["mission_head"], {"id": mission})
        row = await found.fetchone()
        if row is None:
            raise NotFound(f"no mission {mission}")
        swarm, seq, digest, ended_at, need, now = row
        if ended_at is not None and not even_ended:
            raise MissionEnded(f"{mission} ended at {ended_at:%Y-%m-%d %H:%M:%S} UTC")
        chains = Chains(swarm, now, self._by)
        chains.know(mission, seq, digest)
        ended = ended_at is not None
        return Head(id=mission, swarm=swarm, need=need, ended=ended, now=now, chains=chains)

    async def advance(self, connection: AsyncConnection[Any], head: Head) -> None:
        """Write the events of a mission's chain, move its head and wake the swarm."""
        await head.chains.write(connection)
        seq, digest = head.chains.head(head.id)
        values = {"id": head.id, "seq": seq, "hash": digest}
        await connection.execute(statements("people")["advance_mission"], values)
        await connection.execute(statements("tick")["wake"], {"swarm": head.swarm})

    async def _reopen(self, connection: AsyncConnection[Any], head: Head, reason: str) -> None:
        if head.need is None:
            raise MissionEnded(f"{head.id} has ended, and there is no need that could be retried")
        found = await connection.execute(statements("people")["need"], {"id": head.need})
        row = await found.fetchone()
        if row is None or row[2] == "taken":
            raise NeedNotOpen(f"{head.need}: another mission is open for it")
        await self.write_need(connection, head.need, row[2], "open", f"{self._by}: {reason}")
        body = {"need": head.need, "reason": reason}
        head.chains.add(head.id, EventKind.NEED_REOPENED, body)
        await self.advance(connection, head)

    async def _and_hint(self, tx: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
        done = await self._database.run(tx)
        await hint(self._database, "")
        return done


def _question(mission: str, commit: str | None, rows: list[tuple[Any, ...]]) -> tuple[str, str]:
    questions = [row for row in rows if row[3] == "open"]
    standing = [row for row in questions if not row[4]]
    if not standing:
        why = "its question has expired" if questions else "it asks nothing"
        raise NothingToApprove(f"{mission}: {why}")
    id_, at_commit = standing[0][:2]
    if commit is not None and not at_commit.startswith(commit):
        raise NothingToApprove(
            f"{mission} asks about commit {at_commit[:12]} by now, not about {commit[:12]}"
        )
    return id_, at_commit


def _saying_id(mission: str, said: str, at: datetime) -> EvidenceId:
    return evidence_id(order_key(mission, "person", said, at.isoformat()))
