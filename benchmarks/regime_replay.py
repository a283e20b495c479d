"""What a replay is worth: the same bits wherever it runs, and numbers whatever comes.

    python benchmarks/regime_replay.py            about three minutes
    python benchmarks/regime_replay.py --quick    50,000 hostile ticks in place of a million

These are R9 and R10, and each is met or not: what is counted is how many different ends one replay
has, and how many ticks left something that is no number. The state holds every detector, opinion
and rule. `tests/regime/test_engine.py` and `test_replay.py` hold both, with 10,000 ticks in plain
Python and a save and restore after every tick of three streams.

Peers: the same filter in numpy, whose exponentials and matrix products are other code on another
processor; and the Rust package `changepoint`, where it is installed (dependency group `bench`).
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from regime_engine import params, returns
from stand import head, median, row

from swarm.regime.changepoint import recursion
from swarm.regime.engine.state import EngineState, empty, restore
from swarm.regime.engine.step import Observation, advance

STREAMS, REPLAYED, IN_PLAIN_PYTHON = 2, 2_000, 200
WIDE = "+avx512f,+avx512bw,+avx512dq,+avx512vl,+fma,-prefer-256-bit"
#: What numba is told, and what numpy and its BLAS are.
TARGETS: Mapping[str, Mapping[str, str]] = {
    "generic": {
        "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    },
    "AVX2": {
        "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    },
    "AVX-512": {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": WIDE},
}  # fmt: skip
OURS = "import regime_replay as r, sys; print(r.ours(int(sys.argv[1])))"
NUMPYS = "import regime_replay as r, sys; print(r.in_numpy(int(sys.argv[1])))"


# --- R9 ------------------------------------------------------------------------------------------


def spoilt(ticks: int) -> np.ndarray:
    """Regimes that change, with a gap and one print beyond all sense."""
    values = returns(ticks, STREAMS)
    values[10:17, 0], values[30, 1] = np.nan, 1e9
    return values


def ours(ticks: int, *, split: bool = False) -> str:
    """The hash of the whole engine after so many ticks; saved and restored after each if split."""
    set_to = params()
    state = empty(STREAMS, set_to)
    for values in spoilt(ticks):
        advance(state, Observation(at=state.tick + 2, values=values), set_to)
        if split:
            state = restore(state.to_bytes(set_to), set_to)
    return hashlib.sha256(state.to_bytes(set_to)).hexdigest()


def in_numpy(ticks: int) -> str:
    """The Markov filter of the same model, in matrices and numpy's own exponentials."""
    model = params().markov
    shares, total = np.full((model.states, STREAMS), 1 / model.states), np.zeros(STREAMS)
    scale = model.scale[:, None]
    for values in np.nan_to_num(spoilt(ticks)):
        density = -np.log(scale) - 0.5 * (values / scale) ** 2
        most = density.max(axis=0)
        shares = (model.transition.T @ shares) * np.exp(density - most)
        mass = shares.sum(axis=0)
        shares, total = shares / mass, total + most + np.log(mass)
    return hashlib.sha256(shares.tobytes() + total.tobytes()).hexdigest()


def elsewhere(program: str, ticks: int, told: Mapping[str, str]) -> str:
    """What the program prints in a process of its own, with machine code of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(ticks)],
            env={**os.environ, "NUMBA_CACHE_DIR": folder, **told},
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
    return done.stdout.strip()


def can_run() -> list[str]:
    """The targets that this processor has, widest last."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii").split()
    needs = {"generic": "sse2", "AVX2": "avx2", "AVX-512": "avx512f"}
    return [name for name, flag in needs.items() if flag in flags]


def replays() -> None:
    head("R9: one replay, and how many different ends it has")
    targets = can_run()
    left_out = [name for name in TARGETS if name not in targets]
    found, peers, taken = set(), set(), []
    for name in targets:
        begun = time.perf_counter()
        found.add(elsewhere(OURS, REPLAYED, TARGETS[name]))
        taken.append(time.perf_counter() - begun)
        peers.add(elsewhere(NUMPYS, REPLAYED, TARGETS[name]))
    note = f"; not on this processor: {', '.join(left_out)}" if left_out else ""
    row(f"R9: {REPLAYED:,} ticks on {', '.join(targets)}", "1", str(len(found)),
        f"each compiled anew, median {median(taken):.0f} s{note}")  # fmt: skip
    row("peer: the filter in numpy on the same", "", str(len(peers)), "another BLAS, another exp")
    ends = {ours(REPLAYED), elsewhere(OURS, REPLAYED, {}), ours(REPLAYED, split=True)} | found
    row("R9: and in two processes, and saved at every tick", "1", str(len(ends)))
    plain = {elsewhere(OURS, IN_PLAIN_PYTHON, {"NUMBA_DISABLE_JIT": "1"}), ours(IN_PLAIN_PYTHON)}
    row(f"R9: and in plain Python, {IN_PLAIN_PYTHON} ticks", "1", str(len(plain)),
        "10,000 in the tests")  # fmt: skip


