"""Signals in, needs out: one transaction per reading, which is repeated whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.core.ids import NeedId, SignalId, SwarmId, need_id
from swarm.core.loop.normalize import comparable, fingerprint, is_finding, scope_of, text_of
from swarm.core.nouns import Need, NeedState, Risk, Signal
from swarm.core.policy.backlog import Circumstances, Citation, Kept, Known, grow, warm, words_of
from swarm.ports.sources import Reading
from swarm.ports.store import IngestReport

from . import shapes, texts
from .bell import hint
from .errors import StaleCursor
from .harvest import Harvest, write_harvest
from .matching import Match, Text, match
from .statements import statements

TEXTS_MOST = 256  #: external citations of one need whose words are compared; more do not count


@dataclass(frozen=True, slots=True)
class _Given:
    """One reading; it is prepared once, however often its transaction is tried."""

    swarm: SwarmId
    source: str
    reading: Reading
    after: str | None
    prepared: asyncio.Task[list[Text]]


class PostgresIntake:
    """`ports.store.Intake` on Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("intake")

    async def cursor(self, swarm: SwarmId, source: str) -> str:
        """Where the next reading of this source begins; "" is the beginning."""

        async def tx(connection: AsyncConnection[Any]) -> str:
            values = {"swarm": swarm, "name": source}
            row = await (await connection.execute(self._sql["cursor"], values)).fetchone()
            return str(row[0]) if row else ""

        return await self._database.run(tx)

    async def ingest(
        self, swarm: SwarmId, source: str, reading: Reading, after: str | None = None
    ) -> IngestReport:
        """Keep one reading. Raises StaleCursor."""
        # In a thread: the server looks meanwhile which of the signals it knows.
        prepared = asyncio.create_task(asyncio.to_thread(_prepare, swarm, reading.signals))
        given = _Given(swarm, source, reading, after, prepared)

        async def together(connection: AsyncConnection[Any]) -> IngestReport:
            return await self._ingest(connection, given, alone=False)

        async def alone(connection: AsyncConnection[Any]) -> IngestReport:
            return await self._ingest(connection, given, alone=True)

        try:
            report = await self._database.run(together)
        except psycopg.errors.UniqueViolation:
            # Another source made the same need at the same moment: now it is there to be found.
            report = await self._database.run(alone)
        if report.new:
            await hint(self._database, swarm)
        return report

    async def source_failed(self, swarm: SwarmId, source: str, detail: str) -> bool:
        """Note that a source is dark; wakes the swarm when it was not before."""
        values = {"swarm": swarm, "name": source, "detail": texts.plain(detail)[:2000]}
        return await self._change("darken", swarm, values)

    async def source_answered(self, swarm: SwarmId, source: str) -> bool:
        """Note that a source answers; wakes the swarm when it was dark, or never answered yet."""
        return await self._change("lighten", swarm, {"swarm": swarm, "name": source})

    async def saw_drift(self, swarm: SwarmId, drifted: Mapping[str, str]) -> bool:
        """Note which targets drifted; wakes the swarm when that changed."""
        values = {
            "swarm": swarm,
            "targets": list(drifted),
            "seens": [texts.plain(seen) for seen in drifted.values()],
        }

        async def tx(connection: AsyncConnection[Any]) -> bool:
            dropped = (await connection.execute(self._sql["drop_drift"], values)).rowcount
            added = (await connection.execute(self._sql["add_drift"], values)).rowcount
            if dropped or added:
                await connection.execute(statements("tick")["wake"], {"swarm": swarm})
            return bool(dropped or added)

        return await self._hinting(swarm, tx)

    async def _change(self, name: str, swarm: SwarmId, values: dict[str, Any]) -> bool:
        async def tx(connection: AsyncConnection[Any]) -> bool:
            changed = (await connection.execute(self._sql[name], values)).rowcount > 0
            if changed:
                await connection.execute(statements("tick")["wake"], {"swarm": swarm})
            return changed

        return await self._hinting(swarm, tx)

    async def _hinting(self, swarm: SwarmId, tx: Any) -> bool:
        changed: bool = await self._database.run(tx)
        if changed:
            await hint(self._database, swarm)
        return changed

    async def _ingest(
        self, connection: AsyncConnection[Any], given: _Given, *, alone: bool
    ) -> IngestReport:
        now = await self._lock_source(connection, given, alone=alone)
        known = await self._known_signals(connection, given.reading.signals)
        prepared = await given.prepared
        fresh = [text for text in prepared if text.signal.id not in known]
        harvest = Harvest(swarm=given.swarm, now=now)
        if fresh:
            matches = await match(connection, fresh)
            await self._grow(connection, harvest, fresh, matches)
            await write_harvest(connection, harvest)
        place = {"cursor": given.reading.cursor, "news": bool(fresh)}
        me = {"swarm": given.swarm, "name": given.source}
        await connection.execute(self._sql["advance"], {**me, **place})
        return IngestReport(
            new=len(fresh),
            repeated=len(prepared) - len(fresh),
            opened=tuple(harvest.opened),
            merged=len(harvest.aliases),
            cited=harvest.cited,
        )

    async def _lock_source(
        self, connection: AsyncConnection[Any], given: _Given, *, alone: bool
    ) -> datetime:
        """Be the only one who reads this source in; the database's clock."""
        me = {"swarm": given.swarm, "name": given.source, "alone": alone}
        row = await (await connection.execute(self._sql["lock_source"], me)).fetchone()
        if row is None:
            await connection.execute(self._sql["add_source"], me)
            row = await (await connection.execute(self._sql["lock_source"], me)).fetchone()
        if row is None:
            raise StaleCursor(f"{given.source}: removed while it was read")
        if given.after is not None and row[0] != given.after:
            raise StaleCursor(f"{given.source}: somebody else has read on to {row[0][:80]!r}")
        now: datetime = row[1]
        return now

    async def _known_signals(
        self, connection: AsyncConnection[Any], signals: Sequence[Signal]
    ) -> set[SignalId]:
        if not signals:
            return set()
        asked = {"ids": sorted({signal.id for signal in signals})}
        rows = await (await connection.execute(self._sql["known_signals"], asked)).fetchall()
        return {id_ for (id_,) in rows}

    async def _grow(
        self,
        connection: AsyncConnection[Any],
        harvest: Harvest,
        fresh: Sequence[Text],
        matches: Mapping[NeedId, Match],
    ) -> None:
        """Let every need grow by the signals that say it."""
        said: dict[NeedId, list[Signal]] = {}
        for text in fresh:
            need = matches[text.id].need
            said.setdefault(need, []).append(text.signal)
            harvest.signals.append((need, text.signal))
        rows = await _binary(connection, self._sql["lock_needs"], {"ids": sorted(said)})
        seen = await self._circumstances(connection, harvest, fresh)
        moved = self._warm(harvest, rows, said, seen)
        known = await self._known(connection, moved)
        there = {row[0] for row in rows}
        for need in sorted(said):
            if need in known or need not in there:
                harvest.add(known.get(need), grow(need, known.get(need), said[need], seen))
        for id_, found in matches.items():
            if found.need != id_ and not found.remembered:
                harvest.aliases[id_] = found.need
            if found.signature is not None and found.need == id_:
                harvest.likeness[id_] = (found.bands, found.signature)

    def _warm(
        self,
        harvest: Harvest,
        rows: Sequence[tuple[Any, ...]],
        said: Mapping[NeedId, Sequence[Signal]],
        seen: Circumstances,
    ) -> list[NeedId]:
        """Settle mere repetition; the needs that hear more than that."""
        moved = []
        for row in rows:
            signals = said[row[0]]
            warmth = warm(Kept(*row), signals[0], seen) if len(signals) == 1 else None
            if warmth is None:
                moved.append(row[0])
            else:
                harvest.warmed.append(warmth)
        return moved

    async def _known(
        self, connection: AsyncConnection[Any], ids: list[NeedId]
    ) -> dict[NeedId, Known]:
        """Whole needs with their citations; their rows are locked already."""
        if not ids:
            return {}
        rows = await _binary(connection, self._sql["whole_needs"], {"ids": ids})
        cited: dict[str, dict[str, Citation]] = {}
        for row in await _binary(connection, self._sql["citations"], {"ids": ids}):
            cited.setdefault(row[0], {})[row[1]] = Citation(*row[1:])
        texts: dict[str, dict[SignalId, str]] = {}
        asked = {"ids": ids, "most": TEXTS_MOST}
        for need, signal, title, body in await _binary(connection, self._sql["said"], asked):
            texts.setdefault(need, {})[signal] = words_of(title, body)
        return {
            row[0]: Known(_need_of(row), row[1], cited.get(row[0], {}), texts.get(row[0], {}))
            for row in rows
        }

    async def _circumstances(
        self, connection: AsyncConnection[Any], harvest: Harvest, fresh: Sequence[Text]
    ) -> Circumstances:
        me = {"swarm": harvest.swarm}
        row = await (await connection.execute(statements("tick")["learned"], me)).fetchone()
        causes = {text.signal.caused_by: text.signal.id for text in fresh if text.signal.caused_by}
        rounds: dict[SignalId, int] = {}
        if causes:
            asked = {"ids": list(causes)}
            found = await connection.execute(self._sql["own_rounds"], asked)
            behind = dict(await found.fetchall())
            rounds = {
                text.signal.id: behind.get(text.signal.caused_by, 0) + 1
                for text in fresh
                if text.signal.caused_by
            }
        return Circumstances(
            now=harvest.now,
            trust=dict(shapes.pairs(row[1])) if row else {},
            own_rounds=rounds,
        )


