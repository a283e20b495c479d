"""Nothing without leave: gates, freezes, shadow, approvals, R3 (rules 2, 3, 8 and 9).

An effect is held against what stood when its order was decided, and against the freezes and the
mode that stood when the store last allowed the request: later news cannot call it back.
"""

from __future__ import annotations

from datetime import datetime

from swarm.contract.verdict import Answer
from swarm.core.history.finding import Bench, Rule
from swarm.core.history.journal import FORWARD, Deed, Effect
from swarm.core.history.log import Decided, Given, Opened
from swarm.core.history.terms import Terms
from swarm.core.nouns import MissionKind

DISCOVERY, CITATIONS = "discovery_quality", "citations"
BEFORE_MAIN = ("code_quality", "merge_policy", "supply_chain")
CANARY, OBJECTIVES = "progressive_rollout", "post_deploy_slo"
_ON_MAIN = frozenset({Deed.RUN, Deed.LAND, Deed.REVERT})
_ON_TARGETS = frozenset({Deed.SYNC, Deed.TRAFFIC, Deed.PROMOTE, Deed.ABORT})
_R2, _R3 = 2, 3
_STAMP = "%Y-%m-%d %H:%M:%S"


def gates(bench: Bench) -> None:
    """Every write had an order, and each of the six gates had passed when it was decided.

    No pass is older than the decision that rests on it: the gate was asked in that very decision,
    about that commit and under that policy. A release that did not write that down yet opened its
    missions before any policy was told to the log: of those it cannot be judged.
    """
    for effect in bench.history.effects:
        mission = bench.log.missions.get(effect.mission)
        about = (effect.mission, effect.key)
        if mission is not None and not bench.log.tells_gates(mission):
            bench.cannot_judge(Rule.GATES)
            continue
        bench.look(Rule.GATES)
        if mission is None:
            bench.broken(Rule.GATES, effect.at, about, "no such mission was ever opened")
            continue
        decided = mission.decided(effect.key, effect.asked)
        if decided is None:
            bench.broken(Rule.GATES, effect.at, about, f"{effect.deed} without an order for it")
        elif astray := _astray(effect, mission):
            bench.broken(Rule.GATES, effect.at, about, astray)
        elif late := _too_late(effect, mission):
            bench.broken(Rule.GATES, effect.at, about, late)
        elif missing := _missing(bench, effect, mission, decided):
            bench.broken(Rule.GATES, effect.at, about, missing)


def _astray(effect: Effect, mission: Opened) -> str:
    """Why it happened where its mission has nothing to do: its gates were asked of one place."""
    if effect.deed in _ON_MAIN:
        places = {"", str(mission.body.get("repo", effect.where))}
    elif effect.deed in _ON_TARGETS:
        places = set(_targets(mission))
    else:
        return ""
    return "" if effect.where in places else f"{effect.deed} at {effect.where}, not its place"


def _too_late(effect: Effect, mission: Opened) -> str:
    """Why nobody wanted it any more when it was begun; only what a store allowed has that time."""
    if effect.begun_at is None:
        return ""
    if gone := mission.voided_by(effect.key, effect.begun_at):
        return f"{effect.deed} was begun after its order was voided at {gone:{_STAMP}}"
    if effect.deed in FORWARD and mission.ended and mission.ended[0].at < effect.begun_at:
        return f"{effect.deed} was begun after its mission ended at {mission.ended[0].at:{_STAMP}}"
    return ""


def _missing(bench: Bench, effect: Effect, mission: Opened, decided: Decided) -> str:
    match effect.deed:
        case Deed.RUN:
            return _unfounded(mission, decided, again=mission.risk >= _R2)
        case Deed.LAND:
            return _unfounded(mission, decided, again=False) or _red(effect, mission, decided)
        case Deed.SYNC | Deed.TRAFFIC | Deed.PROMOTE:
            return _red(effect, mission, decided) or _unproven(bench, effect, mission, decided)
        case _:
            return ""


def _unfounded(mission: Opened, decided: Decided, *, again: bool) -> str:
    """What Gate 1 had to say of the need; nothing stands behind a repair or a requalification.

    again: it had to be asked in this decision as well, because citations age (R2 and R3).
    """
    if mission.body.get("kind", MissionKind.DELIVER) != MissionKind.DELIVER:
        return ""
    opening = mission.opening
    first = mission.verdict(DISCOVERY, CITATIONS, opening)
    last = mission.verdict(DISCOVERY, CITATIONS, decided)
    return _not_passed(DISCOVERY, CITATIONS, first, opening) or _not_passed(
        DISCOVERY, CITATIONS, last, decided if again else None
    )


def _red(effect: Effect, mission: Opened, decided: Decided) -> str:
    """What Gates 2 to 4 had to say of the commit, in the decision to land it.

    Once it is on main they are not asked any more: a policy that would not land it comes too late.
    """
    commit = effect.subject
    landings = [decided] if effect.deed is Deed.LAND else mission.landings.get(commit, [])
    missing = [_not_ready(mission, commit, landing) for landing in landings]
    if not missing:
        return f"{commit[:12]} was to be landed by no decision"
    return "" if "" in missing else missing[-1]


def _not_ready(mission: Opened, commit: str, landing: Decided) -> str:
    told = (
        _not_passed(gate, commit, mission.verdict(gate, commit, landing), landing)
        for gate in BEFORE_MAIN
    )
    return next((missing for missing in told if missing), "")


