"""The files of this repository, as the tidy tests see them: what git tracks or would track."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "swarm"


@functools.cache
def every_file() -> tuple[Path, ...]:
    """Every file that git tracks or that is new and not ignored; all of them exist."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in sorted(set(found.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def files(*folders: str, ending: str) -> Iterator[Path]:
    """The files with one ending below the named folders of the repository; all if none is named."""
    roots = [ROOT / folder for folder in folders] or [ROOT]
    for path in every_file():
        if path.name.endswith(ending) and any(path.is_relative_to(root) for root in roots):
            yield path


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text(path), filename=str(path))


@functools.cache
def walked(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a tree, as `ast.walk` gives them; several checks ask for those of each file."""
    return tuple(ast.walk(tree))


@functools.cache
def text(path: Path) -> str:
    """The text of a file."""
    return path.read_text(encoding="utf-8")


def short(path: Path) -> str:
    """A path as people name it: relative to the repository."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def module_name(path: Path) -> str:
    """The dotted name of a file below `src/`; a package's own file has the package's name."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def dotted(node: ast.AST) -> str:
    """The dotted text of a name or attribute, such as `datetime.now`; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def imported(tree: ast.Module, package: str = "") -> Iterator[tuple[str, int]]:
    """Every name that a module imports, fully dotted, with its line; a member counts as a name.

    package: the package that holds the module, against which relative imports are read.
    """
    for node in walked(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield source, node.lineno
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)


def package_name(path: Path) -> str:
    """The dotted name of the package that holds a file; empty outside `src/`."""
    if not path.is_relative_to(ROOT / "src"):
        return ""
    return ".".join(path.parent.relative_to(ROOT / "src").parts)
