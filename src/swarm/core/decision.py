"""What the program will do, as values.

An *order* is one thing to do outside: it has a key that makes doing it twice harmless, and
preconditions that `act` checks again before it calls a port. A *record* is one row to write
inside, in the same transaction as the tick that decided it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from swarm.contract.verdict import Verdict
from swarm.core.ids import FreezeId, MissionId, NeedId, OrderKey, RunId
from swarm.core.nouns import (
    Approval,
    Brief,
    Change,
    Cited,
    Freeze,
    MissionKind,
    Outcome,
    Risk,
    ValidationContract,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """Common to all orders.

    forward:     True when it begins or promotes something: a freeze holds it back.
    policy_hash: the policy it was decided under; another policy voids a forward order.
    fence:       of the claim that carries it out; 0 before it is claimed. A target takes no step
                 forward under an older one than it has seen.
    """

    key: OrderKey
    mission: MissionId
    mission_class: str
    policy_hash: str
    forward: bool = True
    fence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun(_Order):
    """Have an agent work on a clean clone of `base`; attempt 0 implements, 1..3 fix.

    onto: the main commit that the whole change will be measured against; a fix starts from
          the failing head (`base`) but its diff is judged from here. Empty: same as `base`.
    """

    run: RunId
    attempt: int
    agent: str
    repo: str
    base: str  #: commit to start from; empty means the tip of main
    onto: str
    brief: Brief
    deadline: timedelta
    kind: Literal["start-run"] = "start-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCitation(_Order):
    """Read a citation again: the page it names, or the line of a file at main. Observation."""

    cited: Cited
    repo: str
    kind: Literal["read-citation"] = "read-citation"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCheck(_Order):
    """Run one required check on one exact commit, as the trusted base defines it."""

    check: str
    repo: str
    commit: str
    base: str
    deadline: timedelta
    kind: Literal["run-check"] = "run-check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restage(_Order):
    """Put the change on top of the moved main, as a new exact commit."""

    repo: str
    change: Change
    onto: str
    kind: Literal["restage"] = "restage"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeArtifact(_Order):
    """Have the exact commit signed as configured and verify signature and provenance."""

    repo: str
    commit: str
    kind: Literal["judge-artifact"] = "judge-artifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Land(_Order):
    """Move main from `base` to `head`, only if it still is `base`."""

    repo: str
    head: str
    base: str
    kind: Literal["land"] = "land"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync(_Order):
    """Start `revision` beside the stable version of a target, with no traffic yet."""

    target: str
    repo: str
    revision: str
    kind: Literal["sync"] = "sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTraffic(_Order):
    """Give the canary `percent` of the traffic (rollout step `step`, from 0)."""

    target: str
    revision: str
    step: int
    percent: int
    kind: Literal["set-traffic"] = "set-traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLook(_Order):
    """Read both arms' counters once. Observation: a freeze never holds it back."""

    target: str
    revision: str
    step: int
    number: int
    kind: Literal["take-look"] = "take-look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote(_Order):
    """Make `revision` the target's only version and retire the old one."""

    target: str
    revision: str
    kind: Literal["promote"] = "promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort(_Order):
    """Take `revision` off the target and prove that `stable` answers. Protection.

    stable: empty when nobody knows yet what ran before; then what the target has on record.
    """

    target: str
    repo: str
    revision: str
    stable: str
    kind: Literal["abort"] = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert(_Order):
    """Undo the landed commit on main with a new commit. Protection."""

    repo: str
    commit: str
    kind: Literal["revert"] = "revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeeMain(_Order):
    """Read where a repository's main stands. Observation."""

    repo: str
    kind: Literal["see-main"] = "see-main"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeeLive(_Order):
    """Ask a target's processes what they really run. Observation."""

    target: str
    kind: Literal["see-live"] = "see-live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(_Order):
    """Tell the owner's channel one thing once; the key is the idempotency header."""

    channel: str
    event: str
    text: str
    kind: Literal["notify"] = "notify"


