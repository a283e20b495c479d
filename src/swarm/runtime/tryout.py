"""One source, one agent or the checks of main, tried once by hand. Nothing is stored."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from swarm.core.decision import RunCheck, StartRun
from swarm.core.evidence import CheckEnded, CheckResult, Fact, RunEnded
from swarm.core.ids import SwarmId, mission_id, order_key, run_id, swarm_id
from swarm.core.nouns import Brief, Signal
from swarm.ports.reply import Done, Later, No, Reply
from swarm.runtime import wiring
from swarm.runtime.errors import TryoutRefused, TryoutWaits
from swarm.runtime.home import Home
from swarm.runtime.settings import Settings

NOBODY = swarm_id("default", "tried-by-hand")
_PREFIX = "tryout-"
PATCH_MOST = 256 * 1024  #: characters of a difference that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one reading of a source brought. seconds: how long it took."""

    signals: tuple[Signal, ...]
    refused: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What an agent came to. patch: its difference, "" when there is none that is taken."""

    fact: RunEnded
    patch: str
    seconds: float


async def read_once(
    settings: Settings, home: Home, name: str, swarm: SwarmId = NOBODY
) -> Sample | None:
    """Read a source from its beginning, once; None when nobody bound it. Raises SourceDown."""
    source = wiring.bound_sources(settings, home).source(swarm, name)
    if source is None:
        return None
    begun = time.monotonic()
    signals: list[Signal] = []
    refused: list[str] = []
    async for reading in source.read(""):
        signals += reading.signals
        refused += reading.refused
    return Sample(signals=tuple(signals), refused=tuple(refused), seconds=time.monotonic() - begun)


async def try_agent(
    settings: Settings, home: Home, *, agent: str, repo: str, brief: Brief
) -> Trial:
    """Have an agent work on a scratch clone of a bound repository, once.

    Its change passes the same intake as any other and is thrown away with the clone.
    Raises TryoutWaits when it cannot start now, TryoutRefused when it never could.
    """
    begun = time.monotonic()
    mission = mission_id(f"tried-by-hand/{agent}", 0)
    order = StartRun(
        key=order_key(mission, "run", "0"),
        mission=mission,
        mission_class="tried-by-hand",
        policy_hash="",
        run=run_id(mission, 0),
        attempt=0,
        agent=agent,
        repo=repo,
        base="",
        onto="",
        brief=brief,
        deadline=timedelta(days=1),
    )
    async with _scratch(home) as folder:
        news = asyncio.Event()
        forge, runs = wiring.scratch_runs(settings, home, folder, lambda _key: news.set())
        try:
            fact = await _until_done(partial(runs.run, order), news)
        finally:
            # Also after Ctrl-C: an agent that nobody waits for would go on spending.
            await runs.stop(order.run)
            runs.close()
        assert isinstance(fact, RunEnded)  # noqa: S101 - what the port promises
        patch = ""
        if fact.change is not None:
            said = await forge.clone(repo).git.run(
                "diff", "--no-color", "--no-ext-diff", "--no-textconv",
                fact.change.base, fact.change.head,
            )  # fmt: skip
            patch = said.out.decode("utf-8", "replace")
    return Trial(fact=fact, patch=patch[:PATCH_MOST], seconds=time.monotonic() - begun)


async def try_checks(
    settings: Settings, home: Home, *, repo: str, names: Sequence[str]
) -> list[CheckEnded]:
    """Run required checks on the tip of a repository's main, one after another."""
    found: list[CheckEnded] = []
    begun: list[RunCheck] = []
    async with _scratch(home) as folder:
        news = asyncio.Event()
        forge, checks = wiring.scratch_checks(settings, home, folder, lambda _key: news.set())
        try:
            tip = await forge.clone(repo).follow()
            for name in names:
                order = _check(repo, name, tip)
                begun.append(order)
                fact = await _until_done(partial(checks.check, order), news)
                assert isinstance(fact, CheckEnded)  # noqa: S101 - what the port promises
                found.append(fact)
        finally:
            # Also after Ctrl-C: the folder that they work in goes now.
            for order in begun:
                await checks.stop(order.key)
            checks.close()
    return found


@asynccontextmanager
async def _scratch(home: Home) -> AsyncIterator[Path]:
    """A private folder among those of the installation, gone afterwards.

    What a kill left of an earlier one goes before.
    """
    home.make()
    await asyncio.to_thread(wiring.clear_left_behind, home.jobs, _PREFIX)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=_PREFIX, dir=home.jobs))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _until_done(ask: Callable[[], Awaitable[Reply]], news: asyncio.Event) -> Fact:
    """Ask a port again and again until it says what came of it."""
    while True:
        news.clear()
        match await ask():
            case Done(fact=fact):
                return fact
            case No(reason=reason, detail=detail):
                raise TryoutRefused(f"{reason}: {detail}")
            case Later(capacity=True, reason=reason, detail=detail):
                raise TryoutWaits(f"{reason}: {detail}")
            case Later(delay=delay):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.05, delay.total_seconds())):
                        await news.wait()


def _check(repo: str, name: str, tip: str) -> RunCheck:
    mission = mission_id(f"tried-by-hand/{repo}", 0)
    return RunCheck(
        key=order_key(mission, "check", tip, name),
        mission=mission,
        mission_class="tried-by-hand",
        policy_hash="",
        forward=False,
        check=name,
        repo=repo,
        commit=tip,
        base=tip,
        deadline=timedelta(hours=2),
    )


def is_red(fact: CheckEnded) -> bool:
    """True for everything but a green check: no evidence is never a pass."""
    return fact.result is not CheckResult.GREEN
