"""What the outside of a crash run recorded, read without asking the program that is judged."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from crash_site import TARGET, Site
from swarm.adapters.local import outside
from swarm.adapters.local.outside import Deposit
from swarm.adapters.local.process.folder import folder_name
from swarm.core.history.journal import Deed, Effect, Entry
from swarm.core.ids import MissionId, order_key, run_id
from swarm.core.policy.retries import FIXES_MAX
from swarm.runtime.outside import effects as outside_effects


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Watcher:
    """Looks at main and at the target many times a second, and notes when it saw what first."""

    site: Site
    mains: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    keys: dict[str, datetime] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)  #: what happened, and it did not see it happen

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
            told = json.loads(state.read_text(encoding="utf-8"))  # it is written in one step
        except FileNotFoundError:  # nothing was rolled out yet
            return []
        return [str(key) for key, _ in told["done"]]


def _main_of(clone: Path) -> str:
    try:
        return (clone / "refs" / "heads" / "main").read_text().strip()
    except FileNotFoundError:  # it is being cloned
        return ""


def effects(watcher: Watcher, entries: Sequence[Entry]) -> list[Effect]:
    """Everything that happened outside: agents, landings, the target, the owner's channel.

    What was seen to happen has the time at which it was seen first.
    """
    site, missions = watcher.site, {entry.chain for entry in entries}
    told = [*_runs(site, missions), *outside.notices(site.home.logs / "channel.jsonl")]
    for clone in site.home.clones.glob("*.git"):
        told += _landings(clone, watcher.mains.get(clone.name, []))
    for one in outside.exposures(site.home.services / TARGET / "service"):
        told.append(replace(one, at=watcher.keys.get(one.key)))
    watcher.unseen += [one.key for one in told if one.at is None and one.deed is not Deed.REVERT]
    return outside_effects(told, entries)


def _runs(site: Site, missions: Iterable[str]) -> Iterator[Deposit]:
    """Each line that an agent wrote when it began. The job's folder tells which run it was."""
    names = {
        folder_name(run_id(MissionId(mission), attempt)): (mission, attempt)
        for mission in missions
        for attempt in range(FIXES_MAX + 2)
    }
    for line in (site.folder / "agents.log").read_text(encoding="utf-8").splitlines():
        rule, job, at = line.split(" ")
        mission, attempt = names.get(Path(job).parent.name, (f"unknown-{rule}", 0))
        yield Deposit(
            at=datetime.fromtimestamp(float(at), UTC),
            deed=Deed.RUN,
            mission=mission,
            key=order_key(mission, "run", str(attempt)),
            subject=run_id(MissionId(mission), attempt),
        )


def _landings(clone: Path, mains: list[tuple[datetime, str]]) -> Iterator[Deposit]:
    """Each commit of main; it landed no later than when main was first seen to contain it."""
    order = {
        line: number for number, line in enumerate(_git(clone, "rev-list", "--reverse", "main"))
    }
    seen = [(at, order[head]) for at, head in mains if head in order]
    for one in outside.landings(clone):
        number = order[one.subject] if one.deed is Deed.LAND else len(order)
        yield replace(one, at=next((at for at, head in seen if head >= number), None))


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
