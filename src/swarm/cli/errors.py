"""Errors of the command line, each with the exit code of the documented table."""

from __future__ import annotations

from swarm.contract.errors import Refused, Unavailable

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_BAD_OUTCOME = 0, 1, 2, 3
EXIT_NOT_ALLOWED, EXIT_NOT_FOUND, EXIT_REFUSED, EXIT_CONFLICT = 4, 5, 6, 7
EXIT_TIMEOUT, EXIT_INTERRUPTED = 124, 130


class Usage(Refused):
    """The call's words are off."""

    code = "SWM701"
    remedy = "Run the command with --help; it shows one example."
    exit_code = EXIT_USAGE


class NothingHere(Refused):
    """No Swarm installation was found in this folder or above it."""

    code = "SWM702"
    remedy = "Run `swarmctl init` in your repository, or name a folder with --home."
    exit_code = EXIT_NOT_FOUND


class NoSuchCode(Refused):
    """`explain` was asked about something that is neither a field nor an error code."""

    code = "SWM703"
    remedy = "Give a field such as `spec.cadence` or a code such as `SWM301`."
    exit_code = EXIT_NOT_FOUND


class NotRunning(Unavailable):
    """No controller is running for this installation."""

    code = "SWM704"
    remedy = "Start one with `swarmctl up`."


class FileUnreadable(Refused):
    """A file that was named cannot be read."""

    code = "SWM705"
    remedy = "Check the path and its permissions; `-` reads standard input."


class WaitedTooLong(Unavailable):
    """The awaited state did not come in time."""

    code = "SWM706"
    remedy = "Look at it with `swarmctl describe mission NAME`, or wait longer with --timeout."
    exit_code = EXIT_TIMEOUT
