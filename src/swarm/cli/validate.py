"""`swarmctl validate`: check a manifest offline."""

from __future__ import annotations

from swarm.cli.manifest import read_swarms
from swarm.cli.options import File, Output
from swarm.cli.output import Form, emit, show


def validate(*, file: File, output: Output = Form.TABLE) -> None:
    """Check schema, rules and names of a manifest, offline. Changes nothing.

    Every problem is printed with its field, what is wrong and what would be right. Whether its
    names are bound on this machine is for `swarmctl doctor` to say.

    Exit status: 0 valid; 1 refused; 2 wrong use.

    Example: swarmctl validate -f swarm.yaml
    """
    swarms = read_swarms(file)
    if not output.for_people:
        rows = [{"name": one.name, "namespace": one.metadata.namespace} for one in swarms]
        show(rows, (), output, kind="ValidSwarm")
        return
    for swarm in swarms:
        emit(f"swarm/{swarm.name} is valid")
