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
    from swarm.contract.validate import load_swarms  # noqa: PLC0415 - pays for pydantic only here

    if name == "-":
        return load_swarms(sys.stdin.buffer.read(), source="standard input")
    try:
        text = Path(name).read_bytes()
    except OSError as error:
        raise FileUnreadable(f"{name}: {error.strerror}") from error
    return load_swarms(text, source=name)
