"""`swarmctl version`: what is installed here."""

from __future__ import annotations

import platform

from swarm import __version__
from swarm.cli.options import Output
from swarm.cli.output import Form, emit, show_one


def version(*, output: Output = Form.TABLE) -> None:
    """Print the versions of Swarm and of the Python it runs on.

    Example: swarmctl version -o json
    """
    if output is Form.TABLE:
        emit(f"swarmctl {__version__} (Python {platform.python_version()})")
        return
    show_one({"swarmctl": __version__, "python": platform.python_version()}, output)
