"""Sealing: one transaction per Swarm in which something happened; nothing at all otherwise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.core.ids import SwarmId
from swarm.core.seal import Leaf, Seal, body_of, rewritten, to_sign, verify
from swarm.core.trail import Fault, FaultKind, canonical
from swarm.ports.seals import Notary

from .errors import DatabaseRolledBack
from .single import rows
from .statements import statements

_PART = 2_000  #: seals or leaves per statement when all are read


class PostgresSeals:
    """Makes seals, and proves them against the trail and against what was published."""

    def __init__(self, database: Database, notary: Notary) -> None:
        self._database, self._notary = database, notary
        self._sql = statements("seals")

    async def unsealed(self) -> list[SwarmId]:
        """Swarms with events that no seal knows yet. One read."""
        return [SwarmId(id_) for (id_,) in await rows(self._database, self._sql["unsealed"], {})]

    async def seal(self, swarm: SwarmId) -> Seal | None:
        """Seal what happened since the last seal and publish it; None when nothing did.

        Raises DatabaseRolledBack when more was published than the database knows: another seal
        under the same number would hide what was lost.
        """

        async def tx(connection: AsyncConnection[Any]) -> tuple[Seal | None, Seal | None]:
            return await self._seal(connection, swarm)

        before, made = await self._database.run(tx)
        # After the commit. Where a crash comes in between, the next turn publishes the older first.
        for one in (before, made):
            if one is not None:
                self._notary.publish(one)
        return made

    async def verify(self, swarm: SwarmId) -> tuple[int, tuple[Fault, ...]]:
        """How many seals there are, and every fault in them or in what they are over."""
        kept = [seal async for seal in self._all(swarm)]
        published = self._notary.published(swarm)
        count, faults = verify(swarm, kept, published, self._notary.judge)
        broken = any(fault.kind is not FaultKind.UNKNOWN_KEY for fault in faults)
        held = kept[: count - 1] if broken and count else kept
        return count, (*faults, *await self._rewritten(held))

    async def _seal(
        self, connection: AsyncConnection[Any], swarm: SwarmId
    ) -> tuple[Seal | None, Seal | None]:
        me = {"swarm": swarm}
        # A lock of its own: ticks and orders of the swarm go on meanwhile.
        await connection.execute(self._sql["lock"], me)
        row = await (await connection.execute(self._sql["last"], me)).fetchone()
        last = Seal(
            swarm=swarm, seq=row[0], body=row[1], key=row[2], signature=row[3]
        ) if row else None  # fmt: skip
        self._agree(swarm, last)
        grown = await (await connection.execute(self._sql["heads"], me)).fetchall()
        if not grown:
            return last, None
        now, upto = grown[0][:2]
        leaves = tuple(Leaf(*found[2:]) for found in grown)
        body = body_of(swarm, last, now, upto, leaves)
        made = Seal(
            swarm=swarm,
            seq=last.seq + 1 if last else 1,
            body=body,
            key=self._notary.fingerprint,
            signature=self._notary.sign(to_sign(body)),
            leaves=leaves,
        )
        values = {
            **me, "seq": made.seq, "at": now, "body": body, "leaves": _dump(leaves),
            "key": made.key, "signature": made.signature,
        }  # fmt: skip
        await connection.execute(self._sql["add"], values)
        return last, made

    def _agree(self, swarm: SwarmId, last: Seal | None) -> None:
        outside = self._notary.last(swarm)
        if outside is None:
            return
        if last is None or outside.seq > last.seq:
            raise DatabaseRolledBack(
                f"{swarm}: seal {outside.seq} was published at {outside.at}, and the database"
                f" ends at {last.seq if last else 0}"
            )
        if outside.seq == last.seq and outside.body != last.body:
            raise DatabaseRolledBack(
                f"{swarm}: seal {last.seq} of the database is another one than was published"
            )

    async def _all(self, swarm: SwarmId) -> AsyncIterator[Seal]:
        after = 0
        while True:
            asked = {"swarm": swarm, "after": after, "limit": _PART}
            part = await rows(self._database, self._sql["some"], asked)
            for seq, body, leaves, key, signature in part:
                yield Seal(
                    swarm=swarm, seq=seq, body=body, key=key, signature=signature,
                    leaves=_load(leaves),
                )  # fmt: skip
            if len(part) < _PART:
                return
            after = part[-1][0]

    async def _rewritten(self, seals: list[Seal]) -> list[Fault]:
        """The first place of each chain where the trail is not what was sealed."""
        sealed: dict[str, dict[int, Leaf]] = {}
        for seal in seals:
            for leaf in seal.leaves:
                sealed.setdefault(leaf.chain, {})[leaf.seq] = leaf
        places = [(chain, seq) for chain, leaves in sealed.items() for seq in leaves]
        now: dict[str, dict[int, bytes]] = {}
        for start in range(0, len(places), _PART):
            part = places[start : start + _PART]
            asked = {"chains": [chain for chain, _ in part], "seqs": [seq for _, seq in part]}
            for chain, seq, digest in await rows(self._database, self._sql["hashes"], asked):
                now.setdefault(chain, {})[seq] = bytes(digest)
        found = (
            rewritten(sealed[chain], now.get(chain, {}), len(seals)) for chain in sorted(sealed)
        )
        return [fault for fault in found if fault is not None]


def _dump(leaves: tuple[Leaf, ...]) -> str:
    return canonical([[leaf.chain, leaf.seq, leaf.hash.hex()] for leaf in leaves])


def _load(text: str) -> tuple[Leaf, ...]:
    """The leaves as they are kept; what somebody made unreadable is none, and its root differs."""
    try:
        return tuple(
            Leaf(str(chain), int(seq), bytes.fromhex(digest))
            for chain, seq, digest in json.loads(text)
        )
    except (ValueError, TypeError):
        return ()
