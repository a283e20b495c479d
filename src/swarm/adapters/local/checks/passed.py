"""What is known about trees: which passed which check, and how many tests ran on them.

Keyed by the tree and the check's definition, so the same files are not tested twice and a check
that was defined anew starts from nothing.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from swarm.adapters.local.process.folder import read_json
from swarm.adapters.local.process.supervisor import write_json


class Passed:
    """Green results and test counts below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _file(self, tree: str, definition: str) -> Path:
        return self.folder / definition / f"{tree}.json"

    def _write(self, tree: str, definition: str, data: dict[str, Any]) -> None:
        path = self._file(tree, definition)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(path, (read_json(path) or {}) | data)

    def remember(self, tree: str, definition: str, at: datetime) -> None:
        """This tree passed this check at that time."""
        self._write(tree, definition, {"green_at": at.isoformat()})

    def green_at(
        self, tree: str, definition: str, now: datetime, within: timedelta
    ) -> datetime | None:
        """When this tree last passed, if that is not longer ago than `within`."""
        data = read_json(self._file(tree, definition)) or {}
        if "green_at" not in data:
            return None
        at = datetime.fromisoformat(data["green_at"])
        return at if at <= now and now - at < within else None

    def forget(self, unused_for: timedelta) -> None:
        """Remove what was written longer ago than that."""
        before = time.time() - unused_for.total_seconds()
        for path in self.folder.glob("*/*.json"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    def count(self, tree: str, definition: str) -> tuple[bool, int | None]:
        """(whether this tree was counted, how many tests ran on it or None if it told none)."""
        data = read_json(self._file(tree, definition)) or {}
        return "tests" in data, data.get("tests")

    def counted(self, tree: str, definition: str, tests: int | None) -> None:
        """So many tests ran on this tree."""
        self._write(tree, definition, {"tests": tests})
