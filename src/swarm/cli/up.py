"""`swarmctl up`: start database and controller on this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.desk import home_of
from swarm.cli.errors import Usage
from swarm.cli.first_process import be_apart_from_it
from swarm.cli.options import Home
from swarm.cli.output import complain, emit, say
from swarm.runtime.background import start
from swarm.runtime.errors import SettingsMissing
from swarm.runtime.seat import FIRST

if TYPE_CHECKING:
    from swarm.runtime.home import Home as Place


def _seat(kind: object, name: str) -> None:
    """A seat is a file of that name, and a name in the log."""
    del kind
    if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise ValueError("a seat is named with 1 to 40 of a-z, 0-9 and -")


def up(
    *,
    foreground: Annotated[
        bool, Parameter(help="Work in the foreground; Ctrl-C stops it cleanly.")
    ] = False,
    seat: Annotated[
        str,
        Parameter(
            validator=_seat,
            help="With --foreground: a name for one more controller of this folder, beside the one"
            " that `up` started. Only one controller uses a name at a time.",
        ),
    ] = FIRST,
    home: Home = None,
) -> int:
    """Start the database and the controller, and apply swarm.yaml. Needs no root and no Docker.

    Returns once the controller is at work; it keeps running in the background until `swarmctl
    down`. Ctrl-C before that starts nothing. Your working copy and your remote are never touched.
    Controllers that are started from one folder share its work.

    Exit status: 0 it is at work; 1 it failed to start; 7 it is already running.

    Example: swarmctl up && swarmctl watch
    """
    place = home_of(home)
    if not place.file.exists():
        raise SettingsMissing(f"there is no {place.file}")
    if seat != FIRST and not foreground:
        raise Usage("--seat works with --foreground alone")
    if foreground:
        be_apart_from_it()
        from swarm.runtime.supervise import main  # noqa: PLC0415 - imports the whole runtime

        say(f"at work for {place.folder}; Ctrl-C ends it cleanly")
        say("next: `swarmctl watch` in another terminal shows it")
        return main(str(place.folder), seat)
    start(place)
    emit(f"controller of {place.folder} is working, pid {place.read_note().get('pid')}")
    _tell_what_stands_still(place)
    say("next: `swarmctl watch` shows it, `swarmctl get needs` what it found")
    say("      `swarmctl down` stops it")
    return 0


def _tell_what_stands_still(place: Place) -> None:
    """A controller that works is no use to a repository that it cannot follow; say so now."""
    from swarm.cli.health_repositories import broken  # noqa: PLC0415 - on this path alone
    from swarm.runtime.settings import load  # noqa: PLC0415

    for finding in broken(load(place.file), place):
        complain(f"but it cannot follow {finding.message}")
        complain(f"fix:  {finding.fix}")
