"""Whether programs and variables that settings name are there, for `doctor` and `agent list`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def missing_program(program: str, path: Sequence[Path] = ()) -> str:
    """Why a command cannot start, in a clause; "" when it can.

    path: folders that are looked through before PATH. Programs that a repository brings itself
    (`./check`) are there once it is checked out, so nothing is said about them.
    """
    if program == "{python}" or ("/" in program and not program.startswith("/")):
        return ""
    # What was installed beside this Python is found too, as when a controller starts it.
    beside = str(Path(sys.executable).parent)
    places = os.pathsep.join((*map(str, path), os.environ.get("PATH", os.defpath), beside))
    if shutil.which(program, path=places):
        return ""
    return f"{program!r} is not a program on PATH"


def missing_variables(names: Sequence[str]) -> list[str]:
    """Those of the named environment variables that are not set here."""
    return [name for name in names if not os.environ.get(name)]
