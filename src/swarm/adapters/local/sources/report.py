"""What a command's output says, whatever its format: statements, and what was malformed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from swarm.adapters.local.sources.errors import OutputUnreadable
from swarm.ports.gathering import Refusals
from swarm.ports.signal_line import SignalLine


@dataclass(slots=True)
class Report:
    """The statements of one output, in its order."""

    lines: list[SignalLine] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)


def whole_json(data: bytes, what: str) -> Any:
    """The JSON value that an output is. Raises OutputUnreadable."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise OutputUnreadable(f"{what} is not UTF-8: byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        said = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise OutputUnreadable(f"{what} is no JSON: {said[:200]}") from error


def relative(path: str, root: Path) -> str:
    """A path as the repository knows it; tools print it absolute, relative or as file: URL.

    Raises ValueError when it is not below `root`.
    """
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    plain = PurePosixPath(path)
    if not plain.is_absolute():
        return str(plain)
    for top in (root, root.resolve()):
        if plain.is_relative_to(top):
            return str(plain.relative_to(top))
    raise ValueError(f"path: {path[:80]!r} is outside the repository")
