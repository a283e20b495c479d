"""Who must be asked: mode, risk class and what the installation allows (MODE-2, 3, 5, 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from swarm.contract.choices import Mode
from swarm.core.nouns import Approval, Risk
from swarm.core.snapshot import Mission, Snapshot


class Permission(Enum):
    """Whether a mission may go on by itself."""

    AUTOMATIC = auto()  #: policy lets the gates decide
    ASK = auto()  #: an explicit approval is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A permission with the sentence that explains it."""

    permission: Permission
    why: str


def missing_policy(snapshot: Snapshot) -> tuple[str, ...]:
    """What lights-out needs and this Swarm lacks; while anything is missing it acts as assisted."""
    spec = snapshot.spec
    lacks = []
    if not spec.delivery.required_checks:
        lacks.append("spec.delivery.requiredChecks is empty")
    if not spec.delivery.repo_allowlist:
        lacks.append("spec.delivery.repoAllowlist is empty")
    if snapshot.budget is None:
        lacks.append(f"spec.risk.budgetRef {spec.risk.budget_ref!r} is bound to no budget")
    return tuple(lacks)


def ruling(snapshot: Snapshot, mission: Mission, risk: Risk) -> Ruling:
    """Whether a mission of this risk may land by itself under the mode of this very moment."""
    automatic = snapshot.installation.auto_execute
    if automatic is not None and risk not in automatic:
        return Ruling(permission=Permission.ASK, why=f"this installation asks for R{risk:d}")
    if not snapshot.spec.delivery.required_checks:
        return Ruling(permission=Permission.ASK, why="no check is required, so nothing is proven")
    if risk <= Risk.R1:
        return Ruling(permission=Permission.AUTOMATIC, why=f"R{risk:d} runs by itself")
    if snapshot.spec.mode is Mode.ASSISTED:
        return Ruling(permission=Permission.ASK, why=f"assisted mode asks for R{risk:d}")
    return _lights_out(snapshot, mission, risk)


def _lights_out(snapshot: Snapshot, mission: Mission, risk: Risk) -> Ruling:
    lacks = missing_policy(snapshot)
    if lacks:
        return Ruling(permission=Permission.ASK, why=f"lights-out acts as assisted: {lacks[0]}")
    if mission.repo not in snapshot.installation.attests:
        why = f"nobody configured Gate 4 for {mission.repo}, which R{risk:d} needs in lights-out"
        return Ruling(permission=Permission.ASK, why=why)
    if not mission.contract.targets:
        why = f"no target is bound, so R{risk:d} could not be watched after landing"
        return Ruling(permission=Permission.ASK, why=why)
    if risk is Risk.R3:
        touched = {mission.repo, *mission.contract.targets}
        if not touched <= snapshot.installation.r3_allowed:
            outside = sorted(touched - snapshot.installation.r3_allowed)
            return Ruling(permission=Permission.ASK, why=f"R3 is not allowed for {outside[0]}")
    return Ruling(
        permission=Permission.AUTOMATIC, why=f"lights-out lets the gates decide R{risk:d}"
    )


def valid(mission: Mission, commit: str, policy_hash: str, now: datetime) -> Approval | None:
    """The newest answer to exactly this question that has not expired; None if unanswered.

    A new commit or another policy is another question, so an old answer never fits it. Leave runs
    out, a no does not: nobody is asked twice, and who was refused would wait for ever.
    """
    answer = given(mission, commit, policy_hash)
    if answer is not None and answer.granted and answer.expires_at <= now:
        return None
    return answer


def given(mission: Mission, commit: str, policy_hash: str) -> Approval | None:
    """The newest answer to exactly this question, expired or not; None if unanswered."""
    for answer in reversed(mission.approvals):
        if (answer.commit, answer.policy_hash) == (commit, policy_hash):
            return answer
    return None