async def _binary(
    connection: AsyncConnection[Any], statement: LiteralString, asked: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Rows in the wire's binary form: times and arrays are read three times as fast."""
    found = await connection.execute(statement, asked, binary=True)
    return await found.fetchall()


def _prepare(swarm: SwarmId, signals: Sequence[Signal]) -> list[Text]:
    """Each signal once, by id, with the id of the need it would make alone."""
    distinct = {signal.id: signal for signal in signals}
    prepared = []
    for id_ in sorted(distinct):
        signal = distinct[id_]
        words = None if is_finding(signal) else text_of(signal)
        alone = need_id(swarm, fingerprint(signal, words))
        if words is not None and comparable(words):
            scope = f"{swarm}\x00{scope_of(signal)}"
            prepared.append(Text(signal, alone, words, scope, finding=False))
        else:
            prepared.append(Text(signal, alone, None, "", finding=words is None))
    return prepared


def _need_of(row: tuple[Any, ...]) -> Need:
    return Need(
        id=row[0], title=row[2], body=row[3], mission_class=row[4], repo=row[5],
        paths=tuple(row[6]), rule=row[7], risk=Risk(row[8]), value=row[9], cost=row[10],
        confidence=row[11], citations=row[12], cited=row[13], external=row[14], signals=row[15],
        heat=row[16], rank=row[17], first_seen=row[18], last_seen=row[19],
        state=NeedState(row[20]), not_before=row[21], rounds=row[22], own_rounds=row[23],
        origins=tuple(row[24]), heard=row[25], anchored=row[26],
    )  # fmt: skip
