"""Plant known bugs one by one and see which test, or which seed of the simulation, finds each.

    python3 dev.py mutants                      all of tests/mutants/planted.toml
    python3 dev.py mutants NAME ...             these
    python3 dev.py mutants --simulation 200     those that the simulation alone must find in so many
                                                seeds, by it alone; or those that are named
    python3 dev.py mutants --core               every small fault in the deciding code instead

A bug is planted in a copy of the tree in a temporary folder, never in the working tree. It counts
as found when something fails with it that passes without it. The tests that should find it are
asked first, then everything else from the cheapest to the dearest. Exit status: 0 every bug was
found; 3 one survived; 2 a bug that no longer applies, or wrong use.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLANTED = ROOT / "tests" / "mutants" / "planted.toml"
SEEDS = 200
SURVIVED, USAGE = 3, 2
#: Asked in this order, when the tests that should find a bug do not.
SUITE = (
    ("tests/exhaustive",),
    ("tests/core",),
    ("tests/runtime", "tests/simulation"),
    ("tests/adapters/postgres/store",),
)
PATIENCE = 420  #: seconds for one run of tests; a bug that makes them hang is found
SEED_PATIENCE = 120  #: seconds of one seed, of which one takes; what turns in a circle is found
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::\S.*?)(?: - .*)?$", re.MULTILINE)
_SEEDS = """\
import os, signal, sys
from simulate import Trial, simulate
first, most, patience = map(int, sys.argv[1:])
def hung(*_):
    print(f"{seed}\\thung", flush=True)
    os._exit(1)
signal.signal(signal.SIGALRM, hung)
for seed in range(first, first + most):
    signal.alarm(patience)
    if (what := simulate(Trial(seed=seed)).what()):
        print(f"{seed}\\t{what[0]}")
        sys.exit(1)
