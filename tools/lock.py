"""Make the lock files again from `pyproject.toml`: every version pinned, every file by its hash.

Run it after a change of dependencies (`--upgrade` also takes newer versions inside the caps):

    .venv/bin/python tools/lock.py

It needs `uv` (in `.venv/bin` or on PATH); using a lock needs nothing but pip. Four files, because
four kinds of machine need four sizes of environment:

    requirements.lock         what the product runs with
    requirements-build.lock   what builds and installs the product itself
    requirements-dev.lock     both, and what tests and checks need
    requirements-bench.lock   all of that, and the peers that the benchmarks measure against

And `tools/pip-*.whl`: pip itself, for a Python that brings none; `--upgrade` takes the newest.

They are solved from the largest to the smallest, each constrained by the one before, so that one
package never has two versions. No file names an index or a host: the installing machine's own pip
configuration says where packages come from, and the hashes say what may come.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEADER = """\
# Made by `python tools/lock.py`; do not edit. Change pyproject.toml and make it again.
# {what}
"""

BENCH = "requirements-bench.lock"
DEV = "requirements-dev.lock"
BUILD = "requirements-build.lock"
RUNTIME = "requirements.lock"

#: (file, what it holds, its sources for uv, the file whose versions it must share)
LOCKS = (
    (BENCH, "Everything, and the benchmarks' peers.", ("pyproject.toml", "--group", "bench"), None),
    (DEV, "The product, its build and its tests.", ("pyproject.toml", "--group", "dev"), BENCH),
    (RUNTIME, "What the product runs with.", ("pyproject.toml",), DEV),
    (BUILD, "What builds and installs it.", ("--group", "pyproject.toml:build"), DEV),
)


def find_uv() -> str:
    """The path of `uv`; ends the program with a remedy where there is none."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("tools/lock.py needs uv.\nhint: install it with `.venv/bin/pip install uv`.")
    return found


def compile_lock(uv: str, name: str, sources: tuple[str, ...], constraint: str | None) -> str:
    """The text of one lock, solved for Python 3.11 and newer on every platform."""
    command = [uv, "pip", "compile", *sources, "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--no-emit-find-links", "--no-emit-package", "pip", "--quiet"]
    # The old file is given as the output, so that versions stay unless they must move.
    command += ["--output-file", name]
    if constraint is not None:
        command += ["--constraint", constraint]
    subprocess.run(command, cwd=ROOT, check=True)
    return (ROOT / name).read_text(encoding="utf-8")


def renew_pip() -> None:
    """Take the newest pip in the place of the one in `tools`."""
    there = ROOT / "tools"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "pip"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--dest", folder], check=True)
        (new,) = Path(folder).glob("pip-*.whl")
        for old in there.glob("pip-*.whl"):
            old.unlink()
        shutil.copy(new, there)


def main() -> None:
    """Make all locks again, in place."""
    parser = argparse.ArgumentParser(description="Make the lock files again from pyproject.toml.")
    parser.add_argument(
        "--upgrade", action="store_true", help="also take newer versions inside the caps"
    )
    if parser.parse_args().upgrade:
        (ROOT / BENCH).unlink(missing_ok=True)
        renew_pip()
    uv = find_uv()
    for name, what, sources, constraint in LOCKS:
        if constraint is not None:
            # Solved afresh under the constraint; an old pin could only contradict it.
            (ROOT / name).unlink(missing_ok=True)
        body = compile_lock(uv, name, sources, constraint)
        (ROOT / name).write_text(HEADER.format(what=what) + body, encoding="utf-8")
        pins = sum("==" in line for line in body.splitlines())
        print(f"{name:24} {pins:3} packages")


if __name__ == "__main__":
    main()
