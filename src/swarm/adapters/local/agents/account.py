"""What a run cost over all its starts, and what is told about its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from swarm.adapters.local.agents import verdict
from swarm.adapters.local.agents.formats import READERS
from swarm.adapters.local.agents.report import Report
from swarm.adapters.local.agents.settings import AgentSettings
from swarm.adapters.local.agents.verdict import Judged, Meaning
from swarm.adapters.local.process import environment, redact
from swarm.adapters.local.process.capture import MOST_NOTES
from swarm.adapters.local.process.folder import JobFolder, result_in
from swarm.adapters.local.process.spec import Ended, JobResult

OUTPUT_KEPT = 4 * 1024
_READ = 2 * 1024 * 1024  #: more than what is kept of a stream


def report_in(folder: Path, settings: AgentSettings, result: JobResult | None) -> Report:
    """What the command said about itself in this start; `result` is None while it works."""
    out = redact.read_tail(folder / "stdout", _READ)
    err = redact.read_tail(folder / "stderr", _READ)
    code = None
    if result is not None:
        code = result.exit_code if result.exit_code is not None else 1
    read = READERS[settings.result]
    told = read(out, err, code, settings.prices)
    # Of a long output the middle is lost, and all but its beginning is not on disk before the end.
    notes = redact.read_tail(folder / "notes", MOST_NOTES)
    if not notes:
        return told
    noted = read(notes, "", None, settings.prices)
    return replace(told, cost=noted.cost, odd=told.odd or noted.odd)


def spent(job: JobFolder, settings: AgentSettings, *, running: int | None = None) -> int:
    """What all starts of this run cost so far, in micro-units.

    running: the start that is at work and so counts with what it told until now.

    A start that told no cost is taken to have cost what was expected; one that never ran or only
    met a full quota, nothing.
    """
    total = 0
    for number in job.generations():
        folder = job.generation(number)
        if not (folder / "supervisor.json").exists():
            continue
        result = result_in(folder)
        told = report_in(folder, settings, result)
        if told.cost is not None:
            total += told.cost
        elif number != running and not _free(result, told, settings):
            total += settings.expected_cost
    return total


def _free(result: JobResult | None, told: Report, settings: AgentSettings) -> bool:
    if result is None or result.ended is Ended.NOT_STARTED:
        return result is not None
    judged = verdict.judge(
        result, told, fine=settings.fine, busy=settings.busy_exit_codes, own_program=True
    )
    return judged.meaning is Meaning.AGAIN


def secrets(settings: AgentSettings) -> list[str]:
    """The values of its keys and other credentials, as far as they are set."""
    env = environment.build(settings.env, settings.path)
    return environment.secret_values(env, settings.env)


def clean(text: str, settings: AgentSettings) -> str:
    """A tool's own words, short, plain and without secrets."""
    return redact.tail(redact.plain(redact.masked(text, secrets(settings))), 1000)


def detail(job: JobFolder, settings: AgentSettings, judged: Judged) -> str:
    """The explanation and, unless it ended well, the end of what it printed; short and plain."""
    folder = job.state().folder
    if folder is None:
        return judged.detail
    odd = report_in(folder, settings, result_in(folder)).odd
    parts = [clean(text, settings) for text in (judged.detail, odd) if text]
    if judged.meaning is not Meaning.TAKE:
        parts.append(redact.kept_output(folder, OUTPUT_KEPT - 1024, secrets(settings)))
    return redact.tail("\n".join(part for part in parts if part), OUTPUT_KEPT)
