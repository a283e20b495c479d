"""What differs between two trees, as plain facts for the guard. Sizes are looked at before text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from swarm.adapters.local.git.plumbing import Git
from swarm.adapters.local.git.secrets import secrets_in
from swarm.core.policy.intake import LINK_MODE, SUBMODULE_MODE, IntakeRules, TouchedPath

#: More differing paths than this are counted but not described; the patch is refused anyway.
DESCRIBED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEntry:
    """One record of `git diff-tree --raw`; modes are 0 and ids all zeros on an absent side."""

    path: str
    old_mode: int
    new_mode: int
    old_id: str
    new_id: str


async def raw_difference(git: Git, old: str, new: str) -> tuple[RawEntry, ...]:
    """Paths whose mode or content differs; a rename is a removal and an addition."""
    said = await git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new)
    fields = said.out.decode("utf-8", "surrogateescape").split("\0")[:-1]
    entries = []
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_id, new_id, _ = head.removeprefix(":").split(" ")
        entries.append(
            RawEntry(
                path=path,
                old_mode=int(old_mode, 8),
                new_mode=int(new_mode, 8),
                old_id=old_id,
                new_id=new_id,
            )
        )
    return tuple(entries)


async def touched_paths(
    git: Git, old: str, new: str, rules: IntakeRules, *, scan: bool
) -> tuple[TouchedPath, ...]:
    """The difference of two trees with sizes, and with text as far as the rules allow a patch.

    What is larger than the rules allow is never read: its size alone refuses it.
    scan: whether added lines are searched for secrets, which takes seconds on a large patch.
    """
    entries = sorted(await raw_difference(git, old, new), key=lambda entry: entry.path)
    described = entries[:DESCRIBED]
    before = [entry.old_id for entry in described if entry.old_mode not in {0, SUBMODULE_MODE}]
    after = [entry.new_id for entry in described if entry.new_mode not in {0, SUBMODULE_MODE}]
    sizes = await blob_sizes(git, [*before, *after])
    old_texts = await affordable_blobs(git, before, sizes, rules)
    new_texts = await affordable_blobs(git, after, sizes, rules)
    texts = (old_texts, new_texts)
    found = await asyncio.to_thread(_describe, described, sizes, texts, scan=scan)
    beyond = [
        TouchedPath(path=entry.path, old_mode=entry.old_mode, new_mode=entry.new_mode)
        for entry in entries[DESCRIBED:]
    ]
    return (*found, *beyond)


def _describe(
    entries: Sequence[RawEntry],
    sizes: Mapping[str, int],
    texts: tuple[Mapping[str, bytes], Mapping[str, bytes]],
    *,
    scan: bool,
) -> list[TouchedPath]:
    # In a thread: the secret rules take seconds on a patch of the largest allowed size.
    return [
        with_content(
            TouchedPath(
                path=entry.path,
                old_mode=entry.old_mode,
                new_mode=entry.new_mode,
                size=sizes.get(entry.new_id, 0),
            ),
            texts[0].get(entry.old_id),
            texts[1].get(entry.new_id),
            scan=scan,
        )
        for entry in entries
    ]


def with_content(
    item: TouchedPath, old: bytes | None, new: bytes | None, *, scan: bool
) -> TouchedPath:
    """The same path with the text of both sides (None: absent or too large)."""
    if LINK_MODE in {item.old_mode, item.new_mode}:
        return item
    binary = new is not None and b"\0" in new
    old_text, new_text = _text(old), _text(new)
    found = secrets_in(item.path, old_text or "", new_text) if scan and new_text else ()
    return replace(item, binary=binary, old=old_text, new=new_text, secrets=found)


def _text(data: bytes | None) -> str | None:
    # Bytes that are no UTF-8 (a Latin-1 source) stay apart as surrogates and hide nothing.
    return None if data is None or b"\0" in data else data.decode("utf-8", "surrogateescape")


async def affordable_blobs(
    git: Git, ids: Sequence[str], sizes: Mapping[str, int], rules: IntakeRules
) -> dict[str, bytes]:
    """The contents that one side of a patch may have, in order, up to the rules' sizes."""
    left, chosen = rules.max_bytes, []
    for object_id in dict.fromkeys(ids):
        size = sizes.get(object_id)
        if size is not None and size <= min(left, rules.max_file_bytes):
            left -= size
            chosen.append(object_id)
    return await read_blobs(git, chosen)


async def blob_sizes(git: Git, ids: Sequence[str]) -> dict[str, int]:
    """Sizes in bytes by object id, from the object headers alone."""
    if not ids:
        return {}
    unique = list(dict.fromkeys(ids))
    said = await git.run("cat-file", "--batch-check", stdin="\n".join([*unique, ""]).encode())
    found = {}
    for line in said.text.splitlines():
        object_id, kind, *size = line.split(" ")
        if kind == "blob":
            found[object_id] = int(size[0])
    return found


async def read_blobs(git: Git, ids: Sequence[str]) -> dict[str, bytes]:
    """Contents by object id. The caller has looked at the sizes."""
    if not ids:
        return {}
    said = await git.run("cat-file", "--batch", stdin="\n".join([*ids, ""]).encode())
    found, at = {}, 0
    while at < len(said.out):
        end = said.out.index(b"\n", at)
        object_id, _, size = said.out[at:end].decode().split(" ")
        found[object_id] = said.out[end + 1 : end + 1 + int(size)]
        at = end + 1 + int(size) + 1
    return found


async def changed_lines(git: Git, old: str, new: str) -> tuple[int, int]:
    """Lines added and removed between two trees, as git counts them."""
    said = await git.run(
        "diff-tree",
        "-r",
        "-z",
        "--numstat",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        old,
        new,
    )
    added = removed = 0
    for record in said.out.split(b"\0")[:-1]:
        plus, minus, _ = record.split(b"\t", 2)
        added += int(plus) if plus.isdigit() else 0
        removed += int(minus) if minus.isdigit() else 0
    return added, removed
