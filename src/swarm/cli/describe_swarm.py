"""A Swarm told to people: phase in words, conditions with remedies, sources, budget, what next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from swarm.cli.columns import SHORT_COMMIT, SHORT_ID, money, span, stamp
from swarm.cli.desk import swarm_named
from swarm.cli.need_story import idle_words
from swarm.cli.output import line
from swarm.cli.sentences import sentences
from swarm.contract.counted import counted
from swarm.contract.status import Phase

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

#: The status that each condition has while all is well; Progressing has none.
_WELL = {
    "Ready": "True", "Stalled": "False", "DiscoveryHealthy": "True", "BudgetAvailable": "True",
    "Frozen": "False", "Degraded": "False", "DependenciesReady": "True", "PolicyComplete": "True",
}  # fmt: skip

#: What mends a condition that is not well, by its reason first and by its type otherwise.
_REMEDIES = {
    "NoAgent": "bind an agent that takes this class: swarm.toml, [agents]; `swarmctl agent list`",
    "CheckNotConfigured": "bind the check that the spec names: swarm.toml, [checks]",
    "TargetDrifted": "set the target back, or land what it runs; `swarmctl describe mission`",
    "BudgetUnknown": "bind the name in risk.budgetRef: swarm.toml, [budgets]",
    "BudgetExhausted": "raise its cap in swarm.toml, or wait as is said above: `swarmctl budget`",
    "NotConfigured": "name sources in the spec and bind them: `swarmctl source list`",
    "StageOff": "set the field that the message names to true, and apply the Swarm anew",
    "SourceUnread": "`swarmctl source test NAME` shows what the source answers",
    "SourceDark": "`swarmctl source test NAME` shows what the source answers",
    "Capacity": "`swarmctl doctor`",
    "Frozen": "`swarmctl describe freeze` shows what is left to do",
    "Degraded": "`swarmctl why MISSION` shows what failed; the next delivery ends it",
    "Ready": "`swarmctl doctor`",
    "DependenciesReady": "`swarmctl doctor`",
    "PolicyComplete": "fill the fields that the message names, or accept that it assists",
    "Stalled": "`swarmctl describe mission` shows what is missing",
}


async def gather(database: Database, name: str, swarm: str) -> list[dict[str, Any]]:
    """One Swarm with all around it; the only one without a name. Raises Usage or NotFound."""
    from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
    from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415

    look = Look(database)
    id_ = await swarm_named(database, name or swarm)
    row = (await look.rows("swarms", id_))[0]
    choice = await Stories(database).choice(id_)
    return [
        {
            **row,
            **{part: choice[part] for part in ("idle_reason", "resting", "rest_ends")},
            "sources": await look.rows("sources", id_),
            "budgets": [one for one in await look.rows("budgets", id_) if one["current"]],
            "freezes": choice["freezes"],
            "approvals": await look.rows("approvals", id_, state="open"),
            "missions": await look.rows("missions", id_, state="open"),
        }
    ]


def tell(row: dict[str, Any], now: datetime) -> list[str]:
    """The lines of `describe swarm`."""
    status = row["status"] or {}
    phase = status.get("phase")
    words = sentences(Phase).get(phase or "", "no controller has looked at it yet: `swarmctl up`")
    lines = [
        f"{row['namespace']}/{row['name']}  {phase or 'New'}: {words}",
        f"mode:       {row['mode']}{', shadow: it recommends and does nothing' * row['shadow']}",
        *_deleted(row),
        *_figures(row, status, now),
    ]
    if not row["missions"]:
        idle = idle_words(row) or "nothing was chosen yet"
        lines.append(f"idle:       {idle}; `swarmctl why` goes through the best needs")
    lines += _needs_you(row, now)
    lines += _conditions(status)
    lines += _sources(row, now)
    lines += _money(row, now)
    return [*lines, *_cadence(row), f"next:       {_next(row, now)}"]


def well(condition: Mapping[str, Any]) -> bool:
    """True when a condition has the status that it has while all is well."""
    return bool(_WELL.get(condition["type"], condition["status"]) == condition["status"])


def remedy(condition: Mapping[str, Any]) -> str:
    """What mends a condition that is not well."""
    known = _REMEDIES.get(condition["reason"]) or _REMEDIES.get(condition["type"])
    return known or "`swarmctl doctor`"


def _deleted(row: dict[str, Any]) -> Iterable[str]:
    if row["deleted"]:
        yield "deleted:    yes; what was open ends, nothing begins. `swarmctl apply` brings it back"


def _figures(row: dict[str, Any], status: dict[str, Any], now: datetime) -> Iterable[str]:
    observed = status.get("observedGeneration", 0)
    behind = "" if observed == row["generation"] else f", observed is {observed}"
    made = span(row["created_at"], now)
    yield f"spec:       generation {row['generation']}{behind}, created {made} ago"
    missions, needs = counted(len(row["missions"]), "mission"), status.get("queuedNeeds", 0)
    yield f"work:       {missions} open, {counted(needs, 'need')} queued"
    rate = status.get("autonomousSuccessRate24h")
    share = "" if rate is None else f", {rate:.0%} delivered without a person"
    signals = counted(status.get("discoveries24h", 0), "signal")
    ended = counted(status.get("missions24h", 0), "mission")
    yield f"24 hours:   {signals}, {ended} ended{share}"
    if status.get("lastProductionChangeRef"):
        change = line(status["lastProductionChangeRef"])
        yield f"production: {change[:SHORT_COMMIT]} was the last change; `swarmctl trace` tells it"


def _needs_you(row: dict[str, Any], now: datetime) -> Iterable[str]:
    for one in row["approvals"]:
        id_ = one["mission"][:SHORT_ID]
        until, title = span(one["expires_at"], now), line(one["title"])
        yield f"needs you:  `swarmctl approve {id_} --reason ...`, expires {until}: {title}"
    for one in row["freezes"]:
        scope = (
            "everything" if one["mission_class"] == "*" else f"class {line(one['mission_class'])}"
        )
        yield f"frozen:     {scope}: {one['reason']}; `swarmctl describe freeze`"


def _conditions(status: dict[str, Any]) -> Iterable[str]:
    yield "conditions:"
    for one in status.get("conditions", ()):
        about = ": ".join(part for part in (one["reason"], line(one.get("message", ""))) if part)
        yield f"  {'ok ' if well(one) else '!! '} {one['type']:<17} {one['status']:<7} {about}"
        if not well(one):
            yield f"      fix: {remedy(one)}"
    if not status.get("conditions"):
        yield "  none yet; a controller writes them at its first look"


def _sources(row: dict[str, Any], now: datetime) -> Iterable[str]:
    known = {one["name"]: one for one in row["sources"]}
    named = [one["name"] for one in row["spec"].get("discovery", {}).get("sources", ())]
    yield "sources:" if {*named, *known} else "sources:    none; the backlog is fed by hand"
    for name in [*named, *(one for one in known if one not in named)]:
        one = known.get(name)
        if one is None or (one["read_at"] is None and one["dark_since"] is None):
            yield f"  {line(name)}: not read yet"
        elif one["dark_since"]:
            yield f"  {line(name)}: DARK since {stamp(one['dark_since'])}: {line(one['detail'])}"
        else:
            news = (
                f"last news {span(one['last_news'], now)} ago"
                if one["last_news"]
                else "answers, and has said nothing yet"
            )
            yield f"  {line(name)}: {news}"


def _money(row: dict[str, Any], now: datetime) -> Iterable[str]:
    for one in row["budgets"]:
        told = (
            f"{money(one['spent'])} of {money(one['cap'])} spent, {money(one['reserved'])} reserved"
        )
        blocked = "dispatch BLOCKED" if one["left"] <= 0 else f"{money(one['left'])} left"
        yield f"budget:     {one['name']}: {told}, {blocked}, turns {span(one['window_end'], now)}"
    if not row["budgets"]:
        ref = row["spec"].get("risk", {}).get("budgetRef", "")
        yield f"budget:     {ref}: nothing was reserved from it in this window"


def _cadence(row: dict[str, Any]) -> Iterable[str]:
    spec = row["spec"]
    stage = (spec.get("execution") or {}).get("discover") or {}
    every = stage.get("every") or spec.get("cadence", {}).get("discoverEvery", "")
    told = f"sources are read every {every}; events wake everything else"
    if not stage.get("enabled", True):
        told = "no source is read: spec.execution.discover.enabled is false"
    yield f"cadence:    {told}"


def _next(row: dict[str, Any], now: datetime) -> str:
    if row["missions"]:
        first = row["missions"][0]
        action = line(first["next_action"] or "it is judged at once")
        return f"{first['id'][:SHORT_ID]}: {action}"
    if row["due_at"] is None:
        return "it wakes when a source brings news, a person speaks, or its manifest changes"
    late = row["due_at"] <= now
    return "it looks at once" if late else f"it looks again {span(row['due_at'], now)}"
