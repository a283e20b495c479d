"""`swarmctl delete`: stop and remove a Swarm; its history stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.complete import swarms
from swarm.cli.desk import ask, me
from swarm.cli.errors import Usage
from swarm.cli.options import Home, Reason
from swarm.cli.output import emit
from swarm.contract.counted import counted

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def delete(
    kind: Annotated[str, Parameter(help="`swarm`; nothing else can be deleted.")],
    name: Annotated[str, Parameter(help="Its name, or namespace/name.", completer=swarms)],
    /,
    *,
    reason: Reason = "deleted by hand",
    home: Home = None,
) -> None:
    """Stop a Swarm: nothing more is dispatched, merged or promoted. Its history is kept.

    Open missions end by rolling back what they exposed. Applying the manifest again brings the
    Swarm back. The controller keeps running; `swarmctl down` stops it.

    Exit status: 0 deleted; 2 wrong use; 5 not found.

    Example: swarmctl delete swarm orders-demo
    """
    if kind not in {"swarm", "swarms", "sw"}:
        raise Usage(f"cannot delete {kind!r}; history is never deleted, only a swarm is stopped")
    namespace, _, short = name.rpartition("/")

    async def work(database: Database) -> tuple[str, ...]:
        from swarm.adapters.postgres.store.desk.swarms import SwarmDesk  # noqa: PLC0415

        return await SwarmDesk(database, me()).delete(namespace or "default", short, reason)

    cancelled = ask(home, work)
    told = counted(len(cancelled), "open mission")
    emit(f"swarm/{short} deleted; {told} told to end")
