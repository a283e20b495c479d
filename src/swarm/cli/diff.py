"""`swarmctl diff`: show what apply would change."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from swarm.cli.desk import ask
from swarm.cli.errors import EXIT_FAILED
from swarm.cli.manifest import read_swarms
from swarm.cli.options import File, Home, Output
from swarm.cli.output import Form, as_yaml, emit, show, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.contract.swarm import SwarmObject


def diff(*, file: File, output: Output = Form.TABLE, home: Home = None) -> int:
    """Compare a manifest with what is applied, after defaults. Changes nothing.

    Meanings are compared: `60m` equals `1h`, and the order of keys does not matter. What a name
    in it stands for on this machine is not compared.

    Exit status: 0 the same; 1 different, or the manifest is refused; 2 wrong use.

    Example: swarmctl diff -f swarm.yaml
    """
    found = differences(read_swarms(file), home)
    if output.for_people:
        for lines in found.values():
            for text in lines:
                emit(visible(text))
    else:
        rows = [{"name": name, "lines": lines} for name, lines in found.items()]
        show(rows, (), output, kind="Difference")
    return EXIT_FAILED if found else 0


def differences(swarms: list[SwarmObject], home: Home) -> dict[str, list[str]]:
    """The unified difference of each Swarm whose meaning apply would change, by its name."""
    from swarm.contract.canonical import canonical_spec  # noqa: PLC0415

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        rows = await Look(database).rows("swarms", limit=10_000)
        return {f"{row['namespace']}/{row['name']}": row["spec"] for row in rows}

    live = ask(home, work)
    found: dict[str, list[str]] = {}
    for swarm in swarms:
        name = f"{swarm.metadata.namespace}/{swarm.name}"
        lines = difflib.unified_diff(
            _sorted(live.get(name)),
            _sorted(json.loads(canonical_spec(swarm.spec))),
            fromfile=f"live/{swarm.name}",
            tofile=f"file/{swarm.name}",
            lineterm="",
        )
        if told := list(lines):
            found[name] = told
    return found


def _sorted(spec: Any) -> list[str]:
    """A spec as lines in one fixed order: key order is no difference."""
    return as_yaml(_ordered(spec)).splitlines() if spec else []


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value) if value[key] is not None}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value
