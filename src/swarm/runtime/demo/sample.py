"""Makes the demo's private folder: a repository, its bare remote, keys, settings, a manifest."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tomllib
from importlib import resources
from pathlib import Path

from swarm.runtime.home import Home

TARGET, INJECTED = "orders", ("profile", "review")
_SUFFIX = ".txt"  # the sample's flaws are deliberate: no linter of ours may mend them

_GIT = (
    "git", "-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "core.hooksPath=",
    "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main",
)  # fmt: skip

MANIFEST = """\
apiVersion: swarm.proompteng.ai/v1alpha1
kind: Swarm
metadata:
  name: orders-demo
spec:
  owner:
    id: you
    channel: swarm://owner/you
  domains: [platform-reliability]
  objectives:
    - keep the orders service tidy, fast and free of deprecated calls
  mode: assisted
  cadence: {discoverEvery: 5s, planEvery: 5s, implementEvery: 5s, verifyEvery: 5s}
  discovery:
    minCitations: 2
    sources:
      - name: ruff
      - name: references
      - name: profile
      - name: review
  delivery:
    repoAllowlist: [demo/orders]
    requiredChecks: [unit-tests, syntax]
    mergePolicy: merge-queue
    deploymentTargets: [orders]
    rollout:
      steps:
        - {setWeight: 20, pause: 1s}
        - {setWeight: 50, pause: 1s}
        - {setWeight: 100, pause: 0s}
"""

# What the third mission answers to is real; what the second one answers to says that it is not.
SAYINGS = """\
{{"id": "slow-1", "title": "Injected by the demo: try a delay of one second in the order list", \
"body": "A deliberately bad change, to see the canary catch it.", "rule": "DEMO-SLOW", \
"paths": ["orders/service.py"], "citation": "orders/service.py:17@{commit}"}}
"""


def make(folder: Path, *, fast: bool) -> Home:
    """Everything that the demo needs, in an empty folder. Takes well under a second."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "orders"
    files(source)
    commit = repository(source, folder / "orders.git")
    signers = _key(folder / "key")
    for name in INJECTED:
        (folder / f"{name}.jsonl").touch()
    (folder / "injected.txt").write_text(SAYINGS.format(commit=commit), encoding="utf-8")
    home = Home(folder)
    home.manifest.write_text(MANIFEST, encoding="utf-8")
    home.file.write_text(_settings(folder, source, signers, fast=fast), encoding="utf-8")
    return home


def inject(home: Home) -> None:
    """Let two sources say what the second mission answers to: a change that is labelled as bad."""
    said = (home.folder / "injected.txt").read_text(encoding="utf-8")
    for name in INJECTED:
        (home.folder / f"{name}.jsonl").write_text(said, encoding="utf-8")


def files(into: Path) -> None:
    """Write the sample service and its tests."""
    packed = resources.files("swarm.runtime.demo") / "orders"
    with resources.as_file(packed) as tree:
        for path in sorted(tree.rglob(f"*{_SUFFIX}")):
            target = into / path.relative_to(tree).with_suffix("")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def repository(source: Path, remote: Path) -> str:
    """Make it a git repository with a bare remote; returns its first commit."""
    _run(*_GIT, "init", "-q", str(source))
    _run(*_GIT, "add", "-A", cwd=source)
    _run(*_GIT, "commit", "-q", "-m", "A small order service", cwd=source)
    _run(*_GIT, "init", "-q", "--bare", str(remote))
    _run(*_GIT, "remote", "add", "origin", str(remote), cwd=source)
    _run(*_GIT, "push", "-q", "origin", "main", cwd=source)
    return _run(*_GIT, "rev-parse", "HEAD", cwd=source).strip()


def _key(path: Path) -> Path | None:
    """A throw-away signing key, or None where ssh-keygen is absent: Gate 4 then says so."""
    if shutil.which("ssh-keygen") is None:
        return None
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(path))
    public = path.with_suffix(".pub").read_text(encoding="utf-8").split()
    signers = path.with_name("allowed_signers")
    line = f'demo@localhost namespaces="git" {public[0]} {public[1]}\n'
    signers.write_text(line, encoding="utf-8")
    return signers


