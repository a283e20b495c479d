"""An agent's folder compared with the commit it started from: which paths differ, and how."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from swarm.adapters.local.git.diff import affordable_blobs, blob_sizes, with_content
from swarm.adapters.local.git.errors import GitFailed, GitTimedOut
from swarm.adapters.local.git.plumbing import Git
from swarm.adapters.local.git.scratch import scratch
from swarm.adapters.local.git.worktree import (
    NEW_FILES_LIMIT,
    Found,
    Level,
    Walk,
    open_below,
    read_below,
)
from swarm.core.policy.intake import LINK_MODE, SUBMODULE_MODE, IntakeRules, TouchedPath

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """One path of the base commit."""

    mode: int
    id: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What differs, and the bytes of what may be kept.

    contents: new bytes by path, only of files within the rules' sizes.
    endless:  more new files than anybody would look at; `touched` is then incomplete.
    """

    touched: tuple[TouchedPath, ...]
    contents: Mapping[str, bytes]
    endless: bool = False


@dataclass(slots=True)
class _Seen:
    found: dict[str, Found] = field(default_factory=dict)
    endless: bool = False


async def survey(git: Git, root: Path, tree: str, rules: IntakeRules) -> Survey:
    """Compare the folder `root` with `tree`. `git` is the private clone, never the folder's own.

    Content is read only as far as the rules' sizes go; a file of any size is at most hashed.
    """
    tracked = await list_tree(git, tree)
    submodules = frozenset(path for path, entry in tracked.items() if entry.mode == SUBMODULE_MODE)
    walk = Walk(root, frozenset(tracked), submodules)
    seen = await _walk(git, walk, tracked)
    differs = await asyncio.to_thread(_differing, root, tracked, seen.found)
    contents = await asyncio.to_thread(_contents, root, differs, seen.found, rules)
    ids = [tracked[path].id for path in differs[: rules.max_files] if path in tracked]
    old = await affordable_blobs(git, ids, await blob_sizes(git, ids), rules)
    touched = await asyncio.to_thread(_describe, differs, (tracked, seen.found), (old, contents))
    return Survey(touched=touched, contents=contents, endless=seen.endless)


def _describe(
    differs: Sequence[str],
    sides: tuple[Mapping[str, Tracked], Mapping[str, Found]],
    contents: tuple[Mapping[str, bytes], Mapping[str, bytes]],
) -> tuple[TouchedPath, ...]:
    """Put both sides of each path together; `contents` is old bytes by id, new bytes by path."""
    (tracked, found), (old, new) = sides, contents
    touched = []
    for path in differs:
        before, now = tracked.get(path), found.get(path)
        item = TouchedPath(
            path=path,
            old_mode=before.mode if before else 0,
            new_mode=now.mode if now else 0,
            size=now.size if now else 0,
            special=now.special if now else "",
        )
        data = old.get(before.id) if before else None
        touched.append(with_content(item, data, new.get(path), scan=True))
    return tuple(touched)


async def list_tree(git: Git, tree: str) -> dict[str, Tracked]:
    """Every path of a tree with mode, id and size in bytes."""
    said = await git.run("ls-tree", "-r", "-z", "-l", "--full-tree", tree)
    entries = {}
    for record in said.out.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        head, path = record.split("\t", 1)
        mode, _, object_id, size = head.split()
        entries[path] = Tracked(
            mode=int(mode, 8), id=object_id, size=int(size) if size.isdigit() else 0
        )
    return entries


async def _walk(git: Git, walk: Walk, tracked: Mapping[str, Tracked]) -> _Seen:
    seen, folders, closed = _Seen(), [""], frozenset[str]()
    new_files = 0
    while folders:
        level = await asyncio.to_thread(walk.level, folders, closed)
        seen.found.update((entry.path, entry) for entry in level.found)
        poison = [
            entry
            for entry in (*level.found, *level.new_files)
            if entry.special and entry.path.endswith(".gitignore")
        ]
        if poison:
            # git would hang on a fifo and read a giant whole; the patch is refused without it.
            seen.found.update((entry.path, entry) for entry in poison)
            return seen
        try:
            ignored = await _ignored(git, walk.root, level)
        except GitTimedOut:
            there = seen.found | {entry.path: entry for entry in level.new_files}
            slow = await asyncio.to_thread(_own_ignore_files, walk.root, tracked, there)
            if not slow:
                raise  # the agent changed none, so it is this machine that is slow
            seen.found.update((entry.path, entry) for entry in slow)
            return seen
        kept = [entry for entry in level.new_files if entry.path not in ignored]
        seen.found.update((entry.path, entry) for entry in kept)
        new_files += len(kept)
        if new_files > NEW_FILES_LIMIT:
            seen.endless = True
            return seen
        closed = frozenset(
            path
            for path in level.known_folders
            if path in ignored or path.rpartition("/")[0] in closed
        )
        open_folders = [path for path in level.new_folders if path not in ignored]
        folders = [*level.known_folders, *open_folders]
    return seen


