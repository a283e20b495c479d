"""What `doctor` looks at in the two files: whether every name has a meaning on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from swarm.cli.agent import lacking
from swarm.cli.finding import Finding, fault, note, ok
from swarm.cli.presence import missing_program, missing_variables
from swarm.contract.risk import DEFAULT_APPROVAL_POLICY

if TYPE_CHECKING:
    from swarm.runtime.settings import Settings

Spec = Mapping[str, Any]


def bindings(settings: Settings, specs: Mapping[str, Spec]) -> Iterator[Finding]:
    """Findings about names. specs: the defaulted spec of each Swarm, by the Swarm's name."""
    for name, spec in specs.items():
        lacks = list(_unbound(settings, name, spec))
        yield from lacks
        if not lacks:
            yield ok("names", f"every name in {name} is bound")
        yield from _policy(settings, name, spec)


def commands(settings: Settings) -> Iterator[Finding]:
    """Findings about the programs that settings name."""
    yield from _agents(settings)
    for name, check in settings.checks.items():
        lacks = missing_program(check.run[0], check.path)
        if lacks:
            fix = f"Install it, or set `path` in [checks.{name}] of swarm.toml."
            yield fault("check", f"{name}: {lacks}", fix)
        else:
            yield ok("check", f"{name}: {' '.join(check.run)}")
    for name, target in settings.targets.items():
        lacks = missing_program(target.run[0])
        if lacks:
            fix = f"Install it, or mend `run` in [targets.{name}] of swarm.toml."
            yield fault("target", f"{name}: {lacks}", fix)
        elif target.repo not in settings.repositories:
            yield fault("target", f"{name}: repository {target.repo!r} is not bound", _table(
                "repositories", target.repo))  # fmt: skip
        else:
            yield ok("target", f"{name}: port {target.port}, runs {target.repo}")
    yield from _sources(settings)
    yield from _network(settings)


def _network(settings: Settings) -> Iterator[Finding]:
    """Whether those that are to have no network can be cut off from it here."""
    cut = [
        f"{table}.{name}"
        for table, bound in (("agents", settings.agents), ("checks", settings.checks))
        for name, one in bound.items()
        if one.network == "none"
    ]
    if not cut:
        return
    from swarm.runtime.wiring import can_cut_network  # noqa: PLC0415 - imports the whole runtime

    if can_cut_network():
        yield ok("network", f"cut off from it: {', '.join(cut)}")
        return
    yield fault(
        "network",
        f"{', '.join(cut)}: this machine lets no command be cut off from the network",
        "Allow user namespaces (sysctl user.max_user_namespaces, or your container's seccomp"
        ' profile), or set `network = "host"` there and block egress outside.',
    )


def _unbound(settings: Settings, name: str, spec: Spec) -> Iterator[Finding]:
    discovery, delivery, risk = (spec.get(key, {}) for key in ("discovery", "delivery", "risk"))
    asked: Iterable[tuple[str, str, Iterable[str], Iterable[str]]] = (
        ("sources", "discovery.sources", _names(discovery.get("sources")), settings.sources),
        ("checks", "delivery.requiredChecks", delivery.get("requiredChecks"), settings.checks),
        ("targets", "delivery.deploymentTargets", delivery.get("deploymentTargets"),
         settings.targets),
        ("repositories", "delivery.repoAllowlist", delivery.get("repoAllowlist"),
         settings.repositories),
        ("budgets", "risk.budgetRef", [risk.get("budgetRef", "")], settings.budgets),
    )  # fmt: skip
    for table, field, names, bound in asked:
        for missing in [one for one in names or () if one and one not in bound]:
            said = f"{name}: {field} names {missing!r}, and nobody bound it"
            yield fault("names", said, _table(table, missing))


def _policy(settings: Settings, name: str, spec: Spec) -> Iterator[Finding]:
    """What the policy leaves open."""
    delivery, risk = spec.get("delivery", {}), spec.get("risk", {})
    if not delivery.get("repoAllowlist"):
        yield fault("policy", f"{name}: repoAllowlist is empty, so nothing may be changed",
                    "List repositories in spec.delivery.repoAllowlist.")  # fmt: skip
    if not delivery.get("requiredChecks"):
        yield note("policy", f"{name}: no check is required, so every merge waits for a person",
                   "List checks in spec.delivery.requiredChecks.")  # fmt: skip
    if not delivery.get("deploymentTargets"):
        yield note("policy", f"{name}: no target, so Gates 5 and 6 read `not configured`",
                   "List targets in spec.delivery.deploymentTargets.")  # fmt: skip
    if not spec.get("discovery", {}).get("sources"):
        yield note("policy", f"{name}: no source, so the backlog is fed by hand",
                   "Fill spec.discovery.sources, or use `swarmctl need add`.")  # fmt: skip
    ref = risk.get("approvalPolicyRef", "")
    policy = settings.approvals.get(ref)
    if policy is None and (settings.approvals or ref != DEFAULT_APPROVAL_POLICY):
        yield fault("policy", f"{name}: {ref}: no such approval policy, so nobody may approve",
                    f"Add [approvals.{ref}] to swarm.toml.")  # fmt: skip
    elif policy is None or not policy.approvers:
        yield note("policy", f"{name}: {ref}: whoever reaches the database may approve",
                   f"List `approvers` in [approvals.{ref}] of swarm.toml.")  # fmt: skip


def _agents(settings: Settings) -> Iterator[Finding]:
    if not settings.agents:
        yield fault("agents", "no agent is bound, so no need is ever carried out",
                    "Add [agents.NAME] to swarm.toml; see docs/SETTINGS.md.")  # fmt: skip
        return
    lacks = {name: lacking(settings, name) for name in settings.agents}
    none_ready = all(lacks.values())
    for name, found in lacks.items():
        fix = f"Install it, set the variable, or mend [agents.{name}] of swarm.toml."
        if found:
            say = fault if none_ready else note
            yield say("agent", f"{name}: {'; '.join(found)}", fix)
        else:
            yield ok("agent", f"{name}: {settings.agents[name].run[0]}")


def _sources(settings: Settings) -> Iterator[Finding]:
    every_class = any(not agent.classes for agent in settings.agents.values())
    taken = {one for agent in settings.agents.values() for one in agent.classes}
    for name, source in settings.sources.items():
        if source.repo and source.repo not in settings.repositories:
            yield fault("source", f"{name}: repository {source.repo!r} is not bound",
                        _table("repositories", source.repo))  # fmt: skip
        run = getattr(source, "run", None)
        lacks = missing_program(run[0]) if run else ""
        if lacks:
            yield fault("source", f"{name}: {lacks}", f"Install it, or mend [sources.{name}].")
        unset = missing_variables(
            [one for field in ("token_env", "secret_env") if (one := getattr(source, field, ""))]
        )
        if unset:
            yield fault("source", f"{name}: {', '.join(unset)} is not set", "Set it for `up`.")
        if settings.agents and not every_class and source.mission_class not in taken:
            said = f"{name}: no agent takes its class {source.mission_class!r}"
            yield note("source", said, "Add the class to `classes` of an agent in swarm.toml.")


def _names(sources: Iterable[Mapping[str, str]] | None) -> list[str]:
    return [source["name"] for source in sources or ()]


def _table(table: str, name: str) -> str:
    quoted = name if name.replace("-", "").replace("_", "").isalnum() else f'"{name}"'
    return f"Add [{table}.{quoted}] to swarm.toml, or take the name out of the spec."
