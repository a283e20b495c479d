"""A replay in the store: one version of the state for each delivery cycle, with its changes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.observations import Observation
from swarm.adapters.postgres.store.regime.states import (
    RegimeStates,
    SavedState,
    SavedTransition,
)
from swarm.runtime.regime.errors import NoSuchStream, ReplayRefused
from swarm.runtime.regime.model import Model
from swarm.runtime.regime.replay import Replayed, ReplayPoint, resume

NAME_MOST = 200  #: characters of the name of a stream or cycle


def named(text: str, what: str) -> str:
    """A name that can be stored and shown. Raises ReplayRefused."""
    if not text.strip() or len(text) > NAME_MOST or not text.isprintable():
        right = f"1 to {NAME_MOST} visible characters"
        raise ReplayRefused(f"the {what} is {text[:40]!r}; {right} are wanted")
    return text


async def keep(
    database: Database, stream: str, cycle: str, replayed: Replayed, model: Model
) -> int:
    """Store the state after a replay as the version of this cycle; gives its number.

    With the changes and the prices that it came from, in one transaction: the next replay goes on
    behind the state, so nothing would ever add what is missing. Quotes and trades are not kept:
    they stay in their file. Raises ToldOtherwise.
    """
    last = replayed.last
    state = SavedState(
        stream=stream,
        cycle=cycle,
        tick=last.tick,
        at_ns=last.updated_at,
        model_version=last.model_version,
        params_hash=model.hash,
        state=replayed.point.to_bytes(model),
        record=last.to_json(),
    )
    changes = [
        SavedTransition(
            tick=change.tick,
            at_ns=at,
            was=str(change.before),
            becomes=str(change.said),
            posture=str(change.posture),
            reasons=change.reasons.names,
        )
        for at, change in replayed.changes
    ]
    seen = observed(replayed) if model.params.quotes is None else []
    return await RegimeStates(database).save(state, seen=seen, changes=changes)


def observed(replayed: Replayed) -> list[Observation]:
    """The prices of a replay under the ticks of its engine; a tick without one is a gap."""
    first = replayed.last.tick - len(replayed.price) + 1
    return [
        Observation(tick=first + place, at_ns=int(replayed.at[place]), value=(float(price),))
        for place, price in enumerate(replayed.price)
        if price == price  # noqa: PLR0124 - only NaN differs from itself
    ]


async def point_of(database: Database, stream: str, model: Model) -> ReplayPoint | None:
    """Where the newest version of a stream stands; None before the first. Raises ReplayRefused."""
    held = await RegimeStates(database).load(stream)
    return None if held is None else resume(held.state, model)


async def newest(database: Database, stream: str) -> dict[str, Any]:
    """Where a stream stands: its newest record, version and cycle. Raises NoSuchStream."""
    held = await RegimeStates(database).load(stream)
    if held is None:
        raise NoSuchStream(f"nothing is stored of a stream {stream[:60]!r}, nor is it a file")
    return {"stream": stream, "version": held.version, "cycle": held.cycle, **held.record}


async def recall(database: Database, stream: str, limit: int) -> dict[str, Any]:
    """The newest versions and changes of a stream, newest first. Raises NoSuchStream."""
    states = RegimeStates(database)
    versions = await states.history(stream, limit)
    if not versions:
        raise NoSuchStream(f"nothing is stored of a stream {stream[:60]!r}")
    shown = [asdict(one) for one in versions]
    for one in shown:
        del one["state"]
    changes = [asdict(one) for one in await states.transitions(stream, limit)]
    return {"stream": stream, "versions": shown, "changes": changes}
