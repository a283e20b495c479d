"""Runs did good work and no change appeared: a program was missing, then the work was (P67).

What was written instead of a change counts for nothing in the ranking (P70).

Agents are real commands in a real clone of a real repository; checks and main are answered by the
world in memory.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.local.agents.runner import LocalRuns
from swarm.adapters.local.agents.settings import AgentSettings
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.adapters.postgres.store.desk.stories import Stories
from swarm.core.snapshot import AgentBinding
from swarm.testing.repository import ScratchRepository

pytestmark = [pytest.mark.slow, pytest.mark.req("FAIL-1", "LOOP-6")]
COST = 1_000


class Agents:
    """Agents of a swarm, as its installation binds them; `turn` moves their clock."""

    def __init__(self, place, folder):
        self.place, self.bound, self.clock = place, {}, datetime.now(UTC)
        repo = ScratchRepository(folder / "app")
        place.world.main["acme/shop"] = repo.commit({"src/file1.py": "import os\n"})
        forge = LocalForge({"acme/shop": RepositorySettings(path=repo.path)}, folder / "data")
        self.runs = LocalRuns(self.bound, forge, folder / "runs", now=lambda: self.clock)
        place.hands = replace(place.hands, runs=self.runs)
        plain = place.bind

        def paid(swarm, spec):
            made = plain(swarm, spec)
            agents = (AgentBinding(name="tidy", cost=COST),)
            return replace(made, installation=replace(made.installation, agents=agents))

        place.bind = paid

    def bind(self, *run):
        self.bound["tidy"] = AgentSettings(run=run, expected_cost=COST)

    async def work(self, ready):
        """Work until `ready(mission)` holds."""
        async with asyncio.timeout(30):
            while True:
                await self.place.work()
                (mission, *_) = await self.place.look.rows("missions")
                if ready(mission):
                    return mission
                await self.place.sql("update decision set due_at = now() where owner = ''")
                await asyncio.sleep(0.05)


@pytest.fixture
def agents(place, tmp_path):
    made = Agents(place, tmp_path)
    yield made
    made.runs.close()


async def test_a_missing_program_is_told_before_it_costs_anything(place, agents):
    agents.bind("no-such-agent", "-p")
    swarm = await place.apply("shop")
    await place.need(swarm, 1)
    await place.work()
    await place.tick()
    degraded = await place.condition("shop", "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "Capacity")
    assert "'no-such-agent' is not a program on PATH" in degraded["message"]
    (budget,) = await place.look.rows("budgets")
    assert budget["spent"] == 0
    agents.bind("sh", "-c", "echo 'X = 1' > src/file1.py")
    agents.clock += timedelta(minutes=10)
    await place.sql("update decision set due_at = now()")
    await agents.work(lambda mission: mission["outcome"] != "open")
    (outcome,) = await place.look.rows("outcomes")
    assert (outcome["outcome"], outcome["attempts"]) == ("delivered", 1), "waiting burnt a try"
    assert await place.look.rows("freezes") == []


async def test_a_run_that_ends_well_and_changed_nothing_has_delivered_nothing(place, agents):
    agents.bind("sh", "-c", "echo 'All done, the pull request is open.'")
    swarm = await place.apply("shop")
    await place.need(swarm, 1)
    mission = await agents.work(lambda mission: mission["outcome"] != "open")
    assert (mission["outcome"], mission["reason"]) == ("failed", "RunProducedNothing")
    assert not [key for key in place.world.journal if "/land/" in key]
    (need,) = await place.look.rows("needs")
    assert need["state"] != "done"
    ranking = await Stories(place.database).ranking(swarm)
    assert ranking["lesson"] is None, "a report that changed nothing was rewarded"
