"""The import contracts are kept, and a file that nobody placed breaks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tree import ROOT

LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contracts of pyproject.toml against the package below `tree`."""
    command = [
        str(LINT_IMPORTS),
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
        "--no-logo",
    ]
    environment = dict(os.environ, PYTHONPATH=str(tree))
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(
        ROOT / "src" / "swarm",
        tmp_path / "swarm",
        ignore=shutil.ignore_patterns("__pycache__", "*.sql"),
    )
    return tmp_path


def test_the_import_contracts_are_kept():
    result = lint(ROOT / "src")
    assert result.returncode == 0, result.stdout[-4000:]


@pytest.mark.fast("core")
@pytest.mark.parametrize(
    "place", [pytest.param("stray.py", id="room"), pytest.param("core/stray.py", id="core")]
)
def test_a_file_that_nobody_placed_breaks_the_build(copy, place):
    (copy / "swarm" / place).write_text('"""Placed by nobody."""\n')
    result = lint(copy)
    assert result.returncode == 1
    assert "stray" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("importer", "line"),
    [
        pytest.param("contract/errors.py", "import swarm.core.ids", id="upwards"),
        pytest.param("core/ids.py", "import swarm.core.snapshot", id="upwards-in-core"),
        pytest.param("adapters/feeds/__init__.py", "import swarm.adapters.local", id="sideways"),
        pytest.param("core/ids.py", "import pydantic", id="border-type-in-core"),
    ],
)
def test_an_import_against_the_order_breaks_the_build(copy, importer, line):
    path = copy / "swarm" / importer
    path.write_text(path.read_text() + f"\n{line}\n")
    result = lint(copy)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout
