"""Deciding: one call of `decide` over many open missions and many open needs.

    python benchmarks/decide.py

Every mission has its standing already, as in a Swarm that runs: a tick judges only what moved.
Three cases: nothing moved; one in a hundred missions moved; four slots are free for needs.
"""

import time
from dataclasses import replace
from datetime import timedelta

from stand import head, median, quantile, row, settle_memory

from swarm.contract.swarm import SwarmSpec
from swarm.core.decide import decide
from swarm.core.nouns import Need
from swarm.core.snapshot import Mission, Snapshot
from swarm.testing.builders import NOON, installation, mission, need, snapshot

LOOP = 40


def crowd(size: int) -> Snapshot:
    """So many open missions and needs, in twenty repositories, each with paths of its own."""
    repos = tuple(f"acme/shop{number}" for number in range(20))
    missions: list[Mission] = []
    for number in range(size):
        made = mission(number, repo=repos[number % 20], opened_at=NOON - timedelta(seconds=number))
        paths = (f"src/part{number % 97}/file{number}.py",)
        missions.append(replace(made, contract=replace(made.contract, allowed_paths=paths)))
    needs: list[Need] = [
        need(
            size + number,
            repo=repos[number % 20],
            # The best ones touch what a mission has in hand, so that selecting has to look further.
            paths=(f"src/part{number % 97}/file{number if number < 50 else size + number}.py",),
        )
        for number in range(size)
    ]
    needs.sort(key=lambda one: (-one.rank, one.id))
    spec = snapshot().spec
    allowed = spec.delivery.model_copy(update={"repo_allowlist": repos})
    made_spec: SwarmSpec = spec.model_copy(update={"delivery": allowed})
    world = snapshot(
        spec=made_spec,
        missions=tuple(missions),
        needs=tuple(needs),
        queued_needs=size,
        installation=installation(max_missions=size, max_pending=10**9),
    )
    return settled(world)


def settled(world: Snapshot) -> Snapshot:
    """The same with the standings that deciding gave, as the next tick reads them."""
    standings = dict(decide(world).standings)
    missions = tuple(replace(one, standing=standings[one.id]) for one in world.missions)
    return replace(world, missions=missions)


def moved(world: Snapshot, every: int) -> Snapshot:
    """The same where one in `every` missions has news."""
    missions = tuple(
        replace(one, version=one.version + 1) if number % every == 0 else one
        for number, one in enumerate(world.missions)
    )
    return replace(world, missions=missions)


def free(world: Snapshot, slots: int) -> Snapshot:
    """The same with so many slots free."""
    room = replace(world.installation, max_missions=len(world.missions) + slots)
    return replace(world, installation=room)  # of which no standing depends


def measure(name: str, goal: str, world: Snapshot, opened: int) -> None:
    plan = decide(world)
    assert sum(type(record).__name__ == "OpenMission" for record in plan.records) == opened, plan
    times = []
    for _ in range(LOOP):
        begun = time.perf_counter()
        decide(world)
        times.append(time.perf_counter() - begun)
    note = f"least {min(times) * 1e3:.2f} ms, p95 {quantile(times, 0.95) * 1e3:.2f} ms"
    row(name, goal, f"{median(times) * 1e3:.2f} ms", note)


def main() -> None:
    head("Deciding")
    for size, goal in ((1_000, "2 ms"), (10_000, "30 ms")):
        world = crowd(size)
        settle_memory()
        count = f"{size:,} missions + {size:,} needs"
        measure(f"{count}, nothing moved", goal, world, 0)
        measure(f"{count}, one in a hundred moved", "", moved(world, 100), 0)
        measure(f"{count}, four needs chosen", goal, free(world, 4), 4)


if __name__ == "__main__":
    main()
