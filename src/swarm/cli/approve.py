"""`swarmctl approve`: let a waiting mission go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.columns import stamp
from swarm.cli.complete import asked_missions
from swarm.cli.desk import ask, home_of, me
from swarm.cli.options import Home, Reason
from swarm.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swarm.adapters.postgres.database import Database
    from swarm.adapters.postgres.store.desk.look import Look


def approve(
    mission: Annotated[
        str,
        Parameter(help="The mission, by any unique prefix of its id.", completer=asked_missions),
    ],
    /,
    *,
    reason: Reason,
    commit: Annotated[
        str, Parameter(help="The commit you looked at; another one is refused.")
    ] = "",
    home: Home = None,
) -> None:
    """Approve exactly one mission, commit and policy. An approval is used at most once.

    A new commit, a changed policy or its expiry voids it. It merges nothing on its own: every
    gate is still asked. You must be an approver of the policy that the Swarm names.

    Exit status: 0 recorded; 4 not allowed; 5 not found; 7 nothing is asked, or about another
    commit.

    Example: swarmctl approve m-41c0 --reason "read the diff"
    """
    answer(mission, reason, commit, home, granted=True)


def answer(mission: str, reason: str, commit: str, home: Home, *, granted: bool) -> None:
    """Keep a person's answer to the newest question of a mission."""
    policies = _policies(home)

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        id_ = await Look(database).find_mission(mission)
        approvers = approvers_under(await _policy_of(Look(database), id_), policies)
        said = await People(database, me()).answer(
            id_, granted=granted, reason=reason, approvers=approvers, commit=commit or None
        )
        word = "approved" if granted else "rejected"
        told = f"{said.mission} {word} by {me()} at {said.commit[:12]}"
        return f"{told}; expires {stamp(said.expires_at)} if not used" if granted else told

    emit(ask(home, work))


def approvers_under(ref: str, policies: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """Who may answer under this policy; None: whoever reaches the database.

    A policy that is named and bound nowhere lets nobody answer. Only where no policy was ever set
    up, neither here nor in the Swarm, does everybody's answer count.
    """
    from swarm.adapters.postgres.store.errors import NotAnApprover  # noqa: PLC0415
    from swarm.contract.risk import DEFAULT_APPROVAL_POLICY  # noqa: PLC0415

    if (bound := policies.get(ref)) is not None:
        return bound or None
    if policies or ref != DEFAULT_APPROVAL_POLICY:
        raise NotAnApprover(
            f"the Swarm names the approval policy {ref!r}, and swarm.toml has no [approvals.{ref}],"
            " so nobody may answer"
        )
    return None


async def _policy_of(look: Look, mission: str) -> str:
    """The approval policy that the mission's Swarm names."""
    swarm = (await look.rows("missions", like=mission, limit=1))[0]["swarm"]
    spec = (await look.rows("swarms", swarm, limit=1))[0]["spec"]
    return str(spec.get("risk", {}).get("approvalPolicyRef", ""))


def _policies(home: Home) -> dict[str, tuple[str, ...]]:
    """Who may answer under each approval policy; empty where everybody may who gets here."""
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    place = home_of(home)
    if not place.file.exists():
        return {}
    return {name: policy.approvers for name, policy in load(place.file).approvals.items()}
