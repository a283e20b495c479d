"""The simulated world keeps the promises of the real adapters, so it may stand in for them."""

import pytest

from swarm.core.decision import JudgeArtifact
from swarm.core.evidence import Landed, Reverted
from swarm.core.ids import MissionId, order_key
from swarm.core.nouns import Change
from swarm.testing.contracts.attestations import AttestationsContract
from swarm.testing.contracts.forge import ForgeContract
from swarm.testing.contracts.targets import TargetsContract
from swarm.testing.world import World, WorldForge


class PaperForge:
    repo, clashes = "acme/shop", False

    def __init__(self):
        self._world = World()

    def port(self):
        return WorldForge(self._world)

    async def change(self, mission, place):
        return Change(
            repo=self.repo, branch=f"swarm/{mission}", base=self.main(), head=f"{mission}-head",
            tree=f"{mission}-tree", paths=(place,), lines_added=1, lines_removed=0,
        )  # fmt: skip

    def main(self):
        return self._world.tip(self.repo)

    def moves(self):
        facts = self._world.facts.values()
        return sum(
            (isinstance(one, Landed) and one.landed) or isinstance(one, Reverted) for one in facts
        )


class PaperAttestations:
    kinds = frozenset({"good"})

    def __init__(self):
        self._world = World()

    def port(self):
        return self._world

    def order(self, kind):
        mission = MissionId("m-1")
        return JudgeArtifact(
            key=order_key(mission, "judge-artifact", kind), mission=mission,
            mission_class="c", policy_hash="p", repo="acme/shop", commit=kind,
        )  # fmt: skip


class PaperTarget:
    target, repo, real = "orders", "acme/shop", False
    old, new, sick = "main0000", "new", "sick"

    def __init__(self):
        self._world = World()

    def port(self):
        return self._world

    def processes(self):
        return 0

    async def served(self):
        raise AssertionError("paper serves nothing")


class TestPaperForge(ForgeContract):
    @pytest.fixture
    def world(self):
        return PaperForge()


class TestPaperAttestations(AttestationsContract):
    @pytest.fixture
    def world(self):
        return PaperAttestations()


class TestPaperTarget(TargetsContract):
    @pytest.fixture
    def world(self):
        return PaperTarget()
