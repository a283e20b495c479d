"""`swarmctl reject`: turn a waiting mission or a need down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.approve import answer
from swarm.cli.complete import missions_and_needs
from swarm.cli.desk import ask, me
from swarm.cli.options import Home, Reason
from swarm.cli.output import emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def reject(
    what: Annotated[
        str,
        Parameter(
            help="A mission or a need, by any unique prefix of its id.",
            completer=missions_and_needs,
        ),
    ],
    /,
    *,
    reason: Reason,
    home: Home = None,
) -> None:
    """Say no. A mission ends as rejected; a need stays out until new evidence arrives.

    Only a mission that asks can be rejected; `swarmctl mission cancel` ends any other.

    Exit status: 0 recorded; 4 not allowed; 5 not found; 7 nothing is asked, or it has ended.

    Example: swarmctl reject m-41c0 --reason "we delete this module next week"
    """
    from swarm.adapters.postgres.store.desk.reference import bare  # noqa: PLC0415

    if not bare(what).startswith("n-"):
        answer(what, reason, "", home, granted=False)
        return

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        return await People(database, me()).reject_need(what, reason)

    emit(f"{ask(home, work)} rejected by {me()}")
