"""The contract at the door: import, first manifest, next manifests, hash, CRD.

    python benchmarks/contract.py

Peer in the same run: jsonschema on the rendered CRD, which checks structure alone (no CEL rules,
no unique entries, no defaults filled in, no lines, no words of remedy). Times are processor time,
medians; importing is measured in fresh interpreters with compiled byte code.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from swarm.contract.canonical import policy_hash
from swarm.contract.crd import crd_yaml, render_crd
from swarm.contract.validate import check_swarm, load_swarms

MANIFEST = Path(__file__).parents[1] / "tests" / "contract" / "data" / "generic-template.yaml"
ROUNDS = 200
IMPORTS = {
    "import pydantic alone": "from pydantic import BaseModel, Field",
    "import contract.swarm, pydantic included": "import swarm.contract.swarm",
    "import and check one manifest": (
        "from swarm.contract.validate import load_swarms;"
        f"load_swarms(open({str(MANIFEST)!r}).read(), source='x')"
    ),
    "import contract.status (no pydantic)": "import swarm.contract.status",
}


def fresh(program: str) -> float:
    """Milliseconds of processor time that a new interpreter spends on the program, median of 7."""
    timed = (
        f"import time; a = time.process_time(); {program}; print((time.process_time() - a) * 1e3)"
    )
    command = [sys.executable, "-c", timed]
    return statistics.median(float(subprocess.check_output(command)) for _ in range(7))


def median(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Milliseconds of processor time, median."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append((time.process_time() - started) * 1e3)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    text = MANIFEST.read_text("utf-8")
    tree = yaml.safe_load(text)
    (version,) = render_crd()["spec"]["versions"]
    peer = Draft202012Validator(version["schema"]["openAPIV3Schema"])
    (swarm,) = load_swarms(text, source="x")
    rows = {name: fresh(program) for name, program in IMPORTS.items()}
    rows["load one manifest (YAML, 63 lines)"] = median(lambda: load_swarms(text, source="x"))
    rows["check one object"] = median(lambda: check_swarm(tree))
    rows["  peer: jsonschema, structure only"] = median(lambda: list(peer.iter_errors(tree)))
    rows["policy hash"] = median(lambda: policy_hash(swarm.spec))
    rows["render the CRD as YAML"] = median(crd_yaml, rounds=10)
    print(f"{'what':42} {'ms':>9}")
    for name, milliseconds in rows.items():
        print(f"{name:42} {milliseconds:9.3f}")


if __name__ == "__main__":
    main()
