"""`swarmctl capital tried|look`: what was tried, and registered looks at all of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.capital import name_of
from swarm.cli.errors import Usage
from swarm.cli.options import WHOLE, Home, Output
from swarm.cli.output import Column, Form, emit, line, say, show

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.adapters.postgres.store.regime.trials import Trials
    from swarm.regime.nouns import Regime
    from swarm.runtime.regime.looks import LookCame

TICK_MOST = 2**62
WHAT_MOST = 10_000
In = Annotated[str, Parameter(name="--regime", help="The regime whose ledger it is.")]
Objective = Annotated[str, Parameter(help="The ledger of trials; default: the strategy.")]
FINDINGS = (
    Column(title="STRATEGY", field="name"),
    Column(title="LOOK", field="look"),
    Column(title="TICK", field="tick"),
    Column(title="VERDICT", field="verdict"),
    Column(title="P", field="p"),
    Column(title="BECAUSE", field="why"),
)


def tried(
    strategy: Annotated[str, Parameter(help="Which strategy.")],
    file: Annotated[Path, Parameter(help="CSV or Parquet with columns tick and excess.")],
    /,
    *,
    regime: In,
    what: Annotated[str, Parameter(help="What was tried, to the letter: code and parameters.")],
    objective: Objective = "",
    home: Home = None,
) -> None:
    """Note a trial, and what it showed: every one, the failed and abandoned ones too.

    Excess is the return of a tick net of costs, above the baseline of the regime, in one unit for
    all trials of a ledger. Ticks are those of the regime's stream. A longer file of the same trial
    adds what is new. Nothing in the ledger is ever replaced or taken out, and every trial makes it
    harder for the others to pass. The trial that was noted last stands for its strategy.
    Where it shows that the strategy is worse than its baseline, its capital falls to shadow at
    once.

    Exit status: 0 noted; 1 the file is refused; 2 wrong use; 5 no installation; 7 the ledger says
    something else of a tick.

    Example: swarmctl capital tried momentum excess.csv --regime trend --what "3f2a9c, window 20"
    """
    from swarm.adapters.postgres.store.regime.trials import Trials  # noqa: PLC0415
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.runtime.regime.excess import add, read  # noqa: PLC0415

    name, of, label = name_of(strategy), name_of(objective or strategy), _hidden(regime)
    if not what.strip() or len(what) > WHAT_MOST or "\0" in what:
        raise Usage(f"--what has {len(what)} characters; 1 to {WHAT_MOST} are wanted")
    showed = read(file)
    content = {"strategy": name, "what": what}

    async def work(database: Database) -> tuple[str, int]:
        ledger = Trials(database, of, str(label))
        noted = await add(ledger, name, content, showed)
        await _falls(database, ledger, label, {name})
        return noted

    trial, new = ask(home, work)
    emit(f"trial {trial[:12]} of {line(name)}: {new:,} ticks added, {len(showed) - new:,} known")


def look(
    objective: Annotated[str, Parameter(help="The ledger of trials; usually the strategy.")],
    /,
    *,
    regime: In,
    at: Annotated[int | None, WHOLE, Parameter(help="Register a look at this tick.")] = None,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Register a look at a ledger beforehand, or take every look that is due.

    With --at, only says when: once data of that tick are in the ledger, the look is due, and it
    counts no later tick. Without it, takes the looks that are due, each once and for ever: is a
    strategy better than its baseline, when all that was tried is counted? Note all trials first.
    The first look may err with a chance of 2.5 %, the k-th with 5 % / (k (k + 1)): together they
    stay below 5 %. A strategy of the ledger that turns out worse than its baseline falls to shadow.

    Exit status: 0; 2 wrong use; 5 no installation; 6 the tick was seen already.

    Example: swarmctl capital look momentum --regime trend --at 500
    """
    from swarm.adapters.postgres.store.regime.trials import Trials  # noqa: PLC0415
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.runtime.regime.looks import announce, take  # noqa: PLC0415

    name, label = name_of(objective), _hidden(regime)
    if at is not None:
        if not 0 <= at <= TICK_MOST:
            raise Usage(f"--at is {at}; a tick from 0 is wanted")
        number = ask(home, lambda database: announce(Trials(database, name, str(label)), at))
        emit(f"look {number} is due at tick {at}")
        return

    async def work(database: Database) -> list[LookCame]:
        ledger = Trials(database, name, str(label))
        came = await take(ledger)
        await _falls(database, ledger, label, {one.strategy for one in await ledger.universe()})
        return came

    came = ask(home, work)
    rows: list[dict[str, Any]] = [
        {
            "name": strategy,
            "look": one.look,
            "tick": one.due_tick,
            "verdict": str(found.verdict),
            "p": round(found.p.consistent, 4) if found.p is not None else None,
            "why": found.why,
        }
        for one in came
        for strategy, found in one.findings.items()
    ]
    if not rows and output.for_people:
        say("No look is due; `--at TICK` registers one.")
        return
    show(rows, FINDINGS, output, kind="CapitalLook")


async def _falls(
    database: Database, ledger: Trials, regime: Regime, strategies: Iterable[str]
) -> None:
    """Who lost the bet on these trials falls to shadow, and is told of."""
    from swarm.cli.desk import me  # noqa: PLC0415
    from swarm.runtime.regime.demotion import fall  # noqa: PLC0415

    for one in sorted(strategies):
        fell = await fall(database, ledger, one, regime, by=me(), now=time.time_ns())
        if fell is not None:
            say(f"{line(one)} falls to {fell.rung.label}: {fell.cause}")


def _hidden(text: str) -> Regime:
    from swarm.regime.nouns import HIDDEN  # noqa: PLC0415

    found = next((one for one in HIDDEN if str(one) == text.strip().lower()), None)
    if found is None:
        names = ", ".join(str(one) for one in HIDDEN)
        raise Usage(f"--regime is {line(text[:40])!r}; {names} have a ledger")
    return found
