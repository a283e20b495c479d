"""Has agents work on clean clones, and takes what they leave once, checked and committed.

A run is known by its id. Everything about it lies in its job's folder: each start with the
commit it began from, how it ended, since when it waits for capacity, and in the end the fact.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from swarm.adapters.local.agents import account, arguments, prompt, rescue, verdict
from swarm.adapters.local.agents.formats import COST_LINES
from swarm.adapters.local.agents.settings import AgentSettings, Stdin
from swarm.adapters.local.agents.verdict import Judged, Meaning
from swarm.adapters.local.begin import MayBegin, always
from swarm.adapters.local.errors import BadCommand
from swarm.adapters.local.git.errors import CommitUnknown, RepositoryUnknown
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.process import editable, environment, patience, preflight
from swarm.adapters.local.process.folder import JobFolder
from swarm.adapters.local.process.jobs import Jobs
from swarm.adapters.local.process.spec import Ended, JobSpec, JobState, Limits, Phase
from swarm.contract.errors import Refused, SwarmError, Unavailable
from swarm.core.decision import StartRun
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import MissionId, RunId, evidence_id, mission_of
from swarm.core.reasons import Reason
from swarm.ports.reply import Done, Later, No, Reply

_SOON, _QUEUED = timedelta(seconds=2), timedelta(seconds=5)
_POLL = timedelta(seconds=15)
#: Refusals for sheer size: reading that work again would only repeat the attack.
_WASTE = (
    *("OutputLimit:", "ProcessLimit:", "DiskLimit:"),
    *("TooManyFiles:", "PatchTooLarge:", "FileTooLarge:"),
)
AT_ONCE = 4  #: agents that work at a time on this machine, for all its controllers
_FACT: TypeAdapter[RunEnded] = TypeAdapter(RunEnded)


class _Held(Exception):
    """It may not begin now, as (reason, why); never leaves this module."""


class LocalRuns:
    """Implements `ports.hands.Runs` with commands on this machine.

    settings:    agents by name.
    forge:       gives clones and takes changes.
    folder:      where runs are kept; shared by all controllers of a machine.
    on_finished: called with the key of an order that is worth asking about again.
    may_begin:   asked with an order's key right before its agent starts.
    hidden:      files and folders that no agent may read, besides the usual places of
                 credentials and the folder of runs itself.
    """

    def __init__(
        self,
        settings: Mapping[str, AgentSettings],
        forge: LocalForge,
        folder: Path,
        *,
        on_finished: Callable[[str], None] | None = None,
        hidden: tuple[Path, ...] = (),
        may_begin: MayBegin = always,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._forge = forge
        self._keys: dict[str, str] = {}
        self._tell = on_finished or (lambda _key: None)
        self._hidden = (folder, *hidden, *environment.credential_files(Path.home()))
        self._may_begin = may_begin
        self._now = now
        self.jobs = Jobs(folder / "jobs", slots=AT_ONCE, on_finished=self._finished)

    def _finished(self, run: str) -> None:
        self._tell(self._keys.pop(run, run))

    async def run(self, order: StartRun) -> Reply:
        """Start the run if it does not exist; Done(RunEnded) once it has ended."""
        self._keys[order.run] = order.key
        reply = await self._run(order)
        if not isinstance(reply, Later):  # nobody waits for its end any more
            self._keys.pop(order.run, None)
        return reply

    async def _run(self, order: StartRun) -> Reply:
        job = self.jobs.job(order.run)
        if (kept := job.outcome()) is not None:
            return _done(order, kept)
        settings = self._settings.get(order.agent)
        if settings is None:
            known = ", ".join(sorted(self._settings)) or "none"
            why = f"no agent is bound to {order.agent!r}; bound are: {known}"
            return self._pause(job, why, reason=Reason.NO_AGENT)
        try:
            return await self._step(order, settings, job)
        except _Held as held:
            reason, why = held.args
            # Not at work, and said so: it is taken back while the freeze lasts.
            return Later(delay=_SOON, reason=reason, detail=why, capacity=reason is Reason.FROZEN)
        except (CommitUnknown, RepositoryUnknown, BadCommand) as error:
            return No(reason=type(error).__name__, detail=error.message)
        except Refused as error:
            return self._pause(job, f"{error.message}. {error.fix}")
        except (SwarmError, OSError) as error:
            why = f"{error.message}. {error.fix}" if isinstance(error, SwarmError) else str(error)
            return self._pause(job, why)

    async def stop(self, run: RunId) -> None:
        """End a run and everything it started. Stopping what is not there is success."""
        await self.jobs.stop(run)

    def at_work(self) -> Mapping[str, MissionId]:
        """Runs that are alive on this machine, each with its mission."""
        return {run: mission_of(run) for run in self.jobs.at_work()}

    def known(self) -> Sequence[str]:
        """Ids of all runs that lie here."""
        return self.jobs.known()

    async def _step(self, order: StartRun, settings: AgentSettings, job: JobFolder) -> Reply:
        state = await self.jobs.state(order.run)
        if state.phase is Phase.RUNNING:
            return await self._working(order, settings, job, state)
        if state.phase is Phase.STARTING:
            return Later(delay=_SOON, reason=Reason.RUN_PENDING)
        if state.phase is Phase.FINISHED:
            return await self._ended(order, settings, state)
        if state.vanished >= verdict.MOST_VANISHED:
            why = f"its supervisor was killed from outside {state.vanished} times"
            judged = Judged(meaning=Meaning.FAILED, detail=why)
            return await self._settle(order, settings, judged)
        return await self._start(order, settings, job, state)

    async def _working(
        self, order: StartRun, settings: AgentSettings, job: JobFolder, state: JobState
    ) -> Reply:
        """While it works, only its cost is looked at, if it tells one."""
        spent = await asyncio.to_thread(account.spent, job, settings, running=state.generation)
        if spent > settings.cost_cap:
            why = f"CostCapExceeded: {spent} micro-units spent, {settings.cost_cap} may be"
            job.keep({"why": why}, "stopping")
            await self.jobs.stop(order.run)
            return Later(delay=timedelta(0), reason=Reason.RUN_PENDING, detail=why, spent=spent)
        return Later(delay=_POLL, reason=Reason.RUN_PENDING, spent=spent)

    async def _start(
        self, order: StartRun, settings: AgentSettings, job: JobFolder, state: JobState
    ) -> Later:
        await self._allowed(order, "it is held back")  # before its clone is made, for nothing
        left, why = patience.left(job, self._now())
        if left:
            return Later(delay=left, reason=Reason.CAPACITY, detail=why, capacity=True)
        env = environment.build(settings.env, settings.path)
        own = settings.own_credentials
        missing = preflight.missing(settings.run[0], env, own, self.jobs.folder, settings.network)
        if not missing and settings.model_keys and not any(n in env for n in settings.model_keys):
            missing = f"none of {', '.join(settings.model_keys)} is set in the environment"
        if missing:
            return self._pause(job, missing, generation=state.generation)

        async def prepare(generation: Path) -> JobSpec:
            return await self._prepare(generation, order, settings, env)

        state = await self.jobs.restart(order.run, prepare, after=state.generation)
        if state.phase is Phase.NO_SLOT:
            busy = "other agents are at work"
            return Later(delay=_QUEUED, reason=Reason.BACKPRESSURE, detail=busy, capacity=True)
        soon = state.phase is Phase.FINISHED
        return Later(delay=timedelta(0) if soon else _POLL, reason=Reason.RUN_PENDING)

    async def _prepare(
        self, generation: Path, order: StartRun, settings: AgentSettings, env: dict[str, str]
    ) -> JobSpec:
        self.jobs.job(order.run).keep({"repo": order.repo, "key": order.key}, "order")
        base = await self._forge.base(order)
        work = generation / "work"
        await self._forge.export(order.repo, base, work, with_history=True)
        (generation / "base").write_text(base, encoding="ascii")
        told = generation / "home" / "prompt.md"
        told.write_text(prompt.text(order.brief), encoding="utf-8")
        argv = await asyncio.to_thread(arguments.argv, settings, order.brief, work, told)
        # A large repository takes seconds to copy, and a freeze holds within one.
        await self._allowed(order, "it was held back while its clone was made")
        return JobSpec(
            argv=argv,
            cwd=work,
            wall=min(settings.timeout, order.deadline),
            env=editable.led_to(work, self._forge.working_copy(order.repo), env),
            stdin=told if settings.stdin is Stdin.PROMPT else None,
            limits=Limits(
                output_bytes=settings.output_bytes,
                disk_bytes=settings.disk_bytes,
                processes=settings.processes,
            ),
            confine=settings.confine,
            network=settings.network,
            writable=settings.writable,
            hidden=self._hidden,
            notes=COST_LINES.get(settings.result, ""),
        )

    async def _allowed(self, order: StartRun, why: str) -> None:
        """Ask whether it may begin now. Raises _Held."""
        try:
            may = await self._may_begin(order.key)
        except Unavailable as error:  # not a yes, and no trouble of the agent's
            raise _Held(Reason.UNAVAILABLE, error.message) from error
        if not may:
            raise _Held(Reason.FROZEN, why)

    async def _ended(self, order: StartRun, settings: AgentSettings, state: JobState) -> Reply:
        assert state.result is not None  # noqa: S101 - that is what FINISHED means
        assert state.folder is not None  # noqa: S101
        job = self.jobs.job(order.run)
        if state.result.ended is Ended.STOPPED:
            return await self._stopped(order, settings, job, state)
        told = await asyncio.to_thread(account.report_in, state.folder, settings, state.result)
        judged = verdict.judge(
            state.result,
            told,
            fine=settings.fine,
            busy=settings.busy_exit_codes,
            own_program=preflight.is_of_the_repository(settings.run[0]),
        )
        if judged.meaning is Meaning.AGAIN:
            spent = await asyncio.to_thread(account.spent, job, settings)
            if spent <= settings.cost_cap:
                later = await self._again(order, settings, job, state, judged.detail)
                return replace(later, spent=spent)
            why = f"CostCapExceeded: {spent} micro-units spent without a result: {judged.detail}"
            judged = Judged(meaning=Meaning.FAILED, detail=why)
        return await self._settle(order, settings, judged)

    async def _stopped(
        self, order: StartRun, settings: AgentSettings, job: JobFolder, state: JobState
    ) -> Reply:
        """It was ended, and it is asked for all the same: it begins anew, unless it cost too much.

        An installation that was shut down, or a machine; the mission still wants the work.
        """
        note = job.outcome("stopping") or {}
        times = sum(1 for one in job.history() if one and one.ended is Ended.STOPPED)
        if note or times >= verdict.MOST_STOPPED:
            why = str(note.get("why") or f"it was stopped {times} times")
            return await self._settle(order, settings, Judged(meaning=Meaning.FAILED, detail=why))
        return await self._start(order, settings, job, state)

    async def _again(
        self, order: StartRun, settings: AgentSettings, job: JobFolder, state: JobState, why: str
    ) -> Later:
        if patience.begun(job, state.generation):
            return await self._start(order, settings, job, state)
        return self._pause(job, account.clean(why, settings), generation=state.generation)

    async def _settle(self, order: StartRun, settings: AgentSettings, judged: Judged) -> Reply:
        async with self.jobs.hold(order.run) as job:
            if job is None:
                return Later(delay=_SOON, reason=Reason.RUN_PENDING)
            kept = job.outcome()
            if kept is None:
                fact = await self._conclude(order, settings, job, judged)
                kept = _FACT.dump_python(fact, mode="json")
                await self._save(order, job, fact)
                job.keep(kept)
                patience.over(job)
            await asyncio.to_thread(_clear, job)
        return _done(order, kept)

    async def _conclude(
        self, order: StartRun, settings: AgentSettings, job: JobFolder, judged: Judged
    ) -> RunEnded:
        history = [item for item in await asyncio.to_thread(job.history) if item is not None]
        at = history[-1].ended_at if history else self._now()
        fact = RunEnded(
            id=evidence_id(order.key),
            at=at,
            source=f"agent:{order.agent}",
            run=order.run,
            attempt=order.attempt,
            result=RunResult.FAILED,
            detail=await asyncio.to_thread(account.detail, job, settings, judged),
            cost=await asyncio.to_thread(account.spent, job, settings),
            seconds=round(sum(item.seconds for item in history), 3),
        )
        match judged.meaning:
            case Meaning.REFUSED:
                broken = (judged.detail,)
                return replace(fact, result=RunResult.REFUSED, violations=broken)
            case Meaning.TIMED_OUT:
                return replace(fact, result=RunResult.TIMED_OUT)
            case Meaning.TAKE:
                return await self._take(order, job, fact, account.secrets(settings))
            case _:
                return fact

    async def _take(
        self, order: StartRun, job: JobFolder, fact: RunEnded, secrets: Sequence[str]
    ) -> RunEnded:
        """Have the folder checked and committed. Raises Unavailable when it cannot be now."""
        folder = job.state().folder
        assert folder is not None  # noqa: S101 - it finished
        base = (folder / "base").read_text(encoding="ascii")
        taken = await self._forge.take_change(
            order, folder / "work", base=base, at=fact.at, secrets=secrets
        )
        if taken.violations:
            named = tuple(str(item) for item in taken.violations[:100])
            return replace(fact, result=RunResult.REFUSED, violations=named)
        if taken.change is None:
            return replace(fact, result=RunResult.NOTHING)
        return replace(fact, result=RunResult.CHANGED, change=taken.change)

    async def _save(self, order: StartRun, job: JobFolder, fact: RunEnded) -> None:
        """Keep what no commit holds as a patch, before the clones are removed."""
        last = job.state().generation
        for number in job.generations():
            folder = job.generation(number)
            if number == last and fact.result in {RunResult.CHANGED, RunResult.NOTHING}:
                continue
            if number == last and any(item.startswith(_WASTE) for item in fact.violations):
                continue
            stored = await self._rescued(order.repo, folder)
            if not stored and not (number == last and fact.violations):
                (folder / "keep").touch()

    async def _rescued(self, repo: str, folder: Path) -> bool:
        """True once nothing of this start is lost when its clone is removed."""
        if not (folder / "base").exists():
            return True
        clone = self._forge.clone(repo).folder
        base = (folder / "base").read_text(encoding="ascii")
        return await rescue.store_patch(
            clone, base, folder / "work", folder.parent / f"unrecorded-{folder.name}.patch"
        )

    async def sweep(
        self, wanted: Callable[[str], bool], *, older_than: timedelta = timedelta(days=14)
    ) -> list[str]:
        """End runs that nobody wants and remove old ones; returns the ids of those removed.

        Work of an unwanted run that was never taken is kept as a patch below `rescued/`.
        """
        kept = self.jobs.folder.parent / "rescued"

        async def rescued(run: str, folder: Path) -> bool:
            repo = str((self.jobs.job(run).outcome("order") or {}).get("repo", ""))
            if not await self._rescued(repo, folder):
                return False
            kept.mkdir(mode=0o700, exist_ok=True)
            for patch in folder.parent.glob("unrecorded-*.patch"):
                patch.replace(kept / f"{folder.parent.name}-{patch.name}")
            return True

        return await self.jobs.sweep(wanted, older_than=older_than, rescue=rescued)

    def _pause(
        self,
        job: JobFolder,
        why: str,
        *,
        generation: int = 0,
        reason: Reason = Reason.CAPACITY,
    ) -> Later:
        pause = patience.wait(job, self._now(), why, generation=generation)
        return Later(delay=pause, reason=reason, detail=why, capacity=True)

    def close(self) -> None:
        """Stop watching; running agents go on and are found again."""
        self.jobs.close()


def _done(order: StartRun, kept: Mapping[str, object]) -> Done:
    fact = _FACT.validate_python(kept)
    return Done(fact=replace(fact, id=evidence_id(order.key)))


def _clear(job: JobFolder) -> None:
    """Remove the clones; what was said and how it ended stays for a while.

    A clone whose work could neither be committed nor stored as a patch is kept.
    """
    for number in job.generations():
        folder = job.generation(number)
        names = ("home", "tmp") if (folder / "keep").exists() else ("home", "tmp", "work")
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)
