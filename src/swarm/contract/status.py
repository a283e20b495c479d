"""What `status.phase` may say. Free of pydantic, so that reading verbs start fast.

The whole status object, in its outside form, is in `contract.status_object`.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """What a Swarm is doing, in one word. Derived from evidence; never stored as an input."""

    IDLE = "Idle"  #: no mission is open, and none can begin now
    DISCOVERING = "Discovering"  #: sources are being read, and no mission is open
    PLANNING = "Planning"  #: needs are being ranked, and none is dispatched yet
    IMPLEMENTING = "Implementing"  #: at least one mission has agent work under way
    VERIFYING = "Verifying"  #: a change waits on checks, merge, rollout or observation
    FROZEN = "Frozen"  #: a freeze window is open; rollbacks and verification still work
    DEGRADED = "Degraded"  #: retries are spent, or a source has been dark for too long
