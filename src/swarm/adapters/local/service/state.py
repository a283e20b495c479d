"""What should run at a target: one small file, written in one step, read by the proxy.

The file is the desired state and the memory of carried-out orders in one, so an order's effect
and the note that it was carried out cannot be torn apart by a crash.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from swarm.adapters.local.service.errors import BadTarget

FORMAT = 1
FILE = "state.json"
PROXY_FILE = "proxy.json"
# A rollout has tens of orders; the memory must outlast every order that may still be repeated.
_KEYS_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One running version, as we started it.

    pid, started: name the process for good; see `process.kernel`. pid 0: not started.
    port:         where it listens on loopback.
    ready:        it was healthy once and may get traffic.
    """

    revision: str
    checkout: str
    port: int = 0
    pid: int = 0
    started: str = ""
    ready: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The desired state of a target.

    generation: grows with every change; the proxy says which one is in force.
    previous:   the version before the stable one, for a way back after promotion.
    percent:    the canary's share of traffic, 0..100.
    done:       (order key, outcome) of carried-out orders, oldest first.
    fence:      the newest under which one was carried out.
    fences:     (order key, fence) of those of `done` that came under one; for whoever checks.
    """

    generation: int = 0
    stable: Version | None = None
    canary: Version | None = None
    previous: Version | None = None
    percent: int = 0
    done: tuple[tuple[str, str], ...] = ()
    fence: int = 0
    fences: tuple[tuple[str, int], ...] = ()

    def outcome(self, key: str) -> str | None:
        """What the order with this key came to; None when it was not carried out."""
        return dict(self.done).get(key)

    def remembering(self, key: str, outcome: str, fence: int = 0) -> Target:
        """The same state, with this order carried out."""
        done = (*self.done, (key, outcome))[-_KEYS_KEPT:]
        fences = (*self.fences, (key, fence))[-_KEYS_KEPT:] if fence else self.fences
        return replace(self, done=done, fence=max(self.fence, fence), fences=fences)

    def versions(self) -> tuple[Version, ...]:
        """The versions that should run now."""
        return tuple(v for v in (self.stable, self.canary) if v is not None)


def read(folder: Path) -> Target:
    """The state of a target; an empty one before the first order. Raises BadTarget if damaged."""
    path = folder / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Target()
    except (OSError, ValueError) as error:
        raise BadTarget(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise BadTarget(f"{path} has format {found!r}; this program reads format {FORMAT}")
    try:
        return Target(
            generation=int(data["generation"]),
            stable=_version(data["stable"]),
            canary=_version(data["canary"]),
            previous=_version(data["previous"]),
            percent=int(data["percent"]),
            done=tuple((str(key), str(outcome)) for key, outcome in data["done"]),
            fence=int(data.get("fence", 0)),
            fences=tuple((str(key), int(fence)) for key, fence in data.get("fences", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadTarget(f"{path} is damaged: {error!r}") from error


def write(folder: Path, target: Target) -> Target:
    """Make this the state, in one step that survives a power cut; returns it as written."""
    target = replace(target, generation=target.generation + 1)
    write_json(folder / FILE, {"format": FORMAT, **asdict(target)})
    return target


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a file by an object: whole or not at all, on disk before this returns."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w", encoding="utf-8") as out:
        json.dump(data, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _version(data: dict[str, Any] | None) -> Version | None:
    return None if data is None else Version(**data)
