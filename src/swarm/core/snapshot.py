"""Everything that `decide` may know about one Swarm at one `now`; immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

from swarm.contract.profiles import Thresholds
from swarm.contract.swarm import SwarmSpec
from swarm.contract.verdict import Verdict
from swarm.core.decision import Standing
from swarm.core.evidence import Fact
from swarm.core.ids import FreezeId, MissionId, NeedId, OrderKey, SwarmId
from swarm.core.nouns import (
    Approval,
    Cited,
    Freeze,
    MissionKind,
    Need,
    ResumeRule,
    ResumeWindow,
    Risk,
    Settled,
    ValidationContract,
)
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRule:
    """Paths that match `pattern` (gitignore-like glob) raise a change to at least `risk`."""

    pattern: str
    risk: Risk
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBinding:
    """What the installation file says about one agent, as far as deciding needs it.

    classes: mission classes it takes; empty means all. rules: lint rules it takes; empty: all.
    cost:    what one run is expected to cost, in micro-units; reserved before dispatch.
    """

    name: str
    classes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    cost: int = 0
    deadline: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What names in the spec are bound to here, as far as deciding needs it.

    checks:          names of bound checks.    targets: name -> repository that it runs.
    auto_execute:    risk classes that may run without a person; None: as the mode says.
    r3_allowed:      repositories and targets where lights-out may do R3.
    attests:         repositories with a configured signature and provenance policy.
    max_missions:    open missions at a time.  max_pending: orders dispatched but not begun.
    canary, slo:     what Gates 5 and 6 tolerate, and how sure they must be.
    undecided_promotes: what an R0 or R1 canary without a verdict does after the longest hold.
    need_cooldown:   how long a need rests after a mission for it ended badly.
    class_freeze_after: consecutive failures of one class that freeze the class.
    resume_window:   when freezes may be lifted, where a profile asks for such a time.
    regimes:         targets that trade -> how old a word on their regime and limits may be.
    """

    checks: frozenset[str] = frozenset()
    targets: tuple[tuple[str, str], ...] = ()
    agents: tuple[AgentBinding, ...] = ()
    risk_rules: tuple[RiskRule, ...] = ()
    auto_execute: frozenset[Risk] | None = None
    r3_allowed: frozenset[str] = frozenset()
    attests: frozenset[str] = frozenset()
    max_missions: int = 4
    max_pending: int = 8
    check_deadline: timedelta = timedelta(minutes=30)
    canary: CanaryThresholds = field(default_factory=CanaryThresholds)
    slo: SloThresholds = field(default_factory=SloThresholds)
    undecided_promotes: bool = False
    approval_lasts: timedelta = timedelta(hours=24)
    need_cooldown: timedelta = timedelta(hours=6)
    needs_token: bool = False
    class_freeze_after: int = 2
    resume_window: ResumeWindow | None = None
    regimes: tuple[tuple[str, timedelta], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How one source stands: dark means that its last readings failed.

    answered: it was read to its end at least once.
    """

    name: str
    answered: bool = False
    dark_since: datetime | None = None
    detail: str = ""


#: What becomes of agents that are at work when the window is overdrawn.
WhenSpent = Literal["finish", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One budget window in micro-units; None in the snapshot means that none is bound."""

    name: str
    cap: int
    reserved: int
    spent: int
    window_ends: datetime
    when_spent: WhenSpent = "finish"

    @property
    def left(self) -> int:
        """What may still be reserved in this window."""
        return self.cap - self.reserved - self.spent


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order that was issued and not settled: decisions sent but not yet seen count.

    waits_because: why it could not be carried out yet (capacity); empty while it is under way.
    begun_at:      when it was first begun; where nobody noted it, `issued_at` stands in for it.
    spent:         micro-units that were told of before it ended.
    """

    key: OrderKey
    kind: str
    issued_at: datetime
    begun: bool
    waits_because: str = ""
    next_try: datetime | None = None
    begun_at: datetime | None = None
    spent: int = 0

    @property
    def idle(self) -> bool:
        """Whether nobody is at work on it, so that it can be taken back as if it had not been."""
        return not self.begun or (bool(self.waits_because) and not self.spent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mission:
    """An open mission with all its evidence, oldest first.

    version: counts every fact, approval and settled order; the memo key of `decide`.
    verdicts: the last verdict per (gate, subject), so that only changes are recorded.
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
    rule: str
    body: str
    contract: ValidationContract
    opened_at: datetime
    version: int
    facts: tuple[Fact, ...] = ()
    approvals: tuple[Approval, ...] = ()
    asked: frozenset[tuple[str, str]] = frozenset()  #: (commit, policy_hash) already asked
    orders: tuple[OpenOrder, ...] = ()
    verdicts: tuple[tuple[str, str, Verdict], ...] = ()
    standing: Standing | None = None
    reserved: int = 0
    freeze: FreezeId | None = None
    sources: tuple[str, ...] = ()  #: names of the sources behind the need
    cited: tuple[Cited, ...] = ()  #: what the need counts; read for R2 and R3 alone
    cause: str = ""  #: why it was opened, for a repair or a requalification


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything `decide` may know about one Swarm at one `now`.

    needs:     the best open needs by static rank (the store cuts the list).
    settled:   missions that ended lately, oldest first, enough for freeze counting.
    denied:    (target, revision) pairs that were rolled back.
    policy_hash: over spec and installation; stored with each verdict and order.
    held_to:   the thresholds of the Swarm's profile.
    """

    now: datetime
    swarm: SwarmId
    generation: int
    spec: SwarmSpec
    installation: Installation
    policy_hash: str
    held_to: Thresholds
    shadow: bool = False
    needs: tuple[Need, ...] = ()
    queued_needs: int = 0
    missions: tuple[Mission, ...] = ()
    settled: tuple[Settled, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    budget: Budget | None = None
    sources: tuple[SourceState, ...] = ()
    denied: frozenset[tuple[str, str]] = frozenset()
    drifted: tuple[tuple[str, str], ...] = ()  #: target, what was seen
    class_bias: tuple[tuple[str, float], ...] = ()
    source_trust: tuple[tuple[str, float], ...] = ()

    @property
    def resuming(self) -> ResumeRule:
        """When a freeze of this Swarm may be lifted at all."""
        return ResumeRule(
            required=self.held_to.resume_window_required,
            window=self.installation.resume_window,
            provable=bool(self.spec.delivery.repo_allowlist),
        )

    @property
    def dark(self) -> tuple[SourceState, ...]:
        """Sources that the spec names and that do not answer; a removed one harms nobody."""
        named = {source.name for source in self.spec.discovery.sources}
        dark = (source for source in self.sources if source.dark_since is not None)
        return tuple(sorted((one for one in dark if one.name in named), key=attrgetter("name")))
