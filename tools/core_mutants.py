"""Put every small fault into the deciding code, one at a time, and see which test notices.

    python3 dev.py mutants --core                       all of core: half an hour
    python3 dev.py mutants --core core/gates            these files or folders below src/swarm
    python3 dev.py mutants --core --sample 100          so many, drawn by --seed (0), in seconds
    python3 dev.py mutants --core --since v0.1.0        in the lines changed since this commit
    python3 dev.py mutants --core --known last.tsv      all but what that --report says is noticed

The tests are collected once. They run once without a fault, to learn which lines each goes
through; then each fault is planted in a forked child, which asks the tests that go through its
lines, the quickest first, until one fails. What no test notices has survived, unless
tests/mutants/equivalent.toml gives the reason why it is no fault. Exit status: 0 none survived;
3 one did; 2 a reason for a fault that is not there, or wrong use.
"""

from __future__ import annotations

import argparse
import gc
import os
import pickle
import random
import resource
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from mutations import Mutation, made_from, mutations, remembered_from

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "swarm"
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"
DECIDING = ("core",)
TESTS = ("tests/exhaustive", "tests/core")
SURVIVED, USAGE = 3, 2
CPU_SECONDS = 5  #: and three times what a test needs without a fault; what runs longer hangs
MEMORY = 4 * 1024**3  #: bytes, for the same reason
FAILED = 70  #: how a child ends that could not do its work
DIED = b"(hung or died)"  #: no test answered; that is noticed too


def files(below: Sequence[str]) -> list[Path]:
    """The Python files of these files and folders below the package. Raises ValueError."""
    found: list[Path] = []
    for name in below:
        path = PACKAGE / name
        if not path.exists():
            raise ValueError(f"{path} does not exist")
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


def faults(below: Sequence[str] = DECIDING) -> list[Mutation]:
    """Every mutation of these files and folders. Raises ValueError."""
    return [
        m for file in files(below) for m in mutations(file, file.relative_to(PACKAGE).as_posix())
    ]


def equivalents(path: Path = EQUIVALENT) -> dict[str, str]:
    """Why each of these mutations changes nothing that could be seen."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: reason for reason, names in listed.items() for name in names}


@dataclass(slots=True)
class Lines:
    """Which lines of the files each test goes through, and how long it takes, without a fault."""

    seconds: dict[str, float] = field(default_factory=dict)
    through: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    failed: list[str] = field(default_factory=list)

    def asked(self, fault: Mutation) -> list[str]:
        """The tests that could notice a fault, the quickest first."""
        met = {test for n in fault.lines for test in self.through.get((str(fault.file), n), ())}
        return sorted(met, key=lambda test: (self.seconds[test], test))


class Hunt:
    """A pytest plugin that runs the collected tests once for each fault instead of once."""

    def __init__(self, chosen: Sequence[Mutation], told: Callable[[Mutation, str], None]) -> None:
        self._chosen = chosen
        self._told = told

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """Properties are tried alike for each fault; the first failure is enough."""
        asked = (Phase.explicit, Phase.generate)
        profile = settings(deadline=None, max_examples=25, derandomize=True, database=None)
        settings.register_profile("mutants", profile, phases=asked)
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """The whole hunt. Raises RuntimeError if a test fails without a fault."""
        items = {item.nodeid: item for item in session.items}
        watched = {str(fault.file) for fault in self._chosen}
        gc.unfreeze()  # what is frozen is hidden from whoever looks for it
        told = _in_child(lambda: pickle.dumps(_learned(items, watched)))
        lines: Lines = pickle.loads(told)  # noqa: S301 - it comes from our own child
        if lines.failed:
            raise RuntimeError(f"these fail without a fault: {', '.join(lines.failed)}")
        made = made_from(watched)
        if not made:
            raise RuntimeError("no test imports what the faults are to be planted in")
        gc.freeze()  # or every child would copy what its collector looks at: all there is
        for fault in self._chosen:
            tests = [(items[name], lines.seconds[name]) for name in lines.asked(fault)]
            noticed = partial(_noticed, fault, made, tests)
            self._told(fault, _in_child(noticed).decode() if tests else "")
        return True


def _learned(items: dict[str, pytest.Item], watched: set[str]) -> Lines:
    lines, remembered = Lines(), remembered_from(watched)
    for name, item in items.items():
        for answers in remembered:
            answers.cache_clear()  # or a test would not go through what another one asked before
        began = time.monotonic()
        with _traced(watched) as met:
            passed = _passes(item)
        lines.seconds[name] = time.monotonic() - began
        for place in met:
            lines.through[place].add(name)
        if not passed:
            lines.failed.append(name)
    lines.through = dict(lines.through)
    return lines


@contextmanager
def _traced(watched: set[str]) -> Iterator[set[tuple[str, int]]]:
    """Collects the lines of these files that run meanwhile."""
    met: set[tuple[str, int]] = set()

    def line(frame: FrameType, _event: str, _arg: Any) -> Any:
        met.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, _event: str, _arg: Any) -> Any:
        return line if frame.f_code.co_filename in watched else None

    sys.settrace(call)
    try:
        yield met
    finally:
        sys.settrace(None)


def _passes(item: pytest.Item) -> bool:
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _noticed(
    fault: Mutation, made: Sequence[FunctionType], tests: Sequence[tuple[pytest.Item, float]]
) -> bytes:
    """Plant the fault here; the first of the tests that fails then, or nothing."""
    fault.plant(made)
    for item, seconds in tests:
        _limit(CPU_SECONDS + 3 * seconds)
        if not _passes(item):
            return item.nodeid.encode()
    return b""


def _limit(seconds: float) -> None:
    """So much more CPU time for this process, then it dies; and so much memory in all."""
    least = int(time.process_time() + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (least, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _in_child(work: Callable[[], bytes]) -> bytes:
    """What this gives in a forked child, which cannot change the parent."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        _be_child(work, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == FAILED:
        raise RuntimeError("the hunt itself failed in a child: nothing can be said of the fault")
    return answer if status == 0 else DIED


