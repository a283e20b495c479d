"""Keeping facts: many orders closed in one transaction, each fact linked into its trail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from swarm.core.evidence import Fact, RunEnded
from swarm.core.trail import EventKind, canonical
from swarm.ports.store import Claim

from . import shapes, texts
from .chains import Chains
from .statements import statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A fact as it is stored, with the order it settles.

    parameters: key, fence, id, kind, at, fact and event, as the statements name them.
    event:      the body of its trail event: what it is, and the digest of its exact text.
    cost:       micro-units that it says were spent.
    simple:     it concerns a mission and no money, so that one statement does it.
    """

    parameters: dict[str, Any]
    event: dict[str, Any]
    cost: int
    simple: bool


def written_of(claim: Claim, fact: Fact) -> Written:
    """Prepare a fact for storing, outside of any transaction."""
    text = shapes.dump(shapes.fact_adapter(), fact)
    cost = fact.cost if isinstance(fact, RunEnded) else 0
    event = {
        "evidence": fact.id,
        "kind": fact.kind,
        "order": claim.order.key,
        "sha256": texts.digest(text),
    }
    return Written(
        parameters={
            "key": claim.order.key,
            "fence": claim.fence,
            "id": fact.id,
            "kind": fact.kind,
            "at": fact.at,
            "fact": text,
            "event": texts.storable(canonical(event)),
        },
        event=event,
        cost=cost,
        simple=bool(claim.order.mission) and not cost,
    )


async def settle_many(
    connection: AsyncConnection[Any], written: Sequence[Written], actor: str
) -> set[str]:
    """Close the orders whose fence is the newest and keep their facts; the keys that were closed.

    Locks go in the order of the whole store: orders, missions by id, budgets.
    """
    sql = statements("orders")
    by_key = {str(item.parameters["key"]): item for item in written}
    asked = {
        "keys": list(by_key),
        "fences": [item.parameters["fence"] for item in by_key.values()],
    }
    closed = await (await connection.execute(sql["close"], asked)).fetchall()
    if not closed:
        return set()
    owners = {key: mission or swarm for key, mission, swarm, _ in closed}
    swarm_of = {key: swarm for key, _, swarm, _ in closed}
    kept = [by_key[key] for key in by_key if key in owners]
    chains = await _take_heads(connection, owners, swarm_of, actor, closed[0][3])
    for item in kept:
        key = item.parameters["key"]
        chains[swarm_of[key]].add(owners[key], EventKind.EVIDENCE_SEEN, item.event)
    await _keep(connection, kept, {key: mission for key, mission, *_ in closed}, swarm_of)
    await _advance(connection, chains, Counter(owners.values()))
    for item in kept:
        if item.cost:
            mission = owners[item.parameters["key"]]
            spent = {"mission": mission, "effect": item.parameters["id"], "amount": item.cost}
            await connection.execute(sql["spend"], spent)
    return set(owners)


async def _take_heads(
    connection: AsyncConnection[Any],
    owners: dict[str, str],
    swarm_of: dict[str, str],
    actor: str,
    now: datetime,
) -> dict[str, Chains]:
    """Chains by swarm, with the locked heads of every mission that a fact is about."""
    sql = statements("orders")
    chains = {swarm: Chains(swarm, now, actor) for swarm in set(swarm_of.values())}
    home = {owner: swarm_of[key] for key, owner in owners.items()}
    own = {"ids": [owner for owner in home if owner in chains]}
    if own["ids"]:
        for id_, seq, digest in await (
            await connection.execute(sql["swarm_heads"], own)
        ).fetchall():
            chains[id_].know(id_, seq, digest)
    missions = {"ids": [owner for owner in home if owner not in chains]}
    for id_, seq, digest in await (await connection.execute(sql["heads"], missions)).fetchall():
        chains[home[id_]].know(id_, seq, digest)
    return chains


async def _keep(
    connection: AsyncConnection[Any],
    kept: Sequence[Written],
    missions: dict[str, str],
    swarms: dict[str, str],
) -> None:
    keys = [item.parameters["key"] for item in kept]
    values = {
        "keys": keys,
        "missions": [missions[key] for key in keys],
        "swarms": [swarms[key] for key in keys],
        "ids": [item.parameters["id"] for item in kept],
        "kinds": [item.parameters["kind"] for item in kept],
        "ats": [item.parameters["at"] for item in kept],
        "facts": [item.parameters["fact"] for item in kept],
    }
    await connection.execute(statements("orders")["keep"], values)


async def _advance(
    connection: AsyncConnection[Any], chains: dict[str, Chains], facts: Counter[str]
) -> None:
    sql = statements("orders")
    async with connection.pipeline():
        for swarm, own in chains.items():
            await own.write(connection)
            ids = sorted(set(own.changed()) - {swarm})
            heads = [own.head(id_) for id_ in ids]
            values = {
                "ids": ids,
                "facts": [facts[id_] for id_ in ids],
                "seqs": [seq for seq, _ in heads],
                "hashes": [digest for _, digest in heads],
            }
            await connection.execute(sql["advance"], values)
            if swarm in own.changed():
                seq, digest = own.head(swarm)
                moved = {"ids": [swarm], "seqs": [seq], "hashes": [digest]}
                await connection.execute(sql["advance_swarms"], moved)
        await connection.execute(sql["wake"], {"swarms": sorted(chains)})
