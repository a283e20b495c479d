"""What one swarm of a simulated installation is told to do: drawn anew for each seed."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from swarm.contract.swarm import SwarmSpec
from swarm.core.ids import SwarmId, swarm_id
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.store import Binding, BudgetTerms

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CLASSES = ("tidy", "docs", "deps")
SOURCES = ("linter", "tracker")
AGENT_COST = 100
STAGES = ("discover", "plan", "implement", "verify")
MOSTLY_ON = (*STAGES, *("",) * 36)  #: of a swarm's first spec: what is off shows nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One swarm: its spec and what its installation binds its names to.

    news_every: pause between two things that its sources have to say.
    news:       what they say, in turn; trusts: how much it may be worth.
    off:        the stages that each policy bound here switched off, by its hash.
    """

    swarm: SwarmId
    name: str
    repo: str
    target: str
    spec: SwarmSpec
    installation: Installation
    budget: BudgetTerms
    news_every: timedelta
    news: tuple[str, ...] = ("Something to mend, number {number}",)
    trusts: tuple[float, ...] = (0.9,)
    off: dict[str, frozenset[str]] = field(default_factory=dict)
    _known: dict[int, tuple[SwarmSpec, Binding]] = field(default_factory=dict)

    def binding(self, spec: SwarmSpec) -> Binding:
        """The binding of a spec here; the same in every process."""
        known = self._known.get(id(spec))
        if known is None or known[0] is not spec:
            told = repr((spec.model_dump(mode="json"), _plain(self.installation), self.budget))
            digest = hashlib.sha256(told.encode()).hexdigest()
            self.off[digest] = switched_off(spec)
            bound = Binding(installation=self.installation, policy_hash=digest, budget=self.budget)
            known = self._known[id(spec)] = (spec, bound)
        return known[1]


def switched_off(spec: SwarmSpec) -> frozenset[str]:
    """The stages of the loop that a spec says are off."""
    told = spec.model_dump(include={"execution"})["execution"] or {}
    return frozenset(
        stage for stage in STAGES if not (told.get(stage) or {"enabled": True})["enabled"]
    )


def execution(off: str) -> dict[str, Any]:
    """A spec's execution block with one stage off; none where `off` is empty."""
    return {"execution": {off: {"enabled": False}}} if off else {}


def _plain(installation: Installation) -> list[object]:
    """Sets in order: their own order differs from process to process."""
    values = (getattr(installation, name) for name in Installation.__slots__)
    return [sorted(value) if isinstance(value, frozenset) else value for value in values]


def draw(seed: int, number: int) -> Scene:
    """The `number`-th swarm of a seed, from 0."""
    dice = random.Random(f"scene {seed} {number}")  # noqa: S311 - a seeded draw, no secret
    name, repo, target = f"swarm-{number}", f"acme/shop-{number}", f"orders-{number}"
    watched = dice.random() < 0.85  # noqa: PLR2004 - mostly there is something to watch
    allowed = dice.random() < 0.5  # noqa: PLR2004
    canary = CanaryThresholds(look_every=2 * MINUTE, max_hold=dice.choice((10, 20)) * MINUTE)
    slo = SloThresholds(look_every=2 * MINUTE, window=6 * MINUTE, max_hold=15 * MINUTE)
    installation = Installation(
        checks=frozenset({"lint", "unit-tests", "extra"}),
        targets=((target, repo),),
        agents=(AgentBinding(name="tidy", cost=AGENT_COST),),
        auto_execute=None,
        r3_allowed=frozenset({repo, target}) if allowed else frozenset(),
        attests=frozenset({repo}) if dice.random() < 0.8 else frozenset(),  # noqa: PLR2004
        max_missions=dice.choice((1, 2, 3)),
        check_deadline=10 * MINUTE,
        canary=canary,
        slo=slo,
        approval_lasts=dice.choice((1, 4)) * HOUR,
        need_cooldown=dice.choice((1, 3)) * HOUR,
        class_freeze_after=dice.choice((1, 2, 3)),
    )
    terms = BudgetTerms(
        name="default-budget",
        cap=dice.choice((1_000, 2_000, 10_000)),
        window=dice.choice((6, 24)) * HOUR,
    )
    rare = random.Random(f"stages {seed} {number}")  # noqa: S311 - a seeded draw, no secret
    off = execution(rare.choice(MOSTLY_ON))
    spec = SwarmSpec.model_validate(_spec(dice, repo, (target,) if watched else ()) | off)
    news_every = dice.choice((30, 60, 120)) * MINUTE
    return Scene(
        swarm=swarm_id("default", name),
        name=name,
        repo=repo,
        target=target,
        spec=spec,
        installation=installation,
        budget=replace(terms, when_spent=dice.choice(("finish", "stop"))),
        news_every=news_every,
    )


def _spec(dice: random.Random, repo: str, targets: tuple[str, ...]) -> dict[str, Any]:
    return {
        "owner": {"id": "alice", "channel": "swarm://owner/platform"},
        "domains": ["platform"],
        "objectives": ["fewer defects"],
        "mode": dice.choice(("lights-out", "assisted")),
        "cadence": {
            "discoverEvery": dice.choice(("5m", "15m", "30m")),
            "planEvery": "30m",
            "implementEvery": "30m",
        },
        "discovery": {"sources": [{"name": name} for name in SOURCES]},
        "delivery": delivery(repo, targets, steps=dice.choice(STEPS)),
        "risk": {
            "freezeAfterFailures": dice.choice((2, 3, 5)),
            "freezeDuration": dice.choice(("15m", "1h")),
        },
    }


STEPS = (((10, "4m"), (100, "0s")), ((10, "4m"), (50, "4m"), (100, "0s")))


def delivery(
    repo: str,
    targets: tuple[str, ...],
    *,
    checks: tuple[str, ...] = ("lint", "unit-tests"),
    steps: tuple[tuple[int, str], ...] = STEPS[0],
) -> dict[str, Any]:
    """A spec's delivery block."""
    return {
        "repoAllowlist": [repo],
        "requiredChecks": list(checks),
        "deploymentTargets": list(targets),
        "rollout": {"steps": [{"setWeight": w, "pause": p} for w, p in steps]},
    }
