#!/usr/bin/env python3
"""The one command of this repository: it needs Python 3.11 or newer and git, and nothing else.

    python3 dev.py demo     three real missions on this machine: delivered, rolled back, waiting
    python3 dev.py test     the fast tests; `--all` adds the slow ones
    python3 dev.py check    lint, types, import contracts, tidy tests, generated pages
    python3 dev.py bench    the benchmarks, each printed as a table
    python3 dev.py simulate the real controller under simulated trouble, a day for each of 200 seeds
    python3 dev.py crash    real controllers and a real database, killed for ten minutes, and judged
    python3 dev.py mutants  known bugs, planted one by one: which test or seed finds each
    python3 dev.py upgrade  what another release would decide otherwise, and could not read

Each makes what it needs first: a virtual environment in `.venv` with the hash-locked dependencies
and this package, installed so that an edit under `src/` counts at once. A second run finds that
done and starts within a tenth of a second. This file uses the standard library alone, because it
runs before anything is installed. It talks on stderr; stdout belongs to what it runs.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))

from environment import ROOT, Trouble, prepare, require_machine, run, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = "python3 dev.py"
USAGE, INTERRUPTED = 2, 130
FAST_SECONDS = 90  #: nobody runs tests often that take longer


def demo(options: argparse.Namespace) -> int:
    """Run `swarmctl demo`, handing over every further argument."""
    folder = prepare("run")
    code = run([str(folder / "bin" / "swarmctl"), "demo", *options.rest])
    say()
    if code == 0:
        say(f'next: export PATH="{folder / "bin"}:$PATH"; then `cd` to a repository of yours:')
        say("      swarmctl init && swarmctl up")
    else:
        say(f"dev.py: the demo ended with exit code {code}; what it said is above.")
    return code


def test(options: argparse.Namespace) -> int:
    """Run the tests; further arguments go to pytest."""
    folder = prepare("dev")
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-n", str(options.workers)]
    command += ["--dist", "loadfile"]  # tests/conftest.py says why, and what else stays together
    command += ["-m", "not soak and not alone" if options.all else "not slow and not alone"]
    what = "all tests" if options.all else "the fast tests"
    if any(not word.startswith("-") for word in options.rest):
        what = "the tests you named"
    elif not options.all:  # how the tree is written: `check` reads it, and once is enough
        command.append("--ignore=tests/tidy")
    say(f"dev.py: {what}, {options.workers or 'one'} at a time")
    began = time.monotonic()
    code = run([*command, *options.rest])
    if code == 0 and options.all and not options.rest:
        say("dev.py: what takes the whole machine, by itself")
        code = run([str(folder / "bin" / "python"), "-m", "pytest", "-n", "0", "-m", "alone"])
    seconds = time.monotonic() - began
    took = f"({seconds:.0f} s)"
    if seconds > FAST_SECONDS and not options.all:
        say(
            f"dev.py: the fast tests should end within {FAST_SECONDS} s on a quiet machine; if this"
        )
        say(f"        one is, `{HERE} test --durations=15` shows what to mark `slow`.")
    if code == 0:
        say(f"dev.py: {what} passed {took}.")
        more = "" if options.all else f"`{HERE} test --all` for the slow ones too, "
        say(f"next: {more}`{HERE} check` before a commit, `{HERE} demo` to see it work.")
    else:
        say(f"dev.py: {what} ended with exit code {code} {took}.")
        say(f"next: only what failed, one at a time: `{HERE} test --workers 0 --last-failed`.")
    return code


def check(options: argparse.Namespace) -> int:
    """Run every check, all of them even if one fails, and list the outcome."""
    folder = prepare("dev")
    python = str(folder / "bin" / "python")
    fix = ["--fix"] if options.fix else []
    pages = [] if options.fix else ["--check"]
    steps = [
        ("lint", [python, "-m", "ruff", "check", "--quiet", *fix, "."]),
        ("format", [python, "-m", "ruff", "format", "--quiet", *([] if fix else ["--check"]), "."]),
        ("generated pages", [python, "tools/generate_docs.py", *pages]),
        ("import contracts", [str(folder / "bin" / "lint-imports"), "--no-logo"]),
        ("tidy tests", [python, "-m", "pytest", "-n", "0", "-m", "not slow", "tests/tidy"]),
        ("types", [python, "-m", "mypy"]),
    ]
    failed = [(name, command) for name, command in steps if not passes(name, command)]
    if not failed:
        say(f"dev.py: all {len(steps)} checks passed; next: `{HERE} test`.")
        return 0
    say(f"\ndev.py: {len(failed)} of {len(steps)} checks failed.")
    say(f"next: `{HERE} check --fix` mends what needs no thought. Each alone:")
    for name, command in failed:
        say(f"  {name:16} {shlex.join(command)}")
    return 1


def passes(name: str, command: Sequence[str]) -> bool:
    """Whether one check succeeds; says so, and how long it took."""
    began = time.monotonic()
    say(f"dev.py: {name} ...")
    code = run(command)
    answer = "ok" if code == 0 else f"FAILED, exit code {code}"
    say(f"dev.py: {name}: {answer} ({time.monotonic() - began:.1f} s)")
    return code == 0


def bench(options: argparse.Namespace) -> int:
    """Run the named benchmarks, or all; each prints one table."""
    known = {path.stem: path for path in sorted((ROOT / "benchmarks").glob("[a-z]*.py"))}
    names = options.names or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Trouble(
            f"no such benchmark: {', '.join(unknown)}.", f"there are: {', '.join(known) or 'none'}."
        )
    if options.list or not names:
        print("\n".join(known))
        return 0
    folder = prepare("bench")
    worst = 0
    for name in names:
        say(f"dev.py: benchmark {name}")
        code = run([str(folder / "bin" / "python"), str(known[name]), *options.rest])
        if code != 0:
            say(f"dev.py: benchmark {name} ended with exit code {code}")
        worst = max(worst, code)
    say(f"dev.py: {len(names)} run; compare figures within one run only, machines differ.")
    return worst


def simulate(options: argparse.Namespace) -> int:
    """Run the simulation, handing over every further argument; `--help` lists them."""
    return tool("run", "simulate", options.rest)


def crash(options: argparse.Namespace) -> int:
    """Run the crash run, handing over every further argument; `--help` lists them."""
    return tool("run", "crash", options.rest)


def mutants(options: argparse.Namespace) -> int:
    """Plant bugs, handing over every further argument; `--core`: every small fault of the core."""
    rest = [word for word in options.rest if word != "--core"]
    return tool("dev", "mutants" if rest == options.rest else "core_mutants", rest)


def upgrade(options: argparse.Namespace) -> int:
    """Compare with another release, handing over every further argument."""
    return tool("run", "upgrade", options.rest)


def tool(level: str, name: str, rest: Sequence[str]) -> int:
    """Run one file of `tools` in the environment of that level."""
    folder = prepare(level)
    return run([str(folder / "bin" / "python"), f"tools/{name}.py", *rest])


# --- the command line ----------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The command line; what it does not know goes on to the tool behind the verb."""
    top = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = top.add_subparsers(required=True)

    def add(
        verb: Callable[..., int], words: str, *, add_help: bool = True
    ) -> argparse.ArgumentParser:
        made = verbs.add_parser(
            verb.__name__, help=words, description=verb.__doc__, add_help=add_help
        )
        made.set_defaults(verb=verb)
        return made

    add(demo, "three real missions on this machine")
    asked = add(test, "run the tests")
    asked.add_argument("--all", action="store_true", help="the slow tests too")
    asked.add_argument(
        "--workers", type=int, default=3, help="tests at a time; 0: in one process (default: 3)"
    )
    asked = add(check, "lint, types, contracts, tidy tests, pages")
    asked.add_argument("--fix", action="store_true", help="mend what can be mended without thought")
    asked = add(bench, "run the benchmarks")
    asked.add_argument("names", nargs="*", metavar="NAME", help="which; all when none is named")
    asked.add_argument("--list", action="store_true", help="print the names and end")
    add(simulate, "days of trouble in seconds", add_help=False)
    add(crash, "kill -9, hundreds of times", add_help=False)
    add(mutants, "plant bugs, see what finds them", add_help=False)
    add(upgrade, "compare with another release", add_help=False)
    verbs.metavar = f"{{{','.join(verbs.choices)}}}"
    return top


def stop(number: int, _frame: object) -> NoReturn:
    """Turn SIGTERM into an ordinary exit, so that children are ended and marks are kept."""
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Parse, prepare, run; returns the exit code of what was run."""
    signal.signal(signal.SIGTERM, stop)
    try:
        require_machine()
        return call(arguments)
    except Trouble as trouble:
        say(f"error: {trouble}\n\nhint: {trouble.hint}")
        return USAGE
    except KeyboardInterrupt:
        say("\ndev.py: interrupted; run the same command again, it takes up where it must.")
        return INTERRUPTED
    except OSError as error:
        say(f"error: {error}\n\nhint: see to space and permissions in {ROOT}.")
        return USAGE


def call(arguments: Sequence[str]) -> int:
    """Run the verb that the arguments name; what we do not know goes to the tool behind it."""
    options, rest = parser().parse_known_args(arguments)
    options.rest = [word for word in rest if word != "--"]
    if options.rest and options.verb is check:
        raise Trouble(f"unknown argument: {' '.join(options.rest)}.", f"see `{HERE} check --help`.")
    return int(options.verb(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
