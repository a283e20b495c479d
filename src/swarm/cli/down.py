"""`swarmctl down`: stop what `up` started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID, stamp
from swarm.cli.desk import home_of
from swarm.cli.options import Home
from swarm.cli.output import complain, emit, say, visible
from swarm.runtime.background import stop
from swarm.runtime.seat import others_held

if TYPE_CHECKING:
    from swarm.runtime.work_left import Left


def down(
    *,
    now: Annotated[
        bool, Parameter(help="End agents and checks under way too; they begin anew after `up`.")
    ] = False,
    keep_services: Annotated[
        bool, Parameter(help="Leave local services running behind their proxies.")
    ] = False,
    home: Home = None,
) -> None:
    """Stop the controller, local services, and the database if nobody else uses it.

    Nothing new is begun. Agents and checks that are running finish on their own, within the time
    that is printed, and the next `swarmctl up` picks up their results. With --now they are ended,
    which counts as nobody's failure. Nothing is lost either way. A second controller that was
    started with --seat goes on, and local services with it.

    Exit status: 0 stopped.

    Example: swarmctl down --now
    """
    place = home_of(home)
    stopped = stop(place)
    from swarm.runtime.work_left import end_work, work_left  # noqa: PLC0415 - asyncio and all

    left = end_work(place.jobs) if now else work_left(place.jobs)
    others = others_held(place.state)
    running = "nothing was running in the background" if others else "nothing was running"
    emit(f"stopped {place.folder}" if stopped else f"{running} for {place.folder}")
    for job in left:
        say(_sentence(job, ended=now))
    if left and not now:
        say("`swarmctl down --now` ends what is still at work")
    for seat in others:
        complain(f"warning: {seat} is still at work here; Ctrl-C ends it where it was started")
    if not keep_services and not others:
        from swarm.runtime.wiring import stop_local  # noqa: PLC0415 - imports the whole runtime

        # Last: which services there are stands in swarm.toml alone, which may be broken by now.
        stop_local(place)
    say("everything is kept; `swarmctl up` goes on where it stood")


def _sentence(job: Left, *, ended: bool) -> str:
    mission, _, rest = job.key.partition("/")
    name = f"{job.what} {visible(mission[: SHORT_ID + 6])}"
    name += f" {visible(rest.rpartition('/')[2])}" if rest else ""
    if ended:
        return f"ended: {name}"
    until = f"until {stamp(job.until)} at the latest" if job.until else "just starting"
    return f"still at work: {name}, {until}"
