"""What the end of a run means before its folder is looked at. Pure.

The classes of failures are told apart here: what the machine or the provider lacks is asked for
again, what the agent broke is refused by name, and the rest is the agent's own failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarm.adapters.local.agents.report import Report, Trouble
from swarm.adapters.local.process.spec import Ended, JobResult

#: A run whose supervisor is killed this often has failed; somebody does it on purpose.
MOST_VANISHED = 3

#: One that is stopped and asked for again this often ends: nobody may keep it going for ever.
MOST_STOPPED = 10


class Meaning(StrEnum):
    """What to do about a run that ended."""

    TAKE = "take"  #: it ended well: look at its folder
    AGAIN = "again"  #: later, after a pause; it counts for nothing
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    REFUSED = "refused"  #: it broke a limit; named in the detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The meaning and the sentence that explains it."""

    meaning: Meaning
    detail: str = ""


_BROKEN = {
    Ended.OUTPUT_LIMIT: "OutputLimit",
    Ended.PROCESS_LIMIT: "ProcessLimit",
    Ended.DISK_LIMIT: "DiskLimit",
}


def judge(
    result: JobResult,
    report: Report,
    *,
    fine: tuple[int, ...],
    busy: tuple[int, ...],
    own_program: bool,
) -> Judged:
    """What a run means.

    fine:        exit codes with which its folder is looked at.
    busy:        exit codes that mean "ask me later".
    own_program: the program is a file of the repository, so a missing one is no capacity.
    """
    ended = result.ended
    if ended in _BROKEN:
        return Judged(meaning=Meaning.REFUSED, detail=f"{_BROKEN[ended]}: {result.detail}")
    if ended is Ended.TIMED_OUT:
        return Judged(meaning=Meaning.TIMED_OUT, detail=f"TimedOut: {result.detail}")
    if ended is Ended.DISK_LOW:
        return Judged(meaning=Meaning.AGAIN, detail=result.detail)
    if ended is Ended.NOT_STARTED:
        meaning = Meaning.FAILED if own_program else Meaning.AGAIN
        return Judged(meaning=meaning, detail=result.detail)
    if ended is Ended.SIGNALLED:
        return Judged(meaning=Meaning.FAILED, detail=f"ended by signal {result.signal}")
    if ended is Ended.STOPPED:
        return Judged(meaning=Meaning.AGAIN, detail="it was stopped from outside")
    if result.exit_code in busy or report.trouble is Trouble.CAPACITY:
        why = report.detail or f"exit code {result.exit_code}"
        return Judged(meaning=Meaning.AGAIN, detail=why)
    said = f"exit code {result.exit_code}" if result.exit_code else ""
    if result.exit_code not in fine or report.trouble is not Trouble.NONE:
        return Judged(meaning=Meaning.FAILED, detail=f"{said}: {report.detail}".strip(": "))
    return Judged(meaning=Meaning.TAKE, detail=said)
