"""Nothing without leave: gates, freezes, shadow, approvals, R3 (rules 2, 3, 8 and 9).

An effect is held against what stood when its order was decided, and against the freezes and the
mode that stood when the store last allowed the request: later news cannot call it back.
"""

from __future__ import annotations

from datetime import datetime

from swarm.contract.verdict import Answer
from swarm.core.history.finding import Bench, Rule
from swarm.core.history.journal import FORWARD, Deed, Effect
from swarm.core.history.log import Opened

BEFORE_MAIN = ("code_quality", "merge_policy", "supply_chain")
CANARY, OBJECTIVES = "progressive_rollout", "post_deploy_slo"
_R3 = 3


def gates(bench: Bench) -> None:
    """Every write had an order, and what was gated had the pass of its gates when decided."""
    for effect in bench.history.effects:
        mission = bench.log.missions.get(effect.mission)
        about = (effect.mission, effect.key)
        bench.look(Rule.GATES)
        if mission is None:
            bench.broken(Rule.GATES, effect.at, about, "no such mission was ever opened")
            continue
        decided = mission.decided(effect.key, effect.asked)
        if decided is None:
            bench.broken(Rule.GATES, effect.at, about, f"{effect.deed} without an order for it")
        elif missing := _missing(bench, effect, mission, decided):
            bench.broken(Rule.GATES, effect.at, about, missing)


def _missing(bench: Bench, effect: Effect, mission: Opened, decided: datetime) -> str:
    match effect.deed:
        case Deed.LAND:
            for gate in BEFORE_MAIN:
                answer = mission.verdict(gate, effect.subject, decided)
                if answer != Answer.PASS:
                    return f"{gate} of {effect.subject[:12]} {_stood(answer)} when it was decided"
        case Deed.TRAFFIC if effect.step > 0:
            if not _went_on(bench, CANARY, effect, mission, decided):
                return f"{CANARY} had passed no earlier step of {effect.subject[:12]}"
        case Deed.PROMOTE:
            if not _went_on(bench, OBJECTIVES, effect, mission, decided):
                return f"{OBJECTIVES} of {effect.subject[:12]} had not passed when it was decided"
        case _:
            pass
    return ""


def _stood(answer: int | None) -> str:
    return "was never asked" if answer is None else f"stood at {Answer(answer).name.lower()}"


def _went_on(bench: Bench, gate: str, effect: Effect, mission: Opened, decided: datetime) -> bool:
    """A pass at this target and commit; a person's word; or the operator's choice."""
    if mission.passed(gate, f"{effect.where}@{effect.subject}#", decided):
        return True
    terms = bench.log.terms(mission.swarm, decided)
    goes_on = terms is not None and terms.undecided_promotes
    return goes_on or mission.heard({"promote"}, decided)


def freeze(bench: Bench) -> None:
    """Between a freeze and its lift nothing of its class began or was promoted."""
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
        bench.look(Rule.MODE)
        if bench.log.shadow(mission.swarm, effect.asked):
            bench.broken(Rule.MODE, effect.at, about, f"{effect.deed} in shadow mode")
        if effect.deed is Deed.LAND and _wants_approval(bench, effect, mission):
            detail = f"R{_risk(effect, mission)} landed without the approval that its mode asks for"
            bench.broken(Rule.MODE, effect.at, about, detail)


def _wants_approval(bench: Bench, effect: Effect, mission: Opened) -> bool:
    decided = mission.decided(effect.key, effect.asked) or effect.at
    terms = bench.log.terms(mission.swarm, decided)
    if terms is None or _risk(effect, mission) < terms.asks_from:
        return False
    return not _approved(effect, mission, decided)


def risk(bench: Bench) -> None:
    """What may break the most lands only where the operator allowed it, or a person did."""
    for effect in bench.history.effects:
        mission = bench.log.missions.get(effect.mission)
        if effect.deed is not Deed.LAND or mission is None or _risk(effect, mission) < _R3:
            continue
        decided = mission.decided(effect.key, effect.asked) or effect.at
        terms = bench.log.terms(mission.swarm, decided)
        if terms is None:
            continue
        bench.look(Rule.RISK)
        touched = {effect.where, *_targets(mission)}
        if not touched <= terms.r3_allowed and not _approved(effect, mission, decided):
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
