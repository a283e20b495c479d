"""A result as people read it: what broke, what went wrong before, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator

from swarm.testing.simulation.simulation import BEGIN, DAY, Result, Trial

MOST_LINES = 60
_STAMP = "%d %H:%M:%S"


def command(trial: Trial) -> str:
    """The one command that shows this trial again."""
    words = [f"python3 dev.py simulate --seed {trial.seed}"]
    if trial.lasts != DAY:
        words.append(f"--minutes {trial.lasts.total_seconds() / 60:g}")
    if trial.only is not None:
        words.append(f"--only {','.join(sorted(trial.only)) or 'nothing'}")
    if trial.off:
        words.append(f"--off {','.join(sorted(trial.off))}")
    return " ".join(words)


def tell(result: Result) -> str:
    """The story of a result, in the order of time, and the command at its end."""
    about = {one.mission for one in result.judgement.violations}
    about |= {line.partition(" ")[0] for line in result.stuck}
    lines = sorted([*_outside(result, about), *_inside(result, about)])
    if len(lines) > MOST_LINES:
        left_out = f"... {len(lines) - MOST_LINES} earlier lines are left out"
        lines = [left_out, *lines[-MOST_LINES:]]
    days = result.history.until - BEGIN
    head = f"seed {result.trial.seed}, {days} simulated, {len(result.injected)} faults injected"
    return "\n".join([head, *result.what(), "", *lines, "", command(result.trial)])


def _outside(result: Result, about: set[str]) -> Iterator[str]:
    """Faults as they struck, and what really happened to the missions in question."""
    yield from result.story
    for effect in result.history.effects:
        if effect.mission in about:
            what = f"{effect.deed} {effect.where} {effect.subject}"
            yield f"{effect.at:{_STAMP}} the world: {what} under {effect.key}"


def _inside(result: Result, about: set[str]) -> Iterator[str]:
    """What our own log says of the missions in question, and of freezes and modes."""
    for entry in result.history.entries:
        if entry.chain not in about and entry.chain != entry.swarm:
            continue
        names = ("order", "gate", "subject", "answer", "reason", "outcome", "class", "kind", "said")
        told = " ".join(f"{name}={entry.body[name]}" for name in names if name in entry.body)
        yield f"{entry.at:{_STAMP}} our log: {entry.kind} {told}"[:200]
