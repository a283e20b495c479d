"""`swarmctl source`: list sources, or read one once."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.columns import columns, span
from swarm.cli.complete import sources
from swarm.cli.desk import home_of
from swarm.cli.errors import NotBound
from swarm.cli.glance import glance
from swarm.cli.options import Home, Limit, Output, limited
from swarm.cli.output import Form, complain, emit, line, say, show, show_one, visible
from swarm.contract.counted import counted
from swarm.contract.errors import SwarmError

if TYPE_CHECKING:
    from swarm.core.nouns import Signal
    from swarm.runtime.home import Home as Place
    from swarm.runtime.tryout import Sample

app = App(name="source", help="List sources, or read one once.")
_COLUMNS = columns(
    ("NAME", "name"), ("KIND", "kind"), ("HEALTH", "health"), ("LAST-NEWS", "last_news"),
    ("TRUST", "trust"), ("RISK", "risk"), ("REPO", "repo"), ("SWARMS", "swarms"),
    wide=(("EVERY", "every"), ("ORIGIN", "origin"), ("CLASS", "mission_class"),
          ("DETAIL", "detail")),
)  # fmt: skip


@app.command(name="list")
def list_(*, output: Output = Form.TABLE, home: Home = None) -> None:
    """List every source that swarm.toml binds or a Swarm names, with how it stands. Asks none.

    Health comes from the store: `ok`, `dark` since it stopped answering, `not read yet` before it
    ever answered, `unknown` while the database cannot be asked. `NOT BOUND` is a name in a spec
    that no table of swarm.toml explains: it can never be read.

    Exit status: 0; 1 swarm.toml is refused; 5 no installation here.

    Example: swarmctl source list -o wide
    """
    place = home_of(home)
    rows = rows_of(place, datetime.now(UTC))
    if not rows and output.for_people:
        say("No sources. Bind one in swarm.toml, [sources.NAME], and name it in the spec.")
        return
    show(rows, _COLUMNS, output, kind="Source")


def rows_of(place: Place, now: datetime) -> list[dict[str, Any]]:
    """Bound and named sources, with their standing."""
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    settings = load(place.file)
    bound = settings.sources
    never = settings.database.url == "embedded" and not place.database.exists()
    standing, named = (None, {}) if never else _stored(place)
    rows = []
    for name in sorted({*bound, *named}):
        one = bound.get(name)
        row: dict[str, Any] = {
            "name": name,
            "kind": one.kind if one else None,
            "repo": one.repo if one else None,
            "trust": one.trust if one else None,
            "risk": f"R{one.risk:d}" if one else None,
            "every": str(one.every) if one and one.every else "as the Swarm says",
            "origin": (one.origin or name) if one else None,
            "mission_class": one.mission_class if one else None,
            "swarms": named.get(name, []),
            "health": "NOT BOUND" if one is None else "unknown",
        }
        if one is not None and standing is not None:
            row.update(_health(standing.get(name), now))
        rows.append(row)
    return rows


def _stored(place: Place) -> tuple[dict[str, dict[str, Any]] | None, dict[str, list[str]]]:
    """What the store knows: standings by source, and which Swarms name a source."""
    try:
        known = {row["name"]: row for row in glance(place.folder, "sources", limit=1_000)}
        swarms = glance(place.folder, "swarms", limit=1_000)
    except SwarmError as error:
        complain(f"the database does not say: {visible(error.message)}")
        return None, {}
    named: dict[str, list[str]] = {}
    for swarm in swarms:
        for source in swarm["spec"].get("discovery", {}).get("sources", ()):
            named.setdefault(source["name"], []).append(f"{swarm['namespace']}/{swarm['name']}")
    return known, named


def _health(row: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    if row is None:
        return {"health": "not read yet", "last_news": None}
    news = span(row["last_news"], now) if row["last_news"] else None
    if row["dark_since"]:
        since = f"dark since {span(row['dark_since'], now)}"
        return {"health": since, "last_news": news, "detail": row["detail"]}
    return {"health": "ok" if row["read_at"] else "not read yet", "last_news": news}


@app.command(name="test")
def read_one(
    name: Annotated[str, Parameter(help="The source's name in swarm.toml.", completer=sources)],
    /,
    *,
    limit: Limit = 20,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Read one source once, from its beginning, and print what it says. Stores nothing.

    Shown are signals with their citations, what the intake flagged, and entries that were
    refused. No need is made and no cursor is moved: the next real reading is as if this one had
    not been. A command source gets a clean checkout of its repository.

    Exit status: 0 it answered; 1 it is down; 2 wrong use; 5 nobody bound it.

    Example: swarmctl source test ruff
    """
    from swarm.adapters.postgres.store.desk.reference import bare  # noqa: PLC0415
    from swarm.runtime.settings import load  # noqa: PLC0415
    from swarm.runtime.tryout import read_once  # noqa: PLC0415 - imports every adapter

    most = limited(limit)
    place = home_of(home)
    settings = load(place.file)
    name = bare(name)
    if name not in settings.sources:
        known = ", ".join(sorted(settings.sources)) or "none"
        raise NotBound(f"no source {name[:60]!r} is bound in {place.file}; bound are: {known}")
    say(f"reading {name} ...")
    sample = asyncio.run(read_once(settings, place, name))
    assert sample is not None  # noqa: S101 - it is bound
    if output.for_people:
        _tell(sample, most)
    else:
        signals = [dataclasses.asdict(signal) for signal in sample.signals]
        body = {"name": name, "seconds": sample.seconds, "refused": sample.refused}
        show_one("SourceReading", {**body, "signals": signals}, output)


def _tell(sample: Sample, most: int) -> None:
    for signal in sample.signals[:most]:
        emit(f"{line(signal.title)}")
        emit(f"  {_about(signal)}")
        emit(f"  cites {line(signal.citation) or 'nothing that can be looked up'}")
        if signal.flags:
            emit(f"  flagged: {', '.join(line(flag) for flag in signal.flags)}")
    more = len(sample.signals) - most
    if more > 0:
        emit(f"... and {more} more; --limit {len(sample.signals)} shows all")
    for refused in sample.refused:
        emit(f"refused: {line(refused)}")
    uncited = sum(not signal.citation for signal in sample.signals)
    signals = counted(len(sample.signals), "signal")
    say(
        f"{signals} ({uncited} uncited), {len(sample.refused)} refused,"
        f" in {sample.seconds:.1f} s; nothing was stored"
    )


def _about(signal: Signal) -> str:
    parts = [f"R{signal.risk:d}", signal.mission_class, f"origin {line(signal.origin)}"]
    parts.append(f"trust {signal.trust:.2f}, value {signal.value:g}")
    if signal.rule:
        parts.append(f"rule {line(signal.rule)}")
    if signal.repo:
        parts.append(line(signal.repo))
    return ", ".join(parts)
