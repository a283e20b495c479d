"""`swarmctl trading paper`: a venue to try everything on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from swarm.cli.errors import FileUnreadable, Usage
from swarm.cli.options import WHOLE, span_of
from swarm.cli.output import line, say

PRICE_MOST = 10**9
LOTS_MOST = 10**9


def paper(
    socket: Annotated[Path, Parameter(help="Where it is reached, as swarm.toml says.")],
    /,
    *,
    symbol: Annotated[list[str], Parameter(help="NAME=PRICE in ticks; once for each instrument.")],
    spread: Annotated[int, WHOLE, Parameter(help="Ticks from the price to either quote.")] = 1,
    lots: Annotated[int, WHOLE, Parameter(help="Lots that are quoted on each side.")] = 500,
    lasts: Annotated[str, Parameter(help="How long; 0 is until Ctrl-C.")] = "0",
) -> None:
    """Serve a simulated exchange on a socket, with somebody who quotes both sides of each price.

    What it was asked stands in SOCKET.journal: started again, it has the same books. It knows no
    money and no other firm; it is for trying and for drills. Only this account gets in.

    Exit status: 0 ended; 1 the journal cannot be replayed, or the socket made; 2 wrong use.

    Example: swarmctl trading paper venue --symbol ACME=10000
    """
    import asyncio  # noqa: PLC0415

    prices = dict(_price(one) for one in symbol)
    if len(prices) < len(symbol):
        raise Usage("--symbol names an instrument twice")
    if not 1 <= spread <= PRICE_MOST or not 2 <= lots <= LOTS_MOST:  # noqa: PLR2004
        raise Usage("--spread is 1 tick or more, --lots 2 or more")
    seconds = 0.0 if lasts == "0" else span_of("--lasts", lasts).total_seconds()
    asyncio.run(_serve(socket, prices, spread=spread, lots=lots, seconds=seconds))
    say("the venue is closed")


async def _serve(
    socket: Path, prices: dict[str, int], *, spread: int, lots: int, seconds: float
) -> None:
    import asyncio  # noqa: PLC0415
    import contextlib  # noqa: PLC0415
    import signal  # noqa: PLC0415
    import time  # noqa: PLC0415

    from swarm.adapters.paper.journal import JournalledExchange  # noqa: PLC0415
    from swarm.adapters.paper.quoting import quoting  # noqa: PLC0415
    from swarm.adapters.paper.server import serving  # noqa: PLC0415

    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        exchange = JournalledExchange(prices, socket.with_name(f"{socket.name}.journal"))
    except ValueError as error:
        remedy = "Move the file away for a new venue; its books begin empty, and a break says so."
        raise FileUnreadable(str(error), remedy=remedy) from error
    try:
        async with serving(exchange, socket, time.time_ns):
            _private(socket)
            market = asyncio.create_task(
                quoting(exchange, prices, time.time_ns, spread=spread, lots=lots)
            )
            say(f"{line(str(socket))} trades {line(', '.join(prices))}; Ctrl-C ends it")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds or None):
                    await ended.wait()
            market.cancel()
    finally:
        exchange.close()


def _private(socket: Path) -> None:
    socket.chmod(0o600)


def _price(text: str) -> tuple[str, int]:
    name, _, price = text.partition("=")
    number = int(price) if price.lstrip("-").isdecimal() else None
    if not name.strip() or not name.isprintable() or number is None:
        raise Usage(f"--symbol is {line(text[:60])!r}; NAME=PRICE is wanted, in whole ticks")
    if abs(number) > PRICE_MOST:
        raise Usage(f"--symbol {line(name[:60])}: {PRICE_MOST} ticks are the most")
    return name, number
