"""`swarmctl resume`: lift a freeze when its checklist is met."""

from __future__ import annotations

import hashlib
import hmac
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.complete import freezes
from swarm.cli.desk import ask, home_of, me, resume_rule, swarm_named
from swarm.cli.errors import WrongToken
from swarm.cli.options import Home, Reason
from swarm.cli.output import emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def resume(
    what: Annotated[
        str,
        Parameter(help="A Swarm, or one freeze by any unique prefix of its id.", completer=freezes),
    ] = "",
    /,
    *,
    reason: Reason,
    mission_class: Annotated[
        str, Parameter(name="--class", help="Only the freeze of this class.")
    ] = "",
    token: Annotated[
        str,
        Parameter(
            help="The reset token, where one is asked for; - reads standard input.",
            allow_leading_hyphen=True,
        ),
    ] = "",
    home: Home = None,
) -> None:
    """Lift freezes whose window has passed and whose scope requalified.

    Prints what is still missing. Requalification begins automatically once the window has passed;
    this verb does not shorten the window. A Swarm whose profile asks for a resume window is
    resumed only inside it.

    Exit status: 0 lifted; 4 wrong token; 5 nothing is frozen; 6 not yet.

    Example: swarmctl resume --reason "the fix is live"
    """
    if token and not _is_the_token(home, token):
        raise WrongToken("this is not the reset token of this installation")

    async def work(database: Database) -> list[str]:
        from swarm.adapters.postgres.store.desk.freezes import FreezeDesk  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.reference import bare  # noqa: PLC0415
        from swarm.core.ids import SwarmId  # noqa: PLC0415

        one, look = None, Look(database)
        named = bare(what)
        if named.startswith("f-"):
            _, one = await look.find(named, "freeze")
            id_ = SwarmId((await look.rows("freezes", like=one))[0]["swarm"])
        else:
            id_ = await swarm_named(database, named)
        (row,) = await look.rows("swarms", id_)
        lifted = await FreezeDesk(database, me()).resume(
            id_,
            reason,
            rule=resume_rule(home, row),
            freeze=one,
            mission_class=mission_class or None,
            token_given=bool(token),
        )
        return [f"{freeze} lifted by {me()}" for freeze in lifted]

    for told in ask(home, work):
        emit(told)


def _is_the_token(home: Home, token: str) -> bool:
    """Compare with the digest in swarm.toml; the token itself is written nowhere."""
    from swarm.runtime.settings import load  # noqa: PLC0415

    wanted = load(home_of(home).file).loop.resume_token_sha256
    said = sys.stdin.readline().strip() if token == "-" else token  # noqa: S105 - no password
    return hmac.compare_digest(hashlib.sha256(said.encode()).hexdigest(), wanted.lower())
