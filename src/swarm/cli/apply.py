"""`swarmctl apply`: create or change Swarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.desk import ask, me
from swarm.cli.manifest import read_swarms
from swarm.cli.options import File, Home
from swarm.cli.output import complain, emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.contract.swarm import SwarmObject


#: What a lights-out Swarm lacks as long as a field is empty.
_WITHOUT = {
    "spec.discovery.sources": "nothing is found but what `swarmctl need add` says",
    "spec.delivery.repoAllowlist": "no repository may be changed",
    "spec.delivery.requiredChecks": "nothing is proven, and everything waits for a person",
    "spec.delivery.deploymentTargets": "nothing is watched once landed, and R2 waits for a person",
}


def apply(
    *,
    file: File,
    dry_run: Annotated[bool, Parameter(help="Only show what would change.")] = False,
    home: Home = None,
) -> None:
    """Create or update the Swarms of a manifest; gaps in its policy are printed as warnings.

    An unchanged manifest changes nothing. A changed one binds missions in flight from their
    next decision on. Starts no controller; `swarmctl up` does.

    Exit status: 0 applied, or would be; 1 refused; 2 wrong use.

    Example: swarmctl apply -f swarm.yaml
    """
    swarms = read_swarms(file)
    for swarm in swarms:
        for warning in warnings(swarm):
            complain(f"warning: swarm/{swarm.name}: {warning}")
    if dry_run:
        from swarm.cli.diff import differences  # noqa: PLC0415

        for lines in differences(swarms, home).values():
            for text in lines:
                emit(text)
        return

    async def work(database: Database) -> list[str]:
        from swarm.adapters.postgres.store.desk.swarms import SwarmDesk  # noqa: PLC0415

        lines = []
        for swarm in swarms:
            done = await SwarmDesk(database, me()).apply(swarm)
            word = "created" if done.created else "configured" if done.changed else "unchanged"
            lines.append(f"swarm/{swarm.name} {word} ({summary(swarm)})")
        return lines

    for line in ask(home, work):
        emit(line)


def summary(swarm: SwarmObject) -> str:
    """What was applied, in one breath: mode, sources, repositories, checks, targets."""
    spec = swarm.spec
    counts = (
        (len(spec.discovery.sources), "source"),
        (len(spec.delivery.repo_allowlist), "repository"),
        (len(spec.delivery.required_checks), "check"),
        (len(spec.delivery.deployment_targets), "target"),
    )
    words = [f"{n} {_plural(word, n)}" for n, word in counts]
    return ", ".join((str(spec.mode), *words))


def warnings(swarm: SwarmObject) -> list[str]:
    """What the policy leaves open, each as a sentence."""
    from swarm.contract.completeness import policy_gaps  # noqa: PLC0415

    gaps = policy_gaps(swarm.spec)
    found = [f"{gap} is empty: {_WITHOUT[gap]}" for gap in gaps]
    if str(swarm.spec.mode) == "lights-out" and not set(gaps) - {"spec.discovery.sources"}:
        found.append("R2 can run unattended in this mode once its gates pass")
    return found


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
