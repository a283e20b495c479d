"""One repository never has two missions that write to it at once, unless paths are disjoint.

Two paths meet when they are equal or one is a folder above the other. A mission that names no
path may write anywhere, so it meets everything in its repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from swarm.core.ids import MissionId

WHOLE = ""  #: the path of a mission that names none


def resources(repo: str, paths: Iterable[str]) -> frozenset[str]:
    """What a mission that writes to these paths holds until it has landed."""
    return frozenset(f"path:{repo}:{path}" for path in paths) or frozenset({f"path:{repo}:{WHOLE}"})


class Occupied:
    """The paths that open missions hold, ready to be asked. Each question costs O(depth)."""

    def __init__(self, held: Mapping[str, MissionId], me: MissionId | None = None) -> None:
        self._exact: dict[tuple[str, str], tuple[MissionId, str]] = {}
        self._above: dict[tuple[str, str], tuple[MissionId, str]] = {}
        for resource, owner in held.items():
            if owner != me and resource.startswith("path:"):
                self.add(resource, owner)

    def add(self, resource: str, owner: MissionId) -> None:
        """Count one more path resource as held."""
        own, above = _places(resource)
        held = (owner, resource)
        self._exact[own] = held
        for place in above:
            self._above[place] = held

    def meets(self, repo: str, paths: Iterable[str]) -> tuple[MissionId, str] | None:
        """A mission whose paths meet these, and the resource it holds; None if none does."""
        for path in tuple(paths) or (WHOLE,):
            for folder in (path.rstrip("/"), *_folders(path)):
                if (met := self._exact.get((repo, folder))) is not None:
                    return met
            if (met := self._above.get((repo, path.rstrip("/")))) is not None:
                return met
        return None


# Parsed once per resource and process: a tick asks about the same thousand paths again.
@lru_cache(maxsize=65_536)
def _places(resource: str) -> tuple[tuple[str, str], tuple[tuple[str, str], ...]]:
    """A path resource as (repository, path), and every (repository, folder) above it."""
    _, repo, path = resource.split(":", 2)
    path = path.rstrip("/")
    return (repo, path), tuple((repo, folder) for folder in _folders(path))


def _folders(path: str) -> Iterator[str]:
    """Every folder above a path, the repository's root (`WHOLE`) last."""
    folder = path.rstrip("/")
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
