"""Nothing twice: effects, outcomes, holders of an order, and attempts (rules 1, 5 and 7)."""

from __future__ import annotations

from collections import defaultdict

from swarm.core.history.finding import Bench, Rule
from swarm.core.history.journal import Deed, Effect
from swarm.core.policy.retries import FIXES_MAX

#: What may happen at most once for a mission at one place, whatever the order's key and the commit:
#: only runs are several, each with a name of its own.
_SINGLE = frozenset({Deed.RUN, Deed.LAND, Deed.SYNC, Deed.PROMOTE, Deed.REVERT})
#: What changes one target; whoever held it before must not change it after whoever holds it now.
_AT_A_TARGET = frozenset({Deed.SYNC, Deed.TRAFFIC, Deed.PROMOTE, Deed.ABORT})


def once(bench: Bench) -> None:
    """At most one effect per key and per thing done; one opening and one outcome per mission."""
    by_key: dict[str, Effect] = {}
    done: dict[tuple[Deed, str, str, str], str] = {}
    for effect in bench.history.effects:
        bench.look(Rule.ONCE)
        about = (effect.mission, effect.key)
        run = effect.subject if effect.deed is Deed.RUN else ""
        what = (effect.deed, effect.mission, effect.where, run)
        if (first := by_key.get(effect.key)) is not None:
            detail = f"{effect.deed} happened at {first.at:%H:%M:%S} and once more"
            bench.broken(Rule.ONCE, effect.at, about, detail)
        elif effect.deed in _SINGLE and (before := done.get(what)) is not None:
            detail = f"{effect.deed} of {effect.subject or effect.where} after {before}"
            bench.broken(Rule.ONCE, effect.at, about, detail)
        by_key.setdefault(effect.key, effect)
        done.setdefault(what, f"that of {effect.subject or effect.where} at {effect.at:%H:%M:%S}")
    _lives(bench)


def _lives(bench: Bench) -> None:
    for entry in bench.log.doubled:
        bench.broken(Rule.ONCE, entry.at, (entry.chain, ""), "the mission was opened twice")
    for entry in bench.log.unfounded:
        detail = f"{entry.kind} of a mission that was never opened"
        bench.broken(Rule.ONCE, entry.at, (entry.chain, ""), detail)
    for mission in bench.log.missions.values():
        bench.look(Rule.ONCE)
        for entry in mission.ended[1:]:
            bench.broken(Rule.ONCE, entry.at, (mission.id, ""), "it ended a second time")


def fence(bench: Bench) -> None:
    """Each claim's fence is above all earlier ones; nothing is accepted under an older one.

    A fence is the time of its claim, so it may be compared between the orders of one target. A way
    back is never too late there.
    """
    newest: dict[str, int] = {}
    for grip in bench.history.grips:
        bench.look(Rule.FENCE)
        known = newest.get(grip.key, -1)
        if grip.what == "claimed" and grip.fence <= known:
            detail = f"claimed under fence {grip.fence} after {known}"
            bench.broken(Rule.FENCE, grip.at, ("", grip.key), detail)
        elif grip.fence < known:
            detail = f"{grip.what} under fence {grip.fence}, but {known} was given out"
            bench.broken(Rule.FENCE, grip.at, ("", grip.key), detail)
        newest[grip.key] = max(known, grip.fence)
    seen: dict[str, int] = {}
    for effect in bench.history.effects:
        if effect.fence is None:
            continue
        bench.look(Rule.FENCE)
        place = effect.where if effect.deed in _AT_A_TARGET else effect.key
        if effect.deed is not Deed.ABORT and effect.fence < seen.get(place, -1):
            detail = f"{place} took fence {effect.fence} after {seen[place]}"
            bench.broken(Rule.FENCE, effect.at, (effect.mission, effect.key), detail)
        seen[place] = max(seen.get(place, -1), effect.fence)


def retries(bench: Bench) -> None:
    """One run and at most three fixes for each mission."""
    runs: dict[str, list[Effect]] = defaultdict(list)
    for effect in bench.history.effects:
        if effect.deed is not Deed.RUN:
            continue
        bench.look(Rule.RETRIES)
        runs[effect.mission].append(effect)
        if (number := len(runs[effect.mission])) > 1 + FIXES_MAX:
            detail = f"agent work number {number}; one and {FIXES_MAX} fixes are allowed"
            bench.broken(Rule.RETRIES, effect.at, (effect.mission, effect.key), detail)
