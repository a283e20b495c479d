"""`swarmctl down`: stop what `up` started."""

from __future__ import annotations

import os
import signal
import time
from typing import Annotated

from cyclopts import Parameter

from swarm.cli.desk import home_of
from swarm.cli.errors import NotRunning
from swarm.cli.options import Home
from swarm.cli.output import emit, say
from swarm.cli.up import running_pid
from swarm.runtime.home import Home as Place

ENDS_WITHIN = 30.0


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


def stop(place: Place) -> bool:
    """End the controller and wait for it; False when none ran. Raises `NotRunning` if it hangs."""
    pid = running_pid(place)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN
    while time.monotonic() < deadline:
        if running_pid(place) != pid:
            return True
        time.sleep(0.02)
    raise NotRunning(
        f"pid {pid} did not end within {ENDS_WITHIN:.0f} s",
        remedy=f"End it with `kill -9 {pid}`; nothing is lost by that.",
    )
