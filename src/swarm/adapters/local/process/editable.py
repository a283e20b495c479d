"""Packages that an environment takes from somebody's working copy, taken from the checkout.

`pip install -e`, uv and poetry write the path of a working copy into the environment they install
to. A check that runs in it would import, and judge, what its user has there, committed or not, and
never what the commit holds. Go does the same by a `go.work` above the checkout, which few commit.

Source: the `site` module of Python (.pth files); PEP 660; setuptools, `editable_wheel`; Go,
"Tutorial: Getting started with multi-module workspaces", GOWORK.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_INSTALLED = ("lib/python3*/*-packages/*.pth", "lib/python3*/*-packages/__editable__*.py")
_QUOTED = re.compile(r"""(['"])(/[^'"\n]+)\1""")


def led_to(checkout: Path, repository: Path | None, env: Mapping[str, str]) -> dict[str, str]:
    """The environment, with whatever it imports from `repository` imported from `checkout`.

    Looked for in every Python environment that is on PATH. Others stay as they are.
    """
    if not (checkout / "go.work").exists() and _below_go_work(checkout):
        env = {"GOWORK": "off", **env}
    tops = {repository, Path(os.path.realpath(repository))} if repository else set()
    roots: dict[str, None] = {}
    for named in _named(env.get("PATH", os.defpath)):
        for top in tops:
            root = checkout / named.relative_to(top) if named.is_relative_to(top) else None
            if root is not None and ".." not in root.parts and root.is_dir():
                roots[str(root)] = None
    if not roots:
        return dict(env)
    theirs = env.get("PYTHONPATH")
    return {**env, "PYTHONPATH": os.pathsep.join((*roots, *([theirs] if theirs else ())))}


def _below_go_work(checkout: Path) -> bool:
    return any((folder / "go.work").is_file() for folder in checkout.absolute().parents)


def _named(path: str) -> Iterator[Path]:
    """Folders that Python environments were told to import from, in their order."""
    for programs in path.split(os.pathsep):
        for pattern in _INSTALLED:
            for file in sorted(Path(programs).parent.glob(pattern)):
                text = ""
                with suppress(OSError):
                    text = file.read_text(encoding="utf-8", errors="surrogateescape")
                if file.suffix == ".pth":
                    yield from (Path(line.strip()) for line in text.splitlines() if line[:1] == "/")
                else:  # maps names of modules and packages to where each lies
                    yield from (Path(found[2]).parent for found in _QUOTED.finditer(text))
