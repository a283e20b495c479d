"""Plain data as it comes out of a text, and how paths into it are spelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from swarm.contract.errors import Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
"""Blocks and lists inside each other; a Swarm needs 6."""
MAX_NODES = 50_000
"""Values of all documents together, aliases expanded; a full Swarm has fewer than 3,000."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a text.

    tree:  dicts with text keys, lists, texts, numbers, truth values and None.
    lines: the line, from 1, on which the value at a path begins; empty for JSON.
    """

    tree: Any
    lines: dict[Path, int]


class Unreadable(Exception):
    """Ends the reading of a text; carries the one problem that ended it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def stop(wrong: str, right: str, *, path: Path = (), line: int | None = None) -> Unreadable:
    """The end of a reading, in words."""
    return Unreadable(Problem(path=spell(path), wrong=wrong, right=right, line=line))


def spell(path: Path) -> str:
    """The path as people write it: `spec.delivery.rollout.steps[1].setWeight`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def line_of(path: Path, lines: dict[Path, int]) -> int | None:
    """The line of the path, or of the nearest part around it that has one."""
    for length in range(len(path), -1, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None
