"""What decides must not look: no clock, no randomness, no environment, no log, no waiting.

Held here by reading the syntax tree, and not by ruff's `banned-api`, for two reasons: ruff's list
holds for the whole tree, while the shell needs its clock; and a list of functions cannot forbid
`await`, nor a library that nobody thought of. So each pure room states what it *may* import, and
everything else is a fault.
"""

from __future__ import annotations

import ast

import pytest

from tree import PACKAGE, dotted, files, imported, package_name, parsed, short

#: What looks at the world or keeps time, in the standard library.
IMPURE = {
    *("asyncio", "concurrent", "ctypes", "getpass", "glob", "logging", "multiprocessing", "os"),
    *("random", "secrets", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl"),
    *("subprocess", "tempfile", "threading", "time", "urllib", "uuid", "http", "warnings"),
}
#: The libraries that a pure room may use beside the standard library.
ALLOWED = {
    "contract": {"pydantic", "pydantic_core", "yaml"},
    "core": {"numpy"},
    "regime": {"numpy"},
}
#: What one file may import beside that. The compiler of kernels stands behind one door.
DOORS = {"src/swarm/regime/kernel.py": {"numba"}}
#: Calls that are impure although their module is not.
IMPURE_CALLS = (
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "random.default_rng",
)
IMPURE_NAMES = {"open", "print", "input", "breakpoint"}
WAITING = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


def standard(name: str) -> bool:
    """Whether a top-level module is part of Python."""
    import sys

    return name in sys.stdlib_module_names


def faults(
    tree: ast.Module, room: str, package: str = "swarm", where: str = ""
) -> list[tuple[int, str]]:
    """Each line of a module of `room` that is not pure, with what is wrong on it."""
    found = []
    allowed = ALLOWED[room] | DOORS.get(where, set())
    for name, line in imported(tree, package):
        top = name.partition(".")[0]
        if top in IMPURE or name == "numpy.random" or name.startswith("numpy.random."):
            found.append((line, f"imports {name}"))
        elif not standard(top) and top != "swarm" and top not in allowed:
            found.append((line, f"imports {top}; {room} may use {', '.join(sorted(allowed))}"))
    for node in ast.walk(tree):
        if isinstance(node, WAITING):
            found.append((node.lineno, "waits; a pure room returns `look_again` instead"))
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            if called in IMPURE_NAMES or called.endswith(IMPURE_CALLS):
                found.append((node.lineno, f"calls {called}; what it tells is a parameter here"))
            elif ".random." in called:
                found.append((node.lineno, f"calls {called}; a pure room draws nothing"))
    return sorted(set(found))


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_that_decides_looks_at_nothing(room):
    found = [
        f"{short(path)}:{line} {what}"
        for path in files(f"src/swarm/{room}", ending=".py")
        for line, what in faults(parsed(path), room, package_name(path), short(path))
    ]
    assert not found, "\n".join(found)


def test_only_the_door_may_import_the_compiler():
    assert faults(ast.parse("import numba"), "regime", where="src/swarm/regime/drift.py")
    assert not faults(ast.parse("import numba"), "regime", where="src/swarm/regime/kernel.py")


def test_the_rooms_that_decide_are_there():
    """A renamed room would make the test above pass over nothing."""
    assert (PACKAGE / "contract").is_dir()
    assert (PACKAGE / "core").is_dir()


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "from os import environ",
        "import uuid",
        "import logging",
        "import structlog",
        "import numpy.random",
        "from datetime import datetime; x = datetime.now()",
        "import datetime; x = datetime.date.today()",
        "import numpy as np; x = np.random.default_rng(1)",
        "async def f(): ...",
        "open('x')",
    ],
)
def test_a_look_at_the_world_is_noticed(line):
    assert faults(ast.parse(line), "core")


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import datetime, timedelta",
        "import numpy as np; x = np.log1p(1)",
        "from swarm.core.ids import NeedId",
        "import hashlib, math, re",
    ],
)
def test_arithmetic_is_no_look_at_the_world(line):
    assert not faults(ast.parse(line), "core")
