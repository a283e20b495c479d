"""Packages of a JavaScript workspace, taken from the checkout.

npm, yarn and pnpm link the packages of a workspace into the `node_modules` beside package.json,
which no commit holds. Node looks for that folder above a checkout too, and so a check would import,
and judge, what the user has in the working copy, committed or not.

Source: npm's documentation, "workspaces"; Node's, "Loading from node_modules folders".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

FOLDER = "node_modules"


def link_packages(checkout: Path, repository: Path | None) -> None:
    """Link into the checkout its own packages, as the repository has its own linked into itself.

    What was installed from elsewhere is still found above. A checkout that brings a folder of that
    name keeps it as it is.
    """
    if repository is None or os.path.lexists(checkout / FOLDER):
        return
    top = Path(os.path.realpath(repository))
    for link in _links(repository / FOLDER):
        there = Path(os.path.realpath(link))
        inner = there.relative_to(top) if there.is_relative_to(top) else None
        if inner is None or FOLDER in inner.parts or not (checkout / inner).exists():
            continue
        ours = checkout / link.relative_to(repository)
        ours.parent.mkdir(parents=True, exist_ok=True)
        ours.symlink_to(checkout / inner)


def _links(folder: Path) -> Iterator[Path]:
    """The links in a folder of packages, and in those of its scopes and programs."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            yield path
        elif path.name.startswith("@") or path.name == ".bin":
            yield from _links(path)
