"""A result as people read it: what broke, what went wrong before, and how to see it again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator

from swarm.testing.simulation.shrink import missions
from swarm.testing.simulation.simulation import BEGIN, DAY, Result, Trial

MOST_LINES = 40
LOOKS = frozenset({"take-look", "look-taken"})  #: what a look changes, the verdict after it tells
_STAMP = "%d %H:%M:%S"


def command(trial: Trial) -> str:
    """The one command that shows this trial again."""
    words = [f"python3 dev.py simulate --seed {trial.seed}"]
    if trial.lasts != DAY:
        words.append(f"--minutes {trial.lasts.total_seconds() / 60:g}")
    if trial.only is not None:
        words.append(f"--only {_named(trial.only)}")
    if trial.off:
        words.append(f"--off {_named(trial.off)}")
    return " ".join(words)


def _named(points: Iterable[str]) -> str:
    """As a shell takes it, also one at a terminal, where `!` would call up an earlier command."""
    return shlex.quote(",".join(sorted(points)) or "nothing")


def tell(result: Result) -> str:
    """The story of a result, in the order of time, and the command at its end.

    It is that of the missions whose promises were broken, up to the first promise that was: what
    struck others is only counted, and what came after explains nothing. Who did not end in time
    has no such moment; its story goes on to the end.
    """
    about = missions(result)
    struck = list(_struck(result, about))
    begin = min((at for at in map(_begin, _inside(result, about))), default="")
    lines = [line for line, _ in struck if _begin(line) >= begin]
    lines += [*_outside(result, about), *_inside(result, about)]
    broken = list(_broken(result))
    end = broken[0] if broken else f"{result.history.until:{_STAMP}}"
    lines = sorted((line for line in lines if _begin(line) <= _begin(end)), key=_begin)
    lines += broken[:1]
    if len(lines) > MOST_LINES:
        left_out = f"... {len(lines) - MOST_LINES} earlier lines are left out"
        lines = [left_out, *lines[-MOST_LINES:]]
    told = {point for line, point in struck if line in lines}
    days = result.history.until - BEGIN
    head = f"seed {result.trial.seed}, {days} simulated, {len(result.injected)} faults injected"
    return "\n".join(
        [head, *result.what(), "", *lines, *_untold(result, told), "", command(result.trial)]
    )


def _begin(line: str) -> str:
    return line[: len("02 09:17:27")]


def _broken(result: Result) -> Iterator[str]:
    """The promises that were broken, each at its moment, in the order of time."""
    for one in result.judgement.violations:
        yield f"{one.at:{_STAMP}} broken: {one.rule} {one.key}: {one.detail}"[:200]


def _struck(result: Result, about: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Faults and deeds as they struck, each with its point: those of calls about these missions."""
    for line in result.story:
        _, _, what, *_ = line.split(" ")
        if what in {"late", "unheard"}:
            continue
        call = what in result.about
        if not about or not call or result.about[what] in about:
            yield line, what


def _untold(result: Result, told: set[str]) -> Iterator[str]:
    """How much else went wrong, by kind."""
    others = Counter(fault for point, fault in result.injected.items() if point not in told)
    if others:
        yield ""
        yield "besides: " + ", ".join(f"{count} {fault}" for fault, count in others.most_common())


def _outside(result: Result, about: frozenset[str]) -> Iterator[str]:
    """What really happened to the missions in question."""
    for effect in result.history.effects:
        if effect.mission in about:
            what = f"{effect.deed} {effect.where} {effect.subject}"
            yield f"{effect.at:{_STAMP}} the world: {what} under {effect.key}"[:200]


def _inside(result: Result, about: frozenset[str]) -> Iterator[str]:
    """What our own log says of the missions in question, and of freezes and modes around them."""
    homes = {entry.swarm for entry in result.history.entries if entry.chain in about}
    for entry in result.history.entries:
        if entry.chain not in about | homes or entry.body.get("kind") in LOOKS:
            continue
        names = ("order", "gate", "subject", "answer", "reason", "outcome", "class", "kind", "said")
        told = " ".join(f"{name}={entry.body[name]}" for name in names if name in entry.body)
        yield f"{entry.at:{_STAMP}} our log: {entry.kind} {told}"[:200]
