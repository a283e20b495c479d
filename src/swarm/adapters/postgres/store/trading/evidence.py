"""Evidence of controls, and the assessments that are made from it (control 22)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.statements import statements
from swarm.core.trail import canonical
from swarm.regime.controls.assessment import (
    REQUIRED,
    Assessment,
    ControlEvidence,
    Signature,
    assess,
    text,
)
from swarm.regime.limits.people import Roster

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ControlEvidences:
    """What was seen of the controls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, kind: str, subject: str, at_ns: int, body: Mapping[str, Any], *, passed: bool
    ) -> ControlEvidence:
        """Store one thing that was seen, once. Time counts to the microsecond."""
        whole = canonical(dict(body))
        name = canonical([kind, subject, at_ns // 1_000, passed, whole])
        id_ = hashlib.sha256(name.encode()).hexdigest()
        asked = {
            "id": id_, "kind": kind, "subject": subject, "at": _at(at_ns), "passed": passed,
            "body": whole,
        }  # fmt: skip
        await self._write("put_evidence", asked)
        at_ns = at_ns // 1_000 * 1_000
        return ControlEvidence(id=id_, kind=kind, subject=subject, at_ns=at_ns, passed=passed)

    async def between(
        self, since_ns: int, until_ns: int, kinds: Collection[str] | None = None
    ) -> list[ControlEvidence]:
        """What was seen in [since, until); of these kinds, or everything."""
        asked = {
            "since": _at(since_ns), "until": _at(until_ns),
            "kinds": None if kinds is None else list(kinds),
        }  # fmt: skip
        return [
            ControlEvidence(id=id_, kind=kind, subject=subject, at_ns=at_ns, passed=passed)
            for id_, kind, subject, at_ns, passed in await self._read("evidence_between", asked)
        ]

    async def told(self, kind: str, limit: int = 10_000) -> list[tuple[str, dict[str, Any]]]:
        """(subject, body) of the newest evidence of a kind, newest first."""
        rows = await self._read("evidence_told", {"kind": kind, "limit": limit})
        return [(subject, body) for subject, body in rows]

    async def assess(
        self, period: tuple[int, int], signatures: Sequence[Signature], roster: Roster
    ) -> Assessment:
        """Make the assessment of a period from what is stored, and keep it. See `assess`.

        Words on the limits, a million in a year, are no part of it.
        """
        made = assess(period, await self.between(*period, REQUIRED), signatures, roster)
        asked = {
            "id": made.id, "since": _at(period[0]), "until": _at(period[1]),
            "body": text(made).decode(), "missing": list(made.missing),
            "signers": list(made.signers),
        }  # fmt: skip
        await self._write("put_assessment", asked)
        return made

    async def assessments(self) -> list[dict[str, Any]]:
        """Every assessment, newest period first: id, since, until, at, missing, signers, body."""
        names = ("id", "since", "until", "at", "missing", "signers", "body")
        return [dict(zip(names, row, strict=True)) for row in await self._read("assessments", {})]

    async def _write(self, name: str, asked: dict[str, Any]) -> None:
        async def tx(connection: AsyncConnection[Any]) -> None:
            await connection.execute(statements("gate")[name], asked)

        await self._database.run(tx)

    async def _read(self, name: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found = await connection.execute(statements("gate")[name], asked)
            return await found.fetchall()

        return await self._database.run(tx)


def _at(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1_000)
