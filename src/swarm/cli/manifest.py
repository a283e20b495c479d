"""Reading a manifest from a file or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from swarm.cli.errors import FileUnreadable

if TYPE_CHECKING:
    from swarm.contract.swarm import SwarmObject


def read_swarms(name: str) -> list[SwarmObject]:
    """The Swarms in a file; `-` is standard input. Raises `InvalidSwarm` with every problem."""
    from swarm.contract.validate import load_swarms  # noqa: PLC0415 - pays for pydantic only here

    if name == "-":
        source = "standard input"
        return load_swarms(_bytes(sys.stdin.buffer, source), source=source)
    try:
        with Path(name).open("rb") as file:
            text = _bytes(file, name)
    except OSError as error:
        raise FileUnreadable(f"{name}: {error.strerror}") from error
    return load_swarms(text, source=name)


def _bytes(file: BinaryIO, source: str) -> bytes:
    """What is to be read, and one byte more at most: a pipe or a device may have no end."""
    from swarm.contract.errors import Problem, UnreadableManifest  # noqa: PLC0415
    from swarm.contract.tree import MAX_BYTES  # noqa: PLC0415

    text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        wrong = f"it has more than {MAX_BYTES:,} bytes"
        problem = Problem(path="", wrong=wrong, right="write one file for each few Swarms")
        raise UnreadableManifest(source, (problem,))
    return text
