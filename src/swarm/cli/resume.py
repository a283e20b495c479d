"""`swarmctl resume`: lift a freeze when its checklist is met."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.desk import ask, me, swarm_named
from swarm.cli.options import Home, Reason
from swarm.cli.output import emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def resume(
    what: Annotated[str, Parameter(help="A Swarm, or one freeze by prefix (f-...).")] = "",
    *,
    reason: Reason,
    mission_class: Annotated[
        str, Parameter(name="--class", help="Only the freeze of this class.")
    ] = "",
    token: Annotated[str, Parameter(help="The reset token, where one is asked for.")] = "",
    home: Home = None,
) -> None:
    """Lift freezes whose window has passed and whose scope requalified.

    What is missing is printed; requalification begins by itself once the window has passed.
    Exit status: 0 lifted, 5 nothing is frozen, 6 not yet.

    Example: swarmctl resume --reason "the fix is live"
    """
    given = bool(token) and _is_the_token(home, token)

    async def work(database: Database) -> list[str]:
        from swarm.adapters.postgres.store.desk.freezes import FreezeDesk  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        one = None
        if what.startswith("f-"):
            _, one = await Look(database).find(what, "freeze")
        id_ = await swarm_named(database, "" if one else what)
        lifted = await FreezeDesk(database, me()).resume(
            id_, reason, freeze=one, mission_class=mission_class or None, token_given=given
        )
        return [f"{freeze} lifted by {me()}" for freeze in lifted]

    for line in ask(home, work):
        emit(line)


def _is_the_token(home: Home, token: str) -> bool:
    """Compare with the digest in swarm.toml; the token itself is written nowhere."""
    from swarm.cli.desk import home_of  # noqa: PLC0415
    from swarm.runtime.settings import load  # noqa: PLC0415

    wanted = load(home_of(home).file).loop.resume_token_sha256
    return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), wanted.lower())
