"""Evidence: facts observed outside, each with its source and time. Only evidence moves a gate.

Each fact settles exactly one order, except the last three, which people and the world bring.
`kind` tells the shapes apart in storage; a shape may gain fields with defaults, never lose one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from swarm.core.ids import EvidenceId, RunId
from swarm.core.nouns import Change
from swarm.core.rollout.counts import Look, Reading


class RunResult(StrEnum):
    """How one piece of agent work ended. Capacity trouble is no result: it is asked again."""

    CHANGED = "changed"  #: a checked and committed change
    NOTHING = "nothing"  #: ended well, no difference
    FAILED = "failed"  #: the command ended with an error
    TIMED_OUT = "timed-out"  #: stopped at its deadline
    REFUSED = "refused"  #: the patch broke an intake rule


class CheckResult(StrEnum):
    """What a check said about one exact commit."""

    GREEN = "green"
    RED = "red"
    NEVER_REPORTED = "never-reported"  #: its deadline passed
    NOT_CONFIGURED = "not-configured"  #: no such check is bound


class ArtifactResult(StrEnum):
    """What signature and provenance say about one exact commit."""

    VERIFIED = "verified"
    REFUSED = "refused"
    NOT_CONFIGURED = "not-configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    id: EvidenceId
    at: datetime
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(_Fact):
    """A run finished. `change` is set exactly when the result is CHANGED."""

    run: RunId
    attempt: int
    result: RunResult
    detail: str = ""
    change: Change | None = None
    violations: tuple[str, ...] = ()
    cost: int = 0
    seconds: float = 0.0
    kind: Literal["run-ended"] = "run-ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEnded(_Fact):
    """A check reported on an exact commit. `detail` is the capped tail of its output."""

    check: str
    commit: str
    result: CheckResult
    detail: str = ""
    seconds: float = 0.0
    reruns: int = 0
    kind: Literal["check-ended"] = "check-ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restaged(_Fact):
    """The change was put on top of the moved main; None when it does not apply any more."""

    old_head: str
    onto: str
    change: Change | None
    detail: str = ""
    kind: Literal["restaged"] = "restaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactJudged(_Fact):
    """Signature and provenance of an exact commit were verified, refused or not configured."""

    commit: str
    result: ArtifactResult
    reason: str = ""
    identity: str = ""
    kind: Literal["artifact-judged"] = "artifact-judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed(_Fact):
    """Main now is `commit`; or, with `landed` False, main had moved to `main` before us."""

    repo: str
    commit: str
    landed: bool
    main: str
    detail: str = ""
    kind: Literal["landed"] = "landed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced(_Fact):
    """The target runs `revision` beside the stable one; or it never became healthy.

    before: the stable version's counters, oldest first, over a span in which it carried all
            traffic; empty where nobody could read them.
    """

    target: str
    revision: str
    healthy: bool
    stable: str
    detail: str = ""
    before: tuple[Reading, ...] = ()
    kind: Literal["synced"] = "synced"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSet(_Fact):
    """The canary receives `percent` of the traffic since `at`."""

    target: str
    step: int
    percent: int
    kind: Literal["traffic-set"] = "traffic-set"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeRead:
    """What was known of the regime that a target trades in, and of its limits, at one look.

    regime, posture: of the newest stored state; "" when none is.
    state:    SHA-256 of that state, so that the very one can be found again.
    at:       when the oldest of the words that count was said; None while one is missing.
    breached: the words that say that a limit was broken.
    lacking:  what nobody has said.
    """

    regime: str = ""
    posture: str = ""
    state: str = ""
    at: datetime | None = None
    breached: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTaken(_Fact):
    """One reading of both arms' counters at one rollout step (or in the SLO window).

    regime: None where the installation binds the target to none.
    """

    target: str
    step: int
    number: int
    look: Look
    regime: RegimeRead | None = None
    kind: Literal["look-taken"] = "look-taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(_Fact):
    """The target's only live revision is `revision`, as asked of its processes."""

    target: str
    revision: str
    kind: Literal["promoted"] = "promoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted(_Fact):
    """The rollout was taken back; `serving` is the revision proven to answer now."""

    target: str
    revision: str
    serving: str
    proven: bool
    detail: str = ""
    kind: Literal["aborted"] = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted(_Fact):
    """Main undid `undone` with the new commit `commit`; or it could not (conflict)."""

    repo: str
    undone: str
    commit: str
    reverted: bool
    detail: str = ""
    kind: Literal["reverted"] = "reverted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSeen(_Fact):
    """What a target really runs, asked of the running processes."""

    target: str
    stable: str
    canary: str
    healthy: bool
    kind: Literal["live-seen"] = "live-seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class MainSeen(_Fact):
    """Where a repository's main stands; the subject of a requalification."""

    repo: str
    commit: str
    kind: Literal["main-seen"] = "main-seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """One piece of a claim, found in what a citation says. start, end: characters of its text."""

    start: int
    end: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationRead(_Fact):
    """A citation was read again. What it means is decided by comparing with earlier readings.

    gone:     nothing is there any more; every other field describes nothing then.
    claims:   the text still says what the source said; `excerpts` are the pieces that were found.
    sha256:   of the bytes as received; `text_sha256` of the text that was searched.
    where:    the final address, or path, line and commit.
    """

    citation: str
    origin: str
    gone: bool
    claims: bool = False
    where: str = ""
    redirects: tuple[str, ...] = ()
    media_type: str = ""
    sha256: str = ""
    text_sha256: str = ""
    excerpts: tuple[Excerpt, ...] = ()
    flags: tuple[str, ...] = ()
    tier: str = ""
    detail: str = ""
    kind: Literal["citation-read"] = "citation-read"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused(_Fact):
    """A port refused an order for good. `verb` is the order's kind."""

    verb: str
    reason: str
    detail: str = ""
    kind: Literal["order-refused"] = "order-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSaid(_Fact):
    """A person acted on a mission: cancel, retry, promote or rollback, with a reason."""

    said: Literal["cancel", "reject", "retry", "promote", "rollback"]
    by: str
    reason: str
    kind: Literal["person-said"] = "person-said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified(_Fact):
    """The channel took the message; where nobody bound the channel, only the log did."""

    channel: str
    kind: Literal["notified"] = "notified"


Fact = (
    RunEnded
    | CheckEnded
    | Restaged
    | ArtifactJudged
    | Landed
    | Synced
    | TrafficSet
    | LookTaken
    | Promoted
    | Aborted
    | Reverted
    | LiveSeen
    | MainSeen
    | Notified
    | CitationRead
    | OrderRefused
    | PersonSaid
)
