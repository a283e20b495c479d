"""Controllers and Postgres killed with -9 and paused beyond their lease, with many small missions.

    python3 dev.py crash --minutes 10
    python3 dev.py crash --minutes 1.5 --seed 4

Three controller processes share one database, real git, real agents and one real service. Whatever
is killed is started again at once. Then all is left alone until every mission has ended, and the
history is judged by what the outside recorded: git, the agents' own log, the target, the channel.
Exit status: 0 nothing was lost or doubled; 3 something was, or too little happened or was seen to
tell; 2 wrong use.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from crash_journals import Watcher, effects, notes
from crash_proof import Tally, asked, blind, slowly, unproved
from crash_site import SEATS, SWARM, Site, make
from swarm.adapters.postgres.store.desk.histories import Histories
from swarm.core.history.check import check
from swarm.core.history.finding import Judgement
from swarm.core.ids import swarm_id
from swarm.runtime.database import opened
from swarm.runtime.wiring import stop_local

BROKEN = 3
PAUSE = (16.0, 20.0)  #: seconds; longer than any lease
FIRST_PAUSE = 10  #: kills after which somebody is paused in any case, however short the run is
AT_ONCE = 16  #: needs that were told and have not come to an end
CALM = 300.0  #: seconds within which everything must have ended
LOOK = 0.02
FIRST_MOST = 5.0  #: seconds that the first order may wait once the database answers
#: A fence is the time of its claim, in microseconds. And whether what was due then still waits.
CLAIMED = """
select (select min(fence) from swarm.decision where fence > %s),
    exists (select from swarm.decision where due_at <= to_timestamp(%s))
