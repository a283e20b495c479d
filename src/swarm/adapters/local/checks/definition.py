"""Which files of the repository say what a check does.

The command stands in the installation, where no change reaches it. Where that command is a script
of the repository, or `make`, its other half stands in the repository, and whoever may change that
says what is green. Such files guard the repository, as CI does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from swarm.adapters.local.process.preflight import is_of_the_repository

_MAKE = {"make", "gmake"}
_MAKEFILES = ("GNUmakefile", "makefile")  #: guards are compared without case
_SHELLS = re.compile(r"(?:ba|da|k|z)?sh")
_INTERPRETER = re.compile(r"node|deno|bun|ruby|perl|php")
_PYTHON = re.compile(r"\{python\}|python[\d.]*")
_ELSEWHERE = {"-P", "-I"}  #: with these Python does not look for modules where it runs


def files(run: Sequence[str], directory: str) -> tuple[str, ...]:
    """Exact paths and globs, from the repository's top, of what defines the command `run`."""
    found = [run[0]] if is_of_the_repository(run[0]) else _arguments(run)
    return tuple(str(PurePosixPath(directory) / name) for name in found)


def _arguments(run: Sequence[str]) -> list[str]:
    name = PurePosixPath(run[0]).name
    if name in _MAKE:
        said = [run[at + 1] for at, word in enumerate(run[:-1]) if word in {"-f", "--file"}]
        return [*_MAKEFILES, *(file for file in said if _inside(file))]
    if _PYTHON.fullmatch(name) and "-m" in run[1:-1]:
        at = run.index("-m", 1)
        return [] if _ELSEWHERE & set(run[:at]) else _module(run[at + 1])
    sign = "c" if _SHELLS.fullmatch(name) or _PYTHON.fullmatch(name) else "e"
    if sign == "e" and not _INTERPRETER.fullmatch(name):
        return []
    for word in run[1:]:
        if not word.startswith("-"):
            return [word] if _inside(word) else []
        if not word.startswith("--") and sign in word:
            return []  # the code itself stands in the command
    return []


def _module(name: str) -> list[str]:
    """Where Python would find a module first: in the folder that it runs in."""
    path = name.replace(".", "/")
    return [f"{path}.py", f"{path}/__init__.py", f"{path}/__main__.py"]


def _inside(path: str) -> bool:
    return bool(path) and not path.startswith(("/", "~", "{")) and ".." not in path.split("/")
