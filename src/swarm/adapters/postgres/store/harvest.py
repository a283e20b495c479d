"""What one reading changed, gathered in memory and written in a few bulk statements."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from psycopg import AsyncConnection

from swarm.core.ids import NeedId, SwarmId
from swarm.core.nouns import Signal
from swarm.core.policy.backlog import Citation, Growth, Known, Warmth

from . import shapes, texts
from .statements import statements


@dataclass(slots=True)
class Harvest:
    """Everything that one reading brought. Lists are in the order of sorted need ids."""

    swarm: SwarmId
    now: datetime
    signals: list[tuple[NeedId, Signal]] = field(default_factory=list)
    new: list[Growth] = field(default_factory=list)
    grown: list[Growth] = field(default_factory=list)
    warmed: list[Warmth] = field(default_factory=list)
    reopened: list[NeedId] = field(default_factory=list)
    opened: list[NeedId] = field(default_factory=list)
    citations: list[tuple[NeedId, Citation]] = field(default_factory=list)
    stronger: list[tuple[NeedId, Citation]] = field(default_factory=list)
    aliases: dict[NeedId, NeedId] = field(default_factory=dict)
    likeness: dict[NeedId, tuple[Sequence[int], bytes]] = field(default_factory=dict)
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
            self.new.append(growth)
        else:
            self.grown.append(growth)
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
    await _copy(connection, "copy_needs", (_need_line(harvest.swarm, item) for item in harvest.new))
    await _update_needs(connection, harvest)
    await _copy(connection, "copy_citations", (_citation_line(*item) for item in harvest.citations))
    await _strengthen(connection, harvest.stronger)
    await _copy(
        connection, "copy_likeness", (_likeness_line(*it) for it in harvest.likeness.items())
    )
    await _copy(
        connection, "copy_signals", (_signal_line(harvest, *item) for item in harvest.signals)
    )
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


async def _copy(connection: AsyncConnection[Any], name: str, lines: Iterator[str]) -> None:
    part = "".join(islice(lines, _LINES))
    if not part:
        return
    async with connection.cursor().copy(statements("intake")[name]) as copy:
        # In parts, so that the server works on one while the next is made.
        while part:
            await copy.write(part)
            part = "".join(islice(lines, _LINES))


async def _update_needs(connection: AsyncConnection[Any], harvest: Harvest) -> None:
    sql = statements("intake")
    if harvest.warmed:
        await connection.execute(sql["warm"], _warm(harvest.warmed))
    if harvest.grown:
        needs = [growth.need for growth in harvest.grown]
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
            "trusts": [_numbers(growth.trusts) for growth in harvest.grown],
            "heard": [need.heard for need in needs],
            "anchored": [need.anchored for need in needs],
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
        "citations": [texts.plain(cited.citation) for _, cited in stronger],
        "sources": [cited.source for _, cited in stronger],
        "external": [cited.external for _, cited in stronger],
        "trusts": [cited.trust for _, cited in stronger],
        "signals": [cited.signal for _, cited in stronger],
        "ats": [cited.at for _, cited in stronger],
    }
    await connection.execute(statements("intake")["strengthen"], values)


def _need_line(swarm: SwarmId, growth: Growth) -> str:
    need = growth.need
    return _line(
        need.id, swarm, repr(need.rank), repr(need.heat), repr(need.confidence), repr(need.value),
        str(need.cost), need.first_seen.isoformat(), need.last_seen.isoformat(),
        str(need.signals), str(need.citations), str(need.own_rounds), str(int(need.risk)),
        _TRUTH[need.cited], _TRUTH[need.external], need.mission_class, need.repo, need.rule,
        _texts(need.paths), _texts(need.origins), _numbers(growth.trusts), str(need.heard),
        _TRUTH[need.anchored], need.title, need.body,
    )  # fmt: skip


def _citation_line(need: NeedId, cited: Citation) -> str:
    return _line(
        need, cited.origin, cited.citation, cited.source, _TRUTH[cited.external],
        repr(cited.trust), cited.signal, cited.at.isoformat(),
    )  # fmt: skip


def _likeness_line(need: NeedId, found: tuple[Sequence[int], bytes]) -> str:
    bands, signature = found
    return _line(need, _numbers(bands), f"\\x{signature.hex()}")


def _signal_line(harvest: Harvest, need: NeedId, signal: Signal) -> str:
    at = signal.observed_at.isoformat()
    return _line(
        signal.id,
        harvest.swarm,
        need,
        signal.source,
        at,
        shapes.dump(shapes.signal_adapter(), signal),
    )


def _line(*fields: str) -> str:
    """One line of COPY's text format. psycopg's own way costs three times as much per row.

    Source: PostgreSQL documentation, COPY, "Text Format".
    """
    line = "\t".join(fields)
    if (
        line.count("\t") >= len(fields)
        or "\\" in line or "\n" in line or "\r" in line or "\0" in line
        or not line.isascii()
    ):  # fmt: skip
        line = "\t".join([_escaped(field) for field in fields])
    return line + "\n"


def _escaped(field: str) -> str:
    # One search each: `translate` looks every character up, a hundred times slower.
    if not field.isascii():
        field = field.encode("utf-8", "replace").decode()
    for raw, written in _ESCAPES:
        field = field.replace(raw, written)
    return field


_LINES = 125
_TRUTH = {True: "t", False: "f"}
#: The backslash first: the others bring new ones.
_ESCAPES = (
    ("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\ufffd"),
)  # fmt: skip


def _texts(texts: Sequence[str]) -> str:
    """An array literal; psycopg escapes each element by a regular expression, ten times slower."""
    if not texts:
        return "{}"
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '{"' + '","'.join(escaped) + '"}'


def _numbers(numbers: Sequence[float]) -> str:
    return "{" + ",".join(map(repr, numbers)) + "}"
