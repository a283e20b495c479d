"""Real series that come with packages of the development environment; nothing is fetched."""

from __future__ import annotations

import ast
import csv
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

#: Name, package, file inside it, column. Read without importing the package, which takes seconds.
SERIES = {
    "sp500": ("arch", "data/sp500/sp500.csv.gz", "Adj Close"),
    "nasdaq": ("arch", "data/nasdaq/nasdaq.csv.gz", "Adj Close"),
    "wti": ("arch", "data/wti/wti.csv.gz", "DCOILWTICO"),
    "sp500-long": ("skfolio", "datasets/data/sp500_index.csv.gz", "SP500"),
}


@pytest.fixture(scope="session")
def closes():
    """Daily closes by name, oldest first; days without one are left out."""

    def read(name: str) -> np.ndarray:
        package, inside, column = SERIES[name]
        folder = Path(importlib.util.find_spec(package).origin).parent
        with gzip.open(folder / inside, "rt") as file:
            found = [row[column] for row in csv.DictReader(file)]
        return np.array([float(text) for text in found if text not in {"", "."}])

    return read


@pytest.fixture(scope="session")
def published():
    """A series that statsmodels' own tests hold as a literal, by its name."""

    def read(name: str) -> np.ndarray:
        folder = Path(importlib.util.find_spec("statsmodels").origin).parent
        for path in sorted((folder / "tsa/regime_switching/tests").glob("test_markov_*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                    # A list, or numpy.array of one.
                    held = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
                    return np.array(ast.literal_eval(held), dtype=np.float64)
        raise LookupError(name)

    return read
