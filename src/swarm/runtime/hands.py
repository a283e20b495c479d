"""Which port carries out which order. The choice of adapters is in `wiring`."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.core.decision import (
    Abort,
    JudgeArtifact,
    Land,
    Notify,
    Order,
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
from swarm.ports.hands import (
    Attestations,
    Channel,
    Checks,
    Citations,
    Forge,
    Metrics,
    Runs,
    Targets,
)
from swarm.ports.reply import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Every port that acts on the world."""

    runs: Runs
    checks: Checks
    forge: Forge
    attestations: Attestations
    targets: Targets
    metrics: Metrics
    channel: Channel
    pages: Citations  #: from outside
    files: Citations  #: in our own repositories

    async def carry_out(self, order: Order) -> Reply:  # noqa: C901, PLR0912 - one line per kind
        """Hand an order to its port."""
        match order:
            case StartRun():
                return await self.runs.run(order)
            case RunCheck():
                return await self.checks.check(order)
            case Restage():
                return await self.forge.restage(order)
            case Land():
                return await self.forge.land(order)
            case Revert():
                return await self.forge.revert(order)
            case SeeMain():
                return await self.forge.main(order)
            case JudgeArtifact():
                return await self.attestations.judge(order)
            case Sync():
                return await self.targets.sync(order)
            case SetTraffic():
                return await self.targets.set_traffic(order)
            case Promote():
                return await self.targets.promote(order)
            case Abort():
                return await self.targets.abort(order)
            case SeeLive():
                return await self.targets.live(order)
            case TakeLook():
                return await self.metrics.look(order)
            case ReadCitation():
                reader = self.pages if order.cited.external else self.files
                return await reader.read(order)
            case Notify():
                return await self.channel.notify(order)
