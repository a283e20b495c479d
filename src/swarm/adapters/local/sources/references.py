"""A reference search over a Python repository: names that are bound and never used again.

Run as a command source: `{python} -P -m swarm.adapters.local.sources.references`. It prints one
`SignalLine` per finding. It reads syntax trees and nothing else, and shares no code with any
linter, so its statement is an independent one; the rule ids are those that linters use, so that
both statements are about one need. Where use cannot be excluded, it says nothing.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from swarm.adapters.local.sources import bindings

ORIGIN = "reference-search"
MOST_FILES = 50_000
MOST_BYTES = 2 * 1024 * 1024  #: of one file; longer ones are generated

_SKIPPED = {"node_modules", "site-packages", "venv", "build", "dist", "__pycache__"}
_NOQA = re.compile(r"#\s*noqa(?::\s*([\w, ]+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of the repository: its path below the top, its text and its syntax tree's nodes."""

    path: str
    text: str
    nodes: tuple[ast.AST, ...]

    @property
    def stem(self) -> str:
        """The name by which other files import it; a package's is that of its folder."""
        parts = Path(self.path).with_suffix("").parts
        return parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]

    def excused(self, line: int, rule: str) -> bool:
        """True when the line carries a `noqa` for this rule or for all."""
        lines = self.text.splitlines()
        found = _NOQA.search(lines[line - 1]) if 0 < line <= len(lines) else None
        return found is not None and (
            found[1] is None or rule in found[1].replace(",", " ").split()
        )


def modules(top: Path) -> Iterator[Module]:
    """Every Python file below `top` that can be parsed; hidden and foreign folders left out."""
    count = 0
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if not name.endswith(".py") or path.is_symlink():
                continue
            count += 1
            if count > MOST_FILES:
                return
            if (module := _module(path, top)) is not None:
                yield module


def _module(path: Path, top: Path) -> Module | None:
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return Module(path=path.relative_to(top).as_posix(), text=text, nodes=tuple(ast.walk(tree)))


class Repository:
    """What all files together take from each other: `from a import b`, `a.b`, and `"a.b"`."""

    def __init__(self, files: Iterable[Module]) -> None:
        self.files = list(files)
        self.taken: dict[str, set[str]] = {}
        for module in self.files:
            for stem, name in bindings.taken_from_others(module.nodes):
                self.taken.setdefault(stem, set()).add(name)

    def findings(self) -> Iterator[dict[str, str | int]]:
        """One statement per name without a use, in the order of the files."""
        for module in self.files:
            exported = self.taken.get(module.stem, set())
            for rule, line, name, what in sorted(
                (
                    *bindings.unused_imports(module.nodes, module.path, exported),
                    *bindings.unused_locals(module.nodes),
                    *bindings.deprecated_calls(module.nodes),
                ),
                key=lambda found: (found[1], found[0]),
            ):
                if not module.excused(line, rule):
                    yield self._statement(module, rule, line, name, what)

    def _statement(
        self, module: Module, rule: str, line: int, name: str, what: str
    ) -> dict[str, str | int]:
        return {
            "title": f"{rule} {what}",
            "body": f"{what}\nFound by searching the syntax trees of {len(self.files)} files"
            f" for `{name}`.",
            "path": module.path,
            "line": line,
            "rule": rule,
            "author": ORIGIN,
        }


def main(argv: list[str] | None = None) -> int:
    """Print one JSON line per finding in a folder. Exit status 0, also with findings."""
    parser = argparse.ArgumentParser(prog="references", description=__doc__)
    parser.add_argument("folder", nargs="?", default=".", type=Path)
    parser.add_argument("--select", default="", help="rules to report, separated by commas")
    options = parser.parse_args(argv)
    wanted = {rule for rule in options.select.split(",") if rule}
    if not options.folder.is_dir():
        sys.stderr.write(f"{options.folder} is no folder\n")
        return 2
    for finding in Repository(modules(options.folder)).findings():
        if not wanted or finding["rule"] in wanted:
            sys.stdout.write(json.dumps(finding) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
