"""Errors of the shell: settings, wiring, starting and stopping."""

from __future__ import annotations

from swarm.contract.errors import Refused, Unavailable


class BadSettings(Refused):
    """The installation file says something that is not allowed; the field is named."""

    code = "SWM601"
    remedy = "Mend the named field in swarm.toml; docs/SETTINGS.md lists every field."


class SettingsMissing(Refused):
    """There is no installation file here."""

    code = "SWM602"
    remedy = "Run `swarmctl init` in your repository; it writes swarm.toml and swarm.yaml."


class AlreadyRunning(Refused):
    """Another controller of this installation is running on this machine."""

    code = "SWM603"
    remedy = "Look at it with `swarmctl get swarms`, or stop it with `swarmctl down`."
    exit_code = 7


class ControllerFailed(Refused):
    """The controller in the background ended before it was ready."""

    code = "SWM604"
    remedy = "Read the log it names, or run `swarmctl up --foreground` to see it happen."


class NotARepository(Refused):
    """There is no git repository with a commit here."""

    code = "SWM605"
    remedy = "Run it inside your repository, or try `swarmctl demo` first."
    exit_code = 5


class MainElsewhere(Refused):
    """Main of a repository is kept by another installation on the same database."""

    code = "SWM611"
    remedy = (
        "A second controller shares the folder of the first: `swarmctl up --foreground --seat NAME`"
        " there. To begin with a main of its own here, give the Swarm in swarm.yaml another name."
    )
    exit_code = 7


class ClockWrong(Refused):
    """This machine and the database do not agree what time it is."""

    code = "SWM612"
    remedy = "Set the clock of whichever is wrong (chrony, systemd-timesyncd), then start it again."


class FolderGone(Refused):
    """The folder that a controller worked in was removed or moved, so the controller ended."""

    code = "SWM613"
    remedy = "`swarmctl up` starts one where the folder is now; `swarmctl down` goes before a move."


class StateUnwritable(Unavailable):
    """The controller could not read or write a file of the installation."""

    code = "SWM614"
    remedy = "Free space on the disk of that file, or give it to the account that runs this."


class FileExists(Refused):
    """A file that would be written is there already."""

    code = "SWM606"
    remedy = "Look at it; add --force to replace it."
    exit_code = 7


class TryoutRefused(Refused):
    """What was to be tried by hand could never run as it is set up."""

    code = "SWM607"
    remedy = "Mend what the message names in swarm.toml; `swarmctl doctor` looks at all of it."
    exit_code = 5


class TryoutWaits(Unavailable):
    """What was to be tried by hand cannot run now; a controller would wait and try again."""

    code = "SWM608"
    remedy = "Give it what the message names: a program, a key, room on the disk, or time."


class DrillUnderWay(Refused):
    """A drill of this installation runs already; one at a time."""

    code = "SWM609"
    remedy = "Wait for it to end, or end it with Ctrl-C where it runs."
    exit_code = 7


class NoSuchDrill(Refused):
    """There is no drill of this name."""

    code = "SWM610"
    remedy = "`swarmctl drill list` shows them all."
    exit_code = 5
