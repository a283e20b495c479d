"""Reading a manifest from a file or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.cli.errors import FileUnreadable

if TYPE_CHECKING:
    from swarm.contract.swarm import SwarmObject


def read_swarms(name: str) -> list[SwarmObject]:
    """The Swarms in a file; `-` is standard input. Raises `InvalidSwarm` with every problem."""
    from swarm.contract.tree import MAX_BYTES  # noqa: PLC0415 - pays for pydantic only here
    from swarm.contract.validate import load_swarms  # noqa: PLC0415

    # One byte more than is taken, and no further: a pipe or a device may have no end.
    if name == "-":
        return load_swarms(sys.stdin.buffer.read(MAX_BYTES + 1), source="standard input")
    try:
        with Path(name).open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileUnreadable(f"{name}: {error.strerror}") from error
    return load_swarms(text, source=name)
