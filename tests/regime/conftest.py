"""Real series that come with packages of the development environment; nothing is fetched."""

from __future__ import annotations

import ast
import csv
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

#: What kernels are compiled for. A name without its features would take those of this machine, and
#: AVX-512 would be 256 bits wide by itself.
TARGETS = {
    "plain-python": {"NUMBA_DISABLE_JIT": "1"},
    "generic": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
    "avx512": {
        "NUMBA_CPU_NAME": "skylake-avx512",
        "NUMBA_CPU_FEATURES": "+avx512f,+avx512bw,+avx512dq,+avx512vl,+fma,-prefer-256-bit",
    },
}
NEEDS = {"avx2": "avx2", "avx512": "avx512f"}

#: Name, package, file inside it, column. Read without importing the package, which takes seconds.
SERIES = {
    "sp500": ("arch", "data/sp500/sp500.csv.gz", "Adj Close"),
    "nasdaq": ("arch", "data/nasdaq/nasdaq.csv.gz", "Adj Close"),
    "wti": ("arch", "data/wti/wti.csv.gz", "DCOILWTICO"),
    "sp500-long": ("skfolio", "datasets/data/sp500_index.csv.gz", "SP500"),
}


@pytest.fixture(params=list(TARGETS))
def target(request):
    """What tells a process to run kernels as one of `TARGETS`, by the name of the target."""
    if (feature := NEEDS.get(request.param)) is not None:
        llvm = pytest.importorskip("llvmlite.binding")
        if not llvm.get_host_cpu_features().get(feature):
            pytest.skip(f"this processor has no {feature}")
    return TARGETS[request.param]


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
