"""Which needs a tick reads: the best of those that could be taken, and some of the others."""

from __future__ import annotations

import json
from typing import Any

from swarm.contract.swarm import SwarmSpec
from swarm.core.policy.ranking import BIAS_MAX
from swarm.core.snapshot import Installation

NEEDS_READ = 200  #: candidates of one selection; beyond, the gain of looking further is below 1 %
NEEDS_TOLD = 20  #: of a class, although they cannot be taken: to say why


def whatever(swarm: str, most: int) -> dict[str, Any]:
    """The parameters of `needs.best` for the best needs, whether or not they can be taken."""
    return {
        "swarm": swarm,
        "limit": most,
        "told": 0,
        "most": BIAS_MAX,
        "repos": None,
        "takers": None,
        "named": [],
    }


def takeable(swarm: str, spec: SwarmSpec, installation: Installation) -> dict[str, Any]:
    """The parameters of `needs.best` for the best needs that nothing lasting bars."""
    takers = [
        {"classes": list(agent.classes) or None, "rules": list(agent.rules) or None}
        for agent in installation.agents
    ]
    return whatever(swarm, NEEDS_READ) | {
        "told": NEEDS_TOLD,
        "repos": list(spec.delivery.repo_allowlist),
        "takers": json.dumps(takers),
        "named": [source.name for source in spec.discovery.sources],
    }
