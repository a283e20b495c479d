"""Ids are derived, never drawn: the same need gives the same id, a crash cannot double it.

One letter tells the kind; every id fits a Kubernetes name (63) with room for a suffix.
"""

from __future__ import annotations

import hashlib
from typing import NewType

SwarmId = NewType("SwarmId", str)
SignalId = NewType("SignalId", str)
NeedId = NewType("NeedId", str)
MissionId = NewType("MissionId", str)
RunId = NewType("RunId", str)
EvidenceId = NewType("EvidenceId", str)
FreezeId = NewType("FreezeId", str)
ApprovalId = NewType("ApprovalId", str)
OrderKey = NewType("OrderKey", str)


def _short(*parts: str) -> str:
    # 80 bits: two of a million needs meet with probability below 1e-12; fits a Kubernetes name.
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:20]


def swarm_id(namespace: str, name: str) -> SwarmId:
    """The id of a Swarm object: one per namespace and name."""
    return SwarmId(f"s-{_short(namespace, name)}")


def signal_id(swarm: SwarmId, source: str, external_id: str) -> SignalId:
    """The id of what one source said once, under the source's own id for it."""
    return SignalId(f"g-{_short(swarm, source, external_id)}")


def need_id(swarm: SwarmId, fingerprint: str) -> NeedId:
    """The id of a need: one per normalised text, so that two replicas agree without talking."""
    return NeedId(f"n-{_short(swarm, fingerprint)}")


def mission_id(need: str, round_: int) -> MissionId:
    """The id of the `round_`-th promise (from 0) to satisfy one need, or one remediation."""
    return MissionId(f"m-{_short(need, str(round_))}")


def run_id(mission: MissionId, attempt: int) -> RunId:
    """The id of one piece of agent work; attempt 0 implements, 1 to 3 fix."""
    return RunId(f"{mission}-run-{attempt}")


def mission_of(name: str) -> MissionId:
    """The mission of a run's id or of an order's key."""
    return MissionId(name.partition("/")[0].partition("-run-")[0])


def freeze_id(swarm: SwarmId, scope: str, cause: str) -> FreezeId:
    """The id of a freeze: the same cause freezes the same scope once."""
    return FreezeId(f"f-{_short(swarm, scope, cause)}")


def approval_id(mission: MissionId, commit: str, policy_hash: str) -> ApprovalId:
    """The id of a question put to a person: one per mission, exact commit and policy."""
    return ApprovalId(f"a-{_short(mission, commit, policy_hash)}")


def evidence_id(order: OrderKey) -> EvidenceId:
    """The id of the one fact that settles an order: an order can be settled only once."""
    return EvidenceId(f"e-{_short(order)}")


def digest_of(text: str) -> str:
    """A text of any length and content as a part of a key."""
    return _short(text)


def order_key(owner: str, verb: str, *parts: str) -> OrderKey:
    """The key that makes doing an order twice harmless: `mission/verb/what exactly`."""
    return OrderKey("/".join((owner, verb, *parts)))
