"""`swarmctl`, which is also `kubectl swarm`: one file per verb, imported when it is used."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    from swarm.cli.app import run  # noqa: PLC0415 - keeps `import swarm.cli` free

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
