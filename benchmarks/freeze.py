"""From a freeze to the last thing that was begun, merged or promoted in spite of it.

    python benchmarks/freeze.py              30 trials, about four minutes
    python benchmarks/freeze.py --trials 5

Three controllers, real git, real agents and a real service are hard at work. A person freezes
everything from the command line. From the moment at which that holds, a watcher that knows nothing
of our tables (the agents' own log, main in the private clones, what the target carried out) says
what still happened, and when the last of it did. The freeze is then lifted in the database, because
lifting it by the rules would take a requalification for each trial.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from stand import head, quantile, row

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from crash_journals import Watcher  # noqa: E402 - the tools are scripts, not a package
from crash_site import TARGET, Site, make  # noqa: E402
from swarm.adapters.local import outside  # noqa: E402
from swarm.core.history.journal import FORWARD  # noqa: E402
from swarm.runtime.wiring import stop_local  # noqa: E402

LOOK = 0.01
AT_ONCE = 16  #: needs that were told and have not landed
PATIENCE = 300.0
WATCHED = 4.0  #: seconds after a freeze in which nothing may happen any more
GOAL = 1.0
KINDS = {"dispatch": ("run",), "merge": ("land",), "promotion": ("sync", "traffic", "promote")}
SWARMCTL = (sys.executable, "-P", "-c", "from swarm.cli import main; main()")


@dataclass(slots=True)
class World:
    """A busy site, and a thread that looks at its outside."""

    site: Site
    watcher: Watcher
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look, keep everybody alive, and tell a need now and then."""
        while not self.over.is_set():
            self.site.keep_up()
            self.watcher.look()
            landed = sum(len(heads) - 1 for heads in self.watcher.mains.values())
            if len(self.site.said) - landed < AT_ONCE:
                self.site.say()
            time.sleep(LOOK)

    def seen(self) -> dict[str, list[float]]:
        """When each kind of effect was seen, as Unix times."""
        found: dict[str, list[float]] = defaultdict(list)
        for line in (self.site.folder / "agents.log").read_text(encoding="utf-8").splitlines():
            found["run"].append(float(line.split(" ")[2]))
        for heads in self.watcher.mains.values():
            found["land"] += [at.timestamp() for at, _ in heads[1:]]
        for one in outside.exposures(self.site.home.services / TARGET / "service"):
            if one.deed in FORWARD and one.key in self.watcher.keys:
                found[str(one.deed)].append(self.watcher.keys[one.key].timestamp())
        return found


def freeze(site: Site) -> tuple[float, float, float]:
    """Freeze everything as a person does; when that was asked for, when it held, and returned."""
    begun = time.time()
    subprocess.run(
        [*SWARMCTL, "freeze", "--reason", "a trial", "--home", str(site.folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
        capture_output=True,
    )
    returned = time.time()
    with psycopg.connect(site.dsn, autocommit=True) as connection:
        found = connection.execute("select max(since) from swarm.frozen").fetchone()
    return begun, found[0].timestamp() if found else returned, returned


def lift(site: Site) -> None:
    with psycopg.connect(site.dsn, autocommit=True) as connection:
        connection.execute("update swarm.frozen set lifted_at = now() where lifted_at is null")
        connection.execute("insert into swarm.wake (swarm) select id from swarm.swarm")


def busy(world: World, since: float) -> None:
    """Until each kind of effect has happened since then: a freeze of idleness shows nothing."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        seen = world.seen()
        if all(any(at > since for name in names for at in seen[name]) for names in KINDS.values()):
            return
        time.sleep(0.2)
    counts = {name: len(times) for name, times in world.seen().items()}
    sys.exit(f"not everything happened within {PATIENCE:.0f} s: {counts}")


def measure(world: World, trials: int) -> None:
    dice = random.Random(7)
    after: dict[str, list[float]] = defaultdict(list)
    late: dict[str, int] = defaultdict(int)
    holds, calls, since = [], [], time.time()
    for _ in range(trials):
        busy(world, since)
        time.sleep(dice.uniform(0, 1.5))
        begun, held, returned = freeze(world.site)
        holds.append(held - begun)
        calls.append(returned - begun)
        time.sleep(WATCHED)
        seen = world.seen()
        for kind, names in KINDS.items():
            times = [at - held for name in names for at in seen[name] if at > held]
            after[kind].append(max(times, default=0.0))
            late[kind] += sum(at > GOAL for at in times)
        since = time.time()
        lift(world.site)
    for kind in KINDS:
        found = after[kind]
        some = sum(at > 0 for at in found)
        row(
            f"from the freeze until the last {kind}", "most 1 s", f"most {max(found):.2f} s",
            f"p95 {quantile(found, 0.95):.2f} s; anything at all in {some} of {trials} trials;"
            f" {late[kind]} after 1 s",
        )  # fmt: skip
    for what, spans in (("holds", holds), ("has returned", calls)):
        row(f"`swarmctl freeze` until it {what}", "", f"p50 {quantile(spans, 0.5):.2f} s",
            f"most {max(spans):.2f} s")  # fmt: skip
    row("work meanwhile", "", f"{len(world.seen()['run'])} runs",
        f"{len(world.seen()['land'])} merges, {datetime.now(UTC):%H:%M} UTC")  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trials", type=int, default=30)
    given = arguments.parse_args()
    head("From a freeze to stillness")
    folder = Path(tempfile.mkdtemp(prefix="swarm-freeze-"))
    folder.chmod(0o755)
    site = make(folder)
    world = World(site, Watcher(site))
    thread = threading.Thread(target=world.watch)
    thread.start()
    try:
        measure(world, given.trials)
    finally:
        world.over.set()
        thread.join()
        site.stop()
        stop_local(site.home)
        for place in (site.data, folder):
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
