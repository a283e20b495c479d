"""What a Python syntax tree binds and never uses, and which outdated calls it makes.

`nodes` is always the list of all nodes of one module, as `ast.walk` gives them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

#: (rule, line, name, one sentence)
Finding = tuple[str, int, str, str]

#: Calls that the standard library's documentation calls deprecated, with their linter rule.
DEPRECATED = {
    "datetime.datetime.utcnow": ("DTZ003", "use datetime.now(timezone.utc)"),
    "datetime.datetime.utcfromtimestamp": (
        "DTZ004",
        "use datetime.fromtimestamp(..., timezone.utc)",
    ),
    "logging.warn": ("G010", "use logging.warning"),
}
#: Test methods that Python 3.12 removed, and what they are called now.
RENAMED = {
    "assertEquals": "assertEqual",
    "assertNotEquals": "assertNotEqual",
    "assertAlmostEquals": "assertAlmostEqual",
    "assertNotAlmostEquals": "assertNotAlmostEqual",
    "assertRegexpMatches": "assertRegex",
    "assertNotRegexpMatches": "assertNotRegex",
    "assertRaisesRegexp": "assertRaisesRegex",
    "assert_": "assertTrue",
    "failUnless": "assertTrue",
    "failIf": "assertFalse",
    "failUnlessEqual": "assertEqual",
    "failIfEqual": "assertNotEqual",
    "failUnlessRaises": "assertRaises",
}
_WORD = re.compile(r"[^\W\d]\w*")
_DOTTED = re.compile(r"([^\W\d]\w*)[.:]([^\W\d]\w*)")
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_SEES_LOCALS = {"locals", "eval", "exec", "vars", "dir"}


def used_words(nodes: Iterable[ast.AST]) -> set[str]:
    """Every name that is read anywhere, and every word of every text: texts may hold types."""
    words: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            words.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.update(_WORD.findall(node.value))
        elif isinstance(node, ast.Global | ast.Nonlocal):
            words.update(node.names)
    return words


def taken_from_others(nodes: Sequence[ast.AST]) -> set[tuple[str, str]]:
    """(module's last name, name) pairs that this file takes, by import, attribute or text."""
    taken: set[tuple[str, str]] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            stem = (node.module or "").rpartition(".")[2]
            taken.update((stem, name.name) for name in node.names)
        elif isinstance(node, ast.Attribute):
            base = node.value
            last = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
            taken.add((last, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            taken.update(_DOTTED.findall(node.value))
            # Overlapping pairs of a longer path: `a.b.c` holds `b.c` too.
            taken.update(_DOTTED.findall(node.value.partition(".")[2]))
    return taken


def unused_imports(nodes: Sequence[ast.AST], path: str, exported: set[str]) -> Iterator[Finding]:
    """Imports whose name nothing in the file uses and no other file takes from it.

    exported: names that other files take from a file of this name; `*` among them means all.
    """
    if path.endswith("__init__.py") or "*" in exported or _has_star(nodes):
        return
    words = used_words(nodes)
    optional = {id(node) for node in _optional_imports(nodes)}
    for node in nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom) or id(node) in optional:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        for name in node.names:
            bound = name.asname or name.name.partition(".")[0]
            if name.asname == name.name or bound in words or bound in exported or bound == "_":
                continue  # `import a as a` says that it is passed on
            whole = (
                f"{node.module}.{name.name}"
                if isinstance(node, ast.ImportFrom) and node.module
                else name.name
            )
            yield ("F401", name.lineno, bound, f"`{whole}` imported but unused")


def _has_star(nodes: Sequence[ast.AST]) -> bool:
    froms = (node for node in nodes if isinstance(node, ast.ImportFrom))
    return any(name.name == "*" for node in froms for name in node.names)


def _optional_imports(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Imports that only ask whether something is there."""
    for node in nodes:
        if isinstance(node, ast.Try) and any(_catches_import(h) for h in node.handlers):
            yield from ast.walk(node)


def _catches_import(handler: ast.ExceptHandler) -> bool:
    named = ast.walk(handler.type) if handler.type else ()
    names = {node.id for node in named if isinstance(node, ast.Name)}
    return handler.type is None or bool(names & {"ImportError", "ModuleNotFoundError", "Exception"})


def unused_locals(nodes: Sequence[ast.AST]) -> Iterator[Finding]:
    """Plain assignments to a local name that the whole function never reads."""
    for scope in nodes:
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        words = used_words(ast.walk(scope))
        if words & _SEES_LOCALS:
            continue
        for name, line in _stored(scope.body):
            if name not in words and not name.startswith("_"):
                yield ("F841", line, name, f"Local variable `{name}` is assigned to but never used")


def _stored(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int]]:
    """Names that the statements of one function bind, without those of functions inside."""
    for node in body:
        if isinstance(node, _Scope | ast.ClassDef):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        yield from ((t.id, t.lineno) for t in targets if isinstance(t, ast.Name))
        for inner in ("body", "orelse", "finalbody"):
            yield from _stored(getattr(node, inner, []))
        for handler in getattr(node, "handlers", []):
            if handler.name:
                yield handler.name, handler.lineno
            yield from _stored(handler.body)
        for case in getattr(node, "cases", []):
            yield from _stored(case.body)


def deprecated_calls(nodes: Sequence[ast.AST]) -> Iterator[Finding]:
    """Calls that Python's documentation tells to replace, resolved through the imports."""
    known = _imported(nodes)
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        dotted = _dotted(node.func)
        first, _, rest = dotted.partition(".")
        whole = f"{known[first]}.{rest}" if first in known else ""
        if whole in DEPRECATED:
            rule, instead = DEPRECATED[whole]
            yield (rule, node.lineno, whole, f"`{whole}()` used; {instead}")
        elif first == "self" and rest in RENAMED:
            yield ("UP005", node.lineno, rest, f"`{rest}` used; use {RENAMED[rest]}")


def _imported(nodes: Sequence[ast.AST]) -> dict[str, str]:
    known: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name.partition(".")[0]
                known[name.asname or first] = name.name if name.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            known.update((n.asname or n.name, f"{node.module}.{n.name}") for n in node.names)
    return known


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed((*parts, node.id))) if isinstance(node, ast.Name) else ""
