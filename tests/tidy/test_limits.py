"""Sizes of files and functions, and counts of parameters: results of rooms with names.

A file cut in half to meet a number is worse than a long one; a fault here asks for a better name,
not for a knife.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

from tree import PACKAGE, ROOT, files, parsed, short, text, walked

FILE_MEDIAN, FILE_P90, FILE_MOST = 150, 250, 400
FUNCTION_P90, FUNCTION_MOST = 30, 70
CORE_PARAMETERS, PARAMETERS = 5, 8


class Function(NamedTuple):
    """One function: where it is, how long, and how many parameters a caller may pass."""

    where: str
    lines: int
    parameters: int


def quantile(values: list[int], share: float) -> int:
    """The value at `share` (0 to 1) of the values in order."""
    return sorted(values)[round(share * (len(values) - 1))]


def functions(path: Path) -> list[Function]:
    """Every function of a file; `self` and `cls` are not passed and do not count."""
    found = []
    for node in walked(parsed(path)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        spec = node.args
        names = [arg.arg for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
        passed = [name for name in names if name not in {"self", "cls"}]
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        found.append(Function(f"{short(path)}:{node.lineno} {node.name}", lines, len(passed)))
    return found


def own_code() -> list[Path]:
    """The package and what surrounds it; tests may be as long as their tables."""
    return [*files("src", "tools", "benchmarks", ending=".py"), ROOT / "dev.py"]


def too_long(paths: list[Path]) -> list[str]:
    """Every file above the limit of one file."""
    sizes = {path: text(path).count("\n") for path in paths}
    return [
        f"{short(path)}: {size} lines, at most {FILE_MOST}"
        for path, size in sizes.items()
        if size > FILE_MOST
    ]


def faults_of(path: Path) -> list[str]:
    """Every function of a file that is too long or takes too much."""
    most = CORE_PARAMETERS if path.is_relative_to(PACKAGE / "core") else PARAMETERS
    found = []
    for function in functions(path):
        if function.lines > FUNCTION_MOST:
            found.append(f"{function.where}: {function.lines} lines, at most {FUNCTION_MOST}")
        if function.parameters > most:
            found.append(f"{function.where}: {function.parameters} parameters, at most {most}")
    return found


def test_no_file_is_longer_than_its_limit():
    assert not (found := too_long(own_code())), "\n".join(found)


def test_no_function_is_longer_or_takes_more_than_its_limit():
    found = [fault for path in own_code() for fault in faults_of(path)]
    assert not found, "\n".join(found)


def test_most_files_are_short():
    sizes = [text(path).count("\n") for path in files("src", ending=".py")]
    assert quantile(sizes, 0.5) <= FILE_MEDIAN
    assert quantile(sizes, 0.9) <= FILE_P90


def test_most_functions_fit_half_a_screen():
    lengths = [one.lines for path in files("src", ending=".py") for one in functions(path)]
    assert quantile(lengths, 0.9) <= FUNCTION_P90


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param("def f(a, b, c, d, e, f, g, h, i): ...\n", "9 parameters", id="nine"),
        pytest.param("def f():\n" + "    x = 1\n" * 70, "71 lines", id="seventy-one-lines"),
    ],
)
def test_what_breaks_a_limit_is_noticed(tmp_path, body, fault):
    path = tmp_path / "sample.py"
    path.write_text(body)
    assert fault in "\n".join(faults_of(path))


def test_a_long_file_is_noticed(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text("x = 1\n" * 401)
    assert "401 lines" in too_long([path])[0]


def test_self_is_no_parameter(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text("class A:\n    def f(self, a, b, c, d, e, f, g, h): ...\n")
    assert not faults_of(path)
