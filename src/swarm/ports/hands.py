"""The ports that carry out orders. Every method is idempotent under the order's key.

Promises of every method, tested by `swarm.testing.contracts` against every adapter:
an order that was carried out before answers Done with the same fact and no second effect;
work in progress answers Later and goes on; a crash of the caller at any instant loses nothing.
A fact's id is `evidence_id(order.key)`.
"""

from __future__ import annotations

from typing import Protocol

from swarm.core.decision import (
    Abort,
    JudgeArtifact,
    Land,
    Notify,
    Promote,
    ReadCitation,
    Restage,
    Revert,
    RunCheck,
    SeeLive,
    SeeMain,
    SetTraffic,
    StartRun,
    Sync,
    TakeLook,
)
from swarm.core.ids import OrderKey, RunId
from swarm.ports.reply import Reply


class Runs(Protocol):
    """Agent work on a clean clone, checked and committed. Needed by: implement, verify."""

    async def run(self, order: StartRun) -> Reply:
        """Start the run if it does not exist; Done(RunEnded) once it has ended."""

    async def stop(self, run: RunId) -> None:
        """End a run and everything it started. Stopping what is not there is success.

        It is nobody's failure: a run that is asked for again begins anew, as the same attempt.
        """


class Checks(Protocol):
    """Required checks on exact commits. Needed by: verify."""

    async def check(self, order: RunCheck) -> Reply:
        """Start the check if it does not exist; Done(CheckEnded) once it has reported."""

    async def stop(self, key: OrderKey) -> None:
        """End a check and everything it started, as `Runs.stop` does."""


class Forge(Protocol):
    """A protected main with a serial merge queue. Needed by: deliver, protect."""

    async def restage(self, order: Restage) -> Reply:
        """Put the change on top of `onto`; Done(Restaged). A conflict is a fact, no error."""

    async def land(self, order: Land) -> Reply:
        """Compare-and-swap main from base to head; Done(Landed), landed False if main moved.

        From head to head it moves nothing and only says whether it has landed; from then on a
        landing of that change under an older fence moves nothing either.
        """

    async def revert(self, order: Revert) -> Reply:
        """Undo a landed commit with a new one on main; Done(Reverted)."""

    async def main(self, order: SeeMain) -> Reply:
        """Done(MainSeen): where main stands now."""


class Attestations(Protocol):
    """Signature and provenance of exact commits. Needed by: deliver (Gate 4)."""

    async def judge(self, order: JudgeArtifact) -> Reply:
        """Verify for real against the configured keys; Done(ArtifactJudged)."""


class Targets(Protocol):
    """Where changes run: sync, stepwise traffic, proof. Needed by: deliver, protect.

    A sync, a split or a promotion under an older fence than one that was carried out at the target
    changes nothing and is asked for again; an abort is never too late.
    """

    async def sync(self, order: Sync) -> Reply:
        """Bring the revision up beside the stable one; Done(Synced), healthy or not."""

    async def set_traffic(self, order: SetTraffic) -> Reply:
        """Split the traffic; Done(TrafficSet) once the split is in force."""

    async def promote(self, order: Promote) -> Reply:
        """Make the revision the only one; Done(Promoted) once its processes say so."""

    async def abort(self, order: Abort) -> Reply:
        """Take the revision off and prove the stable one answers; Done(Aborted)."""

    async def live(self, order: SeeLive) -> Reply:
        """Ask the running processes; Done(LiveSeen)."""


class Metrics(Protocol):
    """Counters of both arms of a rollout. Needed by: protect (Gates 5 and 6)."""

    async def look(self, order: TakeLook) -> Reply:
        """Read both arms once; Done(LookTaken). Absent series are absent, never zero."""


class Citations(Protocol):
    """What is cited, read again. Needed by: implement."""

    async def read(self, order: ReadCitation) -> Reply:
        """Done(CitationRead), also when nothing is there any more. Not reachable is Later."""


class Channel(Protocol):
    """The owner's channel. Needed by: everything that a person must hear."""

    async def notify(self, order: Notify) -> Reply:
        """Say one thing once. Done(Notified)."""
