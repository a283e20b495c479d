"""What lights-out needs and a spec does not say.

The schema accepts a lights-out Swarm that lacks these parts, because the design's own manifests
do. Until they are written the condition `PolicyComplete` is False and the Swarm acts as assisted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm.contract.choices import Mode

if TYPE_CHECKING:
    from swarm.contract.swarm import SwarmSpec


def policy_gaps(spec: SwarmSpec) -> tuple[str, ...]:
    """Paths of the fields that a lights-out Swarm must fill and this one leaves empty.

    returns: empty when nothing lacks, and always for an assisted Swarm.
    """
    if spec.mode is not Mode.LIGHTS_OUT:
        return ()
    needed = {
        "spec.discovery.sources": spec.discovery.sources,
        "spec.delivery.repoAllowlist": spec.delivery.repo_allowlist,
        "spec.delivery.requiredChecks": spec.delivery.required_checks,
        "spec.delivery.deploymentTargets": spec.delivery.deployment_targets,
    }
    return tuple(path for path, value in needed.items() if not value)
