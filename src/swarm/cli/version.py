"""`swarmctl version`: what is installed here."""

from __future__ import annotations

import platform

from swarm import __version__
from swarm.cli.options import Output
from swarm.cli.output import Form, emit, show_one


def version(*, output: Output = Form.TABLE) -> None:
    """Print the versions of Swarm and of the Python it runs on.

    Looks at no installation; `swarmctl doctor` does. Exit status: 0.

    Example: swarmctl version -o json
    """
    if output.for_people:
        emit(f"swarmctl {__version__} (Python {platform.python_version()})")
        return
    found = {"name": __version__, "swarmctl": __version__, "python": platform.python_version()}
    show_one("Version", found, output)
