"""`swarmctl freeze`: stop dispatch, merge and promotion now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.desk import ask, me, swarm_named
from swarm.cli.options import Home, Reason
from swarm.cli.output import emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def freeze(
    swarm: Annotated[str, Parameter(help="Which Swarm; not needed when there is one.")] = "",
    *,
    reason: Reason,
    mission_class: Annotated[
        str, Parameter(name="--class", help="Hold one mission class only; default: everything.")
    ] = "*",
    lasts: Annotated[
        str, Parameter(name="--for", help="How long, such as 2h; default: until `resume`.")
    ] = "",
    token: Annotated[
        bool, Parameter(name="--needs-token", help="Resuming will also ask for the token.")
    ] = False,
    home: Home = None,
) -> None:
    """Hold: no new runs, no merges, no promotion, within a second.

    Canaries already in production keep being judged and can still roll back. Freezing a
    frozen scope extends it. Exit status: 0 frozen, 1 refused, 2 usage.

    Example: swarmctl freeze --class docs --for 2h --reason "link checker is down"
    """
    from swarm.contract.duration import parse_duration  # noqa: PLC0415

    span = parse_duration(lasts) if lasts else None

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.freezes import FreezeDesk  # noqa: PLC0415

        id_ = await swarm_named(database, swarm)
        held = await FreezeDesk(database, me()).freeze(
            id_, reason, mission_class=mission_class, lasts=span, needs_token=token
        )
        scope = "everything" if mission_class == "*" else f"class {mission_class}"
        until = f"until {held.until:%Y-%m-%d %H:%M:%S} UTC" if held.until else "until resumed"
        word = "extended" if held.extended else "frozen"
        return f"{held.id} {word}: {scope} {until}"

    emit(ask(home, work))
