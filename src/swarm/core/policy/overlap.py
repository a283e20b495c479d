"""One repository never has two missions that write to it at once, unless paths are disjoint.

Two paths meet when they are equal or one is a folder above the other. A mission that names no
path may write anywhere, so it meets everything in its repository.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from swarm.core.ids import MissionId

WHOLE = ""  #: the path of a mission that names none
_PREFIX = "path:"


def resources(repo: str, paths: Iterable[str]) -> frozenset[str]:
    """What a mission that writes to these paths holds until it has landed."""
    return frozenset(_resource(repo, path) for path in paths) or frozenset({_resource(repo, WHOLE)})


def anybody(_owner: MissionId) -> bool:
    """Whoever holds a path counts."""
    return True


class Occupied:
    """The paths that open missions hold, ready to be asked.

    held: resource -> mission, looked at when asked: whoever changes it afterwards also says
          `took` for what is new in it. What was given up need not be told.
    Cost: one pass in C over what is held at the first question, then O(depth) for each; a question
    about a folder that somebody writes below costs a pass.
    """

    def __init__(self, held: Mapping[str, MissionId]) -> None:
        self._held = held
        self._more: dict[str, MissionId] = {}
        self._covered: set[str] | None = None

    def add(self, resource: str, owner: MissionId) -> None:
        """Count one more path resource as held, without touching what others hold."""
        self._more[resource] = owner
        self.took(resource)

    def took(self, resource: str) -> None:
        """Something new is held."""
        if self._covered is not None:
            self._covered |= _covers(resource)

    def meets(
        self, repo: str, paths: Iterable[str], counts: Callable[[MissionId], bool] = anybody
    ) -> tuple[MissionId, str] | None:
        """A mission whose paths meet these, and the resource it holds; None if none does.

        counts: whether a mission that holds something is one to look at.
        """
        for path in tuple(paths) or (WHOLE,):
            above = (path.rstrip("/"), *_folders(path))
            for resource in (_resource(repo, folder) for folder in above):
                owner = self._owner(resource)
                if owner is not None and counts(owner):
                    return owner, resource
            if _resource(repo, path) in self._covering():
                met = self._below(_resource(repo, path), counts)
                if met is not None:
                    return met
        return None

    def _owner(self, resource: str) -> MissionId | None:
        return self._held.get(resource) or self._more.get(resource)

    def _covering(self) -> set[str]:
        """Every path that is held, and every folder above one; perhaps some that no longer are."""
        if self._covered is None:
            self._covered = set().union(*map(_covers, self._held), *map(_covers, self._more))
        return self._covered

    def _below(
        self, folder: str, counts: Callable[[MissionId], bool]
    ) -> tuple[MissionId, str] | None:
        below = folder if folder.endswith(":") else f"{folder}/"
        for held in (self._held, self._more):
            for resource, owner in held.items():
                if resource.startswith(below) and counts(owner):
                    return owner, resource
        return None


def _resource(repo: str, path: str) -> str:
    return f"{_PREFIX}{repo}:{path.rstrip('/')}"


# Parsed once per resource and process: a tick asks about the same thousand paths again. Folders
# repeat from path to path, so each is kept once.
@lru_cache(maxsize=65_536)
def _covers(resource: str) -> frozenset[str]:
    """A path resource and every folder above it; of another resource nothing."""
    if not resource.startswith(_PREFIX):
        return frozenset()
    _, repo, path = resource.split(":", 2)
    places = (path.rstrip("/"), *_folders(path))
    return frozenset(sys.intern(_resource(repo, place)) for place in places)


def _folders(path: str) -> Iterator[str]:
    """Every folder above a path, the repository's root (`WHOLE`) last."""
    folder = path.rstrip("/")
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
