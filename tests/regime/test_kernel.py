"""Compiled or not, and whatever the processor: the same bits. And never stale machine code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import swarm.regime
from swarm.regime import elementary, kernel

pytestmark = pytest.mark.req("REG-2")
ROOM = Path(swarm.regime.__file__).parent

BITS = """
import hashlib, numpy as np
from swarm.regime import elementary as e
from swarm.regime.kernel import compiled
@compiled
def run(x, out):
    for i in range(x.size):
        out[i, 0] = e.dexp(x[i])
        out[i, 1] = e.dlog(abs(x[i]))
        out[i, 2] = e.dlog1p(abs(x[i]))
        out[i, 3] = e.logistic(x[i])
        out[i, 4] = e.dlgamma(abs(x[i]) + 1e-3)
    return e.lane_sum(x, x.size)
x = np.random.default_rng(5).normal(0, 1, 1500) * 10.0 ** np.linspace(-12, 2.8, 1500)
out = np.zeros((x.size, 5))
total = run(x, out)
print(hashlib.sha256(out.tobytes() + np.float64(total).tobytes()).hexdigest())
"""


#: What the detectors spend their time on, and what other registers would show in: rows and lanes.
ROWS = """
import hashlib, numpy as np
from swarm.regime import elementary as e
x = np.random.default_rng(5).normal(0, 1, 1501) * 10.0 ** np.linspace(-12, 2.8, 1501)
out = np.zeros((5, x.size))
e.exp_row(-np.abs(x), x.size, out[0], out[3])
e.log_row(np.abs(x), x.size, out[1], out[3], out[4])
total = e.lane_sum(x, x.size)
found = hashlib.sha256(out[:2].tobytes() + np.float64(total).tobytes()).hexdigest()
"""
REGISTERS = """
code = "".join("".join(one.inspect_asm().values()) for one in (e.exp_row, e.log_row, e.lane_sum))
print(found, *(one for one in ("xmm", "ymm", "zmm") if "%" + one in code))
"""


def run(code, *, path=(), **environment):
    given = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=given, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_every_target_gives_the_same_bits(target, tmp_path):
    assert run(BITS, NUMBA_CACHE_DIR=str(tmp_path), **target) == run(BITS)


@pytest.mark.skipif(kernel.numba is None, reason="nothing is compiled here")
@pytest.mark.parametrize("target", ["generic"], indirect=True)
def test_code_for_any_processor_gives_the_bits_of_code_for_this_one(target, tmp_path):
    """In a few seconds; all detectors, for three processors, are among the slow tests."""
    here = {}
    exec(ROWS, here)
    found, *registers = run(ROWS + REGISTERS, NUMBA_CACHE_DIR=str(tmp_path), **target).split()
    assert found == here["found"]
    assert registers == ["xmm"]


WITHOUT_NUMBA = "import sys; sys.modules['numba'] = None\n"


def test_without_numba_the_same_source_runs_as_it_is():
    code = WITHOUT_NUMBA + (
        "from swarm.regime import kernel, elementary\n"
        "assert kernel.numba is None\n"
        "assert kernel.is_ready(elementary.dexp)\n"
        "print(type(elementary.dexp).__name__, float(elementary.dexp(1.0)).hex())"
    )
    assert run(code) == f"function {float(elementary.dexp(1.0)).hex()}"


@pytest.mark.slow
@pytest.mark.skipif(kernel.numba is None, reason="nothing is compiled here")
def test_a_kernel_is_compiled_anew_when_one_that_it_calls_has_changed(tmp_path):
    """numba itself looks only at the file of the outer one, and would go on with the old."""
    copy = tmp_path / "inner"
    shutil.copytree(ROOM, copy / "swarm" / "regime", ignore=shutil.ignore_patterns("__pycache__"))
    room = copy / "swarm" / "regime"
    (copy / "swarm" / "__init__.py").touch()
    (room / "low.py").write_text(
        "from swarm.regime.kernel import compiled\n@compiled\ndef low(x):\n    return x + 1.0\n"
    )
    (room / "high.py").write_text(
        "from swarm.regime.kernel import compiled\nfrom swarm.regime.low import low\n"
        "@compiled\ndef high(x):\n    return low(x)\n"
    )
    code = (
        "from swarm.regime.high import high; from swarm.regime.kernel import is_ready; "
        "print(is_ready(high), high(1.0), sum(high.stats.cache_hits.values()), is_ready(high))"
    )
    path = [str(copy)]
    assert run(code, path=path) == "False 2.0 0 True"
    assert run(code, path=path) == "True 2.0 1 True", "nothing was kept on disk"
    (room / "low.py").write_text(
        "from swarm.regime.kernel import compiled\n@compiled\ndef low(x):\n    return x + 2.0\n"
    )
    assert run(code, path=path) == "False 3.0 0 True"


@pytest.mark.slow
@pytest.mark.skipif(kernel.numba is None, reason="nothing is compiled here")
def test_where_no_file_backs_the_source_kernels_still_compile():
    code = (
        "from swarm.regime.kernel import compiled\n"
        "made = {'compiled': compiled}\n"
        "exec(compile('@compiled\\ndef f(x):\\n    return x * 2.0', '<nowhere>', 'exec'), made)\n"
        "print(made['f'](2.0))"
    )
    assert run(code) == "4.0"
