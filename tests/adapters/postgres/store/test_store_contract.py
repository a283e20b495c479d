"""The promises of `ports.store`, kept by Postgres."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.testing.contracts.store import StoreContract
from swarm.testing.contracts.store_freezes import FreezeContract
from swarm.testing.contracts.store_money import MoneyContract


class PostgresWorld:
    def __init__(self, world):
        self._world = world
        self.swarm, self.orders = world.swarm, world.orders
        self.intake = PostgresIntake(world.database)
        world.script.policy = "policy-1"

    @property
    def policy(self):
        return self._world.script.policy

    @policy.setter
    def policy(self, policy):
        self._world.script.policy = policy

    @property
    def budget(self):
        return self._world.script.budget

    @budget.setter
    def budget(self, terms):
        self._world.script.budget = terms

    def now(self):
        return datetime.now(UTC)

    async def tick(self, made):
        ticked = await self._world.tick(made)
        return ticked, self._world.script.seen[-1]

    async def due(self):
        return (await self._world.ticks.agenda()).orders

    async def freeze(self, mission_class):
        desk = FreezeDesk(self._world.database, "alice")
        await desk.freeze(self.swarm, "hold on", mission_class=mission_class)

    async def shadow(self):
        await self._world.desk.set_shadow(self.swarm, shadow=True)

    async def sleep(self, by):
        await self._world.sql(
            "update decision set begun_at = begun_at - %s, issued_at = issued_at - %s,"
            " due_at = due_at - %s", by, by, by,
        )  # fmt: skip
        await self._world.sql("update mission set revision = revision + 1")


class TestPostgresStore(StoreContract, FreezeContract, MoneyContract):
    @pytest.fixture
    def world(self, world):
        return PostgresWorld(world)
