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
    """`explain` was asked about something that is neither a field, a code nor a reason."""

    code = "SWM703"
    remedy = "Give a field such as `spec.cadence`, a code such as `SWM301`, or a reason."
    exit_code = EXIT_NOT_FOUND


class FileUnreadable(Refused):
    """A file that was named, or that belongs to the installation, cannot be read or written."""

    code = "SWM705"
    remedy = "Check the path and its permissions; `-` reads standard input."


class WaitedTooLong(Unavailable):
    """The awaited state did not come in time."""

    code = "SWM706"
    remedy = "Look at it with `swarmctl describe mission NAME`, or wait longer with --timeout."
    exit_code = EXIT_TIMEOUT


class InternalFault(Unavailable):
    """This program made a mistake; nothing that was recorded before is lost."""

    code = "SWM707"
    remedy = "Report it with the trace that SWARM_DEBUG=1 prints, and the output of `version`."


class WrongToken(Refused):
    """The reset token is not the one whose digest this installation holds."""

    code = "SWM709"
    remedy = "Ask its owner; `resume_token_sha256` in swarm.toml is the SHA-256 of the right one."
    exit_code = EXIT_NOT_ALLOWED


class NoResetToken(Refused):
    """A freeze was to ask for a reset token, and this installation has none that could be given."""

    code = "SWM710"
    remedy = "Set `resume_token_sha256` in swarm.toml, [loop], or freeze without --needs-token."
    exit_code = EXIT_REFUSED


class HeldBack(Refused):
    """Policy lets no mission begin for this need now."""

    code = "SWM711"
    remedy = "Once nothing stands in its way it begins by itself; `swarmctl why NEED` says more."
    exit_code = EXIT_REFUSED


class NotBound(Refused):
    """No table of swarm.toml gives this name a meaning."""

    code = "SWM708"
    remedy = "Add the table to swarm.toml; docs/SETTINGS.md lists its fields."
    exit_code = EXIT_NOT_FOUND
