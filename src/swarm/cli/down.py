"""`swarmctl down`: stop what `up` started."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from swarm.cli.desk import home_of
from swarm.cli.options import Home
from swarm.cli.output import emit, say
from swarm.runtime.background import stop


def down(
    *,
    keep_services: Annotated[
        bool, Parameter(help="Leave local services running behind their proxies.")
    ] = False,
    home: Home = None,
) -> None:
    """Stop the controller, local services, and the database if nobody else uses it.

    Agents and checks under way finish by themselves, and the next `swarmctl up` takes up what
    they came to. Nothing is lost. Exit status: 0 stopped.

    Example: swarmctl down
    """
    place = home_of(home)
    stopped = stop(place)
    if not keep_services:
        from swarm.runtime.wiring import stop_local  # noqa: PLC0415 - imports the whole runtime

        stop_local(place)
    emit(f"stopped {place.folder}" if stopped else f"nothing was running for {place.folder}")
    say("everything is kept; `swarmctl up` goes on where it stood")
