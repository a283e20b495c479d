"""Reading for people: every noun as rows of named columns, and ids by any unique prefix.

Rows are plain mappings, column name to value, as `queries/look.sql` names them. Nothing heavy is
imported here: `swarmctl get` runs on it.
"""

from __future__ import annotations

import re
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.reference import bare
from swarm.adapters.postgres.store.errors import Ambiguous, NotFound
from swarm.adapters.postgres.store.statements import statements

Row = dict[str, Any]

KINDS = (
    "swarms", "needs", "missions", "runs", "changes", "gates", "rollouts", "freezes", "approvals",
    "budgets", "spenders", "sources", "signals", "orders", "outcomes", "evidence", "streams",
)  # fmt: skip

_BRANCHES = "swarm/"  #: in front of a mission's id: the branch that its change stands on
_COMMIT_LEAST = 7  #: characters; a shorter one is no commit that a person would write
_MISSION_PART = re.compile(r"-run-|/")  #: what follows a mission's id in runs and orders
_LAST = "\U0010ffff"  #: sorts behind every continuation of a prefix


class Look:
    """What `swarmctl get`, `describe` and completion read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(
        self,
        kind: str,
        swarm: str | None = None,
        *,
        like: str = "",
        state: str | None = None,
        limit: int = 500,
    ) -> list[Row]:
        """Rows of one of KINDS, the most telling first.

        swarm: only of this swarm's id.    like: prefix of the id (of the name for named things).
        state: needs, missions (`open` or an outcome), freezes and orders (`open` or anything else
               for the closed ones), approvals.
        """
        if kind not in KINDS:
            raise NotFound(f"no kind {kind!r}; there are {', '.join(KINDS)}")
        asked = {"swarm": swarm, "like": like, "state": state, "limit": limit}
        return await self._read(kind, asked)

    async def classes(self, swarm: str, limit: int = 500) -> list[str]:
        """Mission classes that needs were ever seen of, those with most open needs first."""
        found = await self._read("classes", {"swarm": swarm, "limit": limit})
        return [str(row["name"]) for row in found]

    async def accounts(self, limit: int = 100) -> list[Row]:
        """Budget windows whose figures differ from their missions and ledger; none should."""
        rows = await self._read("accounts", {"limit": limit})
        return [
            row
            for row in rows
            if (row["reserved"], row["spent"])
            != (row["reserved_by_missions"], row["spent_by_ledger"])
        ]

    async def swarm_id(self, namespace: str, name: str) -> str:
        """The id of a Swarm by name. Raises NotFound."""
        found = await self._read("swarm_named", {"namespace": namespace, "name": name})
        if not found:
            raise NotFound(f"no Swarm {name!r} in namespace {namespace!r}")
        return str(found[0]["id"])

    async def find(self, ref: str, kind: str | None = None) -> tuple[str, str]:
        """(kind, id) of the one thing whose id begins with `ref`. Raises NotFound or Ambiguous."""
        ref = bare(ref)
        asked = {"like": ref, "end": ref + _LAST, "kind": kind}
        found = await self._read("by_prefix", asked) if ref else []
        exact = [row for row in found if row["id"] == ref]
        return _only(ref, kind or "thing", [(row["kind"], row["id"]) for row in exact or found])

    async def find_mission(self, ref: str) -> str:
        """The id of a mission by prefix, run, evidence or branch, or by a commit it made."""
        ref = bare(ref).removeprefix(_BRANCHES)
        if ref.startswith("m-"):
            return (
                await self.find(
                    ref.split("-run-", maxsplit=1)[0].split("/", maxsplit=1)[0], "mission"
                )
            )[1]
        if len(ref) >= _COMMIT_LEAST:
            found = await self._read("by_commit", {"like": ref, "end": ref + _LAST})
            if found:
                return _only(ref, "mission", [("mission", row["mission"]) for row in found])[1]
        raise NotFound(f"no mission {ref!r}, and no mission made a commit of that name")

    async def _read(self, name: str, asked: Row) -> list[Row]:
        async def tx(connection: AsyncConnection[Any]) -> list[Row]:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(statements("look")[name], asked)
            return await cursor.fetchall()

        return await self._database.run(tx)


def _only(ref: str, kind: str, found: list[tuple[str, str]]) -> tuple[str, str]:
    if not found:
        raise NotFound(f"no {kind} whose id begins with {ref!r}")
    if len(found) > 1:
        ids = ", ".join(id_ for _, id_ in found)
        raise Ambiguous(f"{ref!r} fits more than one {kind}: {ids}")
    return found[0]
