"""`swarmctl approve`: let a waiting mission go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.desk import ask, home_of, me
from swarm.cli.options import Home, Reason
from swarm.cli.output import emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def approve(
    mission: Annotated[str, Parameter(help="The mission, by any unique prefix.")],
    *,
    reason: Reason,
    commit: Annotated[
        str, Parameter(help="The commit you looked at; another one is refused.")
    ] = "",
    home: Home = None,
) -> None:
    """Say yes to exactly one mission, commit and policy. Used at most once.

    A new commit, another policy or the expiry voids it. You must be an approver of the
    policy that the Swarm names. Exit status: 0 kept, 4 not allowed, 5 not found, 6 nothing asked.

    Example: swarmctl approve m-41c0 --reason "read the diff"
    """
    answer(mission, reason, commit, home, granted=True)


def answer(mission: str, reason: str, commit: str, home: Home, *, granted: bool) -> None:
    """Keep a person's answer to the newest question of a mission."""
    approvers = approvers_of(home)

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        said = await People(database, me()).answer(
            mission, granted=granted, reason=reason, approvers=approvers, commit=commit or None
        )
        until = f"; expires {said.expires_at:%Y-%m-%d %H:%M} UTC if not used" if granted else ""
        word = "approved" if granted else "rejected"
        return f"{said.mission} {word} by {me()} at {said.commit[:12]}{until}"

    emit(ask(home, work))


def approvers_of(home: Home) -> tuple[str, ...] | None:
    """Who may answer here: the accounts of every bound approval policy; None lets anybody."""
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    place = home_of(home)
    if not place.file.exists():
        return None
    policies = load(place.file).approvals.values()
    names = {name for policy in policies for name in policy.approvers}
    return tuple(sorted(names)) or None
