"""What `init` writes: what is wanted (`swarm.yaml`), what names mean (`swarm.toml`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from swarm.runtime.detect import Check, Found

# Rules whose fix keeps the meaning of a program, as the linter itself promises.
SAFE_RULES = ("F401", "F541", "F632", "I001", "UP006", "UP007", "UP034", "UP035", "W291", "W293")
AGENTS = {
    "claude": (
        ["claude", "-p", "--output-format", "json", "--permission-mode", "acceptEdits"],
        "claude-json",
        "ANTHROPIC_API_KEY",
    ),
    "codex": (
        ["codex", "exec", "--json", "--ephemeral", "--sandbox", "workspace-write", "-"],
        "codex-jsonl",
        "OPENAI_API_KEY",
    ),
    "gemini": (["gemini", "--output-format", "json"], "gemini-json", "GEMINI_API_KEY"),
    "opencode": (["opencode", "run", "--format", "json"], "opencode-jsonl", ""),
    "aider": (
        ["aider", "--message-file", "{prompt_file}", "--yes-always", "--no-auto-commits"],
        "none",
        "",
    ),
}


def manifest(found: Found) -> str:
    """`swarm.yaml`: careful defaults; nothing above R0 runs without a person."""
    lines = [
        "# What you want. Every field: `swarmctl explain spec`.",
        "apiVersion: swarm.proompteng.ai/v1alpha1",
        "kind: Swarm",
        "metadata:",
        f"  name: {_text(found.swarm_name)}",  # quoted: a folder may be called n, on or 12
        "spec:",
        "  owner:",
        "    id: me",
        "    channel: swarm://owner/me",
        "  domains: [maintenance]",
        "  objectives:",
        f"    - keep {found.name} tidy and its checks green",
        "  mode: assisted",
        "  discovery:",
        "    minCitations: 1 # one tool of your own is enough; raise it for outside sources",
        "    sources:",
    ]
    if found.python:
        lines.append("      - name: ruff")
    else:
        lines[-1] = "    sources: [] # add one: docs/SETTINGS.md, or use `swarmctl need add`"
    lines += [
        "  delivery:",
        f"    repoAllowlist: [{found.name}]",
        f"    requiredChecks: [{', '.join(check.name for check in found.checks)}]",
        "    mergePolicy: merge-queue",
    ]
    return "\n".join(lines) + "\n"


def installation(found: Found) -> str:
    """`swarm.toml`: what the names of the manifest mean on this machine."""
    parts = [
        "# What the names in swarm.yaml mean on this machine. Every field: docs/SETTINGS.md.\n",
        _table(f"repositories.{_text(found.name)}", {"path": str(found.folder)}),
        "# Your working copy and your remote are never touched: main lives in a private clone.\n",
    ]
    parts += [_check(check) for check in found.checks]
    if found.python:
        parts.append(_ruff(found))
    parts += [_agent(name) for name in found.agents]
    parts.append(_table("budgets.default-budget", {"cap": "2.00", "window": "24h"}))
    parts.append(_table("risk", {"auto_execute": ["R0"]}))
    return "\n".join(parts)


def _check(check: Check) -> str:
    fields: dict[str, object] = {"run": list(check.run)}
    if check.path:
        fields["path"] = list(check.path)
    return f"# found in {check.found_in}\n{_table(f'checks.{check.name}', fields)}"


def _ruff(found: Found) -> str:
    source = {
        "kind": "command",
        "run": ["{python}", "-P", "-m", "ruff", "check", "--output-format=json", "."],
        "format": "ruff",
        "repo": found.name,
        "trust": 0.9,
        "mission_class": "tidiness",
        "by_hand_class": "lint",
        "risk": "R0",
    }
    agent = {
        "run": ["{python}", "-P", "-m", "ruff", "check", "--fix", "--select", "{rule}", "{paths}"],
        "stdin": "none",
        "result": "none",
        "classes": ["tidiness"],
        "rules": list(SAFE_RULES),
    }
    return f"{_table('sources.ruff', source)}\n{_table('agents.tidy', agent)}"


def _agent(name: str) -> str:
    """A model's command is written down and left out: it costs money, so a person says yes."""
    run, result, key = AGENTS[name]
    fields: dict[str, object] = {"run": run, "stdin": "prompt", "result": result}
    if name == "aider":
        fields["stdin"] = "none"
    if key:
        fields["env"] = [key]
    commented = "".join(f"# {line}\n" for line in _table(f"agents.{name}", fields).splitlines())
    return f"# {name} is on your PATH. Remove the # to let it work for you.\n{commented}"


def _table(name: str, fields: Mapping[str, object]) -> str:
    lines = [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in fields.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, list):
        return _list(value)
    return str(value) if isinstance(value, int | float) else _text(str(value))


def _list(values: Sequence[object]) -> str:
    return f"[{', '.join(_text(str(value)) for value in values)}]"


def _text(text: str) -> str:
    # A JSON string is a TOML basic string, but for characters that no path of ours holds.
    return json.dumps(text, ensure_ascii=False)
