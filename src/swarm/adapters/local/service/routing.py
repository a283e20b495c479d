"""Which version gets the next request: the proxy's own copy of the target's state."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

from swarm.adapters.local.service import state
from swarm.adapters.local.service.errors import BadTarget

_WHOLE = 100
# The target's folder was removed without stopping the proxy: it must not serve for ever.
_ORPHANED_AFTER = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request goes."""

    arm: str
    revision: str
    port: int


class Routes:
    """The split in force. `refresh` is called often and costs one stat of the state file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[int, int, int] | None = None
        self._missing_since: float | None = None
        self.generation = 0
        self.percent = 0
        self.stable: Route | None = None
        self.canary: Route | None = None
        # Not predictable by clients, so that nobody can choose a version by timing.
        self._dice = random.SystemRandom()

    def pick(self) -> Route | None:
        """The version for one request, drawn anew for each; None when there is none.

        Independent draws, not turns: a client that alternates two kinds of request would
        otherwise send one kind to one version only.
        """
        if self.canary is not None and self._dice.random() * _WHOLE < self.percent:
            return self.canary
        return self.stable

    def refresh(self) -> bool:
        """Read the state if it changed; True when it did. A damaged file changes nothing."""
        try:
            found = (self._folder / state.FILE).stat()
        except OSError:
            self._missing_since = self._missing_since or time.monotonic()
            return False
        self._missing_since = None
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen == self._seen:
            return False
        try:
            target = state.read(self._folder)
        except BadTarget:
            return False
        self._seen = seen
        self.generation = target.generation
        self.percent = target.percent
        self.stable = _route("stable", target.stable)
        self.canary = _route("canary", target.canary)
        return True

    def orphaned(self) -> bool:
        """Whether the state has been gone for so long that nobody will bring it back."""
        since = self._missing_since
        return since is not None and time.monotonic() - since > _ORPHANED_AFTER

    def routes(self) -> tuple[Route, ...]:
        """Both versions, stable first, as far as there are any."""
        return tuple(route for route in (self.stable, self.canary) if route is not None)


def _route(arm: str, version: state.Version | None) -> Route | None:
    if version is None or not version.ready:
        return None
    return Route(arm=arm, revision=version.revision, port=version.port)
