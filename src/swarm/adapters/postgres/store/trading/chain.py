"""`ports.gate_records.GateRecords` on Postgres: one hash chain, one writer, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.errors import ChainBroken, RecordRefused, StaleFence
from swarm.adapters.postgres.store.statements import statements
from swarm.adapters.postgres.store.texts import storable
from swarm.adapters.postgres.store.trading.codec import decode, encode
from swarm.core.trail import Event, Fault, Head, link, verify
from swarm.ports.gate_records import Decided, GateRecord
from swarm.regime.controls.decision import Ruling

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class GateChain:
    """One chain. actor: who writes, such as the name of the process."""

    def __init__(self, database: Database, chain: str, actor: str) -> None:
        self._database = database
        self._chain = chain
        self._actor = actor
        self._epoch = 0
        self._seq, self._hash = 0, b""

    async def open(self) -> tuple[GateRecord, ...]:
        """Take the chain over and read it. Raises ChainBroken, RecordUnreadable."""

        async def tx(connection: AsyncConnection[Any]) -> tuple[tuple[Any, ...], list[Event]]:
            found = await connection.execute(
                statements("gate")["take_over"], {"chain": self._chain}
            )
            head = await found.fetchone()
            assert head is not None  # noqa: S101 - it returns what it wrote
            return head, await _events(connection, self._chain)

        head, events = await self._database.run(tx)
        if (fault := _fault(self._chain, head, events)) is not None:
            raise ChainBroken(f"{fault.chain}, record {fault.seq}: {fault.detail}")
        self._epoch, self._seq, self._hash = head[0], head[1], bytes(head[2])
        return tuple(decode(event.kind, event.body) for event in events)

    async def append(self, records: Sequence[tuple[int, GateRecord]]) -> None:
        """Write records. Raises StaleFence when somebody took over, RecordRefused on a repetition.

        Nobody hears of a commit whose answer was lost; it is recognised and not made twice.
        """
        if not records:
            return
        rows = self._rows(records)
        head = {
            "chain": self._chain, "epoch": self._epoch, "was": self._seq,
            "seq": rows["seqs"][-1], "hash": rows["hashes"][-1],
        }  # fmt: skip

        async def tx(connection: AsyncConnection[Any]) -> None:
            moved = await connection.execute(statements("gate")["advance_head"], head)
            if moved.rowcount == 1:
                await connection.execute(statements("gate")["append_records"], rows)
                return
            found = await connection.execute(statements("gate")["gate_chain_head"], head)
            epoch, seq, digest = await found.fetchone() or (0, 0, b"")
            if (epoch, seq, bytes(digest)) != (self._epoch, head["seq"], head["hash"]):
                raise StaleFence(f"the chain {self._chain} was taken over by another process")

        try:
            await self._database.run(tx)
        except psycopg.errors.UniqueViolation as error:
            what = "token" if "nonce" in str(error) else "order"
            raise RecordRefused(f"a {what} of these records stands in the chain already") from error
        self._seq, self._hash = rows["seqs"][-1], rows["hashes"][-1]

    async def read(self) -> tuple[GateRecord, ...]:
        """What the chain holds, left to who writes it. Raises ChainBroken, RecordUnreadable."""
        head, events = await self._held()
        if (fault := _fault(self._chain, head, events)) is not None:
            raise ChainBroken(f"{fault.chain}, record {fault.seq}: {fault.detail}")
        return tuple(decode(event.kind, event.body) for event in events)

    async def verify(self) -> tuple[int, Fault | None]:
        """How many records there are, and the first place where the chain does not hold."""
        head, events = await self._held()
        return len(events), _fault(self._chain, head, events)

    async def _held(self) -> tuple[tuple[Any, ...], list[Event]]:
        """Head and records of one instant."""

        async def tx(connection: AsyncConnection[Any]) -> tuple[tuple[Any, ...], list[Event]]:
            await connection.execute("set transaction isolation level repeatable read, read only")
            found = await connection.execute(
                statements("gate")["gate_chain_head"], {"chain": self._chain}
            )
            head = await found.fetchone() or (0, 0, b"")
            return head, await _events(connection, self._chain)

        return await self._database.run(tx)

    def _rows(self, records: Sequence[tuple[int, GateRecord]]) -> dict[str, Any]:
        rows: dict[str, Any] = {"chain": self._chain, "actor": self._actor}
        columns = ("seqs", "ats", "at_nss", "kinds", "bodies", "hashes", "orders", "accepted",
                   "nonces")  # fmt: skip
        rows.update({name: [] for name in columns})
        seq, prev = self._seq, self._hash
        for at_ns, record in records:
            kind, text = encode(record)
            seq, at, body = seq + 1, _EPOCH + timedelta(microseconds=at_ns // 1_000), storable(text)
            prev = link(prev, self._chain, seq, (at, kind, self._actor, body))
            decision = record.decision if isinstance(record, Decided) else None
            order = decision.order if decision else getattr(record, "order", None)
            values = (
                seq, at, at_ns, kind, body, prev, order or None,
                decision.ruling is Ruling.ACCEPT if decision else None,
                getattr(record, "nonce", None),
            )  # fmt: skip
            for name, value in zip(columns, values, strict=True):
                rows[name].append(value)
        return rows


async def _events(connection: AsyncConnection[Any], chain: str) -> list[Event]:
    found = await connection.execute(statements("gate")["records"], {"chain": chain})
    return [
        Event(seq, at, kind, actor, body, bytes(digest))
        for seq, at, kind, actor, body, digest in await found.fetchall()
    ]


def _fault(chain: str, head: tuple[Any, ...], events: Sequence[Event]) -> Fault | None:
    return verify(chain, events, Head(seq=head[1], hash=bytes(head[2])))
