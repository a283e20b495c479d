"""What one reading changed, gathered in memory and written in a few bulk statements."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from pydantic_core import PydanticSerializationError

from swarm.core.ids import NeedId, SwarmId
from swarm.core.nouns import Need, Signal
from swarm.core.policy.backlog import Citation, Growth, Known, Warmth

from . import shapes
from .statements import statements


@dataclass(slots=True)
class Harvest:
    """Everything that one reading brought. Lists are in the order of sorted need ids."""

    swarm: SwarmId
    now: datetime
    signals: list[tuple[NeedId, Signal]] = field(default_factory=list)
    new: list[Need] = field(default_factory=list)
    grown: list[Need] = field(default_factory=list)
    warmed: list[Warmth] = field(default_factory=list)
    reopened: list[NeedId] = field(default_factory=list)
    opened: list[NeedId] = field(default_factory=list)
    citations: list[tuple[NeedId, Citation]] = field(default_factory=list)
    stronger: list[tuple[NeedId, Citation]] = field(default_factory=list)
    aliases: dict[NeedId, NeedId] = field(default_factory=dict)
    likeness: dict[NeedId, tuple[tuple[int, ...], bytes]] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)
    cited: int = 0

    def add(self, known: Known | None, growth: Growth) -> None:
        """Note what became of one need."""
        need = growth.need
        self.cited += growth.cited_anew
        if growth.opened:
            self.opened.append(need.id)
            self.tally[need.mission_class] += 1
        if known is None:
            self.new.append(need)
        else:
            self.grown.append(need)
        if known is not None and growth.opened:
            self.reopened.append(need.id)
        there = known.citations if known else {}
        for cited in growth.citations:
            (self.stronger if cited.origin in there else self.citations).append((need.id, cited))


async def write_harvest(connection: AsyncConnection[Any], harvest: Harvest) -> None:
    """Write it all; the shared counters last, so that nobody waits long for them.

    Raises psycopg's UniqueViolation when another transaction made the same need meanwhile.
    """
    sql = statements("intake")
    await _copy(connection, "copy_needs", (_need_row(harvest.swarm, need) for need in harvest.new))
    await _update_needs(connection, harvest)
    await _copy(connection, "copy_citations", (_citation_row(*item) for item in harvest.citations))
    await _strengthen(connection, harvest.stronger)
    await _copy(
        connection,
        "copy_likeness",
        ((need, _numbers(bands), data) for need, (bands, data) in harvest.likeness.items()),
    )
    await _copy(connection, "copy_signals", _signal_rows(harvest))
    if harvest.aliases:
        pairs = sorted(harvest.aliases.items())
        asked = {"ids": [id_ for id_, _ in pairs], "needs": [need for _, need in pairs]}
        await connection.execute(sql["remember_alias"], asked)
    me = {"swarm": harvest.swarm}
    await connection.execute(sql["arrived"], {**me, "count": len(harvest.signals)})
    changes = {name: change for name, change in sorted(harvest.tally.items()) if change}
    if changes:
        asked_tally = {**me, "classes": list(changes), "changes": list(changes.values())}
        await connection.execute(statements("needs")["count"], asked_tally)
    await connection.execute(statements("tick")["wake"], me)


async def _copy(connection: AsyncConnection[Any], name: str, rows: Iterable[Sequence[Any]]) -> None:
    every = list(rows)
    if not every:
        return
    async with connection.cursor().copy(statements("intake")[name]) as copy:
        # The formatter gathers rows and answers with a full buffer now and then: awaiting every row
        # would cost as much as the row.
        add = copy.formatter.write_row
        for row in every:
            if full := add(row):
                await copy.write(full)


async def _update_needs(connection: AsyncConnection[Any], harvest: Harvest) -> None:
    sql = statements("intake")
    if harvest.warmed:
        await connection.execute(sql["warm"], _warm(harvest.warmed))
    if harvest.grown:
        needs = harvest.grown
        more = {
            "confidences": [need.confidence for need in needs],
            "values": [need.value for need in needs],
            "costs": [need.cost for need in needs],
            "citations": [need.citations for need in needs],
            "own": [need.own_rounds for need in needs],
            "risks": [int(need.risk) for need in needs],
            "cited": [need.cited for need in needs],
            "external": [need.external for need in needs],
            "origins": [json.dumps(need.origins) for need in needs],
        }
        warmth = [
            Warmth(need.id, need.rank, need.heat, need.last_seen, need.signals) for need in needs
        ]
        await connection.execute(sql["grow"], {**_warm(warmth), **more})
    if harvest.reopened:
        await connection.execute(sql["reopen"], {"ids": harvest.reopened})


def _warm(warmth: Sequence[Warmth]) -> dict[str, Any]:
    ids, ranks, heats, lasts, signals = zip(*warmth, strict=True)
    return {
        "ids": list(ids),
        "ranks": list(ranks),
        "heats": list(heats),
        "lasts": list(lasts),
        "signals": list(signals),
    }


async def _strengthen(
    connection: AsyncConnection[Any], stronger: Sequence[tuple[NeedId, Citation]]
) -> None:
    if not stronger:
        return
    values = {
        "needs": [need for need, _ in stronger],
        "origins": [cited.origin for _, cited in stronger],
        "citations": [shapes.plain(cited.citation) for _, cited in stronger],
        "sources": [cited.source for _, cited in stronger],
        "external": [cited.external for _, cited in stronger],
        "trusts": [cited.trust for _, cited in stronger],
        "signals": [cited.signal for _, cited in stronger],
        "ats": [cited.at for _, cited in stronger],
    }
    await connection.execute(statements("intake")["strengthen"], values)


def _need_row(swarm: SwarmId, need: Need) -> tuple[Any, ...]:
    return (
        need.id, swarm, need.rank, need.heat, need.confidence, need.value, need.cost,
        need.first_seen, need.last_seen, need.signals, need.citations, need.own_rounds,
        int(need.risk), need.cited, need.external, need.mission_class, need.repo, need.rule,
        _array(need.paths), _array(need.origins), shapes.plain(need.title), shapes.plain(need.body),
    )  # fmt: skip


def _array(texts: Sequence[str]) -> str:
    """An array literal; psycopg escapes each element by a regular expression, ten times slower."""
    if not texts:
        return "{}"
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '{"' + '","'.join(escaped) + '"}'


def _numbers(numbers: Sequence[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def _citation_row(need: NeedId, cited: Citation) -> tuple[Any, ...]:
    return (
        need, cited.origin, shapes.plain(cited.citation), cited.source, cited.external,
        cited.trust, cited.signal, cited.at,
    )  # fmt: skip


def _signal_rows(harvest: Harvest) -> Iterable[tuple[Any, ...]]:
    for need, signal in harvest.signals:
        text = _json_of(signal)
        yield (signal.id, harvest.swarm, need, signal.source, signal.observed_at, text)


def _json_of(signal: Signal) -> str:
    # The fast way fits nearly every signal; the other one mends what Postgres cannot store.
    try:
        text = shapes.signal_adapter().dump_json(signal).decode()
    except PydanticSerializationError:
        return shapes.dump(shapes.signal_adapter(), signal)
    return shapes.storable(text) if "\\u0000" in text else text
