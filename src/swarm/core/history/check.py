"""Judge a history by all nine rules (safety: no mission twice, no write without its gates)."""

from __future__ import annotations

from swarm.core.history import exactly_once, paid, permitted, recovered
from swarm.core.history.finding import Bench, Judgement, Rule
from swarm.core.history.journal import History
from swarm.core.history.log import Log

RULES = {
    Rule.ONCE: exactly_once.once,
    Rule.GATES: permitted.gates,
    Rule.FREEZE: permitted.freeze,
    Rule.BUDGET: paid.budget,
    Rule.FENCE: exactly_once.fence,
    Rule.ROLLBACK: recovered.rollback,
    Rule.RETRIES: exactly_once.retries,
    Rule.RISK: permitted.risk,
    Rule.MODE: permitted.mode,
}


def check(history: History) -> Judgement:
    """Every broken promise, in the order of time. Cost: linear in entries and effects."""
    bench = Bench(history, Log(history.entries))
    for rule in RULES.values():
        rule(bench)
    ordered = sorted(bench.violations, key=lambda one: (one.at, one.rule, one.key))
    return Judgement(
        violations=tuple(ordered), examined=dict(bench.examined), unjudged=dict(bench.unjudged)
    )
