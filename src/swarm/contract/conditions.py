"""The closed list of status conditions. Free of pydantic, so that reading verbs start fast."""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Every condition that a Swarm's status carries."""

    READY = "Ready"  #: the Swarm is valid, observed and able to work
    PROGRESSING = "Progressing"  #: a mission is under way (kstatus: not yet settled)
    STALLED = "Stalled"  #: no progress without outside help (kstatus: will not settle)
    DISCOVERY_HEALTHY = "DiscoveryHealthy"  #: every source answers; else confidence is degraded
    BUDGET_AVAILABLE = "BudgetAvailable"  #: the Budget has room for another dispatch
    FROZEN = "Frozen"  #: a freeze of the Swarm or of a mission class is open
    DEGRADED = "Degraded"  #: retries are spent, or a source has been dark for too long
    DEPENDENCIES_READY = "DependenciesReady"  #: database, code host and metrics answer
    POLICY_COMPLETE = "PolicyComplete"  #: all that lights-out needs is written; else it assists


class ConditionStatus(StrEnum):
    """The three answers of a Kubernetes condition."""

    TRUE = "True"  #: the condition holds
    FALSE = "False"  #: the condition does not hold
    UNKNOWN = "Unknown"  #: it could not be found out; never read as either of the others
