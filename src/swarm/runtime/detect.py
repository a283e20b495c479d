"""What a repository is made of, as far as its first installation file needs it. Reads only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from swarm.runtime.errors import NotARepository

KNOWN_AGENTS = ("claude", "codex", "opencode", "gemini", "aider")
_REMOTE = re.compile(r"[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?$", re.ASCII)
_SAFE_NAME = re.compile(r"[^a-z0-9-]+")
#: What `npm init` writes as a script for tests: it says this and ends with 1.
_NO_SCRIPT = "no test specified"
LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A command that this repository seems to be checked with."""

    name: str
    run: tuple[str, ...]
    found_in: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found. `notes` are what a person should know, one sentence each."""

    folder: Path
    name: str
    branch: str
    python: bool
    checks: tuple[Check, ...]
    agents: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def swarm_name(self) -> str:
        """A name for the Swarm that fits the object's rules."""
        short = _SAFE_NAME.sub("-", self.name.rpartition("/")[2].lower()).strip("-")
        return short[:52].strip("-") or "my-swarm"


def look(start: Path) -> Found:
    """Look at the repository around a folder. Raises `NotARepository`."""
    folder = _top(start)
    branch = _git(folder, "symbolic-ref", "--short", "-q", "HEAD")
    checks, python = tuple(_checks(folder)), _is_python(folder)
    notes = list(_notes(folder, branch))
    if not checks:
        notes.append(
            "No test or lint command was found: without required checks every merge waits for you."
        )
    notes += _red_by_themselves(folder, checks)
    if not python:
        notes.append(
            "No agent that works by itself was found: bind one in swarm.toml, [agents.NAME]."
        )
    return Found(
        folder=folder,
        name=_name(folder),
        branch=branch,
        python=python,
        checks=checks,
        agents=tuple(name for name in KNOWN_AGENTS if shutil.which(name)),
        notes=tuple(notes),
    )


def _red_by_themselves(folder: Path, checks: Sequence[Check]) -> Iterator[str]:
    """What checks need and have not; with it missing, each mission would learn that main is red."""
    if find_spec("pytest") is None and any(
        "pytest" in check.run and not check.path for check in checks
    ):
        yield (
            "pytest is not beside Swarm, so unit-tests would be red: make a .venv with it here and"
            " run this again with --force, or name another in swarm.toml, [checks.unit-tests] path."
        )
    scripts = ", ".join(check.name for check in checks if check.run[0] == "npm")
    if scripts and shutil.which("npm") is None:
        yield f"npm is not installed, so {scripts} would be red: install it, or run something else."
    elif scripts and _needs_packages(folder) and not (folder / "node_modules").is_dir():
        yield f"node_modules is not there, so {scripts} would be red: install it here (npm ci)."


def _top(start: Path) -> Path:
    if shutil.which("git") is None:
        raise NotARepository("git is not installed", remedy="Install it: apt install git")
    asked = _ask(start, "rev-parse", "--show-toplevel")
    if asked.returncode:
        raise _no_work_tree(start, asked.stderr)
    folder = Path(asked.stdout.rstrip("\n"))
    if not _git(folder, "rev-parse", "-q", "--verify", "HEAD"):
        raise NotARepository(
            f"{folder} has no commit yet", remedy="Commit something first: git commit"
        )
    return folder


def _no_work_tree(start: Path, said: str) -> NotARepository:
    """Why git names no top folder, in the words of what mends it."""
    if "dubious ownership" in said:
        return NotARepository(
            f"{start} belongs to another account, so git does not read it",
            remedy=f"If you trust it: git config --global --add safe.directory '{start}'",
        )
    if _git(start, "rev-parse", "--is-bare-repository") == "true":
        return NotARepository(
            f"{start} is a bare repository: it has no files to look at",
            remedy=f"Run it in a working copy: git clone '{start}'",
        )
    return NotARepository(f"{start} is not inside a git repository")


def _git(folder: Path, *arguments: str) -> str:
    """One line from git, or an empty one when it says no."""
    done = _ask(folder, *arguments)
    return done.stdout.strip() if done.returncode == 0 else ""


def _ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=outside_git() | {"LC_ALL": "C"},  # its words are read
    )


def outside_git() -> dict[str, str]:
    """The environment for looking at somebody's repository.

    A hook of git may have called us, whose variables point to another one; and git shall not write
    an index that would then be ours.
    """
    rest = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return rest | {"GIT_OPTIONAL_LOCKS": "0"}


def _name(folder: Path) -> str:
    found = _REMOTE.search(_git(folder, "remote", "get-url", "origin"))
    if found:
        return f"{found[1]}/{found[2]}"
    return f"local/{_SAFE_NAME.sub('-', folder.name.lower()).strip('-') or 'repository'}"


def _is_python(folder: Path) -> bool:
    return bool(_git(folder, "ls-files", "--", "*.py"))


