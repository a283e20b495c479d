"""`swarmctl crd`: print the CustomResourceDefinition."""

from __future__ import annotations

from swarm.cli.output import emit


def crd() -> None:
    """Print the CRD `swarms.swarm.proompteng.ai` as YAML, rendered from the types. Asks no cluster.

    Exit status: 0.

    Example: swarmctl crd | kubectl apply --server-side -f -
    """
    from swarm.contract.crd import crd_yaml  # noqa: PLC0415 - pays for pydantic only here

    emit(crd_yaml().rstrip())
