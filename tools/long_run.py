"""Many trials over several processes: streamed, counted, kept in a file, gone on from there.

Memory stays flat however long it takes: a trial leaves one line of sums and is forgotten. The file
holds one such line for each trial that ended, under a first line that names the code and the length
of the trials; sums of another code say nothing about this one and are refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from swarm.testing.simulation.cast import size
from swarm.testing.simulation.simulation import Trial
from swarm.testing.simulation.tally import Sum, Tally

ROOT = Path(__file__).resolve().parents[1]
OURS = ("src", "tools")
AHEAD = 2  #: trials per process that are handed out before one of them has ended
STOPPING = (signal.SIGINT, signal.SIGTERM)
TELL_EVERY = 10.0  #: seconds between two lines of progress

Work = Callable[[Trial], Sum]


class OtherRun(Exception):
    """The file belongs to a run that this one cannot go on with."""


def seeds_of(years: float, first: int, lasts: timedelta) -> range:
    """The seeds whose swarms together live so many years. Cost: one draw for each seed."""
    left, seed = years * timedelta(days=365) / lasts, first
    while left > 0:
        left -= size(seed).swarms
        seed += 1
    return range(first, seed)


def code() -> str:
    """A name for what simulates and is simulated: every module of ours that is loaded by now."""
    loaded = (getattr(module, "__file__", None) for module in sys.modules.values())
    ours = sorted({Path(name) for name in loaded if name and ROOT in Path(name).parents})
    told = hashlib.blake2b(digest_size=8)
    for path in ours:
        if path.relative_to(ROOT).parts[0] in OURS:
            told.update(path.read_bytes())
    return told.hexdigest()


class Kept:
    """The file of one run. path: None keeps nothing."""

    def __init__(self, path: Path | None, lasts: timedelta) -> None:
        self._path, self._head = path, {"code": code(), "seconds": lasts.total_seconds()}
        self._file: TextIO | None = None

    def open(self) -> list[Sum]:
        """What is there already; this run alone writes behind it from here on. Raises OtherRun.

        A last line that was cut off is done anew.
        """
        if self._path is None:
            return []
        self._file = self._path.open("a+")
        try:
            # Before it is read: what ends in between would be done, counted and kept twice.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return self._whole(self._path, self._file)
        except BlockingIOError as error:
            self.close()
            raise OtherRun(f"{self._path} is kept by a run that is under way") from error
        except OtherRun:
            self.close()
            raise

    def _whole(self, path: Path, file: TextIO) -> list[Sum]:
        """The sums of every whole line; what is behind them is cut off."""
        file.seek(0)
        first, *lines = file.read().split("\n")
        if not (first or lines):  # a file that is new
            file.write(f"{json.dumps(self._head)}\n")
            file.flush()
            return []
        if first != json.dumps(self._head):
            raise OtherRun(
                f"{path} was kept by other code or for trials of another length;"
                " name another file, or delete this one and begin anew"
            )
        whole = [first, *lines[:-1]]
        file.truncate(sum(len(line) + 1 for line in whole))  # of ASCII, as JSON is written here
        return [Sum.from_plain(json.loads(line)) for line in whole[1:]]

    def add(self, one: Sum) -> None:
        """Keep one more."""
        if self._file is not None:
            self._file.write(f"{json.dumps(one.plain())}\n")
            self._file.flush()

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()


def stream(trials: Iterable[Trial], work: Work, workers: int) -> Iterator[Sum]:
    """Every trial's sum, as they end; only a few are under way at any time."""
    if workers <= 1:
        yield from map(work, trials)
        return
    with ExitStack() as stack:
        pool = ProcessPoolExecutor(workers, initializer=_hear_no_interrupt)
        stack.callback(pool.shutdown, cancel_futures=True)
        flying: set[Future[Sum]] = set()
        for trial in trials:
            flying.add(pool.submit(work, trial))
            if len(flying) >= workers * AHEAD:
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while flying:
            done, flying = wait(flying, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)


def _hear_no_interrupt() -> None:
    """Ctrl-C reaches every process of a terminal: the first of them decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class LongRun:
    """One run over seeds. tally: of all that ended, in this run or in one before it."""

    def __init__(self, seeds: Sequence[int], lasts: timedelta, kept: Kept) -> None:
        self._seeds, self._lasts, self._kept = seeds, lasts, kept
        self._whole = sum(size(seed).swarms for seed in seeds) * (lasts / timedelta(days=1))
        self._stopped, self.tally = False, Tally()

    def go(self, work: Work, workers: int) -> bool:
        """Run what is left; whether it came to its end. SIGTERM and Ctrl-C end it early."""
        done = set[int]()
        for one in self._kept.open():
            if one.seed in self._seeds and one.seed not in done:
                self.tally.add(one)
                done.add(one.seed)
        trials = (Trial(seed=seed, lasts=self._lasts) for seed in self._seeds if seed not in done)
        before = {number: signal.signal(number, self._stop) for number in STOPPING}
        try:
            self._count(stream(trials, work, workers))
        except BrokenProcessPool:
            self._stopped = True
            print("one of the worker processes was killed (by whom? memory?)", file=sys.stderr)
        finally:
            self._kept.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        return not self._stopped

    def _stop(self, number: int, _: object) -> None:
        """Let what is under way end: a world that is left in its middle cannot be judged."""
        self._stopped = True
        signal.signal(number, signal.SIG_DFL)  # whoever asks twice does not want to wait

    def _count(self, sums: Iterator[Sum]) -> None:
        began, lived = time.monotonic(), self.tally.swarm_days
        told = began
        for one in sums:
            self.tally.add(one)
            self._kept.add(one)
            if one.broken:
                print(f"seed {one.seed}: {one.broken[0]}", flush=True)
            now = time.monotonic()
            if now - told >= TELL_EVERY or self.tally.worlds == len(self._seeds):
                told = now
                self._tell(now - began, self.tally.swarm_days - lived)
            if self._stopped:
                return

    def _tell(self, seconds: float, lived: float) -> None:
        left = (self._whole - self.tally.swarm_days) * seconds / max(lived, 1e-9)
        print(
            f"{self.tally.worlds} of {len(self._seeds)} seeds,"
            f" {self.tally.swarm_days / 365:.2f} of {self._whole / 365:.2f} swarm-years,"
            f" {sum(self.tally.faults.values())} faults, {len(self.tally.failed)} failed;"
            f" {_span(seconds)} gone, about {_span(left)} left",
            file=sys.stderr,
            flush=True,
        )


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
