"""`swarmctl`, which is also `kubectl swarm`: one file per verb, imported when it is used."""

from __future__ import annotations

import signal
import sys


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    answered = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if answered:  # by us once we can; until then Ctrl-C ends us without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from swarm.cli.app import run  # noqa: PLC0415 - keeps `import swarm.cli` free

    if answered:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
