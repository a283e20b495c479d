"""Every numbered requirement has a test that carries its number; no test carries a number of none.

`python tests/tidy/test_requirements.py` prints the table of requirements and their tests.
"""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from tree import dotted

TESTS = Path(__file__).parents[1]
#: A test with one of these is not in the fast part.
APART = frozenset({"pytest.mark.slow", "pytest.mark.soak", "pytest.mark.alone"})

#: How many requirements each family has.
FAMILIES = {
    "API": 10, "OWN": 4, "LOOP": 11, "MODE": 6, "GATE": 6, "FRZ": 5, "FAIL": 7, "VAL": 6, "REG": 10,
}  # fmt: skip
#: Requirements that no test can carry yet, each with why; one that a test carries must go.
UNPROVEN = {
    "VAL-1": "asks a real API server; tests/contract/test_crd_agrees.py has a model of one",
}


def known() -> list[str]:
    """Every requirement's number."""
    return [f"{family}-{one}" for family, most in FAMILIES.items() for one in range(1, most + 1)]


def marked(tree: ast.Module) -> Iterator[list[ast.expr]]:
    """The marks of each test: its own, those of its class and of its file."""

    def below(body: list[ast.stmt], around: list[ast.expr]) -> Iterator[list[ast.expr]]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                marks = around + node.decorator_list
                yield marks  # its tests may all stand in the suite that it inherits
                yield from below(node.body, marks)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield around + node.decorator_list

    whole = [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for mark in (node.value.elts if isinstance(node.value, ast.List) else [node.value])
    ]
    yield from below(tree.body, whole)


def numbers(mark: ast.expr) -> list[str]:
    """The requirements that one mark names."""
    if not (isinstance(mark, ast.Call) and dotted(mark.func) == "pytest.mark.req"):
        return []
    said = [ast.literal_eval(one) for one in mark.args if isinstance(one, ast.Constant)]
    return said if said and len(said) == len(mark.args) else [ast.unparse(mark)]


@functools.cache
def proofs(folder: Path, apart: AbstractSet[str] = frozenset()) -> Mapping[str, Sequence[str]]:
    """Requirement -> the test files that carry its number, without tests marked as `apart`."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        if ".req(" not in (text := path.read_text(encoding="utf-8")):
            continue
        wanted = (m for m in marked(ast.parse(text)) if apart.isdisjoint(map(dotted, m)))
        for number in sorted({one for marks in wanted for mark in marks for one in numbers(mark)}):
            found[number].append(str(path.relative_to(folder)))
    return found


def unproven(folder: Path, apart: AbstractSet[str] = frozenset()) -> list[str]:
    """Requirements that no test carries, or none but those that stand apart."""
    there = proofs(folder, apart)
    return [number for number in known() if number not in there and number not in UNPROVEN]


def invented(folder: Path) -> list[str]:
    """Numbers that tests carry and no requirement has."""
    return sorted(set(proofs(folder)) - set(known()))


def test_every_requirement_has_a_test():
    assert unproven(TESTS) == []


def test_every_requirement_has_a_fast_test():
    """Whoever runs only the fast part sees each requirement break."""
    assert unproven(TESTS, APART) == []


def test_what_is_said_to_be_unproven_is():
    assert UNPROVEN.keys() <= set(known()) - proofs(TESTS).keys()


def test_no_test_proves_a_requirement_that_is_none():
    assert invented(TESTS) == []


def test_a_hole_and_an_invention_are_seen(tmp_path):
    said = "".join(f'@pytest.mark.req("{n}")\n' for n in ("GATE-1", "GATE-9")) + "def test_a(): ..."
    (tmp_path / "test_some.py").write_text(said)
    assert "GATE-1" not in unproven(tmp_path)
    assert "GATE-2" in unproven(tmp_path)
    assert invented(tmp_path) == ["GATE-9"]


@pytest.mark.parametrize("mark", ["pytest.mark.req()", "pytest.mark.req(GATE)"])
def test_a_mark_without_a_number_is_seen(tmp_path, mark):
    (tmp_path / "test_some.py").write_text(f"@{mark}\ndef test_a(): ...\n")
    assert invented(tmp_path) == [mark]


def test_a_requirement_with_slow_tests_only_is_seen(tmp_path):
    said = '@pytest.mark.slow\n@pytest.mark.req("GATE-1", "GATE-2")\ndef test_a(): ...\n'
    said += 'class TestB:\n    @pytest.mark.req("GATE-2")\n    def test_b(self): ...\n'
    (tmp_path / "test_some.py").write_text(said)
    assert {"GATE-1", "GATE-2"}.isdisjoint(unproven(tmp_path))
    assert "GATE-1" in unproven(tmp_path, APART)
    assert "GATE-2" not in unproven(tmp_path, APART)


if __name__ == "__main__":
    table = proofs(TESTS)
    for number in known():
        print(f"{number:<8} {', '.join(table.get(number, ())) or UNPROVEN.get(number)}")  # noqa: T201
