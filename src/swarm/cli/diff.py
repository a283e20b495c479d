"""`swarmctl diff`: show what apply would change."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from swarm.cli.desk import ask
from swarm.cli.errors import EXIT_FAILED
from swarm.cli.manifest import read_swarms
from swarm.cli.options import File, Home
from swarm.cli.output import as_yaml, emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.contract.swarm import SwarmObject


def diff(*, file: File, home: Home = None) -> int:
    """Compare a manifest with what is applied, after defaults. Changes nothing.

    Exit status: 0 the same; 1 different; 2 and above an error.

    Example: swarmctl diff -f swarm.yaml
    """
    lines = differences(read_swarms(file), home)
    for line in lines:
        emit(line)
    return EXIT_FAILED if lines else 0


def differences(swarms: list[SwarmObject], home: Home) -> list[str]:
    """The unified difference of the defaulted specs; empty when apply would change nothing."""
    from swarm.contract.defaults import defaulted_spec  # noqa: PLC0415

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        rows = await Look(database).rows("swarms")
        return {f"{row['namespace']}/{row['name']}": row["spec"] for row in rows}

    live = ask(home, work)
    found: list[str] = []
    for swarm in swarms:
        known = live.get(f"{swarm.metadata.namespace}/{swarm.name}")
        before = as_yaml(known).splitlines() if known else []
        after = as_yaml(defaulted_spec(swarm)).splitlines()
        found += difflib.unified_diff(
            sorted_spec(known) if known else before,
            sorted_spec(defaulted_spec(swarm)) if known else after,
            fromfile=f"live/{swarm.name}",
            tofile=f"file/{swarm.name}",
            lineterm="",
        )
    return found


def sorted_spec(spec: Any) -> list[str]:
    """A spec as lines in one fixed order: key order is no difference."""
    return as_yaml(_ordered(spec)).splitlines()


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value) if value[key] is not None}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value
