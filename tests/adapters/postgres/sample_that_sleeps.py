"""Not collected by itself: a test that is still running when its run is killed."""

import asyncio


async def test_sleeps(database):
    await asyncio.sleep(60)
