"""A file that a command writes: all of it or nothing, and never after long work in vain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarm.cli.errors import FileUnreadable
from swarm.cli.output import line


def roomy(path: Path) -> None:
    """Raise `FileUnreadable` where no such file could be, before anything long begins."""
    if not path.parent.is_dir() or (path.exists() and not path.is_file()):
        wanted = "a plain file in a folder that exists"
        raise FileUnreadable(f"{line(str(path)[:200])} cannot be written; {wanted} is wanted")


@contextmanager
def written(path: Path, content: bytes) -> Iterator[None]:
    """The file is replaced once what is done meanwhile succeeded: all of it or nothing."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        yield
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