def port_of(home: Home) -> int:
    """The public port of the demo's service, as its settings say."""
    tables = tomllib.loads(home.file.read_text(encoding="utf-8"))
    return int(tables["targets"][TARGET]["port"])


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def _settings(folder: Path, source: Path, signers: Path | None, *, fast: bool) -> str:
    """The installation file. Short waits: a person looks on, and 150 requests a second flow."""
    pause = "1s" if fast else "2s"
    text = SETTINGS.format(source=source, folder=folder, port=free_port(), pause=pause)
    if signers is not None:
        text += ATTESTED.format(folder=folder)
    return text


SETTINGS = """\
# The demo's installation file. `swarmctl init` writes one like it for your repository.

[repositories."demo/orders"]
path = "{source}"

[checks.unit-tests]
run = ["{{python}}", "-m", "unittest", "-q"]

[checks.syntax]
run = ["{{python}}", "-P", "-m", "ruff", "check", "--isolated", "--select", "E9,F63,F7,F82", "."]

[agents.tidy]
run = ["{{python}}", "-P", "-m", "ruff", "check", "--isolated", "--fix",
  "--select", "{{rule}}", "{{paths}}"]
stdin = "none"
result = "none"
rules = ["F401"]

[agents.modernise]
run = ["{{python}}", "-m", "swarm.runtime.demo.agents", "utcnow"]
stdin = "none"
result = "none"
rules = ["DTZ003"]

[agents.reckless]
run = ["{{python}}", "-m", "swarm.runtime.demo.agents", "slow"]
stdin = "none"
result = "none"
rules = ["DEMO-SLOW"]

[targets.orders]
repo = "demo/orders"
port = {port}
run = ["{{python}}", "-m", "orders.service", "{{port}}"]
health_path = "/health"
version_path = "/version"

[sources.ruff]
kind = "command"
run = ["{{python}}", "-P", "-m", "ruff", "check", "--isolated", "--select", "F401,DTZ003", \
"--output-format=json", "."]
format = "ruff"
repo = "demo/orders"
mission_class = "tidiness"
risk = "R0"
value = 9.0

[[sources.ruff.rules]]
rule = "DTZ*"
mission_class = "deprecations"
risk = "R2"
value = 3.0

[sources.references]
kind = "command"
run = ["{{python}}", "-P", "-m", "swarm.adapters.local.sources.references"]
repo = "demo/orders"
mission_class = "tidiness"
risk = "R0"
value = 9.0

[[sources.references.rules]]
rule = "DTZ*"
mission_class = "deprecations"
risk = "R2"
value = 3.0

[sources.profile]
kind = "command"
run = ["cat", "profile.jsonl"]
workdir = "{folder}"
repo = "demo/orders"
mission_class = "speed"
risk = "R1"
value = 5.0

[sources.review]
kind = "command"
run = ["cat", "review.jsonl"]
workdir = "{folder}"
repo = "demo/orders"
mission_class = "speed"
risk = "R1"
value = 5.0

[budgets.default-budget]
cap = "1.00"

# A service this quiet cannot prove a rise of 20 % in seconds: the floors say what is tolerated
# anyway, and the planner would say the same. A busy machine alone makes its p95 ten times slower.
[canary]
error_floor = 0.05
p95_increase = 1.0
p95_floor = "100ms"
min_sample = 60
look_every = "{pause}"
max_hold = "60s"

[slo]
error_objective = 0.05
latency_objective = "1s"
p95_floor = "100ms"
min_sample = 60
look_every = "{pause}"
window = "3s"
max_hold = "60s"
"""

ATTESTED = """
[attestations."demo/orders"]
sign = ["{{python}}", "-m", "swarm.adapters.local.attest.builder", "--key", "{folder}/key"]
allowed_signers = "{folder}/allowed_signers"
"""
