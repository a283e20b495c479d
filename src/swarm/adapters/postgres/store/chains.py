"""Appending to the trail: events of one transaction, each linked to the head of its chain."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from swarm.core.trail import EventKind, canonical, link

from .statements import statements
from .texts import storable


@dataclass(slots=True)
class _Row:
    chain: str
    seq: int
    kind: str
    actor: str
    body: str
    hash: bytes


@dataclass(slots=True)
class Chains:
    """The chains that one transaction extends. Their heads must be locked rows.

    at: the time of every event, the transaction's; in whole microseconds, as Postgres keeps it.
    """

    swarm: str
    at: datetime
    actor: str
    _heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _rows: list[_Row] = field(default_factory=list)
    _changed: dict[str, None] = field(default_factory=dict)

    def know(self, chain: str, seq: int, head: bytes) -> None:
        """Start from this head; a new chain starts from 0 and no bytes."""
        self._heads[chain] = (seq, bytes(head))

    def knows(self, chain: str) -> bool:
        """True when the head of this chain is at hand."""
        return chain in self._heads

    def add(self, chain: str, kind: EventKind, body: Any, *, actor: str | None = None) -> None:
        """Append one event."""
        seq, prev = self._heads[chain]
        who, text = actor or self.actor, storable(canonical(body))
        digest = link(prev, chain, seq + 1, (self.at, kind, who, text))
        self._rows.append(_Row(chain, seq + 1, kind, who, text, digest))
        self._heads[chain] = (seq + 1, digest)
        self._changed[chain] = None

    def head(self, chain: str) -> tuple[int, bytes]:
        """Seq and hash of the newest event; the caller stores them with the chain's owner."""
        return self._heads[chain]

    def changed(self) -> Collection[str]:
        """Chains that were extended."""
        return self._changed.keys()

    async def write(self, connection: AsyncConnection[Any]) -> None:
        """Insert the events. The heads are the caller's to write."""
        if not self._rows:
            return
        rows = self._rows
        await connection.execute(
            statements("trail")["append"],
            {
                "swarm": self.swarm,
                "at": self.at,
                "chains": [row.chain for row in rows],
                "seqs": [row.seq for row in rows],
                "kinds": [str(row.kind) for row in rows],
                "actors": [row.actor for row in rows],
                "bodies": [row.body for row in rows],
                "hashes": [row.hash for row in rows],
            },
        )
        self._rows = []
