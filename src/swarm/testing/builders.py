"""Small builders of core values, so that a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from swarm.contract.profiles import profile_of
from swarm.contract.swarm import SwarmSpec
from swarm.core.ids import MissionId, NeedId, SwarmId
from swarm.core.nouns import Change, MissionKind, Need, Risk, ValidationContract
from swarm.core.policy import ranking
from swarm.core.snapshot import AgentBinding, Budget, Installation, Mission, Snapshot

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REPO = "acme/shop"
TARGET = "orders"


def spec(**over: Any) -> SwarmSpec:
    """A spec with one repository, two checks and one target; `over` replaces whole blocks."""
    blocks: dict[str, Any] = {
        "owner": {"id": "alice", "channel": "swarm://owner/platform"},
        "domains": ["platform"],
        "objectives": ["fewer defects"],
        "mode": "lights-out",
        "delivery": {
            "repoAllowlist": [REPO],
            "requiredChecks": ["lint", "unit-tests"],
            "deploymentTargets": [TARGET],
        },
    }
    return SwarmSpec.model_validate({**blocks, **over})


def installation(**over: Any) -> Installation:
    """An installation that binds everything that `spec()` names."""
    bound: dict[str, Any] = {
        "checks": frozenset({"lint", "unit-tests"}),
        "targets": ((TARGET, REPO),),
        "agents": (AgentBinding(name="tidy"),),
        "attests": frozenset({REPO}),
    }
    return Installation(**{**bound, **over})


def need(number: int = 1, **over: Any) -> Need:
    """An open need with two citations and high confidence."""
    fields: dict[str, Any] = {
        "id": NeedId(f"n-{number}"),
        "title": f"need {number}",
        "body": "",
        "mission_class": "tidy",
        "repo": REPO,
        "paths": (f"src/file{number}.py",),
        "rule": "F401",
        "risk": Risk.R1,
        "value": 1.0,
        "cost": 100_000,
        "confidence": 0.9,
        "citations": 2,
        "cited": True,
        "external": False,
        "signals": 2,
        "heat": ranking.deposit(None, NOON),
        "first_seen": NOON,
        "last_seen": NOON,
        "origins": ("ruff", "reference-search"),
    }
    fields.update(over)
    fields.setdefault("heard", fields["citations"])
    fields.setdefault("anchored", not fields["external"])
    fields.setdefault(
        "rank",
        ranking.static_rank(
            ranking.worth(
                value=fields["value"],
                cost=fields["cost"],
                confidence=fields["confidence"],
                risk=fields["risk"],
            ),
            heat=fields["heat"],
            first_seen=fields["first_seen"],
        ),
    )
    return Need(**fields)


def mission(number: int = 1, **over: Any) -> Mission:
    """A mission that was just opened for `need(number)`."""
    fields: dict[str, Any] = {
        "id": MissionId(f"m-{number}"),
        "need": NeedId(f"n-{number}"),
        "kind": MissionKind.DELIVER,
        "parent": None,
        "depth": 0,
        "mission_class": "tidy",
        "risk": Risk.R1,
        "repo": REPO,
        "title": f"need {number}",
        "agent": "tidy",
        "rule": "F401",
        "body": "",
        "contract": ValidationContract(
            checks=("lint", "unit-tests"),
            targets=(TARGET,),
            allowed_paths=(f"src/file{number}.py",),
            error_increase=0.2,
            latency_increase=0.15,
            observe_for=timedelta(minutes=10),
            evidence_wanted=(),
        ),
        "opened_at": NOON,
        "version": 0,
    }
    return Mission(**{**fields, **over})


def change(head: str = "head0001", base: str = "main0001", **over: Any) -> Change:
    """A small change of one source file."""
    fields: dict[str, Any] = {
        "repo": REPO,
        "branch": "swarm/m-1",
        "base": base,
        "head": head,
        "tree": f"tree-{head}",
        "paths": ("src/file1.py",),
        "lines_added": 1,
        "lines_removed": 2,
    }
    return Change(**{**fields, **over})


_SPEC, _INSTALLATION = spec(), installation()  # validated once: tests take thousands of snapshots


def snapshot(**over: Any) -> Snapshot:
    """A quiet snapshot at noon with a budget of ten units."""
    fields: dict[str, Any] = {
        "now": NOON,
        "swarm": SwarmId("s-1"),
        "generation": 1,
        "spec": over.get("spec") or _SPEC,
        "installation": over.get("installation") or _INSTALLATION,
        "policy_hash": "policy-1",
        "held_to": profile_of((over.get("spec") or _SPEC).domains, {}).thresholds,
        "budget": Budget(
            name="default-budget",
            cap=10_000_000,
            reserved=0,
            spent=0,
            window_ends=NOON + timedelta(hours=12),
        ),
    }
    return Snapshot(**{**fields, **over})
