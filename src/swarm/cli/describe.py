"""`swarmctl describe`: everything about one object, with what happens next."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.complete import kinds, names
from swarm.cli.desk import ask
from swarm.cli.errors import Usage
from swarm.cli.kinds import kind_named, parted
from swarm.cli.options import Home, Output, Swarm
from swarm.cli.output import Form, emit, say, show, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

Data = dict[str, Any]
Tell = Callable[[Data, datetime], list[str]]

#: Kinds that have a page of their own.
_PAGES = {
    "swarms": "swarm.cli.describe_swarm",
    "missions": "swarm.cli.describe_mission",
    "needs": "swarm.cli.describe_need",
    "freezes": "swarm.cli.describe_freeze",
}

#: Kinds whose page also says what lies in the installation's folder.
_ASK_THE_HOME = {"freezes", "missions"}

#: Kinds of which there may be only one worth asking for, so that no name is needed.
_NAMELESS = {"swarms", "freezes", "budgets"}


def describe(
    kind: Annotated[
        str, Parameter(help="Its kind: swarm, need, mission, freeze, ...", completer=kinds)
    ],
    name: Annotated[
        str,
        Parameter(
            help="Its id or name, by any unique prefix. May be left out for a swarm, a freeze or"
            " a budget.",
            completer=names,
        ),
    ] = "",
    /,
    *,
    swarm: Swarm = "",
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Show everything about one object, where it stands and what happens next.

    A Swarm: phase in words, conditions with remedies, sources, budget, why it is idle. A freeze:
    trigger, scope, end, and the resume checklist with what is left. A mission: gates, contract,
    change, runs, checks, money, and what you can do. Reads the database, and
    swarm.toml for a resume window and for what a budget does when it is spent.

    Exit status: 0; 2 wrong use; 5 not found.

    Example: swarmctl describe freeze
    """
    wanted, name = parted(kind, name)
    if not name and wanted.name not in _NAMELESS:
        raise Usage(f"which {wanted.single.lower()}? `swarmctl get {wanted.name}` lists them")

    async def work(database: Database) -> list[Data]:
        return await _gather(wanted.name, home)(database, name, swarm)

    found = ask(home, work)
    now = datetime.now(UTC)
    if not output.for_people:
        if len(found) == 1:
            show_one(wanted.single, found[0], output)
        else:
            show(found, (), output, kind=wanted.single)
        return
    if not found:
        say(f"No {wanted.name}. {wanted.when_empty}")
    for number, data in enumerate(found):
        if number:
            emit()
        for words in _teller(wanted.name)(data, now):
            emit(words)


def _gather(kind: str, home: Home) -> Callable[[Database, str, str], Awaitable[list[Data]]]:
    """What reads everything about objects of a kind. Imported when it is used."""
    if kind not in _PAGES:
        from swarm.cli.describe_rest import gather_of  # noqa: PLC0415

        return gather_of(kind_named(kind), home)
    page = importlib.import_module(_PAGES[kind])
    found: Callable[[Database, str, str], Awaitable[list[Data]]]
    found = partial(page.gather, home=home) if kind in _ASK_THE_HOME else page.gather
    return found


def _teller(kind: str) -> Tell:
    """What tells people about an object of a kind."""
    if kind not in _PAGES:
        from swarm.cli.describe_rest import teller_of  # noqa: PLC0415

        return teller_of(kind_named(kind))
    found: Tell = importlib.import_module(_PAGES[kind]).tell
    return found
