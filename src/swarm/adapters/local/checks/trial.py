"""What the runs of one check on one commit add up to: try on, wait, or an answer.

Pure: it looks at how the runs so far ended and says what comes next. The flake policy, the
classes of failures and the end of patience are all here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarm.adapters.local.process.spec import Ended, JobResult

#: A check whose supervisor is killed this often never reports; somebody does it on purpose.
MOST_VANISHED = 3

#: One that is stopped and asked for again this often never reports either.
MOST_STOPPED = 10


class Next(StrEnum):
    """What comes after the runs so far."""

    RUN = "run"  #: again, without it being anybody's fault
    WAIT = "wait"  #: again after a pause: the machine lacks something
    GREEN = "green"
    RED = "red"
    SILENT = "silent"  #: it never reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What comes next, why, and how often it was red before."""

    next: Next
    why: str = ""
    reds: int = 0


_RED = {
    Ended.SIGNALLED: "ended by signal {0.signal}",
    Ended.OUTPUT_LIMIT: "{0.detail}",
    Ended.PROCESS_LIMIT: "{0.detail}",
    Ended.DISK_LIMIT: "{0.detail}",
}


def _red(result: JobResult) -> str:
    """Why this run is red; empty when it is not."""
    if result.ended is Ended.EXITED:
        return f"exit code {result.exit_code}" if result.exit_code else ""
    return _RED[result.ended].format(result) if result.ended in _RED else ""


def judge(history: list[JobResult | None], reruns: int, *, own_program: bool) -> Trial:
    """Judge the runs so far, oldest first; None is a run whose supervisor vanished.

    own_program: the program is a file of the commit, so a missing one is the commit's fault.
    """
    reds = [why for result in history if result is not None and (why := _red(result))]
    if not history:
        return Trial(next=Next.RUN)
    last = history[-1]
    vanished = sum(1 for result in history if result is None)
    stopped = sum(1 for result in history if result is not None and result.ended is Ended.STOPPED)
    if last is None or last.ended is Ended.STOPPED:
        why = f"it was killed from outside {vanished} times and stopped {stopped} times"
        lost = vanished >= MOST_VANISHED or stopped >= MOST_STOPPED
        return Trial(next=Next.SILENT if lost else Next.RUN, why=why)
    if last.ended is Ended.TIMED_OUT:
        return Trial(next=Next.SILENT, why=last.detail, reds=len(reds))
    if last.ended is Ended.NOT_STARTED:
        answer = Next.RED if own_program else Next.WAIT
        return Trial(next=answer, why=last.detail, reds=len(reds))
    if last.ended is Ended.DISK_LOW:
        return Trial(next=Next.WAIT, why=last.detail)
    if not _red(last):
        return Trial(next=Next.GREEN, reds=len(reds))
    answer = Next.RUN if len(reds) <= reruns else Next.RED
    return Trial(next=answer, why=reds[-1], reds=len(reds))
