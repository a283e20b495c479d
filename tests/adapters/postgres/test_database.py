"""Transactions through `Database.run`."""

import pytest


@pytest.mark.req("LOOP-11")
async def test_a_transaction_commits_what_it_returns(database):
    async def write(connection):
        await connection.execute("create table public.t (n int)")
        await connection.execute("insert into public.t values (1)")
        return 7

    async def read(connection):
        cursor = await connection.execute("select n from public.t")
        return await cursor.fetchall()

    assert await database.run(write) == 7
    assert await database.run(read) == [(1,)]