def _be_child(work: Callable[[], bytes], writer: int) -> None:
    """Work, answer, and end at once: what the parent has open or buffered is not the child's."""
    try:
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        with os.fdopen(writer, "wb") as answer:
            answer.write(work())
        os._exit(0)
    finally:
        os._exit(FAILED)


@dataclass(slots=True)
class Report:
    """What was noticed, and what was not. file: gets each row at once, for a hunt may be ended."""

    reasons: dict[str, str]
    file: Path | None = None
    survived: list[Mutation] = field(default_factory=list)
    by_file: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def take(self, fault: Mutation, by: str) -> None:
        """Add one row, and say at once what survived."""
        alike = not by and fault.name in self.reasons
        kind = "noticed" if by else ("equivalent" if alike else "survived")
        self.by_file[fault.name.split(" ", 1)[0]][kind] += 1
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as rows:
                rows.write(f"{fault.name}\t{fault.lines.start}\t{by or kind}\n")
        if kind == "survived":
            self.survived.append(fault)
            print(f"survived: line {fault.lines.start} of {fault.name}", flush=True)

    def table(self) -> None:
        """One line for each file."""
        print(f"\n{'file':44} {'noticed':>8} {'equivalent':>11} {'survived':>9}")
        total: Counter[str] = Counter()
        for name, found in [*self.by_file.items(), ("all", total)]:
            print(f"{name:44} {found['noticed']:8} {found['equivalent']:11} {found['survived']:9}")
            total += found


def main(arguments: Sequence[str]) -> int:
    """Parse, choose, hunt, print."""
    options = parser().parse_args(arguments)
    try:
        chosen = faults(options.below or DECIDING)
        if options.since is not None:
            lines = changed_since(options.since)
            chosen = [m for m in chosen if any((m.file, line) in lines for line in m.lines)]
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    if options.known is not None:
        known = noticed_in(options.known)
        chosen = [fault for fault in chosen if fault.name not in known]
    if options.sample is not None and options.sample < len(chosen):
        picked = random.Random(options.seed).sample(  # noqa: S311 - no secret
            range(len(chosen)), options.sample
        )
        chosen = [chosen[n] for n in sorted(picked)]
    began, report = time.monotonic(), Report(equivalents(), options.report)
    words = ["-n", "0", "-q", "--capture=no", "-p", "no:cacheprovider", "--timeout=0"]
    words += ["-W", "ignore::pytest.PytestAssertRewriteWarning", "-m", "not slow and not alone"]
    code = pytest.main([*words, *(options.tests or TESTS)], plugins=[Hunt(chosen, report.take)])
    if code != 0:
        return USAGE
    report.table()
    print(
        f"{len(chosen)} faults, {len(report.survived)} survived, {time.monotonic() - began:.0f} s"
    )
    return SURVIVED if report.survived else 0


def noticed_in(report: Path) -> set[str]:
    """The faults that an earlier report says were noticed."""
    rows = (row.split("\t") for row in report.read_text(encoding="utf-8").splitlines())
    return {name for name, _, by in rows if by not in {"survived", "equivalent"}}


def changed_since(commit: str) -> set[tuple[Path, int]]:
    """The lines of the package that the working tree has and the commit has not.

    Raises ValueError with what git says if it knows no such commit.
    """
    command = ("git", "diff", "-U0", "--no-prefix", "--relative", commit, "--", str(PACKAGE))
    told = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if told.returncode:
        raise ValueError(told.stderr.strip())
    lines, file = set(), ROOT
    for row in told.stdout.splitlines():
        if row.startswith("+++ "):
            file = ROOT / row.removeprefix("+++ ")
        elif row.startswith("@@ "):
            first, _, count = row.split(" ")[2].removeprefix("+").partition(",")
            lines |= {(file, int(first) + n) for n in range(int(count or 1))}
    return lines


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    top = argparse.ArgumentParser(
        prog="dev.py mutants --core",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("below", nargs="*", metavar="FILE", help="files or folders below src/swarm")
    top.add_argument("--sample", type=int, metavar="N", help="only so many, drawn at random")
    top.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    top.add_argument("--tests", nargs="*", help=f"who is asked (default: {' '.join(TESTS)})")
    top.add_argument("--since", metavar="COMMIT", help="only in lines changed since then")
    top.add_argument(
        "--known", type=Path, help="leave out what this earlier report says is noticed"
    )
    top.add_argument(
        "--report", type=Path, help="append fault, line and finder here, tab-separated"
    )
    return top


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
