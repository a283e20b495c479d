"""The nouns of the loop as values: signal, need, mission, change, freeze, approval, outcome.

Money is in micro-units of the budget's currency (1_000_000 = one unit), as integers.
Confidence and trust are in [0, 1]. Times are aware datetimes; spans are timedeltas.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum, StrEnum

from swarm.core.ids import ApprovalId, FreezeId, MissionId, NeedId, RunId, SignalId


class Risk(IntEnum):
    """What a mission may break. Raised by what a change touches, never lowered."""

    R0 = 0  #: no effect on anything deployed (docs, tests)
    R1 = 1  #: reversible, low blast radius
    R2 = 2  #: reaches production
    R3 = 3  #: security, infrastructure, data, permissions, CI or merge policy, capital


class MissionKind(StrEnum):
    """Why a mission was opened."""

    DELIVER = "deliver"  #: to satisfy a need
    REMEDIATE = "remediate"  #: to repair what another mission broke
    REQUALIFY = "requalify"  #: to prove that a frozen scope works again


class NeedState(StrEnum):
    """Where a need stands in the backlog."""

    OPEN = "open"  #: may be selected
    TAKEN = "taken"  #: a mission is open for it
    DONE = "done"  #: a mission delivered it
    REJECTED = "rejected"  #: by Gate 1, a person or exclusive control, until new evidence comes
    EXPIRED = "expired"  #: too old to matter


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing that one source said at one time, with its citation. Never changed.

    origin:      who stands behind it: a registrable domain, or a tool's name. Citations count
                 distinct origins, so two mirrors of one article are one.
    citation:    a URL, or `path:line@commit` inside a repository; empty means uncited.
    external:    True when it was found outside the owner's own systems.
    trust:       how much a claim of this source is worth before anything was learned.
    value, cost: the source's estimate, in points and in micro-units; both above zero.
    flags:       what the intake stripped or noticed (hidden_text, invisible_unicode, ...).
    """

    id: SignalId
    source: str
    external_id: str
    title: str
    body: str
    citation: str
    origin: str
    author: str
    external: bool
    trust: float
    observed_at: datetime
    content_hash: str
    mission_class: str
    repo: str = ""
    paths: tuple[str, ...] = ()
    rule: str = ""
    risk: Risk = Risk.R1
    value: float = 1.0
    cost: int = 100_000
    caused_by: MissionId | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A reason to change something, merged from signals that say the same.

    citations:   independent origins that can be looked up.   heard: all that can be looked up.
    anchored:    one of the independent ones is our own or from a trusted tier.
    heat:        ln of the pheromone sum relative to the fixed epoch (see policy.ranking).
    rank:        the static sort key (see loop.select); waiting never changes the order.
    rounds:      missions already opened for it; the next one has this round number.
    """

    id: NeedId
    title: str
    body: str
    mission_class: str
    repo: str
    paths: tuple[str, ...]
    rule: str
    risk: Risk
    value: float
    cost: int
    confidence: float
    citations: int
    cited: bool
    external: bool
    signals: int
    heat: float
    rank: float
    first_seen: datetime
    last_seen: datetime
    state: NeedState = NeedState.OPEN
    not_before: datetime | None = None
    rounds: int = 0
    own_rounds: int = 0
    origins: tuple[str, ...] = ()
    heard: int = 0
    anchored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """One citation that a need counts, with what its source said when it was read.

    citation: a URL, or `path:line@commit`.    source: the name whose rules a fetch goes by.
    trust:    in [0, 1], after learning.       title, body: cleaned; empty when forgotten.
    """

    origin: str
    citation: str
    source: str
    external: bool
    trust: float
    title: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationContract:
    """What will count as success, written down before any code exists (LOOP-6)."""

    checks: tuple[str, ...]
    targets: tuple[str, ...]
    allowed_paths: tuple[str, ...]
    error_increase: float
    latency_increase: float
    observe_for: timedelta
    evidence_wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a run produced, committed by the controller: exact commits, paths and size.

    version: 0 for the first change of a mission; each fix or restage counts one up.
    """

    repo: str
    branch: str
    base: str
    head: str
    tree: str
    paths: tuple[str, ...]
    lines_added: int
    lines_removed: int
    risk: Risk = Risk.R0
    guarded: tuple[str, ...] = ()
    tests_removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's answer, bound to mission, commit and policy; used at most once."""

    id: ApprovalId
    mission: MissionId
    commit: str
    policy_hash: str
    approver: str
    reason: str
    granted: bool
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A hold on a swarm (`mission_class` "*") or on one class; never stops protecting.

    until:        end of the window, exclusive; None means until somebody resumes it.
    extended:     when its scope was frozen once more while it held; None: never.
    requalified:  evidence that the scope proved itself since; None while it has not.
    needs_token:  a policy or a person asked for an explicit reset as well.
    """

    id: FreezeId
    mission_class: str
    reason: str
    detail: str
    cause: str
    since: datetime
    until: datetime | None
    requalified: str | None = None
    needs_token: bool = False
    by: str = "policy"
    extended: datetime | None = None

    def covers(self, mission_class: str) -> bool:
        """True when missions of this class are held."""
        return self.mission_class in {"*", mission_class}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeWindow:
    """A time of each day, UTC: from `opens` until before `closes`, which is later."""

    opens: time
    closes: time

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRule:
    """When the freezes of a Swarm may be lifted at all; asked at each lift (FRZ-5).

    required: whether only inside the window; without one, they may not.
    provable: whether there is a repository to requalify on; without one, nothing is proven.
    """

    required: bool = False
    window: ResumeWindow | None = None
    provable: bool = True

    def allows(self, now: datetime) -> bool:
        """Whether a freeze that has everything else may be lifted now."""
        if not self.required:
            return True
        window, clock = self.window, now.astimezone(UTC).time()
        return window is not None and window.opens <= clock < window.closes

    def next_opening(self, now: datetime) -> datetime | None:
        """When the window opens next; None where nobody waits for it."""
        if not self.required or self.window is None:
            return None
        today = datetime.combine(now.astimezone(UTC).date(), self.window.opens, UTC)
        return today if now < today else today + timedelta(days=1)


class OutcomeKind(StrEnum):
    """How a mission ended."""

    DELIVERED = "delivered"  #: live, proven and observed
    ROLLED_BACK = "rolled-back"  #: taken back; the old revision serves
    FAILED = "failed"  #: retries spent, or nothing came of it
    REJECTED = "rejected"  #: a person said no
    REFUSED = "refused"  #: a rule said no (hostile patch, not allowed)
    RECOMMENDED = "recommended"  #: shadow mode: what would have been done


#: Characters of an ending's first line that every snapshot carries, for up to 200 endings.
GIST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a mission ended, with cost, duration and prediction against fact."""

    kind: OutcomeKind
    reason: str
    detail: str
    at: datetime
    attempts: int
    cost: int
    counts_as_failure: bool
    landed: str | None = None

    @property
    def gist(self) -> str:
        """What is remembered of the detail: of a failure, the first line of it."""
        return self.detail.partition("\n")[0][:GIST] if self.counts_as_failure else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A mission that ended, as far as freezing, learning, status and the 24 h figures need it.

    repo:   what it worked on; empty where nobody noted it.
    reason: why it ended so, one of `Reason`; empty where nobody noted it.
    detail: the gist of the outcome.
    """

    mission: MissionId
    mission_class: str
    kind: MissionKind
    outcome: OutcomeKind
    counts_as_failure: bool
    at: datetime
    repo: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What an agent is told. Instructions are ours; everything found outside is quoted data.

    failure: the failing check's name and output for a fix attempt, already capped.
    """

    run: RunId
    goal: str
    facts: tuple[str, ...]
    allowed_paths: tuple[str, ...]
    checks: tuple[str, ...]
    rule: str
    failure: str = ""
    quoted: tuple[str, ...] = field(default=())