def _notes(folder: Path, branch: str) -> list[str]:
    notes = []
    if not branch:
        notes.append(
            "HEAD is detached: name the branch to protect in swarm.toml, [repositories] branch."
        )
    if _git(folder, "status", "--porcelain"):
        notes.append(
            "The working tree has uncommitted changes: Swarm works on commits and never sees them."
        )
    if (folder / ".gitmodules").is_file():
        notes.append("There are submodules: missions may not touch them, checkouts leave them out.")
    return notes


def _checks(folder: Path) -> list[Check]:
    found = [*_python_checks(folder), *_node_checks(folder), *_make_checks(folder)]
    unique: dict[str, Check] = {}
    for check in found:
        unique.setdefault(check.name, check)
    return list(unique.values())


def _python_checks(folder: Path) -> list[Check]:
    if not _is_python(folder):
        return []
    venv = folder / ".venv" / "bin"
    path = (str(venv),) if (venv / "python").exists() else ()
    rules = "E9,F63,F7,F82"
    syntax = ("{python}", "-P", "-m", "ruff", "check", "--isolated", "--select", rules, ".")
    checks = [Check(name="syntax", run=syntax, found_in="Python files")]
    project = _toml(folder / "pyproject.toml")
    tools = project.get("tool", {}) if isinstance(project.get("tool"), dict) else {}
    if "pytest" in tools or (folder / "pytest.ini").is_file() or (folder / "conftest.py").is_file():
        pytest = ("python", "-m", "pytest", "-q")
        checks.append(Check(name="unit-tests", run=pytest, found_in="pytest settings", path=path))
        return checks
    home = next((name for name in ("tests", "test") if (folder / name).is_dir()), "")
    if home and (words := _runner(folder, home)):
        run = ("python" if path else "{python}", "-m", *words)
        checks.append(Check(name="unit-tests", run=run, found_in=f"{home}/", path=path))
    return checks


def _runner(folder: Path, home: str) -> tuple[str, ...]:
    """The module that runs every test below `home`, and its arguments; empty without a test.

    `unittest` goes into packages alone, knows no function as a test, and before Python 3.12 is
    content with having found none: such a check is green whatever was broken. Where it would miss
    a file this is for pytest, which is red when it ran nothing or is not installed.
    """
    where = [f":(glob){home}/**/{name}.py" for name in ("test*", "*_test")]
    named = ("-c", "core.quotePath=false", "grep", "-l", "-E")
    classes = _git(folder, *named, "class .*TestCase|^def load_tests", "--", *where).splitlines()
    functions = _git(folder, *named, "^(async )?def test", "--", *where)
    if not classes and not functions:
        return ()
    missed = not all(_unittest_finds(folder, Path(file)) for file in classes)
    if functions or missed or _imports_pytest(folder):
        return ("pytest", "-q")
    if (folder / home / "__init__.py").is_file():
        return ("unittest", "-q")
    return ("unittest", "discover", "-q", "-s", home)


def _unittest_finds(folder: Path, file: Path) -> bool:
    """True when each folder between the tests' own and the file is a package."""
    inner = [folder / parent for parent in file.parents][:-2]  # not the tests' own, not the root
    packages = all((parent / "__init__.py").is_file() for parent in inner)
    return packages and file.name.startswith("test")


def _imports_pytest(folder: Path) -> bool:
    return bool(_git(folder, "grep", "-l", "-E", "^(import|from) pytest", "--", "*.py"))


def _package(folder: Path) -> dict[str, Any]:
    """package.json; empty where there is none that can be read."""
    try:
        package = json.loads(_read(folder / "package.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    return package if isinstance(package, dict) else {}


def _needs_packages(folder: Path) -> bool:
    package = _package(folder)
    return bool(package.get("dependencies") or package.get("devDependencies"))


def _node_checks(folder: Path) -> list[Check]:
    scripts = _package(folder).get("scripts", {})
    wanted = {"test": "unit-tests", "lint": "lint", "typecheck": "type-check"}
    return [
        Check(name=name, run=("npm", "run", "-s", script), found_in="package.json")
        for script, name in wanted.items()
        if isinstance(scripts, dict) and _NO_SCRIPT not in str(scripts.get(script, _NO_SCRIPT))
    ]


def _make_checks(folder: Path) -> list[Check]:
    targets = re.findall(r"^(test|lint|check):", _read(folder / "Makefile"), re.MULTILINE)
    names = {"test": "unit-tests", "lint": "lint", "check": "check"}
    return [
        Check(name=names[target], run=("make", target), found_in="Makefile") for target in targets
    ]


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _read(path: Path) -> str:
    """A small text file, or nothing: what cannot be read cannot be detected."""
    try:
        if path.stat().st_size > LARGEST:
            return ""
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
