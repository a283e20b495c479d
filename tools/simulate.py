"""The real controller in simulated installations: one seed, many seeds, or a hundred years.

    python3 dev.py simulate                          200 seeds, a day each
    python3 dev.py simulate --years 100 --keep years.jsonl     before a release; may be stopped
    python3 dev.py simulate --seed 17                one seed, told in full if it fails
    python3 dev.py simulate --week quant             its reports of a shadow week and the next one

Everything is drawn from the seed: the installation, what goes wrong and when. A seed that fails is
shrunk to a short story with the one command that shows it again. Exit status: 0 all promises were
kept; 3 one was broken, or a batch of 200 seeds met something rare too rarely; 2 wrong use; 130 it
was stopped, and what it did until then is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from long_run import Kept, LongRun, OtherRun, seeds_of
from swarm.runtime.controller import Controller, Store
from swarm.runtime.hands import Hands
from swarm.runtime.source_keeper import SourceKeeper
from swarm.runtime.target_keeper import TargetKeeper
from swarm.testing.simulation import marks
from swarm.testing.simulation.cast import Cast
from swarm.testing.simulation.replica import Parts
from swarm.testing.simulation.shrink import shrink
from swarm.testing.simulation.simulation import DAY, Follow, Result, Simulation, Trial
from swarm.testing.simulation.story import command, tell
from swarm.testing.simulation.tally import Sum, Tally, summed
from swarm.testing.simulation.week import PROFILES, Fortnight
from swarm.testing.simulation.week import cast as cast_of
from week import tell as tell_week

BATCH = 200  #: seeds from which on every rare thing must have been met
BROKEN, WRONG_USE, STOPPED = 3, 2, 130
_LIVES: list[Simulation] = []  #: what is being simulated here: what the program logs is its fault
ERROR_LEVEL = 40


async def start(parts: Parts) -> None:
    """The very controller that `swarm.runtime.supervise` runs, made of simulated parts."""
    reach, store, watching = parts.reach, parts.store, parts.watching
    hands = Hands(
        runs=reach,
        checks=reach,
        forge=parts.forge,
        attestations=reach,
        targets=reach,
        metrics=reach,
        channel=reach,
        pages=reach,
        files=reach,
    )
    sources = SourceKeeper(store, parts.sources, store, parts.now, swarms_every=parts.poll)
    targets = TargetKeeper(parts.targets, watching, watching, store, store, every=parts.poll)
    controller = Controller(
        Store(ticks=store, orders=store, bell=store),
        hands,
        parts.binding_of,
        parts.name,
        now=parts.now,
        keepers=[sources, targets],
        poll=parts.poll,
    )
    await controller.run(asyncio.Event())


def simulate(trial: Trial, cast: Cast | None = None, follow: Follow | None = None) -> Result:
    """Run one trial; an exception that the program itself logs is a fault."""
    simulation = Simulation(trial, start, cast, follow)
    _LIVES.append(simulation)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _watch],
        wrapper_class=structlog.make_filtering_bound_logger(ERROR_LEVEL),
        # A process of a batch does nothing else, ever.
        cache_logger_on_first_use=multiprocessing.parent_process() is not None,
    )
    try:
        with _uncollected():
            return simulation.run()
    finally:
        _LIVES.remove(simulation)


def _watch(_: Any, method: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    _LIVES[-1].faults.append(f"{method} {dict(event)!r}"[-2_000:])
    raise structlog.DropEvent


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave cycles alone while a world lives: they are few, and looking for them takes long."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def work(trial: Trial) -> Sum:
    """Simulate and keep what a batch needs."""
    began = time.process_time()
    return summed(simulate(trial), time.process_time() - began)


def main(arguments: Sequence[str]) -> int:
    """Parse, simulate, report."""
    words = parser()
    options = words.parse_args(arguments)
    for name in ("seeds", "years", "days", "workers"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            words.error(f"--{name} is {value}; nothing simulated is nothing shown")
    if options.week is not None:
        return week(options.week, options.seed or 0, round(options.days or 7))
    lasts = timedelta(minutes=options.minutes) if options.minutes else (options.days or 1.0) * DAY
    if options.seed is not None:
        return one(
            Trial(
                seed=options.seed,
                lasts=lasts,
                off=frozenset(_points(options.off)),
                only=frozenset(_points(options.only)) if options.only else None,
            ),
            told=options.story,
        )
    if options.years is not None:
        seeds = seeds_of(options.years, options.first, lasts)
    else:
        seeds = range(options.first, options.first + options.seeds)
    try:
        return many(LongRun(seeds, lasts, Kept(options.keep, lasts)), lasts, options.workers)
    except OtherRun as error:
        print(error, file=sys.stderr)
        return WRONG_USE


def fortnight(profile: str, seed: int, days: int = 7) -> tuple[Fortnight, Result]:
    """So many days of shadow and as many of limited lights-out, with an owner who reads."""
    cast = cast_of(profile)
    owner = Fortnight(scene=cast.scenes[0], seed=seed, days=days)
    return owner, simulate(Trial(seed=seed, lasts=owner.lasts), cast, owner.follow)


def week(profile: str, seed: int, days: int) -> int:
    """A shadow week and a limited lights-out week, as the owner reads them."""
    owner, result = fortnight(profile, seed, days)
    print("\n".join(tell_week(owner, result)))
    print("\n".join(result.what()) or "kept every promise")
    return BROKEN if result.failed else 0


def one(trial: Trial, *, told: bool) -> int:
    """One seed: its story if it fails or is asked for."""
    result = simulate(trial)
    if not result.failed:
        print(tell(result) if told else f"seed {trial.seed}: kept every promise, {result.digest}")
        return 0
    if trial.only is not None:
        print(tell(result))
        return BROKEN
    print("\n".join(result.what()))
    _shrink(result)
    return BROKEN


def many(run: LongRun, lasts: timedelta, workers: int) -> int:
    """A batch: progress on stderr, figures on stdout, the first failure shrunk."""
    began = time.monotonic()
    whole = run.go(work, workers)
    tally, wall = run.tally, time.monotonic() - began
    _figures(tally)
    print(
        f"{tally.worlds} seeds, {tally.days:.1f} days of {tally.swarm_days:.1f} swarm-days", end=""
    )
    print(
        f" ({tally.swarm_days / 365:.2f} swarm-years); {wall:.1f} s here, {tally.cpu:.1f} s in all"
    )
    speed = tally.days / max(tally.cpu, 1e-9)
    print(f"{speed:.2f} days per second and core; {len(tally.failed)} seeds failed")
    rare = marks.missing(tally.counts, tally.worlds) if tally.worlds >= BATCH else ()
    for line in rare:
        print(f"met too rarely: {line}")
    if not whole:
        print("it was stopped; with --keep the same command goes on from here", file=sys.stderr)
        return BROKEN if tally.failed else STOPPED
    if tally.failed:
        _shrink(simulate(Trial(seed=min(tally.failed), lasts=lasts)))
    return BROKEN if tally.failed or rare else 0


def _figures(tally: Tally) -> None:
    faults = tally.faults
    print(f"{sum(faults.values())} faults injected, {tally.effects} effects outside:")
    for name, count in faults.items():
        print(f"  {name:14} {count:8}")
    print("rare things met:")
    for name in marks.SOMETIMES:
        if not name.startswith("fault "):
            print(f"  {name:38} {tally.counts[name]:8}")


def _shrink(failure: Result) -> None:
    print("shrinking ...", file=sys.stderr, flush=True)
    small = shrink(failure, simulate)
    after = len(small.result.injected)
    print(f"\n{small.before} faults -> {after}, {small.runs} runs, {small.seconds:.1f} s")
    print(tell(small.result))
    if small.result.trial != failure.trial:
        print(f"as it was found: {command(replace(failure.trial, only=None))}")


def _points(text: str) -> list[str]:
    return [point for point in text.split(",") if point]


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    top = argparse.ArgumentParser(
        prog="dev.py simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--seeds", type=int, default=BATCH, help="how many (default: 200)")
    top.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    top.add_argument("--days", type=float, help="simulated days: 1 per seed, 7 per week")
    top.add_argument("--minutes", type=float, default=0.0, help="instead of days")
    top.add_argument(
        "--years", type=float, help="instead of --seeds: so many years of a swarm in all"
    )
    top.add_argument(
        "--keep", type=Path, metavar="FILE", help="keep what ended there, and go on from what is"
    )
    top.add_argument("--week", choices=PROFILES, help="the first two weeks of a profile, as read")
    top.add_argument("--seed", type=int, help="this one alone")
    top.add_argument("--story", action="store_true", help="with --seed: tell it if all is well too")
    top.add_argument("--off", default="", help="decisions to switch off, by name, with commas")
    top.add_argument("--only", default="", help="no fault but these, by name, with commas")
    top.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    return top


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
