"""`swarmctl validate`: check a manifest offline."""

from __future__ import annotations

from swarm.cli.manifest import read_swarms
from swarm.cli.options import File
from swarm.cli.output import emit


def validate(*, file: File) -> None:
    """Check schema, rules and names of a manifest, offline. Changes nothing.

    Every problem is printed with its field, what is wrong and what would be right. Whether the
    names in it are bound on this machine is what `swarmctl doctor` says.

    Exit status: 0 valid; 1 refused; 2 wrong use.

    Example: swarmctl validate -f swarm.yaml
    """
    for swarm in read_swarms(file):
        emit(f"swarm/{swarm.name} is valid")
