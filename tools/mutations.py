"""Every small fault that can be put into a Python file, and how to put one into a running program.

A mutation changes one expression or statement inside a function: a comparison, an `and`, a `not`,
a number, an answer, a guard. It reaches a running program by replacing the code of the functions
that were made from the file, wherever they have been imported to; nothing is written to disk.
Words (f-strings), annotations, defaults and what runs at import are left alone.
"""

from __future__ import annotations

import ast
import gc
import inspect
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

#: What a comparison becomes: first off by one, then its opposite.
_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALLED = {"max": "min", "min": "max", "any": "all", "all": "any"}
_ANSWERS = ("PASS", "WAIT", "FAIL")
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
_LEFT_ALONE = {"annotation", "returns", "decorator_list", "defaults", "kw_defaults", "type_params"}


@dataclass(frozen=True, slots=True)
class Site:
    """Where one mutation goes: the field of a parent node, and what stands there instead.

    index: the place in a list of nodes; None if the field holds one node.
    """

    parent: ast.AST
    name: str
    index: int | None
    old: ast.expr | ast.stmt
    new: ast.AST

    def put(self, node: ast.AST) -> None:
        """Let this node stand at the site."""
        if self.index is None:
            setattr(self.parent, self.name, node)
        else:
            getattr(self.parent, self.name)[self.index] = node


@dataclass(frozen=True, slots=True)
class Mutation:
    """One small fault. name: file, function, and both texts; it outlives moved lines."""

    name: str
    file: Path
    lines: range
    site: Site = field(repr=False)
    tree: ast.Module = field(repr=False)

    def plant(self, made: Iterable[FunctionType]) -> int:
        """Put it into these functions for good; how many run it. Meant for a child process."""
        before = _functions(compile(self.tree, str(self.file), "exec", dont_inherit=True))
        self.site.put(self.site.new)
        after = _functions(compile(self.tree, str(self.file), "exec", dont_inherit=True))
        changed = {key for key, code in after.items() if code != before[key]}
        planted = 0
        for function in made:
            code = function.__code__
            key = (code.co_qualname, code.co_firstlineno)
            if key in changed and code.co_filename == str(self.file):
                function.__code__ = after[key]
                planted += 1
        return planted


def made_from(files: Collection[str]) -> list[FunctionType]:
    """All functions of this process that were made from these files. Cost: 0.1 s and more."""
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, FunctionType) and found.__code__.co_filename in files
    ]


def remembered_from(files: Collection[str]) -> list[_lru_cache_wrapper[Any]]:
    """All functions that were made from these files and remember what they answered."""
    made = {id(function) for function in made_from(files)}
    every = (found for found in gc.get_objects() if isinstance(found, _lru_cache_wrapper))
    return [found for found in every if id(found.__wrapped__) in made]


def mutations(file: Path, shown: str) -> list[Mutation]:
    """Every mutation of a file, in the order of its text. shown: what the names begin with."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found, seen = [], Counter[str]()
    for function, site in _sites(tree, ""):
        name = f"{shown} {function}: {_text(site.old)} => {_text(site.new)}"
        seen[name] += 1
        if seen[name] > 1:
            name += f" ({seen[name]})"
        found.append(Mutation(name, file, _lines(site.old), site, tree))
    return found


def _lines(node: ast.expr | ast.stmt) -> range:
    """Where a test must have been to notice: a whole guard begins with its question."""
    if isinstance(node, ast.If):
        node = node.test
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _text(node: ast.AST) -> str:
    text = f"if {ast.unparse(node.test)}: ..." if isinstance(node, ast.If) else ast.unparse(node)
    return " ".join(text.split())


def _sites(node: ast.AST, above: str, *, inside: bool = False) -> Iterator[tuple[str, Site]]:
    """All sites below a node that lie in a function, whose dotted name comes along."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        above = f"{above}.{node.name}".lstrip(".")
        inside = not isinstance(node, ast.ClassDef)
    for name, value in ast.iter_fields(node):
        if name in _LEFT_ALONE:
            continue
        listed = value if isinstance(value, list) else [value]
        for index, child in enumerate(listed):
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            if inside and isinstance(child, ast.expr | ast.stmt):
                for new in _others(child):
                    made = ast.fix_missing_locations(ast.copy_location(new, child))
                    place = index if listed is value else None
                    yield above, Site(node, name, place, child, made)
            yield from _sites(child, above, inside=inside)


def _others(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901, PLR0912 - one case for each kind of fault
    """What may stand instead of a node."""
    match node:
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for dropped in range(len(node.values)):
                rest = [value for i, value in enumerate(node.values) if i != dropped]
                yield ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int(number)):
            yield ast.Constant(number + 1)
        case ast.BinOp() if type(node.op) in _COMPUTED:
            yield ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)
        case ast.Call(func=ast.Name(id=name)) if name in _CALLED:
            yield ast.Call(ast.Name(_CALLED[name], ast.Load()), node.args, node.keywords)
        case ast.Attribute(value=ast.Name(id="Answer"), attr=attr) if attr in _ANSWERS:
            yield from (ast.Attribute(node.value, a, node.ctx) for a in _ANSWERS if a != attr)
        case ast.If():
            yield from _guards(node)
        case ast.IfExp() if _plain(node.test):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield()):
            yield ast.Pass()
        case _:
            pass


def _comparisons(node: ast.Compare) -> Iterator[ast.AST]:
    for index, op in enumerate(node.ops):
        for other in _COMPARED[type(op)]:
            ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)


def _guards(node: ast.If) -> Iterator[ast.AST]:
    if not node.orelse and isinstance(node.body[-1], ast.Return | ast.Raise | ast.Continue):
        yield ast.Pass()
    if _plain(node.test):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def _plain(test: ast.expr) -> bool:
    """Whether turning a question round is not done already by changing what is inside it."""
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return not negated and not isinstance(test, ast.Compare | ast.BoolOp)


def _functions(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """The code of every function of a module that is not inside another, by name and first line."""
    found: dict[tuple[str, int], CodeType] = {}
    for const in code.co_consts:
        if isinstance(const, CodeType):
            if const.co_flags & inspect.CO_OPTIMIZED:
                found[const.co_qualname, const.co_firstlineno] = const
            else:
                found |= _functions(const)
    return found
