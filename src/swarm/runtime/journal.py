"""Reads a controller's event log while it is being written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """The events of one log, each handed out once, in order."""

    def __init__(self, log: Path) -> None:
        self._log, self._read = log, 0

    def fresh(self) -> Iterator[dict[str, Any]]:
        """What was written since the last call; half a line waits for its other half."""
        try:
            with self._log.open(encoding="utf-8") as log:
                log.seek(self._read)
                while line := log.readline():
                    if not line.endswith("\n"):
                        return
                    self._read += len(line.encode())
                    yield json.loads(line)
        except FileNotFoundError:
            return
