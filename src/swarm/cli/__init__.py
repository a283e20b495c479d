"""`swarmctl`, which is also `kubectl swarm`: one file per verb, imported when it is used."""

from __future__ import annotations

import os
import signal
import sys


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    answered = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if answered:  # by us once we can; until then Ctrl-C ends us without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _open_what_is_closed()
    # A caller that ignores the ends of its own children leaves us so: no exit code would be told.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if arguments is None and sys.getfilesystemencoding() != "utf-8":
        _begin_in_utf8()
    from swarm.cli.app import run  # noqa: PLC0415 - keeps `import swarm.cli` free

    if answered:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def _open_what_is_closed() -> None:
    """A standard stream that the caller closed leads nowhere; else the next file would be it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))


def _begin_in_utf8() -> None:
    """Begin anew with names of files as UTF-8, as git and the database have them.

    In a locale of another encoding, a file that nobody touched has another name here than there,
    and every patch would be refused for it. What we start finds the same in its environment.
    """
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - itself
