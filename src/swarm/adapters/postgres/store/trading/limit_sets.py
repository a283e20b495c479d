"""Signed limit sets, every version kept. Loading one proves it again before it counts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from pydantic import TypeAdapter, ValidationError

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.errors import RecordUnreadable
from swarm.adapters.postgres.store.regime.errors import ToldOtherwise
from swarm.adapters.postgres.store.statements import statements
from swarm.contract import strict_json
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.limit_set import SCHEMA, LimitSet, canonical_bytes

_LIMITS = TypeAdapter(LimitSet)
LIMIT_SET_BYTES = 16 * 1024 * 1024  #: a set of ten thousand instruments has six


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLimits:
    """One version as it is stored. Whoever uses it verifies the signature and puts it in force."""

    limits: LimitSet
    hash: str
    signature: str
    signer: str
    at: datetime | None = None


def read_limit_set(text: bytes) -> LimitSet:
    """The set of a canonical text or a file. Raises RecordUnreadable, LimitsInvalid."""
    if len(text) > LIMIT_SET_BYTES:
        raise _unreadable(f"a limit set of {len(text)} bytes; at most {LIMIT_SET_BYTES}")
    try:
        body = strict_json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"a limit set that is no JSON: {error}"[:300]) from error
    if not isinstance(body, dict) or body.keys() != {"schema", "limits"}:
        raise _unreadable("not a limit set: an object with `schema` and `limits` is wanted")
    if body["schema"] != SCHEMA:
        raise _unreadable(f"schema is {str(body['schema'])[:40]!r}; {SCHEMA} is wanted")
    try:
        made = _LIMITS.validate_json(json.dumps(body["limits"]), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("limits", *map(str, first["loc"])))
        raise _unreadable(f"{where}: {first['msg']}") from error
    if unknown := strict_json.stranger(body["limits"], asdict(made)):
        raise _unreadable(f"limits.{unknown}: no limit has this name; correct it, or leave it out")
    return made


def _unreadable(what: str) -> RecordUnreadable:
    remedy = "Correct the field that the message names, and have the set signed again."
    return RecordUnreadable(what, remedy=remedy)


class LimitSets:
    """The versions of one name."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    async def put(self, held: LimitsInForce, signature: str) -> None:
        """Keep a set that is in force. Raises ToldOtherwise for another one of that version."""
        asked = {
            "name": self._name, "version": held.limits.version, "hash": held.hash,
            "body": canonical_bytes(held.limits).decode(), "signature": signature,
            "signer": held.signer,
        }  # fmt: skip
        if not await self._read("put_limit_set", asked):
            same = [one for one in await self.newest(10_000) if one.hash == held.hash]
            if not same:
                raise ToldOtherwise(f"{self._name}: version {held.limits.version} is another set")

    async def newest(self, limit: int = 1) -> list[StoredLimits]:
        """The newest versions, newest first."""
        rows = await self._read("limit_sets", {"name": self._name, "limit": limit})
        return [
            StoredLimits(
                limits=read_limit_set(body.encode()), hash=digest, signature=signature,
                signer=signer, at=at,
            )
            for _, digest, body, signature, signer, at in rows
        ]  # fmt: skip

    async def newest_hash(self) -> str:
        """Of the newest version, without reading it; empty where none is stored."""
        rows = await self._read("newest_limits", {"name": self._name})
        return str(rows[0][0]) if rows else ""

    async def _read(self, name: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found = await connection.execute(statements("gate")[name], asked)
            return await found.fetchall()

        return await self._database.run(tx)
