"""Names: no vague ones, no files nobody uses, and every word of WORDS.md exactly once."""

from __future__ import annotations

import ast
import re
from pathlib import Path, PurePosixPath

import pytest

from tree import (
    PACKAGE,
    ROOT,
    every_file,
    files,
    imported,
    module_name,
    package_name,
    parsed,
    short,
    text,
)

VAGUE = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "managers"}
VAGUE_ENDS = ("_util", "_utils", "_helper", "_helpers", "_common", "_misc", "_manager")
CODE = ("src", "tests", "tools", "benchmarks")


def vague(path: PurePosixPath) -> bool:
    """Whether a file, or a folder on the way to it, is named after nothing in particular."""
    names = [*path.parent.parts, path.stem]
    return any(name in VAGUE or name.endswith(VAGUE_ENDS) for name in names)


def test_every_file_is_named_after_its_concept():
    names = (path.relative_to(ROOT) for path in every_file() if path.suffix in {".py", ".sql"})
    assert not (found := [str(name) for name in names if vague(PurePosixPath(name))]), found


@pytest.mark.parametrize("name", ["src/utils/x.py", "src/git_helpers.py", "a/manager.py"])
def test_a_vague_name_is_noticed(name):
    assert vague(PurePosixPath(name))


def used_names() -> set[str]:
    """Every dotted name under `swarm.` that any code imports or names in a string."""
    used = set()
    for path in files(*CODE, ending=".py"):
        used.update(name for name, _ in imported(parsed(path), package_name(path)))
        # What is loaded lazily is named by a string, `package.module:function`.
        used.update(re.findall(r"[\"'](swarm(?:\.\w+)+)(?::\w+)?[\"']", text(path)))
    return used | verbs()


def verbs() -> set[str]:
    """The modules of the verbs, which the command tree names by the verb or by `file:function`."""
    tree = PACKAGE / "cli" / "app.py"
    if not tree.exists():
        return set()
    return {f"swarm.cli.{name}" for name in re.findall(r"\"(\w+)(?::\w+)?\"", text(tree))}


def test_no_module_lies_about_unused():
    """A file that nobody imports, not even a test, is either forgotten or not finished."""
    used = used_names()
    dead = [
        short(path)
        for path in files("src", ending=".py")
        if path.name not in {"__init__.py", "__main__.py"} and module_name(path) not in used
    ]
    assert not dead, f"nobody imports: {', '.join(dead)}"


# --- WORDS.md ------------------------------------------------------------------------------------


def words() -> list[tuple[str, str]]:
    """Each word of the first table of WORDS.md with the place in the code that it names."""
    rows = re.findall(r"^\| \*\*(\w+)\*\* \| `([^`]+)` \|", text(ROOT / "WORDS.md"), re.MULTILINE)
    assert len(rows) >= 14, "WORDS.md lost its table"
    return rows


def classes(path: Path) -> set[str]:
    """The names of the classes and type aliases that a module defines at its top level."""
    found = set()
    for node in parsed(path).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return found


def place_exists(place: str) -> bool:
    """Whether a dotted name is a package, a module, or a class in a module."""
    path = ROOT / "src" / Path(*place.split("."))
    if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
        return True
    holder = path.parent.with_suffix(".py")
    return holder.exists() and path.name in classes(holder)


def test_every_word_is_where_words_says():
    missing = [f"{word}: {place}" for word, place in words() if not place_exists(place)]
    assert not missing, "WORDS.md names places that do not exist:\n" + "\n".join(missing)


def test_every_word_names_one_type_only():
    """One meaning each: a second class of the same name would be a second meaning."""
    homes: dict[str, list[str]] = {word: [] for word, _ in words()}
    for path in files("src", ending=".py"):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and node.name in homes:
                homes[node.name].append(short(path))
    doubled = [f"{word}: {', '.join(where)}" for word, where in homes.items() if len(where) > 1]
    assert not doubled, "words with two meanings:\n" + "\n".join(doubled)


def test_the_package_is_where_these_tests_look():
    assert (PACKAGE / "__init__.py").exists()
