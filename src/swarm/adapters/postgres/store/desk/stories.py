"""Why something is as it is, and how it came about: one need or one mission with all around it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.candidates import whatever
from swarm.adapters.postgres.store.desk.look import Look, Row
from swarm.adapters.postgres.store.errors import NotFound
from swarm.adapters.postgres.store.snapshots import need_of, read_needs
from swarm.adapters.postgres.store.statements import statements
from swarm.core.policy import ranking

SIGNALS_SHOWN = 50

_OF_NEED = ("citations", "signals", "missions", "merged", "selection")
_OF_MISSION = (
    "family", "verdicts", "evidence", "orders", "approvals", "holds", "outcome", "spent",
)  # fmt: skip
_NEED_COLUMNS = (
    "id", "title", "body", "mission_class", "repo", "paths", "rule", "risk", "value", "cost",
    "confidence", "citations", "cited", "external", "signals", "heat", "rank", "first_seen",
    "last_seen", "state", "not_before", "rounds", "own_rounds", "origins",
    "heard", "anchored",
)  # fmt: skip


class Stories:
    """What `why`, `trace`, `describe` and the shadow report read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look = Look(database)

    async def why_need(self, ref: str) -> Row:
        """A need with the terms of its rank, citations, signals, missions and the last word on it.

        terms: (name, nats) pairs that add up to `score`, the rank as of now with its class's bias.
        """
        _, need = await self._look.find(ref, "need")

        async def tx(connection: AsyncConnection[Any]) -> Row:
            return await _need_story(connection, need)

        return await self._database.run(tx)

    async def trace(self, ref: str) -> Row:
        """The whole chain of a mission: need, signals, evidence, verdicts, outcome, events.

        ref: a mission's id or a unique prefix of it, a run's id, or a commit it made.
        """
        mission = await self._look.find_mission(ref)

        async def tx(connection: AsyncConnection[Any]) -> Row:
            story = await _one(connection, "mission", {"mission": mission})
            if story is None:
                raise NotFound(f"no mission {mission}")
            for part in _OF_MISSION:
                story[part] = await _rows(connection, part, {"mission": mission})
            story["outcome"] = story["outcome"][0] if story["outcome"] else None
            story["needs_story"] = (
                await _need_story(connection, story["need"]) if story["need"] else None
            )
            asked = {"chain": mission, "after": 0, "limit": 100_000}
            story["trail"] = await _rows(connection, "trail", asked)
            return story

        return await self._database.run(tx)

    async def choice(self, swarm: str) -> Row:
        """What a swarm's last choice among its best needs came to, and what holds it.

        needs: the best ones in their order, each with the reason why it was passed over, null when
        nothing spoke against it. `at` is null before the first choice. `unheard`: something
        happened since that no controller has looked at. `resting`: open needs that no choice
        looks at yet, after a mission for each; the first may be chosen at `rest_ends`.
        """

        async def tx(connection: AsyncConnection[Any]) -> Row:
            story = await _one(connection, "choice", {"swarm": swarm})
            if story is None:
                raise NotFound(f"no swarm {swarm}")
            story["needs"] = await _rows(connection, "choice_needs", {"swarm": swarm})
            story["freezes"] = await _rows(connection, "swarm_holds", {"swarm": swarm})
            return story

        return await self._database.run(tx)

    async def ranking(self, swarm: str, *, limit: int = 20) -> Row:
        """The backlog as it ranks now and as it ranked before the last lesson (LOOP-10).

        before, after: (need id, title, score in nats) with the best first; lesson: what changed.
        """

        async def tx(connection: AsyncConnection[Any]) -> Row:
            lessons = await _rows(connection, "learned", {"swarm": swarm, "limit": 2})
            now = await _now(connection)
            asked = whatever(swarm, limit * 4)
            found = await connection.execute(statements("needs")["best"], asked)
            read = await read_needs(connection, [id_ for id_, _ in await found.fetchall()])
            needs = [need_of(row) for row in await read.fetchall()]
            views = []
            for biases in (_bias(lessons[1:2]), _bias(lessons[:1])):
                scored = [
                    (need.id, need.title, _sum(ranking.terms(need, now, biases.get(
                        need.mission_class, 0.0))))
                    for need in needs
                ]  # fmt: skip
                scored.sort(key=lambda item: (-item[2], item[0]))
                views.append(scored[:limit])
            lesson = lessons[0] if lessons else None
            return {"before": views[0], "after": views[1], "lesson": lesson}

        return await self._database.run(tx)

    async def shadow(self, swarm: str, since: datetime) -> Row:
        """What shadow mode recommended since then, what became of it, and what it missed."""

        async def tx(connection: AsyncConnection[Any]) -> Row:
            asked = {"swarm": swarm, "since": since}
            return {
                "recommended": await _rows(connection, "recommended", asked),
                "missed": await _rows(connection, "missed", asked),
            }

        return await self._database.run(tx)


async def _need_story(connection: AsyncConnection[Any], id_: str) -> Row:
    story = await _one(connection, "need", {"need": id_})
    if story is None:
        raise NotFound(f"no need {id_}")
    need = need_of(tuple(story[column] for column in _NEED_COLUMNS))
    asked = {"need": id_, "limit": SIGNALS_SHOWN}
    story["counted"] = {"citations": story["citations"], "signals": story["signals"]}
    for part in _OF_NEED:
        story[part] = await _rows(connection, part, asked)
    story["merged"] = story["merged"][0]["texts"]
    lessons = await _rows(connection, "learned", {"swarm": story["swarm"], "limit": 1})
    bias = _bias(lessons).get(need.mission_class, 0.0)
    now = await _now(connection)
    terms = ranking.terms(need, now, bias)
    story["terms"] = terms
    story["score"] = _sum(terms)
    story["pheromone"] = ranking.pheromone(need.heat, now)
    return story


async def _now(connection: AsyncConnection[Any]) -> datetime:
    row = await (await connection.execute("select now()")).fetchone()
    assert row is not None  # noqa: S101 - a select without a table has one row
    now: datetime = row[0]
    return now


def _bias(lessons: list[Row]) -> Mapping[str, float]:
    return dict(lessons[0]["class_bias"]) if lessons else {}


def _sum(terms: tuple[tuple[str, float], ...]) -> float:
    return sum(nats for _, nats in terms)


async def _rows(connection: AsyncConnection[Any], name: str, asked: Row) -> list[Row]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(statements("story")[name], asked)
    return await cursor.fetchall()


async def _one(connection: AsyncConnection[Any], name: str, asked: Row) -> Row | None:
    rows = await _rows(connection, name, asked)
    return rows[0] if rows else None
