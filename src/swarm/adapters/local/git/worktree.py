"""What an agent left in its folder, read without trusting it.

The folder's own git directory is never opened: its settings could start programs. Nothing is
followed: every folder and file is opened below the last one, never through a link. Sizes are
known before a byte is read. The rule for what counts as the agent's work: every file that git
would keep in the working tree, whether the agent staged, committed or just left it; ignored
files do not count.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from swarm.core.policy.intake import EXECUTABLE_MODE, LINK_MODE, PLAIN_MODE, SUBMODULE_MODE

#: A tree deeper than this, or with more new files than this, is refused unread.
DEPTH_LIMIT = 64
NEW_FILES_LIMIT = 20_000

#: git reads ignore files whole; a giant one must not reach it.
IGNORE_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One entry of the folder: git's mode for it, its bytes, and what else it is.

    special: why it cannot be taken at all, such as "fifo" or "git repository"; else empty.
    """

    path: str
    mode: int
    size: int
    special: str = ""


@dataclass(slots=True)
class Level:
    """One depth of the folder, before the ignore rules have been asked about what is new."""

    found: list[Found] = field(default_factory=list)
    new_files: list[Found] = field(default_factory=list)
    new_folders: list[str] = field(default_factory=list)
    known_folders: list[str] = field(default_factory=list)


class Walk:
    """Goes through a folder one depth at a time.

    tracked:    paths of the base commit; folders that hold them are entered even when ignored.
    submodules: those of them that are submodules; their folders must be empty.
    """

    def __init__(self, root: Path, tracked: frozenset[str], submodules: frozenset[str]) -> None:
        self.root = root
        self._tracked = tracked
        self._submodules = submodules
        self._folders = frozenset(
            path[:at] for path in tracked for at, char in enumerate(path) if char == "/"
        )

    def level(self, folders: list[str], ignored: frozenset[str]) -> Level:
        """Look into `folders` ("" is the top). In `ignored` ones only tracked files count."""
        seen = Level()
        for folder in folders:
            if folder.count("/") >= DEPTH_LIMIT:
                deep = f"folder deeper than {DEPTH_LIMIT} levels"
                seen.found.append(Found(path=folder, mode=0, size=0, special=deep))
                continue
            for found, is_folder in self._entries(folder):
                self._sort(found, seen, is_folder=is_folder, ignored=folder in ignored)
        return seen

    def _sort(self, found: Found, seen: Level, *, is_folder: bool, ignored: bool) -> None:
        if is_folder and found.path in self._submodules:
            filled = any(True for _ in self._entries(found.path))
            special = "filled submodule" if filled else ""
            seen.found.append(Found(path=found.path, mode=SUBMODULE_MODE, size=0, special=special))
        elif is_folder and found.path in self._folders and not found.special:
            seen.known_folders.append(found.path)
        elif found.path in self._tracked and not is_folder:
            seen.found.append(found)
        elif ignored:
            return
        elif is_folder and not found.special:
            seen.new_folders.append(found.path)
        else:
            seen.new_files.append(found)

    def _entries(self, folder: str) -> Iterator[tuple[Found, bool]]:
        descriptor = open_below(self.root, folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in sorted(os.listdir(descriptor)):  # noqa: PTH208 - by descriptor
                path = f"{folder}/{name}" if folder else name
                if path == ".git":
                    continue
                about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                yield self._entry(path, name, about), stat.S_ISDIR(about.st_mode)
        finally:
            os.close(descriptor)

    def _entry(self, path: str, name: str, about: os.stat_result) -> Found:
        mode, special = _kind(about.st_mode)
        needed = stat.S_IRWXU if stat.S_ISDIR(about.st_mode) else stat.S_IRUSR
        if not stat.S_ISLNK(about.st_mode) and about.st_mode & needed != needed:
            # The same answer for every user, root included: what git may read is not left to luck.
            special = special or "unreadable"
        if name == ".git":
            special = "git repository"
        if name == ".gitignore" and (special or about.st_size > IGNORE_FILE_BYTES):
            special = special or "ignore file over 1 MiB"
        return Found(path=path, mode=mode, size=about.st_size, special=special)


def _kind(mode: int) -> tuple[int, str]:
    if stat.S_ISREG(mode):
        return (EXECUTABLE_MODE if mode & stat.S_IXUSR else PLAIN_MODE), ""
    if stat.S_ISLNK(mode):
        return LINK_MODE, ""
    if stat.S_ISDIR(mode):
        return 0, ""
    if stat.S_ISFIFO(mode):
        return 0, "fifo"
    return 0, "socket" if stat.S_ISSOCK(mode) else "device file"


def open_below(root: Path, path: str, flags: int) -> int:
    """Open `path` below `root` without following any link; gives a descriptor.

    Raises OSError when a part is a link or is gone: something still writes to the folder.
    """
    never = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    parts = path.split("/") if path else ["."]
    try:
        for part in parts[:-1]:
            deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | never, dir_fd=here)
            os.close(here)
            here = deeper
        return os.open(parts[-1], flags | never, dir_fd=here)
    finally:
        os.close(here)


def read_below(root: Path, found: Found, limit: int) -> bytes:
    """The content of a file, or a link's target; at most `limit` bytes, more raises OSError."""
    if found.mode == LINK_MODE:
        parent, _, name = found.path.rpartition("/")
        folder = open_below(root, parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return os.fsencode(os.readlink(name, dir_fd=folder))
        finally:
            os.close(folder)
    descriptor = open_below(root, found.path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{found.path} is no plain file any more")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{found.path} grew while it was read")
    return data
