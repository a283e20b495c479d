"""A swarm's own chain, as people's words are added to it. Light: `swarmctl freeze` runs on it."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.store import texts
from swarm.adapters.postgres.store.chains import Chains
from swarm.adapters.postgres.store.errors import NotFound, TextRefused
from swarm.adapters.postgres.store.statements import statements

REASON_MOST = 2_000  #: characters; a reason is a sentence, not a log


async def swarm_chains(connection: AsyncConnection[Any], swarm: str, by: str) -> Chains:
    """The swarm's own chain, its row locked until the transaction ends."""
    found = await connection.execute(statements("people")["swarm_head"], {"id": swarm})
    row = await found.fetchone()
    if row is None:
        raise NotFound(f"no swarm {swarm}")
    chains = Chains(swarm, row[2], by)
    chains.know(swarm, row[0], row[1])
    return chains


async def write_swarm_chain(connection: AsyncConnection[Any], chains: Chains) -> None:
    """Insert the events of a swarm's own chain and move its head."""
    await chains.write(connection)
    seq, digest = chains.head(chains.swarm)
    values = {"id": chains.swarm, "seq": seq, "hash": digest}
    await connection.execute(statements("swarms")["head"], values)


def sentence(text: str) -> str:
    """A reason that people can read later. Raises TextRefused."""
    words = texts.plain(text).strip()
    if not words or len(words) > REASON_MOST:
        raise TextRefused(f"the reason has {len(words)} characters; 1 to {REASON_MOST} are needed")
    return words
