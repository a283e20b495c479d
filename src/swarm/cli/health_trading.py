"""What `doctor` looks at in trading: people who can act, limits that hold, an open order path."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from swarm.cli.finding import Finding, fault, note, ok
from swarm.contract.errors import SwarmError
from swarm.runtime.background import running_pid

if TYPE_CHECKING:
    from swarm.regime.limits.people import Act
    from swarm.runtime.home import Home
    from swarm.runtime.trading.settings import TradingSettings

_LISTED = "List a person with the role and a key under [trading.people.NAME]."


def people(trading: TradingSettings, channels: Collection[str]) -> Iterator[Finding]:
    """Whether there is somebody for each act that only a person's key can do, and who is told."""
    from swarm.regime.limits.people import Act  # noqa: PLC0415

    if trading.channel and trading.channel not in channels:
        said = f"alerts go to the channel {trading.channel!r}, which nobody bound"
        yield fault("trading", said, f"Add [channels.{trading.channel}] to swarm.toml.")
    able = {act: _able(trading, act) for act in Act}
    if not able[Act.SIGN_LIMITS]:
        yield fault("trading", "nobody can sign limits, so that none come into force", _LISTED)
    elif len(able[Act.SIGN_LIMITS]) == 1:
        said = f"only {able[Act.SIGN_LIMITS][0]} can sign limits, and never the own ones"
        yield note("trading", said, "List a second risk officer with a key.")
    if not able[Act.LIFT_KILL]:
        yield fault("trading", "nobody could lift a kill or switch a strategy on again", _LISTED)
    if not able[Act.CLEAR_BREAK]:
        yield fault("trading", "nobody could clear a break of the books", _LISTED)
    if len({*able[Act.VERIFY_OVERRIDE], *able[Act.AUTHORISE_OVERRIDE]}) < 2 or not all(  # noqa: PLR2004
        able[act] for act in (Act.VERIFY_OVERRIDE, Act.AUTHORISE_OVERRIDE)
    ):
        yield note("trading", "no two people could set a control aside together", _LISTED)
    if not any(trading.roster().may(name, Act.KILL) for name in trading.people):
        yield fault("trading", "nobody may stop trading", _LISTED)


def path(trading: TradingSettings, place: Home) -> Iterator[Finding]:
    """Whether limits hold, and orders are let to the gate."""
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.cli.trading import held_back  # noqa: PLC0415
    from swarm.runtime.trading import loading  # noqa: PLC0415
    from swarm.runtime.trading.asking import ask as asked  # noqa: PLC0415
    from swarm.runtime.trading.place import TradingPlace  # noqa: PLC0415

    try:
        held, _ = ask(
            place.folder, lambda one: loading.newest(one, trading.limits, trading.roster())
        )
    except SwarmError as error:
        yield fault("trading", error.message, error.fix)
        return
    yield ok("trading", f"limits {held.limits.name} version {held.limits.version} hold")
    if running_pid(place) is None:
        return
    try:
        found = asked(TradingPlace(place.trading).door, "status")
    except SwarmError as error:
        yield fault("trading", error.message, error.fix)
        return
    if not found["open"]:
        yield fault("trading", f"closed: {found['why']}", "Mend what it names; it opens by itself.")
        return
    yield ok("trading", f"open, {found['working']} orders work")
    for sentence in held_back(found):
        yield note("trading", sentence, "docs/CONTROLS.md says how each is undone, and by whom.")


def _able(trading: TradingSettings, act: Act) -> list[str]:
    roster = trading.roster()
    return [name for name, one in trading.people.items() if one.keys and roster.may(name, act)]
