"""`swarmctl trading watch`: the independent monitor, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE
from swarm.cli.options import Home, Output, span_of
from swarm.cli.output import Form, emit, line, say
from swarm.cli.trading_home import configured

if TYPE_CHECKING:
    import asyncio

    from swarm.runtime.trading.monitor import Monitor


def watch(
    *,
    lasts: Annotated[str, Parameter(help="How long; 0 is until Ctrl-C.")] = "0",
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Watch the venues as nobody who trades can forbid, and print each alert as it begins and ends.

    Hears drop copies and prices itself, and needs no database. It stops trading where capital is
    exceeded. `swarmctl up` keeps one alive already; this is another one, for your eyes.

    Exit status: 0 nothing is wrong at the end; 1 no limits are in force; 3 an alert stands.

    Example: swarmctl trading watch
    """
    from swarm.regime.limits.errors import LimitsNotInForce  # noqa: PLC0415
    from swarm.runtime.trading import venues, watcher  # noqa: PLC0415
    from swarm.runtime.trading.place import TradingPlace  # noqa: PLC0415
    from swarm.runtime.trading.watching import arguments  # noqa: PLC0415

    place, trading = configured(home)
    seconds = 0.0 if lasts == "0" else span_of("--lasts", lasts).total_seconds()
    kept = TradingPlace(place.trading)
    if not kept.limits.exists():
        remedy = "Load limits with `swarmctl trading limits load`, and start `swarmctl up`."
        raise LimitsNotInForce("no limits were in force here yet", remedy=remedy)
    words = arguments(kept, venues.sockets(trading))
    monitor = watcher.monitor_of(watcher.parsed(words))
    say("watching; Ctrl-C ends it")
    try:
        _run(monitor, seconds, output)
    except KeyboardInterrupt:
        say("ended")
    return EXIT_BAD_OUTCOME if monitor.standing else EXIT_DONE


def _run(monitor: Monitor, seconds: float, output: Form) -> None:
    import asyncio  # noqa: PLC0415

    from swarm.runtime.trading import watcher  # noqa: PLC0415

    async def until() -> None:
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if seconds:
            asyncio.get_running_loop().call_later(seconds, ended.set_result, None)
        await watcher.watch(monitor, 0.05, ended, 0, told=_told if output.for_people else emit)

    asyncio.run(until())


def _told(text: str) -> None:
    import json  # noqa: PLC0415

    said = json.loads(text)
    state = "over" if said["over"] else "ALERT"
    emit(f"{state}  {line(said['alert']['subject'])}  {line(said['alert']['detail'])}")
