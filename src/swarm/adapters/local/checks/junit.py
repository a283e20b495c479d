"""How many tests a JUnit XML file says were really run. Hostile files are refused, not read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException

from swarm.adapters.local.junit_cases import cases, plain

LARGEST = 64 * 1024 * 1024


def tests_run(root: Path, name: str) -> int | None:
    """Test cases in `root/name` that were not skipped; None when there is no usable file.

    Nothing is followed: a link on the way, a device or a file over 64 MiB is no file. DOCTYPE
    and entities are refused, since a test's output is what an agent wrote.
    """
    path = root / name
    if path.resolve() != root.resolve() / name:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
            return None
        try:
            return sum(map(_was_run, cases(file)))
        except (ParseError, DefusedXmlException, ValueError):
            return None


def _was_run(case: Any) -> bool:
    return not any(plain(child.tag) in {"skipped", "disabled"} for child in case)


def remove(root: Path, name: str) -> None:
    """Remove what the commit itself holds at this place, so that only this run can be read."""
    path = root / name
    if path.parent.resolve() != (root.resolve() / name).parent:
        return  # a link on the way: what lies there is not the commit's
    if path.is_symlink() or path.is_file():
        path.unlink()