"""
ENDED = """
select n.rule, o.outcome from swarm.mission m join swarm.outcome o on o.mission = m.id
join swarm.need n on n.id = m.need
"""


class Recovery:
    """After the database was killed: when it answers again, and when the first order is claimed."""

    def __init__(self, site: Site, tally: Tally) -> None:
        self._site, self._tally = site, tally
        self._since: float | None = None
        self._back: float | None = None
        self._waited = 0.0  #: seconds that a due order has waited beside a living controller

    def begin(self) -> None:
        """It was killed just now."""
        self.end()
        self._since = time.time()

    def end(self) -> None:
        """Nothing more is to be seen of the last one: who had not gone on by now was late."""
        if self._back is not None and self._waited > FIRST_MOST:
            self._tally.first.append(time.time() - self._back)
            self._tally.alive.append(self._waited)
            self._tally.late.append(f"{self._waited:.2f} s with a controller, and none was claimed")
        elif self._back is not None:
            self._tally.quiet += 1
        elif self._since is not None:
            self._tally.silent += 1
        self._since, self._back, self._waited = None, None, 0.0

    def look(self, alone: float) -> None:
        """Ask the database, unless the first order was seen.

        alone: since when some controller has lived neither killed nor paused, as `time.time` says.
        """
        if self._since is None:
            return
        try:
            with psycopg.connect(self._site.dsn, connect_timeout=1, autocommit=True) as connection:
                if self._back is None:
                    self._back = time.time()
                    self._tally.back.append(self._back - self._since)
                since = max(self._back, alone)
                found = connection.execute(CLAIMED, [int(self._back * 1e6), since]).fetchone()
        except psycopg.OperationalError:  # it is down; what it cannot read is a fault of this tool
            return
        if found and found[0] is None:
            self._waited = time.time() - since if found[1] else 0.0
        elif found:
            claimed = found[0] / 1e6
            first, alive = claimed - self._back, max(0.0, claimed - max(self._back, alone))
            self._tally.first.append(first)
            self._tally.alive.append(alive)
            if first > FIRST_MOST:
                self._tally.late.append(f"{first:.2f} s, {alive:.2f} s of it with a controller")
            self._since, self._back, self._waited = None, None, 0.0


class Harm:
    """Draws who is killed or paused next, and when."""

    def __init__(
        self, site: Site, tally: Tally, dice: random.Random, every: tuple[float, float]
    ) -> None:
        self._site, self._tally, self._dice = site, tally, dice
        self._kill_every, self._database_every = every
        self._recovery = Recovery(site, tally)
        self._paused: dict[str, float] = {}
        self._alone = dict.fromkeys(SEATS, time.time())  #: since when each was left alone
        now = time.monotonic()
        self._next, self._next_database = now + 5, now + 8

    def act(self) -> None:
        """Do what is due."""
        self.watch()  # before anybody else is killed: who is may be the one that claimed
        now = time.monotonic()
        for seat, until in list(self._paused.items()):
            if now >= until:
                self._site.send(seat, signal.SIGCONT)
                self._alone[seat] = time.time()
                del self._paused[seat]
        if now >= self._next:
            self._next = now + self._dice.uniform(0.5, 1.5) * self._kill_every
            self._somebody(now)
        if now >= self._next_database and (pid := self._site.postmaster()) is not None:
            self._next_database = now + self._dice.uniform(0.7, 1.3) * self._database_every
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self._tally.database_kills += 1
                self._recovery.begin()

    def _somebody(self, now: float) -> None:
        seat = self._dice.choice([seat for seat in SEATS if seat not in self._paused])
        drawn = self._dice.random() < 0.04  # noqa: PLR2004 - a share
        due = not self._tally.pauses and self._tally.kills >= FIRST_PAUSE
        if not self._paused and (drawn or due):
            if self._site.send(seat, signal.SIGSTOP):
                self._paused[seat] = now + self._dice.uniform(*PAUSE)
                self._tally.pauses += 1
        elif self._site.send(seat, signal.SIGKILL):
            self._alone[seat] = time.time()
            self._tally.kills += 1

    def watch(self) -> None:
        """Look whether the last recovery is complete."""
        self._recovery.look(min(self._alone[seat] for seat in SEATS if seat not in self._paused))

    def end(self) -> None:
        """Let everybody go on."""
        for seat in self._paused:
            self._site.send(seat, signal.SIGCONT)
            self._alone[seat] = time.time()
        self._paused.clear()

    def leave(self) -> None:
        """All has ended."""
        self._recovery.end()


def ended(site: Site) -> dict[str, str]:
    """The outcome of every mission that ended, by the rule of its need; {} while it is down."""
    with suppress(psycopg.OperationalError):
        return _ended(site)
    return {}


def _ended(site: Site) -> dict[str, str]:
    with psycopg.connect(site.dsn, connect_timeout=1, autocommit=True) as connection:
        return dict(connection.execute(ENDED).fetchall())


def first_life(site: Site) -> None:
    """Wait until the database was made and answers: before that there is nothing to lose."""
    until = time.monotonic() + CALM
    while time.monotonic() < until:
        site.keep_up()
        with suppress(psycopg.OperationalError, psycopg.errors.UndefinedTable):
            _ended(site)
            return
        time.sleep(LOOK)


def live(site: Site, watcher: Watcher, tally: Tally, options: argparse.Namespace) -> dict[str, str]:
    """Trouble for so many minutes, then calm until everything has ended."""
    first_life(site)
    harm = Harm(
        site,
        tally,
        random.Random(options.seed),  # noqa: S311 - a seeded draw, no secret
        (options.kill_every, options.database_every),
    )
    over = time.monotonic() + options.minutes * 60
    known: dict[str, str] = {}
    look_again = calm_since = 0.0
    while True:
        now = time.monotonic()
        site.keep_up()
        watcher.look()
        if now < over:
            harm.act()
        else:
            if not calm_since:
                harm.end()
                calm_since = now
            harm.watch()
        if now >= look_again:
            look_again = now + 1
            known = ended(site) or known
            while now < over and len(site.said) - len(known) < AT_ONCE:
                site.say()
        if calm_since and (len(known) == len(site.said) or now > calm_since + CALM):
            harm.leave()
            return known
        time.sleep(LOOK)


async def judged(site: Site, watcher: Watcher) -> tuple[Judgement, Counter[str]]:
    """The verdict over everything, and how much of what happened outside."""
    id_ = swarm_id("default", SWARM)
    async with opened(site.home, size=1) as database:
        histories = Histories(database)
        bare = await histories.read(id_)
        history = await histories.with_effects(id_, bare, effects(watcher, bare.entries))
    counts = Counter(str(effect.deed) for effect in history.effects)
    return check(history), counts


def report(
    site: Site, tally: Tally, known: dict[str, str], found: tuple[Judgement, Counter[str]]
) -> int:
    """Print the figures and what was broken; returns the exit status."""
    judgement, counts = found
    added = notes(site)
    lost = [rule for rule in site.said if rule not in known]
    lost += [rule for rule, outcome in known.items() if outcome == "delivered" and not added[rule]]
    doubled = [rule for rule, times in added.items() if times > 1]
    print(
        f"{tally.kills} controller kills, {tally.pauses} pauses beyond the lease,"
        f" {tally.database_kills} database kills, {site.lives} controllers started"
    )
    (most, most_databases), (least, least_databases) = tally.asked, slowly(tally.asked)
    print(
        f"asked: {most} controller kills and {most_databases} database kills;"
        f" of a slow machine {least} and {least_databases}"
    )
    print(f"{len(site.said)} needs told: {dict(Counter(known.values()))}; outside: {dict(counts)}")
    _spread("database answers again after its kill", tally.back)
    _spread("first order claimed after it answers", tally.first)
    _spread("the same while a controller was left alone", tally.alive)
    for late in tally.late:
        print(f"  over {FIRST_MOST:.0f} s: {late}")
    if tally.silent:
        print(f"{tally.silent} times it was killed again before it answered")
    if tally.quiet:
        print(f"{tally.quiet} times nothing was due for long before it was killed again")
    print(f"examined: { ({str(rule): count for rule, count in judgement.examined.items()}) }")
    print(f"not examined: {', '.join(judgement.unexamined) or 'none'}")
    print(f"not judged: { ({str(rule): count for rule, count in judgement.unjudged.items()}) }")
    for violation in judgement.violations:
        print(f"broken: {violation}")
    for rule in lost:
        print(f"lost: {rule}")
    for rule in doubled:
        print(f"doubled: {rule}")
    print(f"{len(lost)} lost, {len(doubled)} doubled, {len(judgement.violations)} promises broken")
    slow = any(seconds > FIRST_MOST for seconds in tally.alive)
    little = [*unproved(tally, known, counts), *blind(tally, judgement)]
    for what in little:
        print(f"nothing is proven: {what}")
    return BROKEN if lost or doubled or judgement.violations or slow or little else 0


def _spread(what: str, seconds: list[float]) -> None:
    if not seconds:
        print(f"{what}: never")
        return
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    middle = statistics.median(ordered)
    print(
        f"{what}: n={len(ordered)} median {middle:.2f} s, p95 {p95:.2f} s, most {ordered[-1]:.2f} s"
    )


def main(arguments: Sequence[str]) -> int:
    """Parse, harm, judge, report."""
    options = parser().parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="swarm-crash-"))
    folder.chmod(0o755)
    every = (options.kill_every, options.database_every)
    site, tally = make(folder), Tally(asked=asked(options.minutes, every))
    watcher = Watcher(site)
    try:
        known = live(site, watcher, tally, options)
        site.stop()
        watcher.look()
        found = asyncio.run(judged(site, watcher))
        tally.unseen += watcher.unseen
        code = report(site, tally, known, found)
    finally:
        site.stop()
        stop_local(site.home)
    if code == 0 and not options.keep:
        # As root the data stands outside the folder, where the server's account reaches it.
        for place in (site.data, folder):
            shutil.rmtree(place, ignore_errors=True)
    else:
        print(f"kept: {folder}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    top = argparse.ArgumentParser(
        prog="dev.py crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--minutes", type=float, default=10.0, help="of trouble (default: 10)")
    top.add_argument("--seed", type=int, default=1, help="of who is killed when (default: 1)")
    top.add_argument("--kill-every", type=float, default=1.0, help="seconds between two kills")
    top.add_argument("--database-every", type=float, default=10.0, help="the same of Postgres")
    top.add_argument("--keep", action="store_true", help="keep the folder in any case")
    return top


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
