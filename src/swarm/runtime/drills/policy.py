"""The files of a drill's sandbox: its bindings, and the installation's own limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from swarm.core.nouns import Risk
from swarm.runtime.settings import Settings

#: What a person would wait for for minutes, a drill shortens to this; limits stay as they are.
SOON = timedelta(seconds=1)
HOLD = timedelta(seconds=90)
SHORTENED = {
    "canary": {"look_every": SOON, "max_hold": HOLD},
    "slo": {"look_every": SOON, "window": timedelta(seconds=3), "max_hold": HOLD},
}
#: There is no person in a drill to ask, so what runs by itself is the mode's to say.
LEFT_OUT = {"risk": {"auto_execute", "r3_allowed"}, "loop": {"resume_token_sha256"}}
SOURCES = ("first", "second", "third")

MANIFEST = """\
apiVersion: swarm.proompteng.ai/v1alpha1
kind: Swarm
metadata: {{name: drill}}
spec:
  owner: {{id: drill, channel: "swarm://owner/drill"}}
  domains: [drill]
  objectives: [show what happens when something breaks]
  mode: lights-out
  cadence: {{discoverEvery: 1s, planEvery: 1s, implementEvery: 1s, verifyEvery: 1s}}
  discovery:
    minCitations: 2
    sources: [{{name: first}}, {{name: second}}, {{name: third}}]
  delivery:
    repoAllowlist: [drill/orders]
    requiredChecks: [unit-tests]
    mergePolicy: merge-queue
    deploymentTargets: [{targets}]
    rollout:
      steps: [{{setWeight: 50, pause: 1s}}, {{setWeight: 100, pause: 0s}}]
  risk: {{budgetRef: {budget}, freezeDuration: 5m}}
"""

BINDINGS = """\
[repositories."drill/orders"]
path = {source}

[checks.unit-tests]
run = ["{{python}}", "-m", "unittest", "-q"]

[agents.drill]
run = ["{{python}}", "-m", "swarm.runtime.drills.agents", "{{rule}}", {notes}]
stdin = "prompt"
result = "none"
writable = [{notes}]
timeout = "1m"
expected_cost = 400000

[budgets.small]
cap = "1.90"  # one mission reserves four attempts: 1.60

[budgets.ample]
cap = "100.00"
"""

SOURCE = """
[sources.{name}]
kind = "command"
run = ["cat", "{name}.jsonl"]
ok_exit_codes = [0]
workdir = {folder}
repo = "drill/orders"
mission_class = "drill"
risk = "R0"
value = 5.0

[[sources.{name}.rules]]
rule = "DRILL-HIGH"
mission_class = "drill-high"
risk = "R2"
value = 5.0
"""

TARGET = """
[targets.orders]
repo = "drill/orders"
port = {port}
run = ["{{python}}", "-m", "orders.service", "{{port}}"]
health_path = "/health"
version_path = "/version"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sandbox has what.

    port: of the service that changes are rolled out to; None when the drill has no target.
    """

    folder: Path
    source: Path
    notes: Path
    port: int | None


def manifest(place: Place, budget: str) -> str:
    """The Swarm of a drill."""
    return MANIFEST.format(targets="orders" if place.port else "", budget=budget)


def settings(place: Place, installation: Settings) -> str:
    """The sandbox's installation file: its own bindings, and the limits of the installation."""
    text = BINDINGS.format(source=_toml(str(place.source)), notes=_toml(str(place.notes)))
    for name in SOURCES:
        text += SOURCE.format(name=name, folder=_toml(str(place.folder)))
    if place.port is not None:
        text += TARGET.format(port=place.port)
    return text + "".join(_limits(name, installation) for name in ("canary", "slo", "risk", "loop"))


def _limits(name: str, installation: Settings) -> str:
    table = getattr(installation, name).model_dump(
        exclude=LEFT_OUT.get(name, set()), exclude_none=True
    )
    for key, most in SHORTENED.get(name, {}).items():
        table[key] = min(table[key], most)
    lines = (f"{key} = {_toml(value)}\n" for key, value in table.items())
    return f"\n[{name}]\n" + "".join(lines)


def _toml(value: Any) -> str:
    """One value as TOML writes it. JSON's strings and numbers are TOML's, too."""
    match value:
        case Risk():
            return f'"{value.name}"'
        case timedelta():
            return f'"{round(value.total_seconds() * 1000)}ms"'
        case Mapping():
            return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
        case list() | tuple() | frozenset():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case bool() | int() | float() | str():
            return json.dumps(value)
    return json.dumps(str(value))
