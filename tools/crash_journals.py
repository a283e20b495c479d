"""What the outside of a crash run recorded, read without asking the program that is judged."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from crash_site import TARGET, Site
from swarm.adapters.local.process.folder import folder_name
from swarm.core.history.journal import Deed, Effect, Entry
from swarm.core.ids import MissionId, mission_of, order_key, run_id
from swarm.core.policy.retries import FIXES_MAX

DEEDS = {deed.value: deed for deed in (Deed.SYNC, Deed.TRAFFIC, Deed.PROMOTE, Deed.ABORT)}
FIELDS = "%H %(trailers:key=Swarm-Mission,valueonly,separator=%x2C)"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Watcher:
    """Looks at main and at the target many times a second, and notes when it saw what first."""

    site: Site
    mains: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    keys: dict[str, datetime] = field(default_factory=dict)

    def look(self) -> None:
        """Note what is new."""
        for clone in self.site.home.clones.glob("*.git"):
            seen = self.mains.setdefault(clone.name, [])
            head = _main_of(clone)
            if head and (not seen or seen[-1][1] != head):
                seen.append((_now(), head))
        for key in self.done():
            self.keys.setdefault(key, _now())

    def done(self) -> list[str]:
        """The keys of the orders that the target carried out, as often as it did."""
        state = self.site.home.services / TARGET / "service" / "state.json"
        try:
            return [str(key) for key, _ in json.loads(state.read_text(encoding="utf-8"))["done"]]
        except (OSError, ValueError, KeyError):
            return []


def _main_of(clone: Path) -> str:
    try:
        return (clone / "refs" / "heads" / "main").read_text().strip()
    except OSError:
        return ""


def effects(watcher: Watcher, entries: Iterable[Entry]) -> list[Effect]:
    """Everything that happened outside: agents, landings, the target, the owner's channel."""
    issued: dict[str, list[str]] = {}
    for entry in entries:
        if entry.kind == "order.issued":
            issued.setdefault(entry.chain, []).append(str(entry.body["order"]))
    found = [*_runs(watcher.site, issued), *_target(watcher), *_told(watcher.site)]
    for clone in watcher.site.home.clones.glob("*.git"):
        found += _landings(clone, watcher.mains.get(clone.name, []), issued)
    return found


def _runs(site: Site, missions: Iterable[str]) -> Iterator[Effect]:
    """Each line that an agent wrote when it began. The job's folder tells which run it was."""
    names = {
        folder_name(run_id(MissionId(mission), attempt)): (mission, attempt)
        for mission in missions
        for attempt in range(FIXES_MAX + 2)
    }
    for line in (site.folder / "agents.log").read_text(encoding="utf-8").splitlines():
        rule, job, at = line.split(" ")
        mission, attempt = names.get(Path(job).parent.name, (f"unknown-{rule}", 0))
        yield Effect(
            at=datetime.fromtimestamp(float(at), UTC),
            deed=Deed.RUN,
            mission=mission,
            key=order_key(mission, "run", str(attempt)),
            subject=run_id(MissionId(mission), attempt),
        )


def _landings(
    clone: Path, mains: list[tuple[datetime, str]], issued: dict[str, list[str]]
) -> Iterator[Effect]:
    """Each commit of main; it landed no later than when main was first seen to contain it."""
    commits = [
        line.partition(" ")
        for line in _git(clone, "log", "--reverse", f"--format={FIELDS}", "main")
    ]
    order = {commit: number for number, (commit, _, _) in enumerate(commits)}
    seen = [(at, order[head]) for at, head in mains if head in order]
    for number, (commit, _, mission) in enumerate(commits):
        if not mission:
            continue  # the repository's own beginning
        at = next((at for at, head in seen if head >= number), _now())
        start = order_key(mission, "land", commit)
        keys = [key for key in issued.get(mission, []) if key.startswith(start)]
        yield Effect(
            at=at,
            deed=Deed.LAND,
            mission=mission,
            key=keys[-1] if keys else start,
            where=clone.name,
            subject=commit,
        )


def _target(watcher: Watcher) -> Iterator[Effect]:
    for key in watcher.done():
        _, verb, *parts = key.split("/")
        if verb not in DEEDS:
            continue
        yield Effect(
            at=watcher.keys.get(key, _now()),
            deed=DEEDS[verb],
            mission=mission_of(key),
            key=key,
            where=parts[0],
            subject=parts[1],
            step=int(parts[2]) if verb == "traffic" else 0,
        )


def _told(site: Site) -> Iterator[Effect]:
    channel = site.home.logs / "channel.jsonl"
    for text in channel.read_text(encoding="utf-8").splitlines() if channel.exists() else ():
        line = json.loads(text)
        yield Effect(
            at=datetime.fromisoformat(line["at"]),
            deed=Deed.NOTIFY,
            mission=line["mission"],
            key=line["key"],
            where=line["channel"],
        )


def notes(site: Site) -> Counter[str]:
    """How often each rule's note was added to main, by what Git says."""
    found: Counter[str] = Counter()
    for clone in site.home.clones.glob("*.git"):
        words = ("log", "--diff-filter=A", "--format=", "--name-only", "main", "--", "notes")
        found.update(Path(line).stem for line in _git(clone, *words) if line)
    del found["first"]
    return found


def _git(clone: Path, *words: str) -> list[str]:
    command = ["git", "-c", "safe.directory=*", "-C", str(clone), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
