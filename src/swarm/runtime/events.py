"""Every event this program writes: noun, then what happened to it. A closed list."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """One event per decision, verdict and outside effect; nothing else at info."""

    CONTROLLER_STARTED = "controller.started"  #: a controller began to work
    CONTROLLER_STOPPED = "controller.stopped"  #: it gave its orders back and ended
    STORE_LOST = "store.lost"  #: the database cannot be asked; nothing is decided meanwhile
    STORE_FOUND = "store.found"  #: the database answers again
    STORE_UNTENDED = "store.untended"  #: regular care of the store failed; again in a minute
    SOURCE_READ = "source.read"  #: a source brought something new
    SOURCE_DARK = "source.dark"  #: a source stopped answering
    SOURCE_BACK = "source.back"  #: a dark source answers again
    TRAIL_SEALED = "trail.sealed"  #: what happened was signed and written down outside
    SEAL_REFUSED = "seal.refused"  #: it could not be; the trail is not sealed meanwhile
    LIMIT_BREACHED = "limit.breached"  #: a limit of a target that trades was broken; it is frozen
    TARGET_DRIFTED = "target.drifted"  #: a target runs what Git does not say
    TARGET_HEALED = "target.healed"  #: a target ran what Git does not say, and was put right
    TARGET_SETTLED = "target.settled"  #: a drifted target runs what Git says again
    NEED_REJECTED = "need.rejected"  #: Gate 1 or exclusive control refused a need
    MISSION_OPENED = "mission.opened"  #: a promise was made and its budget reserved
    MISSION_MOVED = "mission.moved"  #: a mission stands elsewhere than before
    MISSION_ENDED = "mission.ended"  #: a mission has its one outcome
    VERDICT_GIVEN = "verdict.given"  #: a gate answered anew, or was asked again for a step
    APPROVAL_ASKED = "approval.asked"  #: a person is asked
    APPROVAL_USED = "approval.used"  #: an approval was spent on its one commit
    ORDERS_INHERITED = "orders.inherited"  #: what a dead predecessor held was given back
    ORDER_BEGUN = "order.begun"  #: a port is being asked
    ORDER_DONE = "order.done"  #: a port answered with a fact
    ORDER_POSTPONED = "order.postponed"  #: not yet, or could not ask; it is tried again
    ORDER_REFUSED = "order.refused"  #: the world said no
    ORDER_FAILED = "order.failed"  #: a port raised what no port may raise; it is tried again
    JOB_STOPPED = "job.stopped"  #: an agent or check of a mission that had ended was ended too
    JOB_REMOVED = "job.removed"  #: what an old job left was removed from this machine
    JOBS_UNSEEN = "jobs.unseen"  #: jobs or their missions could not be looked at; again soon
    FREEZE_OPENED = "freeze.opened"  #: a scope is held
    FREEZE_REFUSED = "freeze.refused"  #: one that was decided does not hold, which is a fault
    FREEZE_PROVEN = "freeze.proven"  #: a frozen scope requalified
    FREEZE_LIFTED = "freeze.lifted"  #: the hold ended
    RANKING_LEARNED = "ranking.learned"  #: an outcome changed the ranking numbers
    TICK_FAILED = "tick.failed"  #: deciding raised; the swarm is looked at again later
    SERVICE_LOST = "service.lost"  #: a supervised part ended by itself and is started again
    TRADING_OPENED = "trading.opened"  #: orders are let to the gate: records and venues agree
    TRADING_CLOSED = "trading.closed"  #: no order goes out any more, and why
    TRADING_KILLED = "trading.killed"  #: a kill was carried out: what was cancelled, who was deaf
    LIMITS_CHANGED = "limits.changed"  #: another limit set holds from the next order on
    RUNG_LOWERED = "rung.lowered"  #: a limit was broken, and a strategy went one rung down
    ALERT_RAISED = "alert.raised"  #: the monitor sees a limit that is not kept
    ALERT_ENDED = "alert.ended"  #: it is kept again
    ALERT_UNTOLD = "alert.untold"  #: the channel could not be told of an alert; it stands here
