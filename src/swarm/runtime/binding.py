"""What one spec's names mean in this installation, and the hash of the policy that this makes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import time, timedelta
from typing import Any

from swarm.contract.canonical import policy_hash
from swarm.contract.swarm import SwarmSpec
from swarm.core.ids import SwarmId
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.store import Binding, BudgetTerms
from swarm.runtime.settings import Settings


class Bindings:
    """Binds specs to one installation. The same spec and settings give the same hash.

    Every replica computes the same policy hash from the same files, so an order that one of
    them issued is valid for all; a changed file makes another policy, which voids old orders.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, Binding] = {}

    def of(self, swarm: SwarmId, spec: SwarmSpec) -> Binding:
        """The binding of one Swarm's spec."""
        del swarm  # all Swarms of an installation share its file
        spec_hash = policy_hash(spec)
        known = self._known.get(spec_hash)
        if known is None:
            known = self._bind(spec, spec_hash)
            self._known[spec_hash] = known
        return known

    def _bind(self, spec: SwarmSpec, spec_hash: str) -> Binding:
        bound = installation(self._settings, spec)
        terms = self._settings.budgets.get(spec.risk.budget_ref)
        budget = (
            BudgetTerms(
                name=spec.risk.budget_ref,
                cap=terms.cap_micro,
                window=terms.window,
                when_spent=terms.when_spent,
            )
            if terms is not None
            else None
        )
        text = json.dumps(
            {"spec": spec_hash, "installation": asdict(bound), "budget": terms_of(budget)},
            default=_plain,
            sort_keys=True,
        )
        return Binding(
            installation=bound,
            policy_hash=hashlib.sha256(text.encode()).hexdigest(),
            budget=budget,
        )


def installation(settings: Settings, spec: SwarmSpec) -> Installation:
    """What the core needs to know of this installation, for one spec."""
    approval = settings.approvals.get(spec.risk.approval_policy_ref)
    loop = settings.loop
    return Installation(
        checks=frozenset(settings.checks),
        targets=tuple(sorted((name, one.repo) for name, one in settings.targets.items())),
        agents=tuple(
            AgentBinding(
                name=name,
                classes=agent.classes,
                rules=agent.rules,
                cost=agent.expected_cost,
                deadline=agent.timeout,
            )
            for name, agent in settings.agents.items()
        ),
        risk_rules=tuple(rule.rule() for rule in settings.risk.rules),
        auto_execute=settings.risk.automatic(),
        r3_allowed=frozenset(settings.risk.r3_allowed),
        attests=frozenset(settings.attestations),
        max_missions=loop.max_missions,
        max_pending=loop.max_pending,
        check_deadline=loop.check_deadline,
        canary=settings.canary.thresholds(),
        slo=settings.slo.thresholds(),
        undecided_promotes=settings.canary.undecided_promotes,
        approval_lasts=approval.lasts if approval else timedelta(hours=24),
        need_cooldown=loop.need_cooldown,
        needs_token=bool(loop.resume_token_sha256),
        class_freeze_after=loop.class_freeze_after,
        resume_window=loop.window(),
        regimes=tuple(sorted((name, one.word_lasts) for name, one in settings.regimes.items())),
    )


def terms_of(budget: BudgetTerms | None) -> dict[str, Any] | None:
    """Budget terms as plain data; what says no more than an older release did is left out.

    Else an upgrade alone would make another policy, and void what was approved and decided.
    """
    if budget is None:
        return None
    plain = asdict(budget)
    if budget.when_spent == BudgetTerms(name="", cap=0).when_spent:
        del plain["when_spent"]
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical form")