def _own_ignore_files(
    root: Path, tracked: Mapping[str, Tracked], found: Mapping[str, Found]
) -> list[Found]:
    """The ignore files that the agent wrote, as what cannot be taken: git never ends with them."""
    why = "ignore file that git does not get through in time"
    return [
        replace(entry, special=why)
        for path, entry in found.items()
        if path.rpartition("/")[2] == ".gitignore"
        and (path not in tracked or not _same(root, tracked[path], entry))
    ]


async def _ignored(git: Git, root: Path, level: Level) -> frozenset[str]:
    asked = [entry.path for entry in level.new_files] + level.new_folders + level.known_folders
    if not asked:
        return frozenset()
    # check-ignore knows no literal path specs; a leading ./ keeps `:(...)` from being magic.
    there = git.with_environment(GIT_WORK_TREE=str(root), GIT_LITERAL_PATHSPECS="0")
    listing = os.fsencode("".join(f"./{path}\0" for path in asked))
    said = await there.run("check-ignore", "--no-index", "-z", "--stdin", stdin=listing, ok=(0, 1))
    names = said.out.decode("utf-8", "surrogateescape").split("\0")
    return frozenset(name.removeprefix("./") for name in names)


def _differing(root: Path, tracked: Mapping[str, Tracked], found: Mapping[str, Found]) -> list[str]:
    differs = []
    for path in sorted({*tracked, *found}):
        before, now = tracked.get(path), found.get(path)
        if before and before.mode == SUBMODULE_MODE and now is None:
            continue  # nobody fills submodules here, so a missing folder says nothing
        if before is None or now is None or not _same(root, before, now):
            differs.append(path)
    return differs


def _same(root: Path, before: Tracked, now: Found) -> bool:
    if now.special or before.mode != now.mode:
        return False
    if before.mode == SUBMODULE_MODE:
        return True
    return before.size == now.size and _hash(root, now, len(before.id)) == before.id


def _hash(root: Path, found: Found, digits: int) -> str:
    """The id that git gives to the content, computed without git so that no filter can run."""
    whole = hashlib.sha1(usedforsecurity=False) if digits == 40 else hashlib.sha256()  # noqa: PLR2004
    whole.update(f"blob {found.size}\0".encode())
    if found.mode == LINK_MODE:
        whole.update(read_below(root, found, found.size))
        return whole.hexdigest()
    with os.fdopen(open_below(root, found.path, os.O_RDONLY), "rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest()


def _contents(
    root: Path, differs: Sequence[str], found: Mapping[str, Found], rules: IntakeRules
) -> dict[str, bytes]:
    contents, left = {}, rules.max_bytes
    for path in differs[: rules.max_files]:
        now = found.get(path)
        if now is None or now.special or now.mode == SUBMODULE_MODE:
            continue
        if now.size <= min(left, rules.max_file_bytes):
            contents[path] = read_below(root, now, now.size)
            left -= now.size
    return contents


async def write_tree(git: Git, base: str, taken: Survey) -> str:
    """Write the tree that the survey describes on top of tree `base`, by a private index."""
    if git.folder is None:
        raise GitFailed("a tree needs a repository to be written to")
    with scratch(git.folder) as folder:
        files = [folder / str(at) for at, _ in enumerate(taken.contents)]
        for file, data in zip(files, taken.contents.values(), strict=True):
            await asyncio.to_thread(file.write_bytes, data)
        listing = "\n".join([*map(str, files), ""]).encode()
        said = await git.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listing)
        ids = dict(zip(taken.contents, said.text.splitlines(), strict=True))
        indexed = git.with_environment(GIT_INDEX_FILE=str(folder / "index"))
        await indexed.run("read-tree", base)
        zero = "0" * len(base)
        gone = [f"0 {zero}\t{item.path}\0" for item in taken.touched if not item.new_mode]
        kept = [
            f"{item.new_mode:o} {ids[item.path]}\t{item.path}\0"
            for item in taken.touched
            if item.new_mode
        ]
        lines = os.fsencode("".join([*gone, *kept]))
        await indexed.run("update-index", "--add", "--replace", "-z", "--index-info", stdin=lines)
        return (await indexed.run("write-tree")).text