Order = (
    StartRun | RunCheck | Restage | JudgeArtifact | Land | Sync | SetTraffic | TakeLook | Promote
    | Abort | Revert | SeeMain | SeeLive | Notify | ReadCitation
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMission:
    """Open a mission and reserve its budget in the same transaction.

    The store does it only if the need is still open, no mission for it is, and the budget
    carries the reservation; otherwise the record is dropped and the swarm woken again.
    """

    id: MissionId
    need: NeedId | None
    kind: MissionKind
    parent: MissionId | None
    depth: int
    mission_class: str
    risk: Risk
    repo: str
    title: str
    agent: str
    contract: ValidationContract
    reserve: int
    rank_terms: tuple[tuple[str, float], ...]
    at: datetime
    freeze: FreezeId | None = None
    cause: str = ""  #: why it was opened, for a remediation or requalification


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveVerdict:
    """Keep a gate's verdict for one mission and commit: what changed, or what a step rests on."""

    mission: MissionId
    gate: str
    subject: str
    verdict: Verdict
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskApproval:
    """Put one question to the owner: this mission, this commit, this policy, until then."""

    mission: MissionId
    commit: str
    policy_hash: str
    risk: Risk
    question: str
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UseApproval:
    """Mark an approval as used; it cannot be used again."""

    approval: Approval
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """End a mission with exactly one outcome; releases its reservation, settles its need.

    need_done: the need is satisfied; otherwise it opens again from `retry_need_at` on, or
               stays rejected when that is None.
    deny:      revisions that were rolled back and may not be deployed there again.
    run_cost:  micro-units that one run is expected to cost. The store charges it, or what the run
               told of where that is more, for every run that was begun and whose end nobody will
               hear now, and adds it to the outcome.
    """

    mission: MissionId
    outcome: Outcome
    need_done: bool
    retry_need_at: datetime | None = None
    deny: tuple[tuple[str, str], ...] = ()
    run_cost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectNeed:
    """Gate 1 refused a need; it is looked at again when new evidence arrives.

    signals: how many the need had when it was judged; with more of them, the store drops the
             record, because the judgement is about other evidence.
    """

    need: NeedId
    signals: int
    reason: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidOrder:
    """An order that nobody is at work on is taken back; it may be decided anew."""

    mission: MissionId
    order: OrderKey
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFreeze:
    """Hold a scope. The same cause opens the same freeze once."""

    freeze: Freeze


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftFreeze:
    """Window passed and requalified (and token given where asked): the hold ends."""

    freeze: FreezeId
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRequalified:
    """A requalification mission succeeded for this freeze, unless it was extended since `began`."""

    freeze: FreezeId
    mission: MissionId
    began: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Learn:
    """New learned numbers: one bias per mission class, one trust factor per source."""

    class_bias: tuple[tuple[str, float], ...]
    source_trust: tuple[tuple[str, float], ...]
    cause: MissionId


Record = (
    OpenMission
    | GiveVerdict
    | AskApproval
    | UseApproval
    | Settle
    | RejectNeed
    | VoidOrder
    | OpenFreeze
    | LiftFreeze
    | MarkRequalified
    | Learn
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a mission stands, computed from evidence; kept for display and for skipping.

    version:    the mission's evidence version it was computed from.
    epoch:      hash of policy and freezes it was computed under.    room: the loop step that spoke.
    holds:      resources it holds (`repo:x`, `queue:x`, `target:x`).
    blocked_on: the resource it waits for, if that is what it waits for.
    risk:       what it is judged as: its own class, or what its change raised that to.
    """

    version: int
    epoch: str
    room: str
    reason: str
    detail: str
    since: datetime
    look_again: datetime | None
    next_action: str
    holds: frozenset[str] = frozenset()
    blocked_on: str | None = None
    risk: Risk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that one tick decided."""

    orders: tuple[Order, ...]
    records: tuple[Record, ...]
    standings: tuple[tuple[MissionId, Standing], ...]
    look_again: datetime | None
    idle_reason: str
    selected: tuple[tuple[NeedId, str, str], ...] = ()  #: need, reason, detail: why (not) chosen
