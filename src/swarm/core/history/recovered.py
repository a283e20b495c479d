"""Every rollback had a reason, every failed gate an answer, every landing a watch (rule 6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from swarm.contract.verdict import Answer
from swarm.core.history.finding import Bench, Rule
from swarm.core.history.journal import Deed, Effect
from swarm.core.history.log import Given, Opened
from swarm.core.history.permitted import CANARY, OBJECTIVES
from swarm.core.nouns import OutcomeKind
from swarm.core.reasons import Reason

#: Why a mission may have been taken back, where no gate's verdict says it.
_REASONS = frozenset(
    {
        Reason.CANARY_FAILED,
        Reason.CANARY_UNDECIDED,
        Reason.SLO_REGRESSED,
        Reason.LIMIT_BREACHED,
        Reason.SYNC_FAILED,
        Reason.TARGET_DRIFTED,
        Reason.ORDER_REFUSED,
        Reason.DIGEST_DENIED,
        Reason.CANCELLED,
        Reason.REJECTED,
        Reason.ROLLBACK_REFUSED,
    }
)
_AGAINST = frozenset({"cancel", "reject", "rollback"})


def rollback(bench: Bench) -> None:
    """No rollback without a failure, timeout or word; no failure without a rollback or freeze.

    Only what was taken off that very target answers, or a freeze that this very mission caused.
    """
    taken_back: dict[str, list[Effect]] = defaultdict(list)
    for effect in bench.history.effects:
        if effect.deed not in {Deed.ABORT, Deed.REVERT}:
            continue
        taken_back[effect.mission].append(effect)
        mission = bench.log.missions.get(effect.mission)
        if mission is None or not _judged(mission, effect.at):
            continue
        bench.look(Rule.ROLLBACK)
        if not _founded(mission, effect.at):
            detail = f"{effect.deed} although nothing had failed and nobody had asked for it"
            bench.broken(Rule.ROLLBACK, effect.at, (effect.mission, effect.key), detail)
    for mission in bench.log.missions.values():
        for (gate, subject), given in mission.verdicts.items():
            for at in _failures(given) if gate in {CANARY, OBJECTIVES} else ():
                bench.look(Rule.ROLLBACK)
                _answered(bench, mission, (gate, subject, at), taken_back[mission.id])
    _watched(bench)


def _watched(bench: Bench) -> None:
    """What is on main was landed by a mission that knew this very commit, or was taken back.

    A request that outlives its lease and its controller can land after its mission ended. And what
    came off its targets comes off main, else the next change brings it back: asked for at least,
    since a conflict leaves it to a person.
    """
    effects = bench.history.effects
    reverted = {effect.subject for effect in effects if effect.deed is Deed.REVERT}
    for effect in effects:
        mission = bench.log.missions.get(effect.mission)
        if effect.deed is not Deed.LAND or mission is None or not mission.ended:
            continue
        bench.look(Rule.ROLLBACK)
        known = mission.ended[-1].body.get("landed", effect.subject)
        if known != effect.subject and effect.subject not in reverted:
            detail = f"{effect.subject} landed, and its mission ended with {known}: it is unwatched"
            bench.broken(Rule.ROLLBACK, effect.at, (effect.mission, effect.key), detail)
        back = mission.ended[-1].body.get("outcome") == OutcomeKind.ROLLED_BACK
        asked = f"{mission.id}/{Deed.REVERT}/{effect.subject}" in mission.issued
        if back and not asked and effect.subject not in reverted:
            detail = f"{effect.subject} was rolled back, and nobody asked main to undo it"
            bench.broken(Rule.ROLLBACK, effect.at, (effect.mission, effect.key), detail)


def _judged(mission: Opened, at: datetime) -> bool:
    """Whether the log says enough by now: an open mission's reason may still be on its way."""
    return bool(mission.ended) or _failed(mission, at)


def _failed(mission: Opened, at: datetime) -> bool:
    return any(
        gate in {CANARY, OBJECTIVES}
        and any(one.at <= at and one.answer == Answer.FAIL for one in given)
        for (gate, _), given in mission.verdicts.items()
    )


def _failures(given: Sequence[Given]) -> Iterator[datetime]:
    """When a gate began to say no; a pass behind it takes nothing back."""
    before = None
    for one in given:
        if one.answer == Answer.FAIL and before != Answer.FAIL:
            yield one.at
        before = one.answer


def _founded(mission: Opened, at: datetime) -> bool:
    if _failed(mission, at) or mission.heard(_AGAINST, at):
        return True
    return any(entry.body.get("reason") in _REASONS for entry in mission.ended)


def _answered(
    bench: Bench, mission: Opened, failure: tuple[str, str, datetime], taken_back: list[Effect]
) -> None:
    gate, subject, at = failure
    target, _, _ = subject.partition("@")
    by = at + bench.history.answer_within
    if by > bench.history.until:
        return  # its time is not over yet
    aborts = (one.at for one in taken_back if (one.deed, one.where) == (Deed.ABORT, target))
    if any(at <= when <= by for when in (*aborts, *mission.froze)):
        return
    detail = f"{gate} of {subject} failed, and neither a rollback nor a freeze followed in time"
    bench.broken(Rule.ROLLBACK, at, (mission.id, ""), detail)
