"""How many tests a JUnit XML file says were really run. Hostile files are refused, not read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

LARGEST = 64 * 1024 * 1024
DEEPEST = 100  #: elements inside each other; reports have four or five


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
            return _count(file)
        except (ParseError, DefusedXmlException, ValueError):
            return None


def _count(file: BinaryIO) -> int:
    """Test cases that were not skipped. Nothing is kept of what was read.

    As a tree, 64 MiB of `<a/>` would be more than a gigabyte.
    """
    count = 0
    around: list[Any] = []
    skipped: set[int] = set()  #: depths at which the open element holds a sign that it was
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            if len(around) >= DEEPEST:
                raise ValueError("nested deeper than any report")
            around.append(element)
            continue
        around.pop()
        name, depth = element.tag.rpartition("}")[2], len(around)
        count += name == "testcase" and depth not in skipped
        skipped.discard(depth)
        if name in {"skipped", "disabled"}:
            skipped.add(depth - 1)
        if around:
            around[-1].remove(element)
    return count


def remove(root: Path, name: str) -> None:
    """Remove what the commit itself holds at this place, so that only this run can be read."""
    path = root / name
    if path.parent.resolve() != (root.resolve() / name).parent:
        return  # a link on the way: what lies there is not the commit's
    if path.is_symlink() or path.is_file():
        path.unlink()
