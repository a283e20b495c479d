"""Every trial ever made: the universe that a data-snooping test is held against (REG-9).

Failed, abandoned and superseded ones too. Nothing here can be taken back, and looks are registered
before they are taken: a result without a registered look is refused.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.errors import (
    ObservationRefused,
    ToldOtherwise,
    TrialUnknown,
)
from swarm.adapters.postgres.store.statements import statements
from swarm.core.trail import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One trial. excess: net excess over the regime's baseline by first tick, in parts."""

    id: str
    strategy: str
    content: Mapping[str, Any]
    excess: tuple[tuple[int, tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One registered look. result is None until it was taken."""

    look: int
    due_tick: int
    trials: tuple[str, ...]
    result: Mapping[str, Any] | None


def trial_id(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical content: the same code and parameters are the same trial."""
    return hashlib.sha256(canonical(dict(content)).encode()).hexdigest()


class Trials:
    """The ledger of one objective in one regime."""

    def __init__(self, database: Database, objective: str, regime: str) -> None:
        self._database = database
        self._key = {"objective": objective, "regime": regime}

    async def register(
        self, strategy: str, content: Mapping[str, Any], parent: str | None = None
    ) -> str:
        """Note that this is tried; gives its id. Before anything is computed. Counted once."""
        id_ = trial_id(content)
        asked = {
            **self._key, "id": id_, "strategy": strategy, "parent": parent,
            "content": canonical(dict(content)),
        }  # fmt: skip
        await self._write("add_trial", asked)
        return id_

    async def add_excess(self, trial: str, first_tick: int, excess: Sequence[float]) -> None:
        """Add a part that meets no other part. Raises TrialUnknown, ToldOtherwise."""
        if not excess or not all(math.isfinite(one) for one in excess):
            raise ObservationRefused(f"{trial}: excess from tick {first_tick} is not all finite")
        asked = {
            **self._key, "trial": trial, "first_tick": first_tick, "excess": list(excess),
        }  # fmt: skip

        async def tx(connection: AsyncConnection[Any]) -> None:
            sql = statements("regime")
            await connection.execute(sql["ledger_turn"], asked)
            if await (await connection.execute(sql["trial_exists"], asked)).fetchone() is None:
                raise TrialUnknown(f"{trial} was not registered")
            if await (await connection.execute(sql["add_excess"], asked)).fetchone() is None:
                same = await (await connection.execute(sql["same_excess"], asked)).fetchone()
                if same is None or not same[0]:
                    raise ToldOtherwise(f"{trial}: ticks from {first_tick} on are there already")

        await self._database.run(tx)

    async def universe(self) -> tuple[Tried, ...]:
        """Every trial, in the order of registration, with all that is known of it."""
        found: dict[str, Tried] = {}
        for id_, strategy, content, first, excess in await self._read("universe", self._key):
            before = found[id_].excess if id_ in found else ()
            parts = before if first is None else (*before, (first, tuple(excess)))
            found[id_] = Tried(id=id_, strategy=strategy, content=content, excess=parts)
        return tuple(found.values())

    async def register_look(self, look: int, due_tick: int) -> None:
        """Say beforehand when is looked. Raises ToldOtherwise for another, or a seen, tick."""
        asked = {**self._key, "look": look, "due_tick": due_tick}

        async def tx(connection: AsyncConnection[Any]) -> None:
            sql = statements("regime")
            await connection.execute(sql["ledger_turn"], asked)
            await connection.execute(sql["add_look"], asked)
            held = await (await connection.execute(sql["due_tick_of"], asked)).fetchone()
            if held is None:
                raise ToldOtherwise(f"tick {due_tick} was seen already")
            if held[0] != due_tick:
                raise ToldOtherwise(f"look {look} is registered for another tick")

        await self._database.run(tx)

    async def conclude(self, look: int, trials: Sequence[str], result: Mapping[str, Any]) -> None:
        """Store what a look came to. Raises TrialUnknown without a look, ToldOtherwise."""
        if look not in {one.look for one in await self.looks()}:
            raise TrialUnknown(f"look {look} was not registered before")
        asked = {
            **self._key, "look": look, "trials": list(trials), "result": canonical(dict(result)),
        }  # fmt: skip
        if not await self._write("add_result", asked):
            same = await self._read("same_result", asked)
            if not same or not same[0][0]:
                raise ToldOtherwise(f"look {look} came to something else before")

    async def looks(self) -> tuple[Look, ...]:
        """Every registered look, with its result where it was taken."""
        return tuple(
            Look(look=look, due_tick=due, trials=tuple(trials or ()), result=result)
            for look, due, trials, result in await self._read("looks", self._key)
        )

    async def _write(self, name: str, asked: dict[str, Any]) -> bool:
        return bool(await self._read(name, asked))

    async def _read(self, name: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found = await connection.execute(statements("regime")[name], asked)
            return await found.fetchall()

        return await self._database.run(tx)
