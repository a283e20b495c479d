"""`swarmctl freeze`: stop dispatch, merge and promotion now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.desk import ask, home_of, me, swarm_named
from swarm.cli.errors import NoResetToken, Usage
from swarm.cli.need import class_named
from swarm.cli.options import Home, Reason, SwarmName, span_of
from swarm.cli.output import complain, emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def freeze(
    swarm: SwarmName = "",
    /,
    *,
    reason: Reason,
    mission_class: Annotated[
        str, Parameter(name="--class", help="Hold one mission class only; default: everything.")
    ] = "*",
    lasts: Annotated[
        str, Parameter(name="--for", help="How long, such as 2h; default: until `resume`.")
    ] = "",
    token: Annotated[
        bool, Parameter(name="--needs-token", help="Resuming also needs the reset token.")
    ] = False,
    home: Home = None,
) -> None:
    """Freeze now: no new runs, no merges, no promotion, within a second.

    Canaries already in production keep being judged and can still roll back. Freezing a
    frozen scope extends it. Nothing that runs is killed.

    Exit status: 0 frozen; 1 refused; 2 wrong use; 5 no such Swarm; 6 no token is configured.

    Example: swarmctl freeze --class docs --for 2h --reason "link checker is down"
    """
    if mission_class != "*":
        class_named(mission_class)
    span = span_of("--for", lasts) if lasts else None
    if span is not None and not span:
        raise Usage("--for is no time at all; leave it out to freeze until `swarmctl resume`")
    if token and not _has_token(home):
        raise NoResetToken("nobody could lift this freeze: no reset token is configured")

    async def work(database: Database) -> tuple[str, list[str]]:
        from swarm.adapters.postgres.store.desk.freezes import FreezeDesk  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        id_ = await swarm_named(database, swarm)
        held = await FreezeDesk(database, me()).freeze(
            id_, reason, mission_class=mission_class, lasts=span, needs_token=token
        )
        scope = "everything" if mission_class == "*" else f"class {mission_class}"
        until = f"until {held.until:%Y-%m-%d %H:%M:%S} UTC" if held.until else "until resumed"
        word = "extended" if held.extended else "frozen"
        return f"{held.id} {word}: {scope} {until}", await Look(database).classes(id_)

    told, classes = ask(home, work)
    emit(told)
    if mission_class not in {"*", *classes}:
        # It holds all the same: the class may be one that is yet to come.
        known = ", ".join(classes[:20]) or "none yet"
        complain(f"warning: no need of class {mission_class!r} was ever seen; seen: {known}")


def _has_token(home: Home) -> bool:
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    return bool(load(home_of(home).file).loop.resume_token_sha256)