# --- R10 -----------------------------------------------------------------------------------------


def hostile(seed: int, ticks: int) -> np.ndarray:
    """Eight streams: usual, outliers of 1e6, gaps, constant, tiny, huge, infinities, all of it."""
    rng = np.random.default_rng(seed)
    values = rng.standard_t(3, (ticks, 8))
    hit = rng.random((ticks, 8)) < 0.01
    values[:, 1] *= np.where(hit[:, 1], 1e6, 1.0)
    values[rng.random(ticks) < 0.2, 2] = np.nan
    values[ticks // 3 : ticks // 2, 2] = np.nan
    values[:, 3] = 0.7
    values[:, 4] *= 1e-12
    values[:, 5] *= 1e12
    values[hit[:, 6], 6] = np.inf
    values[:, 7] = rng.choice([0.0, 1e-300, 1e300, -1e308, np.nan, np.inf, 5e-324, 1.0], ticks)
    return values


def off_by(state: EngineState) -> float:
    """How far the worst probability mass is from one: opinions, states and runs. NaN where none."""
    posterior, numbers, counts = state.arrays[0], state.arrays[4], state.arrays[5]
    live = np.arange(numbers.shape[2]) < counts[:, [recursion.LIVE]]
    runs = np.where(live, np.exp(numbers[:, recursion.LOG_WEIGHT]), 0.0)
    masses = (state.opinions[:, :4].sum(axis=1), posterior.sum(axis=0), runs.sum(axis=1))
    return float(np.abs(np.concatenate(masses) - 1.0).max())


def resident() -> float:
    """MiB of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def survives(ticks: int) -> None:
    head(f"R10: {ticks:,} ticks of outliers, gaps, constants and scales from 1e-12 to 1e12")
    set_to, block = params(), 5_000
    state, worst, broken, taken, held = empty(8, set_to), 0.0, 0, [], []
    for first in range(0, ticks, block):
        begun = time.process_time()
        for values in hostile(first, block):
            advance(state, Observation(at=state.tick + 2, values=values), set_to)
            off = off_by(state)
            broken += not off <= 1e-9  # a NaN too
            worst = max(worst, off)
        taken.append((time.process_time() - begun) / block)
        broken += sum(not np.isfinite(array).all() for array in state.arrays)
        held.append(resident())
    row("R10: ticks that left no number or lost mass", "0", str(broken),
        f"mass within {worst:.0e} of 1; {median(taken) * 1e6:.0f} us a tick, checked")  # fmt: skip
    grown = max(held) - held[len(held) // 5]
    row("R10: memory after the first fifth", "flat", f"{grown:+.1f} MiB", f"{held[-1]:.0f} MiB")


def peer_survives(ticks: int) -> None:
    """The Rust package on the same streams without their gaps, which it has no way to say."""
    try:
        from changepoint import Bocpd, NormalGamma  # noqa: PLC0415 - where it is installed
    except ImportError as missing:
        row("peer", "", "not run", f"{missing.name} is in the bench environment only")
        return
    values, lost = np.nan_to_num(hostile(0, ticks), posinf=1e300, neginf=-1e300), []
    for stream in range(values.shape[1]):
        peer, broken = Bocpd(NormalGamma(0, 1, 1, 1), 250.0), 0
        for value in values[:, stream].tolist():
            broken += not abs(float(np.sum(peer.step(value))) - 1.0) <= 1e-9
        lost.append(broken)
    row(f"peer: changepoint (Rust), {ticks:,} ticks of each stream", "", f"{sum(lost):,}",
        "by stream " + "/".join(map(str, lost)))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    print(__doc__)
    replays()
    survives(50_000 if quick else 1_000_000)
    peer_survives(1_000)