def _unproven(bench: Bench, effect: Effect, mission: Opened, decided: Decided) -> str:
    """What Gates 5 and 6 had to say before more than the first step was exposed."""
    if effect.deed is Deed.PROMOTE:
        gate = OBJECTIVES
    elif effect.step > 0:  # of traffic, which alone comes in steps
        gate = CANARY
    else:
        return ""
    if _went_on(bench, gate, effect, mission, decided):
        return ""
    return f"{gate} of {effect.subject[:12]} at {effect.where} had not passed when it was decided"


def _not_passed(gate: str, subject: str, given: Given | None, decided: Decided | None) -> str:
    """Why an answer is no pass. decided: what it had to be asked in; None where it may be old."""
    about = f"{gate} of {subject[:12]}"
    if given is None:
        return f"{about} was never asked when it was decided"
    if given.answer != Answer.PASS:
        return f"{about} stood at {Answer(given.answer).name.lower()} when it was decided"
    if decided is not None and given.policy != decided.policy:
        return f"{about} had passed under another policy than it was decided under"
    if decided is not None and given.at != decided.at:
        return f"{about} had passed at {given.at:{_STAMP}} and was not asked again"
    return ""


def _went_on(bench: Bench, gate: str, effect: Effect, mission: Opened, decided: Decided) -> bool:
    """A pass at this target and commit; a person's word; or the operator's choice."""
    if mission.passed(gate, f"{effect.where}@{effect.subject}#", decided):
        return True
    terms = bench.log.terms(mission.swarm, decided.policy)
    goes_on = terms is not None and terms.undecided_promotes and mission.risk < _R2
    return goes_on or mission.heard({"promote"}, decided.at)


def freeze(bench: Bench) -> None:
    """Under a freeze nothing of its class began, and none was lifted too early or unproven."""
    for lift in bench.log.lifts:
        bench.look(Rule.FREEZE)
        early = lift.until is not None and lift.at < lift.until
        if early or not lift.proven:
            why = f"before its window ended at {lift.until}" if early else "without a proof"
            detail = f"freeze {lift.freeze} was lifted {why}"
            bench.broken(Rule.FREEZE, lift.at, ("", lift.freeze), detail)
    for effect in bench.history.effects:
        mission = bench.log.missions.get(effect.mission)
        if effect.deed not in FORWARD or mission is None:
            continue
        bench.look(Rule.FREEZE)
        hold = bench.log.hold(mission.swarm, mission.mission_class, effect.asked)
        if hold is not None:
            detail = f"{effect.deed} under freeze {hold.id} of {hold.start:%H:%M:%S}"
            bench.broken(Rule.FREEZE, effect.at, (effect.mission, effect.key), detail)


def mode(bench: Bench) -> None:
    """Shadow mode writes nothing; what a person must approve lands only after the approval."""
    for effect in bench.history.effects:
        mission = bench.log.missions.get(effect.mission)
        if effect.deed not in FORWARD or mission is None:
            continue
        about = (effect.mission, effect.key)
        if bench.log.shadow(mission.swarm, effect.asked):
            bench.broken(Rule.MODE, effect.at, about, f"{effect.deed} in shadow mode")
        if effect.deed is not Deed.LAND:
            bench.look(Rule.MODE)
        elif (asked := _asked(bench, Rule.MODE, effect, mission)) is not None:
            decided, terms = asked
            level, targets = _risk(effect, mission), _targets(mission)
            needed = terms.asks_a_person(level, effect.where, targets)
            if needed and not _approved(effect, mission, decided.at):
                detail = f"R{level} landed without the approval that its mode asks for"
                bench.broken(Rule.MODE, effect.at, about, detail)


def _asked(
    bench: Bench, rule: Rule, effect: Effect, mission: Opened
) -> tuple[Decided, Terms] | None:
    """The decision behind a landing and what its policy allowed; None where nobody can say."""
    decided = mission.decided(effect.key, effect.asked)
    terms = None if decided is None else bench.log.terms(mission.swarm, decided.policy)
    if decided is None or terms is None:
        bench.cannot_judge(rule)
        return None
    bench.look(rule)
    return decided, terms


def risk(bench: Bench) -> None:
    """What may break the most lands only where the operator allowed it, or a person did."""
    for effect in bench.history.effects:
        mission = bench.log.missions.get(effect.mission)
        if effect.deed is not Deed.LAND or mission is None or _risk(effect, mission) < _R3:
            continue
        asked = _asked(bench, Rule.RISK, effect, mission)
        if asked is None:
            continue
        decided, terms = asked
        touched = {effect.where, *_targets(mission)}
        if not touched <= terms.r3_allowed and not _approved(effect, mission, decided.at):
            outside = ", ".join(sorted(touched - terms.r3_allowed))
            detail = f"R3 landed by itself, and {outside} is not on the list"
            bench.broken(Rule.RISK, effect.at, (effect.mission, effect.key), detail)


def _approved(effect: Effect, mission: Opened, decided: datetime) -> bool:
    used = mission.used.get(effect.subject)
    return used is not None and used <= decided


def _risk(effect: Effect, mission: Opened) -> int:
    return max(mission.risk, effect.risk or 0)


def _targets(mission: Opened) -> tuple[str, ...]:
    contract = mission.body.get("contract") or {}
    return tuple(contract.get("targets") or ())
