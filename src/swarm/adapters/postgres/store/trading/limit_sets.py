"""Signed limit sets, every version kept. Loading one proves it again before it counts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from pydantic import TypeAdapter, ValidationError

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.errors import RecordUnreadable
from swarm.adapters.postgres.store.regime.errors import ToldOtherwise
from swarm.adapters.postgres.store.statements import statements
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
        raise RecordUnreadable(f"a limit set of {len(text)} bytes; at most {LIMIT_SET_BYTES}")
    try:
        body = json.loads(text)
        if (
            not isinstance(body, dict)
            or body.get("schema") != SCHEMA
            or set(body)
            != {
                "schema",
                "limits",
            }
        ):
            raise RecordUnreadable(f"not a limit set of schema {SCHEMA}")
        return _LIMITS.validate_json(json.dumps(body["limits"]), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordUnreadable(f"limits.{where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise RecordUnreadable("a limit set that is no JSON") from error


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
