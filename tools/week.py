"""A simulated fortnight as its owner reads it: shadow reports and daily digests, and the figures.

The texts are the product's own: what `swarmctl report` and `swarmctl shadow report` print.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm.cli.report import digest
from swarm.cli.shadow import readiness
from swarm.runtime.shadow_report import judge
from swarm.testing.simulation.simulation import BEGIN, Result
from swarm.testing.simulation.week import Fortnight, Report


def tell(fortnight: Fortnight, result: Result) -> Iterator[str]:
    """Every report under the command that prints it, then what happened outside."""
    name, faults = fortnight.scene.name, len(result.injected)
    yield f"{name}, seed {result.trial.seed}: {faults} faults injected"
    for report in fortnight.reports:
        yield from ("", _heading(report), *_lines(report))
        if report.kind == "shadow" and report.at == fortnight.acted_from:
            yield from ("", _goes_on(fortnight, report))
    yield ""
    yield from _outside(fortnight, result)


def _heading(report: Report) -> str:
    day = (report.at - BEGIN).days
    mode = "shadow" if report.shadow else "lights-out"
    if report.kind == "daily":
        return f"day {day} ({mode})  $ swarmctl report daily"
    return f"day {day} ({mode})  $ swarmctl shadow report --since {day * 24}h"


def _goes_on(fortnight: Fortnight, report: Report) -> str:
    """What changes after the first week, and how far it goes; whatever the report advised."""
    scene = fortnight.scene
    alone = sorted(scene.installation.auto_execute or ())
    ready = "lights-out: yes" in judge(report.rows)["verdict"]
    against = "" if ready else "; its report advises against it, and here it is tried all the same"
    does = " and ".join(risk.name for risk in alone)
    return f"now it acts by itself in {scene.repo}, {does}; what is riskier asks{against}"


def _lines(report: Report) -> Iterator[str]:
    if report.kind == "daily":
        return digest(report.rows)
    return readiness(judge(report.rows))


def _outside(fortnight: Fortnight, result: Result) -> Iterator[str]:
    """The journal of the world, which knows nothing of what the reports say."""
    acted_from = fortnight.acted_from
    effects = result.history.effects
    early = sum(acted_from is None or one.at < acted_from for one in effects)
    yield f"the world's journal: {early} effects in shadow, {len(effects) - early} after it"
    for deed in sorted({one.deed for one in effects}):
        yield f"  {deed:8} {sum(one.deed is deed for one in effects):5}"
