"""Bringing a limit set into force: from a signed text, and from the store again at every start."""

from __future__ import annotations

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.trading.limit_sets import LimitSets
from swarm.regime.limits.errors import LimitsNotInForce
from swarm.regime.limits.in_force import LimitsInForce, put_in_force
from swarm.regime.limits.limit_set import LimitSet, canonical_bytes, content_hash
from swarm.regime.limits.people import Roster
from swarm.runtime.trading.signatures import signer_of


def proven(
    limits: LimitSet, signature: str, roster: Roster, held: LimitsInForce | None = None
) -> LimitsInForce:
    """The set in force, when a listed person who may has signed exactly it.

    Raises LimitsNotInForce, SignatureUnreadable.
    """
    return put_in_force(
        limits,
        signed_hash=content_hash(limits),
        signer=signer_of(canonical_bytes(limits), signature, roster),
        roster=roster,
        held=held,
    )


async def newest(
    database: Database, name: str, roster: Roster, held: LimitsInForce | None = None
) -> tuple[LimitsInForce, str]:
    """The newest stored set of a name, proven again, and its signature. Raises LimitsNotInForce.

    held: what is in force now; nothing older or contradicting replaces it.
    """
    stored = await LimitSets(database, name).newest()
    if not stored:
        remedy = "Have one signed and loaded: `swarmctl trading limits sign`, then `... load`."
        raise LimitsNotInForce(f"no limit set {name!r} is stored; nothing trades", remedy=remedy)
    found = stored[0]
    return proven(found.limits, found.signature, roster, held), found.signature


async def load(
    database: Database, name: str, limits: LimitSet, signature: str, roster: Roster
) -> LimitsInForce:
    """Prove a set and keep it as the newest of its name. An older version is refused.

    Raises LimitsNotInForce, ToldOtherwise.
    """
    if limits.name != name:
        raise LimitsNotInForce(f"the set is named {limits.name!r}; this installation uses {name!r}")
    stored = await LimitSets(database, name).newest()
    held = proven(stored[0].limits, stored[0].signature, roster) if stored else None
    made = proven(limits, signature, roster, held)
    await LimitSets(database, name).put(made, signature)
    return made
