"""Swarm objects: apply, delete, shadow."""

from __future__ import annotations

import json
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store import texts
from swarm.adapters.postgres.store.bell import hint
from swarm.adapters.postgres.store.chains import Chains
from swarm.adapters.postgres.store.desk.people import People
from swarm.adapters.postgres.store.desk.swarm_chain import (
    sentence,
    swarm_chains,
    write_swarm_chain,
)
from swarm.adapters.postgres.store.errors import MissionEnded, NotFound
from swarm.adapters.postgres.store.statements import statements
from swarm.contract.canonical import canonical_spec
from swarm.contract.swarm import SwarmObject
from swarm.core.ids import SwarmId, swarm_id
from swarm.core.trail import EventKind
from swarm.ports.store import Applied

_DEFAULT_NAMESPACE = "default"


class SwarmDesk:
    """Creates and changes Swarm objects. by: who asks, for the trail."""

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._by = by

    async def apply(self, swarm: SwarmObject) -> Applied:
        """Create the Swarm, or give it this spec. An equal meaning changes nothing.

        A new spec holds every forward order back until the next tick decided under it.
        """
        namespace = swarm.metadata.namespace or _DEFAULT_NAMESPACE
        id_ = swarm_id(namespace, swarm.name)
        text = canonical_spec(swarm.spec)
        values = {
            "id": id_,
            "namespace": namespace,
            "name": swarm.name,
            "uid": swarm.metadata.uid or id_,
            "metadata": texts.storable(json.dumps(_labels(swarm))),
            "spec": texts.storable(text),
            "written": texts.storable(json.dumps(_written(swarm, text))),
            "sha256": texts.digest(text),
        }
        names = [source.name for source in swarm.spec.discovery.sources]

        async def tx(connection: AsyncConnection[Any]) -> Applied:
            sql = statements("swarms")
            created = (await connection.execute(sql["create"], values)).rowcount == 1
            row = await (await connection.execute(sql["lock"], {"id": id_})).fetchone()
            assert row is not None  # noqa: S101 - created or there, and rows are never removed
            _, generation, known, shadow, deleted, seq, head, now = row
            changed = created or deleted or known != values["sha256"]
            if changed:
                if not created:
                    replaced = await connection.execute(sql["replace"], values)
                    generation = (await replaced.fetchone() or (generation,))[0]
                chains = Chains(id_, now, self._by)
                chains.know(id_, seq, head)
                body = {"generation": generation, "spec_sha256": values["sha256"]}
                chains.add(id_, EventKind.SWARM_APPLIED, body)
                await write_swarm_chain(connection, chains)
            await connection.execute(sql["label"], values)
            await connection.execute(sql["sources"], {"id": id_, "names": names})
            if changed:
                await connection.execute(statements("tick")["wake"], {"swarm": id_})
            return Applied(
                swarm=id_,
                created=created or deleted,  # to whoever applies it, it was not there
                changed=changed,
                generation=generation,
                shadow=shadow,
            )

        applied = await self._database.run(tx)
        if applied.changed:
            await hint(self._database, id_)
        return applied

    async def delete(self, namespace: str, name: str, reason: str) -> tuple[str, ...]:
        """Stop a Swarm: nothing new begins, open missions are cancelled, history stays.

        What has landed is rolled back or finished by the same rules as any cancelled mission, so
        the Swarm goes on ticking until its last mission has ended. Returns the missions that were
        cancelled. Applying the manifest again brings the Swarm back. Raises NotFound.
        """
        id_ = swarm_id(namespace, name)
        people = People(self._database, self._by)

        async def tx(connection: AsyncConnection[Any]) -> list[str]:
            sql = statements("swarms")
            try:
                chains = await swarm_chains(connection, id_, self._by)
            except NotFound as unknown:
                raise NotFound(f"no swarm {namespace}/{name}") from unknown
            await connection.execute(sql["delete"], {"id": id_})
            chains.add(id_, EventKind.SWARM_DELETED, {"reason": sentence(reason)})
            await write_swarm_chain(connection, chains)
            await connection.execute(statements("tick")["wake"], {"swarm": id_})
            found = await connection.execute(sql["open_missions"], {"id": id_})
            return [mission for (mission,) in await found.fetchall()]

        cancelled = []
        for mission in await self._database.run(tx):
            try:
                cancelled.append(await people.say(mission, "cancel", reason))
            except MissionEnded:
                continue  # it ended by itself meanwhile
        await hint(self._database, id_)
        return tuple(cancelled)

    async def set_shadow(self, swarm: SwarmId, *, shadow: bool) -> bool:
        """Recommend only, or act again. True when that changed. Raises NotFound."""

        async def tx(connection: AsyncConnection[Any]) -> bool:
            chains = await swarm_chains(connection, swarm, self._by)
            values = {"id": swarm, "shadow": shadow}
            changed = await connection.execute(statements("swarms")["set_shadow"], values)
            if not changed.rowcount:
                return False
            chains.add(swarm, EventKind.SHADOW_SET, {"shadow": shadow})
            await write_swarm_chain(connection, chains)
            await connection.execute(statements("tick")["wake"], {"swarm": swarm})
            return True

        done = await self._database.run(tx)
        if done:
            await hint(self._database, swarm)
        return done


def _labels(swarm: SwarmObject) -> dict[str, dict[str, str]]:
    metadata = swarm.metadata
    return {"labels": dict(metadata.labels), "annotations": dict(metadata.annotations)}


def _written(swarm: SwarmObject, canonical: str) -> Any:
    return swarm.written_spec if swarm.written_spec is not None else json.loads(canonical)
