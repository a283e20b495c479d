"""Runs required checks on exact commits and says once, for good, what each of them said.

Everything that is known about an order lies in its job's folder: how each run ended, since when
it waits for what, and in the end the fact. So any controller can go on with it at any time.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from swarm.adapters.local.checks import junit, trial
from swarm.adapters.local.checks.passed import Passed
from swarm.adapters.local.checks.settings import CheckSettings
from swarm.adapters.local.checks.trial import Next, Trial
from swarm.adapters.local.git.commits import read_commit
from swarm.adapters.local.git.errors import CommitUnknown, RepositoryUnknown
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.process import (
    command,
    editable,
    environment,
    patience,
    preflight,
    redact,
    workspace,
)
from swarm.adapters.local.process.folder import JobFolder
from swarm.adapters.local.process.jobs import Jobs
from swarm.adapters.local.process.spec import JobSpec, Limits, Phase
from swarm.contract.counted import counted
from swarm.contract.errors import SwarmError
from swarm.core.decision import RunCheck
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.ids import MissionId, OrderKey, evidence_id, mission_of
from swarm.core.reasons import Reason
from swarm.ports.reply import Done, Later, No, Reply

OUTPUT_KEPT = 8 * 1024
_BASE = "base/"
_SOON = timedelta(seconds=2)
_POLL = timedelta(seconds=15)
_FACT: TypeAdapter[CheckEnded] = TypeAdapter(CheckEnded)


class _NotThere(Exception):
    """The folder that the check runs in is not in this commit."""


class LocalChecks:
    """Implements `ports.hands.Checks` with commands on this machine.

    settings:    checks by name.
    forge:       gives the commits.
    folder:      where jobs and results are kept; shared by all controllers of a machine.
    at_once:     how many checks run at a time, so that the machine stays usable.
    on_finished: called with the key of an order that is worth asking about again.
    hidden:      files and folders that no check may read, besides the usual places of
                 credentials and the folder of checks itself.
    """

    def __init__(
        self,
        settings: Mapping[str, CheckSettings],
        forge: LocalForge,
        folder: Path,
        *,
        at_once: int = 2,
        on_finished: Callable[[str], None] | None = None,
        hidden: tuple[Path, ...] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.jobs = Jobs(folder / "jobs", slots=at_once, on_finished=on_finished)
        self._settings = settings
        self._forge = forge
        self._passed = Passed(folder / "passed")
        self._hidden = (folder, *hidden, *environment.credential_files(Path.home()))
        self._now = now

    async def check(self, order: RunCheck) -> Reply:
        """Start the check if it does not exist; Done(CheckEnded) once it has reported."""
        kept = self.jobs.job(order.key).outcome()
        if kept is not None:
            return Done(fact=_FACT.validate_python(kept))
        settings = self._settings.get(order.check)
        if settings is None:
            known = ", ".join(sorted(self._settings)) or "none"
            detail = f"no check is bound to {order.check!r}; bound are: {known}"
            return Done(fact=_fact(order, CheckResult.NOT_CONFIGURED, self._now(), detail))
        try:
            return await self._check(order, settings)
        except (CommitUnknown, RepositoryUnknown) as error:
            return No(reason=type(error).__name__, detail=error.message)
        except (SwarmError, OSError) as error:
            why = f"{error.message}. {error.fix}" if isinstance(error, SwarmError) else str(error)
            return self._pause(self.jobs.job(order.key), why)

    async def stop(self, key: OrderKey) -> None:
        """End a check and everything it started. Stopping what is not there is success."""
        await self.jobs.stop(key)

    def at_work(self) -> Mapping[str, MissionId]:
        """Checks of missions that are alive on this machine, each with its mission.

        One on a base serves every mission there, so it is nobody's.
        """
        return {key: mission_of(key) for key in self.jobs.at_work() if not key.startswith(_BASE)}

    def known(self) -> Sequence[str]:
        """Keys of all checks of missions that lie here."""
        return [key for key in self.jobs.known() if not key.startswith(_BASE)]

    async def _check(self, order: RunCheck, settings: CheckSettings) -> Reply:
        tree = await self._tree(order.repo, order.commit)
        definition = settings.definition()
        now = self._now()
        green = self._passed.green_at(tree, definition, now, settings.reuse_for)
        if green is not None:
            detail = f"the same files passed at {green:%Y-%m-%d %H:%M:%S} UTC"
            answer: Trial | Reply = Trial(next=Next.GREEN, why=detail)
        else:
            answer = await self._advance(order.key, order, settings, settings.reruns)
        if not isinstance(answer, Trial):
            return answer
        if answer.next is Next.GREEN and settings.junit:
            answer = await self._floor(order, settings, tree, answer)
            if not isinstance(answer, Trial):
                return answer
        return await self._settle(order, settings, tree, answer)

    async def _tree(self, repo: str, commit: str) -> str:
        clone = self._forge.clone(repo)
        await clone.open()
        return (await read_commit(clone.git, commit)).tree

    async def _advance(
        self, key: str, order: RunCheck, settings: CheckSettings, reruns: int
    ) -> Trial | Reply:
        """Take one step with the job of this key: a Trial once its runs add up to an answer."""
        job = self.jobs.job(key)
        state = await self.jobs.state(key)
        if state.phase in {Phase.RUNNING, Phase.STARTING}:
            return Later(delay=_POLL, reason=Reason.CHECKS_PENDING)
        history = await asyncio.to_thread(job.history)
        own_program = preflight.is_of_the_repository(settings.run[0])
        found = trial.judge(history, reruns, own_program=own_program)
        if found.next is Next.WAIT and not patience.begun(job, state.generation):
            return self._pause(job, found.why, generation=state.generation)
        if found.next not in {Next.RUN, Next.WAIT}:
            return found
        left, why = patience.left(job, self._now())
        if left:
            return Later(delay=left, reason=Reason.CAPACITY, detail=why, capacity=True)
        env = environment.build(settings.env, settings.path)
        own = settings.own_credentials
        missing = preflight.missing(settings.run[0], env, own, self.jobs.folder, settings.network)
        if missing:
            return self._pause(job, missing, generation=state.generation)

        async def prepare(generation: Path) -> JobSpec:
            return await self._prepare(generation, order, settings, env)

        try:
            state = await self.jobs.restart(key, prepare, after=state.generation)
        except _NotThere as error:
            return Trial(next=Next.RED, why=str(error))
        if state.phase is Phase.NO_SLOT:
            busy = "other checks are running"
            return Later(delay=_SOON, reason=Reason.BACKPRESSURE, detail=busy)
        if state.phase is Phase.FINISHED:
            return Later(delay=timedelta(0), reason=Reason.CHECKS_PENDING)
        return Later(delay=_POLL, reason=Reason.CHECKS_PENDING)

    async def _prepare(
        self, generation: Path, order: RunCheck, settings: CheckSettings, env: dict[str, str]
    ) -> JobSpec:
        work = generation / "work"
        await self._forge.export(order.repo, order.commit, work, with_history=settings.git)
        folder = work / settings.directory
        if not folder.is_dir() or not folder.resolve().is_relative_to(work.resolve()):
            raise _NotThere(f"the folder {settings.directory!r} is not in {order.commit[:12]}")
        if settings.junit:
            junit.remove(folder, settings.junit)
        theirs = self._forge.working_copy(order.repo)
        await asyncio.to_thread(workspace.link_packages, work, theirs)
        return JobSpec(
            argv=command.filled(settings.run, {}),
            cwd=folder,
            wall=min(settings.timeout, order.deadline),
            env=await asyncio.to_thread(editable.led_to, work, theirs, env),
            limits=Limits(processes=settings.processes),
            confine=settings.confine,
            network=settings.network,
            tree=work,
            writable=settings.writable,
            hidden=self._hidden,
        )

    async def _floor(
        self, order: RunCheck, settings: CheckSettings, tree: str, green: Trial
    ) -> Trial | Reply:
        """Compare the number of tests with the base's; runs the check there if nobody did."""
        definition = settings.definition()
        if not await self._counted(order.key, settings, tree):
            return Later(delay=_SOON, reason=Reason.CHECKS_PENDING)
        tests = self._passed.count(tree, definition)[1]
        if tests is None:
            why = f"JUnitMissing: the check ended well but left no readable {settings.junit}"
            return Trial(next=Next.RED, why=why, reds=green.reds)
        if settings.fewer_tests or not order.base:
            return green
        base_tree = await self._tree(order.repo, order.base)
        if not self._passed.count(base_tree, definition)[0]:
            asked = await self._try_base(order, settings, base_tree)
            if not isinstance(asked, Trial):
                return asked
        base = self._passed.count(base_tree, definition)[1]
        if base is not None and tests < base:
            why = (
                f"TestsRemoved: {counted(tests, 'test')} ran, {base} on the base {order.base[:12]}"
            )
            return Trial(next=Next.RED, why=why, reds=green.reds)
        return green

    async def _counted(self, key: str, settings: CheckSettings, tree: str) -> bool:
        """Count the tests of this job's last run; False when another controller is about to."""
        async with self.jobs.hold(key) as job:
            known = self._passed.count(tree, settings.definition())[0]
            if job is None or known or job.outcome() is not None:
                return job is not None or known
            last = job.state().folder
            root = last / "work" / settings.directory if last else None
            tests = None
            if root is not None:
                tests = await asyncio.to_thread(junit.tests_run, root, settings.junit)
            self._passed.counted(tree, settings.definition(), tests)
        return True

    async def _try_base(
        self, order: RunCheck, settings: CheckSettings, base_tree: str
    ) -> Trial | Reply:
        key = f"{_BASE}{order.check}/{settings.definition()}/{base_tree}"
        there = RunCheck(
            key=order.key,
            mission=order.mission,
            mission_class=order.mission_class,
            policy_hash=order.policy_hash,
            check=order.check,
            repo=order.repo,
            commit=order.base,
            base=order.base,
            deadline=order.deadline,
        )
        answer = await self._advance(key, there, settings, 0)
        if isinstance(answer, Trial):
            if not await self._counted(key, settings, base_tree):
                return Later(delay=_SOON, reason=Reason.CHECKS_PENDING)
            if answer.next is Next.GREEN:
                self._passed.remember(base_tree, settings.definition(), self._now())
            job = self.jobs.job(key)
            job.keep({"said": answer.next})
            await asyncio.to_thread(_clear, job)
        return answer

    async def _settle(
        self, order: RunCheck, settings: CheckSettings, tree: str, found: Trial
    ) -> Reply:
        async with self.jobs.hold(order.key) as job:
            if job is None:
                return Later(delay=_SOON, reason=Reason.CHECKS_PENDING)
            kept = job.outcome()
            if kept is None:
                fact = await asyncio.to_thread(self._conclude, job, order, settings, found)
                if fact.result is CheckResult.GREEN and job.history():
                    self._passed.remember(tree, settings.definition(), fact.at)
                kept = _FACT.dump_python(fact, mode="json")
                job.keep(kept)
                patience.over(job)
            await asyncio.to_thread(_clear, job)
        return Done(fact=_FACT.validate_python(kept))

    def _conclude(
        self, job: JobFolder, order: RunCheck, settings: CheckSettings, found: Trial
    ) -> CheckEnded:
        result = {
            Next.GREEN: CheckResult.GREEN,
            Next.RED: CheckResult.RED,
            Next.SILENT: CheckResult.NEVER_REPORTED,
        }[found.next]
        history = [item for item in job.history() if item is not None]
        headline = found.why
        if result is CheckResult.GREEN and found.reds:
            headline = f"Flaky: red {found.reds} times before it was green"
        at = history[-1].ended_at if history else self._now()
        return CheckEnded(
            id=evidence_id(order.key),
            at=at,
            source=f"check:{order.check}",
            check=order.check,
            commit=order.commit,
            result=result,
            detail=_detail(job, settings, headline, green=result is CheckResult.GREEN),
            seconds=round(sum(item.seconds for item in history), 3),
            reruns=max(0, found.reds - (result is CheckResult.RED)),
        )

    def _pause(self, job: JobFolder, why: str, *, generation: int = 0) -> Later:
        pause = patience.wait(job, self._now(), why, generation=generation)
        return Later(delay=pause, reason=Reason.CAPACITY, detail=why, capacity=True)

    async def sweep(
        self, wanted: Callable[[str], bool], *, older_than: timedelta = timedelta(days=14)
    ) -> list[str]:
        """End checks whose order nobody wants and remove old ones; returns the keys removed.

        What is known about trees is forgotten after a month without use.
        """

        async def disposable(_key: str, _folder: Path) -> bool:
            return True

        def kept(key: str) -> bool:
            if not key.startswith(_BASE):
                return wanted(key)
            # It serves every mission there. The last that asked may have ended before it did.
            begun = self.jobs.job(key).path.stat().st_mtime
            return time.time() - begun < older_than.total_seconds()

        await asyncio.to_thread(self._passed.forget, timedelta(days=30))
        return await self.jobs.sweep(kept, older_than=older_than, rescue=disposable)

    def close(self) -> None:
        """Stop watching; running checks go on and are found again."""
        self.jobs.close()


