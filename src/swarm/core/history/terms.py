"""What a policy lets a swarm do by itself: told to the log when it begins, read by the judge.

The rules of the document (MODE-2, 3, 5, 6) are told here a second time, and in another way than
`policy.approval` decides by them: whoever judges must not share the mistakes of whoever acted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from swarm.contract.choices import Mode
from swarm.contract.swarm import SwarmSpec
from swarm.core.nouns import Risk
from swarm.core.snapshot import Installation


def told(
    policy_hash: str, spec: SwarmSpec, installation: Installation, *, budget: bool
) -> dict[str, Any]:
    """The body of `policy.bound`. budget: whether the spec's budget is bound to one."""
    automatic = installation.auto_execute
    return {
        "policy_hash": policy_hash,
        "mode": str(spec.mode),
        "required_checks": list(spec.delivery.required_checks),
        "repo_allowlist": list(spec.delivery.repo_allowlist),
        "budget": budget,
        "costs": {agent.name: agent.cost for agent in installation.agents},
        "auto_execute": None if automatic is None else sorted(int(risk) for risk in automatic),
        "attests": sorted(installation.attests),
        "r3_allowed": sorted(installation.r3_allowed),
        "undecided_promotes": installation.undecided_promotes,
    }


class Terms(NamedTuple):
    """What one policy lets a swarm do by itself, as far as the rules ask.

    asks:       risk classes that a person must approve wherever they land.
    attests:    repositories where R2 and R3 are signed, so that they may land unasked.
    r3_allowed: where R3 may be done by itself.
    undecided_promotes: an R0 or R1 canary without a verdict may go on by itself.
    costs:      what one run of each agent is expected to cost, in micro-units.
    """

    asks: frozenset[int]
    attests: frozenset[str]
    r3_allowed: frozenset[str]
    undecided_promotes: bool
    costs: Mapping[str, int]

    def asks_a_person(self, risk: int, repo: str, targets: Iterable[str]) -> bool:
        """Whether a landing of this risk needs an approval."""
        unwatched = repo not in self.attests or not tuple(targets)
        return risk in self.asks or (risk >= Risk.R2 and unwatched)


def terms_of(body: Mapping[str, Any]) -> Terms:
    """The terms that the body of `policy.bound` tells; what it leaves out allows nothing."""
    automatic = body.get("auto_execute")
    asks = set() if automatic is None else set(Risk) - set(automatic)
    has_all = all(body.get(name) for name in ("required_checks", "repo_allowlist", "budget"))
    if not body.get("required_checks"):
        asks |= set(Risk)
    elif body.get("mode") != Mode.LIGHTS_OUT or not has_all:
        asks |= {Risk.R2, Risk.R3}
    return Terms(
        asks=frozenset(int(risk) for risk in asks),
        attests=frozenset(body.get("attests", ())),
        r3_allowed=frozenset(body.get("r3_allowed", ())),
        undecided_promotes=bool(body.get("undecided_promotes")),
        costs=body.get("costs", {}),
    )
