"""`swarmctl crd`: print the CustomResourceDefinition."""

from __future__ import annotations

from swarm.cli.options import Output
from swarm.cli.output import Form, as_json, emit


def crd(*, output: Output = Form.YAML) -> None:
    """Print the CRD `swarms.swarm.proompteng.ai` as YAML, rendered from the types. Asks no cluster.

    Exit status: 0.

    Example: swarmctl crd | kubectl apply --server-side -f -
    """
    from swarm.contract.crd import crd_yaml  # noqa: PLC0415 - pays for pydantic only here

    if output is Form.YAML or output.for_people:
        emit(crd_yaml().rstrip())
        return
    import yaml  # noqa: PLC0415

    rendered = yaml.safe_load(crd_yaml())
    if output is Form.NAME:
        emit(f"customresourcedefinition/{rendered['metadata']['name']}")
    else:
        emit(as_json(rendered, indent=None if output is Form.JSONL else 2))
