"""The regime of a stream, one version for each delivery cycle, and its transitions (REG-1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.errors import StateDamaged, ToldOtherwise
from swarm.adapters.postgres.store.regime.observations import Observation, append
from swarm.adapters.postgres.store.statements import statements
from swarm.core.trail import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """One version. record: the contract's fields (id, posterior, scores, posture, reasons).

    version is 0 until it is saved; state is what `regime.saved` packed.
    """

    stream: str
    cycle: str
    tick: int
    at_ns: int
    model_version: str
    params_hash: str
    state: bytes
    record: Mapping[str, Any]
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTransition:
    """One change of regime, with its reasons."""

    tick: int
    at_ns: int
    was: str
    becomes: str
    posture: str
    reasons: tuple[str, ...]


class RegimeStates:
    """Save and load."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self,
        saved: SavedState,
        *,
        seen: Sequence[Observation] = (),
        changes: Sequence[SavedTransition] = (),
    ) -> int:
        """Store the state of a cycle; gives its version. Raises ObservationRefused, ToldOtherwise.

        With what it was made of and what changed meanwhile: all of it or nothing, since who goes on
        from a state tells neither again. Saving the same again gives the version that it has, and
        the transition of a tick is stored once.
        """
        asked = {
            "stream": saved.stream, "cycle": saved.cycle, "tick": saved.tick,
            "at_ns": saved.at_ns, "model_version": saved.model_version,
            "params_hash": saved.params_hash, "state": saved.state,
            "record": canonical(dict(saved.record)),
        }  # fmt: skip

        async def tx(connection: AsyncConnection[Any]) -> int:
            # Two savers of one stream take turns, or both would count to the same version.
            await connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 350))", [saved.stream]
            )
            version = await _version(connection, saved, asked)
            await append(connection, saved.stream, seen)
            async with connection.cursor() as cursor:
                sql = statements("regime")["add_transition"]
                await cursor.executemany(sql, [_row(saved.stream, one) for one in changes])
            return version

        return await self._database.run(tx)

    async def load(self, stream: str, version: int | None = None) -> SavedState | None:
        """The newest version, or that one; None when there is none. Raises StateDamaged."""
        rows = await self._read("load_state", {"stream": stream, "version": version})
        if not rows:
            return None
        number, cycle, tick, at_ns, model, params, digest, state, record = rows[0]
        if hashlib.sha256(bytes(state)).digest() != bytes(digest):
            raise StateDamaged(f"{stream}: version {number}")
        return SavedState(
            stream=stream, cycle=cycle, tick=tick, at_ns=at_ns, model_version=model,
            params_hash=params, state=bytes(state), record=record, version=number,
        )  # fmt: skip

    async def history(self, stream: str, limit: int = 100) -> list[SavedState]:
        """The newest versions, newest first, without their bytes."""
        asked = {"stream": stream, "limit": limit}
        return [
            SavedState(
                stream=stream, cycle=cycle, tick=tick, at_ns=at_ns, model_version=model,
                params_hash=params, state=b"", record=record, version=number,
            )
            for number, cycle, tick, at_ns, model, params, record in await self._read(
                "state_history", asked
            )
        ]  # fmt: skip

    async def transitions(self, stream: str, limit: int = 100) -> list[SavedTransition]:
        """The newest transitions, newest first."""
        rows = await self._read("transitions", {"stream": stream, "limit": limit})
        return [
            SavedTransition(
                tick=tick, at_ns=at_ns, was=was, becomes=becomes, posture=posture,
                reasons=tuple(reasons),
            )
            for tick, at_ns, was, becomes, posture, reasons in rows
        ]  # fmt: skip

    async def _read(self, name: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found = await connection.execute(statements("regime")[name], asked)
            return await found.fetchall()

        return await self._database.run(tx)


async def _version(
    connection: AsyncConnection[Any], saved: SavedState, asked: Mapping[str, Any]
) -> int:
    """The version of a state that is new, or the one that the same has."""
    made = await connection.execute(statements("regime")["save_state"], asked)
    if (row := await made.fetchone()) is not None:
        return int(row[0])
    found = await connection.execute(statements("regime")["state_of_cycle"], asked)
    version, tick, same = await found.fetchone() or (0, -1, False)
    if not same or tick != saved.tick:
        raise ToldOtherwise(f"{saved.stream}: cycle {saved.cycle} has another state")
    return int(version)


def _row(stream: str, change: SavedTransition) -> dict[str, Any]:
    return {
        "stream": stream, "tick": change.tick, "at_ns": change.at_ns, "was": change.was,
        "becomes": change.becomes, "posture": change.posture,
        "reasons": canonical(list(change.reasons)),
    }  # fmt: skip