def _detail(job: JobFolder, settings: CheckSettings, headline: str, *, green: bool) -> str:
    """The headline and the end of what the last run printed, in one capped text."""
    folder = job.state().folder
    if folder is None:
        return headline
    env = environment.build(settings.env, settings.path)
    values = environment.secret_values(env, settings.env)
    # A green check's output helps nobody; a flaky one's red output does, and it came before.
    shown = folder if not green else _last_red(job)
    output = redact.kept_output(shown, OUTPUT_KEPT - 512, values) if shown else ""
    return redact.tail("\n".join(text for text in (headline, output) if text), OUTPUT_KEPT)


def _last_red(job: JobFolder) -> Path | None:
    numbers = [n for n in job.generations() if (job.generation(n) / "result.json").exists()]
    return job.generation(numbers[-2]) if len(numbers) > 1 else None


def _clear(job: JobFolder) -> None:
    """Checkouts are disposable; what they printed and how they ended stays for a while."""
    for number in job.generations():
        for name in ("work", "home", "tmp"):
            shutil.rmtree(job.generation(number) / name, ignore_errors=True)


def _fact(order: RunCheck, result: CheckResult, at: datetime, detail: str) -> CheckEnded:
    return CheckEnded(
        id=evidence_id(order.key),
        at=at,
        source=f"check:{order.check}",
        check=order.check,
        commit=order.commit,
        result=result,
        detail=detail,
    )
