"""`swarmctl watch`: a live view of missions and gates."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from swarm.cli.columns import SHORT_ID, span
from swarm.cli.desk import ask, swarm_named
from swarm.cli.follow import pause
from swarm.cli.frame import Frame, Movement, changes, look_around
from swarm.cli.gate_strip import glyphs
from swarm.cli.options import Home, Output, SwarmName
from swarm.cli.outage import Outage
from swarm.cli.output import Form, as_json, colours, document, emit, interactive

if TYPE_CHECKING:
    from rich.console import RenderableType

    from swarm.adapters.postgres.database import Database

POLL_SECONDS = 0.5
Shown = Callable[[Frame, Frame | None], None]


def watch(swarm: SwarmName = "", /, *, output: Output = Form.TABLE, home: Home = None) -> None:
    """Watch missions go through their gates: live on a terminal, one line per change elsewhere.

    Each mission shows six gates: discovery, code, merge, supply chain, rollout, after
    deployment. Changes nothing, and starts no controller. Ctrl-C ends it; the work goes on.

    Exit status: 2 wrong use; 5 no such Swarm; 130 ended by Ctrl-C.

    Example: swarmctl watch
    """
    if interactive() and output.for_people:
        _live(swarm, home)
        return
    shown = _lines if output.for_people else _documents
    ask(home, lambda database: _follow(database, swarm, shown))


async def _follow(database: Database, swarm: str, shown: Shown) -> None:
    """Look again and again, for ever; an outage is told and waited out."""
    from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

    look = Look(database)
    id_ = await swarm_named(database, swarm) if swarm else None
    before: Frame | None = None
    outage = Outage()
    while True:
        frame = await outage.asked(look_around(look, id_, before, datetime.now(UTC)))
        if frame is not None:
            shown(frame, before)
            before = frame
        await pause(POLL_SECONDS)


def _lines(frame: Frame, before: Frame | None) -> None:
    for change in changes(before, frame):
        emit(_line(change))


def _line(change: Movement) -> str:
    subject = change.subject[:SHORT_ID] if change.subject[1:2] == "-" else change.subject
    title = f"  ({change.title})" if change.title else ""
    detail = f"  {change.detail}" if change.detail else ""
    return f"{change.at:%H:%M:%S}  {subject}  {change.words}{detail}{title}"


def _documents(frame: Frame, before: Frame | None) -> None:
    for change in changes(before, frame):
        body = {"at": change.at, "subject": change.subject, "state": change.words,
                "detail": change.detail, "title": change.title}  # fmt: skip
        emit(as_json(document("Movement", body), indent=None))


def _live(swarm: str, home: Home) -> None:
    from rich.console import Console  # noqa: PLC0415 - Rich only where a terminal looks
    from rich.live import Live  # noqa: PLC0415

    console = Console(color_system="auto" if colours() else None, highlight=False, markup=False)
    with Live(console=console, auto_refresh=False, transient=False) as live:
        ask(
            home,
            lambda database: _follow(
                database, swarm, lambda frame, _: live.update(picture(frame), refresh=True)
            ),
        )


def picture(frame: Frame) -> RenderableType:
    """The moment as a table that fits the terminal."""
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    parts: list[RenderableType] = [
        Text(f"{name}  {phase}  {words}", overflow="ellipsis", no_wrap=True)
        for name, phase, words in frame.swarms
    ]
    parts += [Text(f"needs you: {alert}", style="bold") for alert in frame.alerts]
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for title in ("MISSION", "R", "GATES", "NOW", "AGE"):
        table.add_column(title, no_wrap=True)
    table.add_column("NEXT", ratio=2, no_wrap=True, overflow="ellipsis")
    table.add_column("TITLE", ratio=2, no_wrap=True, overflow="ellipsis")
    for seen in frame.missions.values():
        due = f" ({span(seen.next_at, frame.at)})" if seen.next_at else ""
        next_ = f"{seen.next_action}{due}" if seen.next_action else seen.detail
        cells = (seen.id[:SHORT_ID], f"R{seen.risk}", glyphs(seen.strip), seen.words,
                 span(seen.opened_at, frame.at), next_, seen.title)  # fmt: skip
        table.add_row(*(Text(words) for words in cells))
    parts.append(table if frame.missions else Text("no open missions; `swarmctl why` says why"))
    leave = "Ctrl-C ends watching; the work goes on"
    parts.append(Text(f"{frame.at:%H:%M:%S} UTC  {leave}", style="dim"))
    return Group(*parts[: _screen_lines()])


def _screen_lines() -> int:
    try:
        return max(4, os.get_terminal_size().lines - 1)
    except OSError:
        return 40
