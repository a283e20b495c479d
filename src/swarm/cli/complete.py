"""What the shell offers when TAB is pressed: kinds, ids with their titles, names.

Asked at every TAB, so it reads as cheaply as `get` does; with nothing running it offers nothing
rather than start a database. Nothing here may fail: the shell would show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

    from swarm.runtime.home import Home as Place

Offered = dict[str, str]

MOST = 200


def kinds(context: CompletionContext) -> Offered:
    """The kinds of `get` and `describe`."""
    del context
    from swarm.cli.kinds import KINDS  # noqa: PLC0415

    return {kind.name: "" for kind in KINDS}


def names(context: CompletionContext) -> Offered:
    """Names of the kind that stands in front of the cursor."""
    from swarm.cli.kinds import kind_named  # noqa: PLC0415

    word = context["kind"].raw or "missions"
    kind = kind_named(word)
    return _offer(context, kind.name, kind.name_from)


def missions(context: CompletionContext) -> Offered:
    """Missions, open ones first."""
    return _offer(context, "missions")


def open_missions(context: CompletionContext) -> Offered:
    """Missions that have not ended."""
    return _offer(context, "missions", state="open")


def asked_missions(context: CompletionContext) -> Offered:
    """Missions that wait for a person's answer."""
    return _offer(context, "approvals", "mission", state="open")


def needs(context: CompletionContext) -> Offered:
    """Needs, the best first."""
    return _offer(context, "needs")


def missions_and_needs(context: CompletionContext) -> Offered:
    """Both, for verbs that take either."""
    return _offer(context, "missions") | _offer(context, "needs")


def swarms(context: CompletionContext) -> Offered:
    """Names of Swarms."""
    return _offer(context, "swarms", "name")


def freezes(context: CompletionContext) -> Offered:
    """Open freezes, and Swarms."""
    return _offer(context, "freezes", state="open") | _offer(context, "swarms", "name")


def streams(context: CompletionContext) -> Offered:
    """Stored streams, with their regime."""
    return _offer(context, "streams", "name")


def sources(context: CompletionContext) -> Offered:
    """Sources that are bound in swarm.toml."""
    return _bound(context, "sources", "kind")


def agents(context: CompletionContext) -> Offered:
    """Agents that are bound in swarm.toml."""
    return _bound(context, "agents", "run")


def repositories(context: CompletionContext) -> Offered:
    """Repositories that are bound in swarm.toml."""
    return _bound(context, "repositories", "path")


def _offer(
    context: CompletionContext, kind: str, field: str = "id", state: str | None = None
) -> Offered:
    from swarm.cli.glance import glance  # noqa: PLC0415
    from swarm.cli.output import line  # noqa: PLC0415

    place = _place(context)
    if not place.read_note():
        return {}
    rows = glance(place.folder, kind, state=state, limit=MOST)
    return {str(row[field]): line(_about(row)) for row in rows}


def _place(context: CompletionContext) -> Place:
    """The installation that the line so far is about."""
    from pathlib import Path  # noqa: PLC0415

    from swarm.cli.desk import home_of  # noqa: PLC0415

    named = context.get("home")
    return home_of(Path(named.raw) if named is not None and named.raw else None)


def _about(row: dict[str, Any]) -> str:
    words = (row.get("outcome") or row.get("state") or "", row.get("title") or "")
    return "  ".join(str(word) for word in words if word)[:80]


def _bound(context: CompletionContext, table: str, about: str) -> Offered:
    """Names of a table of swarm.toml, read without its settings being checked."""
    import tomllib  # noqa: PLC0415

    tables = tomllib.loads(_place(context).file.read_text(encoding="utf-8")).get(table, {})
    return {str(name): str(it.get(about, ""))[:80] for name, it in tables.items()}
