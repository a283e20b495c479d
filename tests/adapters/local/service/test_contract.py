"""The promises of targets and metrics, kept by real processes behind a real proxy."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.adapters.local.service import detached
from swarm.adapters.local.service.queries import PrometheusSettings
from swarm.adapters.local.service.versions import free_port
from swarm.adapters.local.targets import CHECKOUTS_KEPT, LocalTargets, TargetSettings
from swarm.core.decision import Promote, Sync, TakeLook
from swarm.core.rollout.counts import Absent
from swarm.testing.contracts.asking import fact
from swarm.testing.contracts.targets import TargetsContract
from swarm.testing.repository import ScratchRepository

from .prometheus import settings, vector

SAMPLE = Path(__file__).with_name("sample_service.py")


class ServiceWorld:
    """One service whose three revisions are commits of a real repository."""

    target, repo, real = "orders", "app", True

    def __init__(self, folder, get):
        self._folder, self._get = folder, get
        source = ScratchRepository(folder / "app")
        files = {"sample_service.py": SAMPLE.read_text()}
        self.old = source.commit({**files, "behaviour.json": "{}"}, "old")
        self.sick = source.commit({"behaviour.json": json.dumps({"unhealthy": True})}, "sick")
        self.new = source.commit({"behaviour.json": json.dumps({"tidy": True})}, "new")
        self._forge = LocalForge({"app": RepositorySettings(path=source.path)}, folder / "data")
        self.settings = TargetSettings(
            name="orders", repo="app", port=free_port(),
            run=(sys.executable, "sample_service.py", "--port", "{port}"),
            health_path="/healthz", version_path="/version",
            start_within=timedelta(seconds=10), stop_within=timedelta(seconds=3),
        )  # fmt: skip

    def port(self):
        return LocalTargets({"orders": self.settings}, self._forge, self._folder / "services")

    async def served(self):
        answers = await asyncio.gather(*(self._get(self.settings.port) for _ in range(40)))
        return set(answers)

    def processes(self):
        return len(detached.marked(f"{self._folder / 'services' / 'orders' / 'service'}#"))


async def synced(world):
    order = Sync(
        key="m-1/sync/1", mission="m-1", mission_class="tidy", policy_hash="p", target="orders",
        repo="app", revision=world.new,
    )  # fmt: skip
    return await fact(world.port().sync, order)


@pytest.mark.fast(
    "test_an_arm_that_does_not_run_is_absent_and_never_zero",
    "test_a_target_that_nobody_bound_is_refused_for_good",
)
class TestLocalTargets(TargetsContract):
    @pytest.mark.slow
    async def test_a_sick_revision_is_a_fact_and_takes_no_traffic(self, world):
        """It is waited for as long as a start may take."""
        await super().test_a_sick_revision_is_a_fact_and_takes_no_traffic(world)

    @pytest.mark.slow
    @pytest.mark.req("GATE-5")
    async def test_a_start_tells_what_the_stable_version_carried_meanwhile(self, world):
        """So that the first step can be planned before it begins."""
        asked, up = 0, asyncio.create_task(synced(world))
        while not up.done():
            asked += len(await asyncio.gather(*(world._get(world.settings.port) for _ in "1234")))
        first, last = (await up).before
        assert first.observed_at < last.observed_at
        assert 0 < last.counts.total - first.counts.total <= asked
        assert last.counts.bad == 0

    @pytest.mark.slow
    async def test_a_start_needs_nobody_who_counts(self, world):
        nowhere = PrometheusSettings(
            url=f"http://127.0.0.1:{free_port()}",
            total='t{v="{revision}"}',
            bad='b{v="{revision}"}',
        )
        world.settings = world.settings.model_copy(update={"prometheus": nowhere})
        seen = await synced(world)
        assert (seen.healthy, seen.before) == (True, ())

    @pytest.mark.slow
    async def test_a_prometheus_is_asked_for_no_other_in_the_canarys_place(self, world, server):
        """It knows every revision that ever ran, so it has numbers for a wrong one too."""
        server.answers = {"total": vector(({}, "1000")), "bad": vector(({}, "10"))}
        await synced(world)
        counted = world.settings.model_copy(update={"prometheus": settings(url=server.url)})
        world.settings = counted
        looks = []
        for revision in (world.new, world.sick):
            order = TakeLook(
                key=f"m-1/look/{revision}", mission="m-1", mission_class="tidy", policy_hash="p",
                target="orders", revision=revision, step=0, number=1,
            )  # fmt: skip
            looks.append((await fact(world.port().look, order)).look)
        tried, other = looks
        assert (tried.canary.total, tried.stable.total) == (1000, 1000)
        assert isinstance(other.canary, Absent)
        assert not any(world.sick in form["query"] for _, _, form in server.asked)

    @pytest.mark.slow
    async def test_what_old_versions_printed_goes_with_their_checkouts(self, world):
        """Ten megabytes for each release would fill a disk within a year."""
        home = world._folder / "services" / "orders"
        for age in range(10):
            (home / "checkouts" / f"old{age}").mkdir()
            os.utime(home / "checkouts" / f"old{age}", (age, age))
            (home / "service" / f"old{age}.log").write_text("x")
        await synced(world)
        order = Promote(
            key="m-1/promote/1", mission="m-1", mission_class="tidy", policy_hash="p",
            target="orders", revision=world.new,
        )  # fmt: skip
        await fact(world.port().promote, order)
        kept = {path.name for path in (home / "checkouts").iterdir()}
        assert {world.old, world.new} < kept
        assert len(kept) == CHECKOUTS_KEPT
        assert {path.stem for path in (home / "service").glob("*.log")} - {"proxy"} == kept

    @pytest.mark.slow
    async def test_checkouts_of_rollouts_that_fail_are_as_few(self, world):
        """Where every canary fails nothing is promoted, and each left a copy of the repository."""
        checkouts = world._folder / "services" / "orders" / "checkouts"
        for age in range(10):
            (checkouts / f"failed{age}").mkdir()
            os.utime(checkouts / f"failed{age}", (age, age))
        await synced(world)
        kept = {path.name for path in checkouts.iterdir()}
        assert kept == {world.old, world.new, "failed7", "failed8", "failed9"}

    @pytest.fixture
    async def world(self, tmp_path, get_from):
        made = ServiceWorld(tmp_path, get_from)
        await made._forge.clone("app").follow()
        await made.port().ensure("orders", made.old)
        yield made
        await made.port().stop()
        assert made.processes() == 0