"""


class Misplaced(Exception):
    """A planted bug does not apply to the tree: mend its `old` text in planted.toml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One planted bug. old: text that stands exactly once in `file`; see planted.toml."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    by: str
    short: bool = False
    simulated: bool = False

    def planted(self, text: str) -> str:
        """The text of the file with the bug in it. Raises Misplaced."""
        if (times := text.count(self.old)) != 1:
            raise Misplaced(f"{self.name}: its text stands {times} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def bugs(path: Path = PLANTED) -> list[Bug]:
    """Every planted bug, in the order of the file."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Bug(name=name, file=rest.pop("in"), **rest) for name, rest in listed.items()]


@dataclass(frozen=True, slots=True)
class Finding:
    """By which test or seed one bug was found; `by` is empty if it was not.

    trouble: why the question could not be put; then nothing is known.
    """

    bug: Bug
    by: str = ""
    seconds: float = 0.0
    trouble: str = ""


@dataclass
class Tree:
    """A copy of the repository whose tests run the copy's own package."""

    folder: Path
    known_bad: set[str] = field(default_factory=set)

    def environment(self) -> dict[str, str]:
        """The copy's package and tools stand before those of the working tree."""
        paths = os.pathsep.join(str(self.folder / name) for name in ("src", "tools"))
        own = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
        return {**os.environ, **own}

    def failing(self, tests: Iterable[str]) -> str | None:
        """The first test that fails, None if all pass. Raises Misplaced if they cannot run."""
        command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-rfE", "--tb=no"]
        command += ["-p", "no:cacheprovider", "-m", "not slow and not soak", "--timeout", "60"]
        command += [word for test in sorted(self.known_bad) for word in ("--deselect", test)]
        try:
            ran = self._run([*command, *tests])
        except subprocess.TimeoutExpired:
            return f"{' '.join(tests)} (hung)"
        if ran.returncode in {0, 5}:  # 5: every test was deselected
            return None
        if (found := _FAILED.search(ran.stdout)) is not None:
            return found.group(1)
        raise Misplaced(f"the tests could not run: {(ran.stdout + ran.stderr)[-2_000:]}")

    def broken_seed(self, first: int, most: int) -> tuple[int, str] | None:
        """The first seed that breaks a promise, and which; None if none of so many does."""
        asked = (first, most, SEED_PATIENCE)
        ran = self._run([sys.executable, "-c", _SEEDS, *map(str, asked)], SEED_PATIENCE * most)
        if ran.returncode == 0:
            return None
        seed, _, what = ran.stdout.strip().partition("\t")
        if not seed.isdigit():
            raise Misplaced(f"the simulation could not run: {ran.stderr[-2_000:]}")
        return int(seed), what

    def _run(
        self, command: Sequence[str], patience: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )


@contextmanager
def copied(bug: Bug | None = None) -> Iterator[Tree]:
    """A copy of the tree with this bug in it; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="swarm-mutant-") as place:
        folder = Path(place)
        for name in ("src", "tests", "tools"):
            # With what is compiled already: Python takes it by time and size of the source, so
            # the planted file alone is compiled anew.
            shutil.copytree(ROOT / name, folder / name)
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy2(path, folder / path.name)
        if bug is not None:
            path = folder / "src" / "swarm" / bug.file
            text = bug.planted(path.read_text(encoding="utf-8"))
            if path.suffix == ".py":
                ast.parse(text)
            path.write_text(text, encoding="utf-8")
        yield Tree(folder)


def hunt(bug: Bug, clean: Tree, *, seeds: int, alone: bool) -> Finding:
    """Look for one bug. alone: by the simulation and nothing else."""
    began = time.monotonic()
    try:
        with copied(bug) as tree:
            by = "" if alone else _found_by_tests(bug, tree, clean)
            by = by or _found_by_simulation(tree, clean, seeds)
    except Misplaced as error:
        return Finding(bug, trouble=str(error), seconds=time.monotonic() - began)
    return Finding(bug, by, time.monotonic() - began)


def _found_by_tests(bug: Bug, tree: Tree, clean: Tree) -> str:
    for tests in ((bug.by,), *SUITE):
        if (found := _new_failure(tree, clean, tests)) is not None:
            return found
    return ""


def _found_by_simulation(tree: Tree, clean: Tree, seeds: int) -> str:
    first = 0
    while first < seeds and (found := tree.broken_seed(first, seeds - first)) is not None:
        seed, what = found
        if clean.broken_seed(seed, 1) is None:
            return f"simulation seed {seed}: {what}"[:160]
        first = seed + 1
    return ""


def _new_failure(tree: Tree, clean: Tree, tests: Sequence[str]) -> str | None:
    """The first test that fails with the bug and passes without it."""
    while (failed := tree.failing(tests)) is not None:
        hung = failed.endswith("(hung)")
        again = tests if hung else [failed]
        # Twice with the bug, so that a test that is moody does not pass for one that found it.
        if clean.failing(again) is None and tree.failing(again) is not None:
            return failed
        if hung:
            return None
        tree.known_bad.add(failed)
    return None


def main(arguments: Sequence[str]) -> int:
    """Parse, plant, hunt, print the table."""
    options = parser().parse_args(arguments)
    listed = {bug.name: bug for bug in bugs()}
    if unknown := [name for name in options.names if name not in listed]:
        print(f"error: no such bug: {', '.join(unknown)}", file=sys.stderr)
        return USAGE
    chosen = [listed[name] for name in options.names] or list(listed.values())
    if options.short:
        chosen = [bug for bug in chosen if bug.short]
    alone = options.simulation is not None
    if alone and not options.names:
        chosen = [bug for bug in chosen if bug.simulated]
    seeds = options.simulation if alone else SEEDS
    with copied() as clean, ThreadPoolExecutor(options.workers) as pool:
        print(f"{'bug':44} {'breaks':7} {'seconds':>7}  found by")
        hunted = pool.map(lambda bug: hunt(bug, clean, seeds=seeds, alone=alone), chosen)
        lost = [found for found in hunted if not _told(found)]
    print(f"{len(chosen)} bugs planted, {len(chosen) - len(lost)} found")
    for one in lost:
        what = f"could not be looked for: {one.trouble}" if one.trouble else "survived"
        print(f"{one.bug.name} ({one.bug.breaks}, {one.bug.file}): {what}")
    if any(not one.trouble for one in lost):
        return SURVIVED
    return USAGE if lost else 0


def _told(found: Finding) -> bool:
    """Print one row of the table; whether the bug was found."""
    bug = found.bug
    by = found.by.removeprefix("tests/") or ("NOT ASKED" if found.trouble else "NOT FOUND")
    print(f"{bug.name:44} {bug.breaks:7} {found.seconds:7.1f}  {by}", flush=True)
    return bool(found.by)


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    top = argparse.ArgumentParser(
        prog="dev.py mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("names", nargs="*", metavar="NAME", help="which; all when none is named")
    top.add_argument(
        "--short", action="store_true", help="only the handful that `dev.py test --all` plants"
    )
    top.add_argument(
        "--simulation", type=int, metavar="SEEDS", help="by the simulation alone, at most so many"
    )
    top.add_argument("--workers", type=int, default=2, help="bugs at a time (default: 2)")
    return top


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
