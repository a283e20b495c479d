"""What the world itself answered, held against what the gates let through.

The history checker takes a gate at its word, as everybody must who was not there. A gate that is
wrong passes with a clear conscience; but here whoever answered it can be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from swarm.core.evidence import ArtifactJudged, ArtifactResult, CheckEnded, CheckResult, Fact
from swarm.core.gates import code_quality, post_deploy_slo, supply_chain
from swarm.core.history.check import check
from swarm.core.history.finding import Judgement, Rule, Violation
from swarm.core.history.journal import Deed, Effect, Entry, History
from swarm.core.nouns import MissionKind, OutcomeKind
from swarm.core.trail import EventKind

REQUIRED = ("lint", "unit-tests")  #: by every policy of a scene: people add to them and take none
FIRST_STEP = 10  #: percent: what errs with so little traffic errs at every step
_STAGE_OF = {
    f"{EventKind.MISSION_OPENED} {MissionKind.DELIVER}": frozenset({"plan", "implement"}),
    f"{EventKind.ORDER_ISSUED} start-run": frozenset({"implement"}),
    f"{EventKind.ORDER_ISSUED} run-check": frozenset({"verify"}),
    f"{EventKind.ORDER_ISSUED} land": frozenset({"verify"}),
}  #: what a stage begins, by what the log calls it


def judged(history: History, lies: Iterable[Violation], bad: Mapping[str, int]) -> Judgement:
    """By all nine rules, and by what the world had said; `lies` are what `landed` found before."""
    judgement = check(history)
    found = (*judgement.violations, *lies, *served(history.effects, history.entries, bad))
    return replace(judgement, violations=tuple(sorted(found, key=lambda one: one.at)))


def switched_off(
    entries: Iterable[Entry], off: Mapping[str, frozenset[str]]
) -> Iterator[Violation]:
    """What was decided although the policy that it was decided under had switched its stage off.

    A repair and a requalification are opened all the same: they wait. off: stages, by policy.
    """
    for entry in entries:
        kind, stages = str(entry.body.get("kind", "")), off.get(str(entry.body.get("policy_hash")))
        about = f"{entry.kind} {kind}"
        if stages and stages & _STAGE_OF.get(about, frozenset()):
            key = str(entry.body.get("order", entry.chain))
            detail = f"{about}, and the policy had switched off {', '.join(sorted(stages))}"
            yield Violation(
                rule=Rule.MODE, at=entry.at, mission=entry.chain, key=key, detail=detail
            )


def landed(effect: Effect, facts: Iterable[Fact]) -> Iterator[Violation]:
    """What was wrong with a commit as it landed: a check not green, or its signatures refused.

    facts: every answer of the world until then, in its order; the newest of a kind counts.
    """
    said: dict[str, CheckResult] = {}
    signed: ArtifactResult | None = None
    for fact in facts:
        if isinstance(fact, CheckEnded) and fact.commit == effect.subject:
            said[fact.check] = fact.result
        elif isinstance(fact, ArtifactJudged) and fact.commit == effect.subject:
            signed = fact.result
    for name in REQUIRED:
        if (answer := said.get(name)) is not CheckResult.GREEN:
            yield _lie(effect, f"{code_quality.NAME} passed it, and {name} said {answer}")
    if signed is ArtifactResult.REFUSED:
        yield _lie(effect, f"{supply_chain.NAME} passed it, and its signatures were refused")


def served(
    effects: Iterable[Effect], entries: Iterable[Entry], bad: Mapping[str, int]
) -> Iterator[Violation]:
    """What was promoted though it errs, or delivered though it errs once it serves all.

    At a person's word both may be. bad: by revision, the percent of traffic from which it errs.
    """
    told = tuple(entries)
    wanted = {
        entry.chain
        for entry in told
        if entry.kind == EventKind.EVIDENCE_SEEN and entry.body.get("said") == "promote"
    }
    delivered = {
        entry.chain
        for entry in told
        if entry.kind == EventKind.MISSION_SETTLED
        and entry.body.get("outcome") == OutcomeKind.DELIVERED
    }
    for effect in effects:
        errs_from = bad.get(effect.subject)
        if effect.deed is not Deed.PROMOTE or errs_from is None or effect.mission in wanted:
            continue
        if errs_from <= FIRST_STEP:
            yield _lie(effect, f"it was promoted, and errs with {errs_from} % of the traffic")
        elif effect.mission in delivered:
            yield _lie(effect, f"{post_deploy_slo.NAME} passed it, and it errs once it serves all")


def _lie(effect: Effect, detail: str) -> Violation:
    return Violation(
        rule=Rule.GATES,
        at=effect.at,
        mission=effect.mission,
        key=effect.key,
        detail=f"{effect.deed} of {effect.subject[:24]}: {detail}",
    )
