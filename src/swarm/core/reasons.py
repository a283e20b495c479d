"""Every reason a gate, a room or a port may give. CamelCase, because it becomes a condition."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Closed list of reasons; the comment behind each is its one-line explanation."""

    # Gate 1
    ENOUGH_EVIDENCE = "EnoughEvidence"  #: citations and confidence reach what the swarm asks
    TOO_FEW_CITATIONS = "TooFewCitations"  #: fewer independent origins than minCitations
    CITATIONS_NOT_INDEPENDENT = "CitationsNotIndependent"  #: origins that repeat one text are one
    NOT_ANCHORED = "NotAnchored"  #: R2 and R3 need a citation of our own or from a trusted tier
    UNCITED = "Uncited"  #: nothing that can be looked up supports the claim
    LOW_CONFIDENCE = "LowConfidence"  #: confidence is below minConfidence
    CITATIONS_PENDING = "CitationsPending"  #: what a risky mission cites is read again first
    CITATIONS_HOLD = "CitationsHold"  #: what is cited still says what it said
    CITATION_CONTENT_CHANGED = "CitationContentChanged"  #: a citation no longer says what it said
    CITATION_GONE = "CitationGone"  #: there is nothing any more where a citation leads
    # Selection
    NOT_BEFORE = "NotBefore"  #: the need is held back until a stated time
    ALREADY_OPEN = "AlreadyOpen"  #: a mission for this need is open
    NO_FREE_SLOT = "NoFreeSlot"  #: as many missions are open as the installation allows
    REPOSITORY_BUSY = "RepositoryBusy"  #: another mission writes to overlapping paths
    BACKPRESSURE = "Backpressure"  #: dispatched work has not started; nothing is added to the pile
    REPOSITORY_NOT_ALLOWED = "RepositoryNotAllowed"  #: not in delivery.repoAllowlist
    NO_REPOSITORY = "NoRepository"  #: the need names no repository that could be changed
    BUDGET_EXHAUSTED = "BudgetExhausted"  #: the window is overdrawn, or carries no mission more
    BUDGET_UNKNOWN = "BudgetUnknown"  #: risk.budgetRef is bound to no budget
    DISCOVERY_DEGRADED = "DiscoveryDegraded"  #: a source is dark; high-risk work is blocked
    FROZEN = "Frozen"  #: a freeze holds this swarm or class
    STAGE_OFF = "StageOff"  #: the Swarm's spec.execution switched this stage of the loop off
    SHADOW = "Shadow"  #: recommended only: the swarm is in shadow mode
    SELF_CAUSED_LOOP = "SelfCausedLoop"  #: our own work causes it; its class is frozen
    EXCLUSIVE_CONTROL = "ExclusiveControl"  #: it touches trading controls, which only people change
    NO_AGENT = "NoAgent"  #: no configured agent takes this mission class
    RISK_NOT_AUTOMATIC = "RiskNotAutomatic"  #: this risk class only runs after approval
    # Implementation
    RUN_PENDING = "RunPending"  #: the agent has not finished
    RUN_FAILED = "RunFailed"  #: the agent ended with an error
    RUN_PRODUCED_NOTHING = "RunProducedNothing"  #: the agent ended well and changed nothing
    RUN_TIMED_OUT = "RunTimedOut"  #: the agent was stopped at its deadline
    CHANGE_REFUSED = "ChangeRefused"  #: the patch breaks an intake rule, named in the detail
    ORDER_REFUSED = "OrderRefused"  #: a port refused an order for good; the detail names it
    CAPACITY = "Capacity"  #: quota or a missing binary; backs off, counts for nothing
    # Gate 2
    CHECKS_PENDING = "ChecksPending"  #: a required check has not reported yet
    CHECKS_GREEN = "ChecksGreen"  #: every required check is green on the head commit
    REQUIRED_CHECK_RED = "RequiredCheckRed"  #: a required check failed on the head commit
    CHECK_NEVER_REPORTED = "CheckNeverReported"  #: a check's deadline passed without an answer
    NO_REQUIRED_CHECKS = "NoRequiredChecks"  #: no check is required, so nothing was proven
    CHECK_NOT_CONFIGURED = "CheckNotConfigured"  #: the spec names a check nobody bound
    RETRIES_SPENT = "RetriesSpent"  #: three fix attempts failed
    # Gate 3
    MERGE_ALLOWED = "MergeAllowed"  #: every merge rule is met
    APPROVAL_NEEDED = "ApprovalNeeded"  #: policy asks a person for this risk class
    APPROVAL_DENIED = "ApprovalDenied"  #: a person said no
    QUEUED_BEHIND = "QueuedBehind"  #: another mission is ahead in the merge queue
    HEAD_MOVED = "HeadMoved"  #: main moved; the change is put on top and checked again
    MERGE_CONFLICT = "MergeConflict"  #: the change does not apply on top of main
    GUARDED_PATHS = "GuardedPaths"  #: the change touches the rules that guard the repository
    MAIN_IS_RED = "MainIsRed"  #: main itself fails the required checks
    # Gate 4
    ARTIFACT_VERIFIED = "ArtifactVerified"  #: signature and provenance verify
    ARTIFACT_PENDING = "ArtifactPending"  #: signing or verification is under way
    ARTIFACT_REFUSED = "ArtifactRefused"  #: signature or provenance does not verify
    NOT_CONFIGURED = "NotConfigured"  #: nobody configured this gate
    # Gates 5 and 6
    TARGET_BUSY = "TargetBusy"  #: another rollout holds this target
    TARGET_DRIFTED = "TargetDrifted"  #: the target runs what Git does not say
    TARGET_UNHEALTHY = "TargetUnhealthy"  #: what the target runs does not answer healthily
    TARGET_NOT_BOUND = "TargetNotBound"  #: nobody says any more what this target's name means
    SYNC_PENDING = "SyncPending"  #: the new revision is starting at the target
    SYNC_FAILED = "SyncFailed"  #: the new revision never became healthy
    CANARY_PENDING = "CanaryPending"  #: the step has not run long enough
    CANARY_PASSED = "CanaryPassed"  #: the step's comparison passed
    CANARY_FAILED = "CanaryFailed"  #: two consecutive looks failed
    CANARY_UNDECIDED = "CanaryUndecided"  #: the longest hold passed without a verdict
    SLO_PENDING = "SloPending"  #: the observation window is running
    SLO_HELD = "SloHeld"  #: the observation window ended within its limits
    SLO_REGRESSED = "SloRegressed"  #: the service got worse after full exposure
    LIMIT_BREACHED = "LimitBreached"  #: a limit of the regime that the target trades in was broken
    LIMITS_UNPROVEN = "LimitsUnproven"  #: no fresh word that the limits of the regime hold
    DIGEST_DENIED = "DigestDenied"  #: this revision was rolled back here before
    ROLLING_BACK = "RollingBack"  #: the rollback saga is under way
    ROLLBACK_REFUSED = "RollbackRefused"  #: the target refused to be taken back; a person must act
    # Outcomes and the rest
    DELIVERED = "Delivered"  #: on main, and live and proven where it has a target
    ROLLED_BACK = "RolledBack"  #: taken back, and the old revision proven to serve
    REQUALIFIED = "Requalified"  #: a frozen scope proved itself again
    REJECTED = "Rejected"  #: a person rejected it
    CANCELLED = "Cancelled"  #: a person cancelled it
    UNAVAILABLE = "Unavailable"  #: an outside system cannot be asked
    NOTHING_TO_DO = "NothingToDo"  #: no need is open and no source is due
