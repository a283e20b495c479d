"""`swarmctl capital`: where each strategy stands on the ladder, what is off, and one step."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.complete import streams
from swarm.cli.errors import Usage
from swarm.cli.options import Home, Output, Reason
from swarm.cli.output import Column, Form, emit, line, say, show_one, table

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.regime.nouns import Rung

app = App(name="capital", help="The capital ladder: shadow, 1 %, 5 %, 20 %, full.")
app.command("swarm.cli.capital_looks:tried", name="tried")
app.command("swarm.cli.capital_looks:look", name="look")
NAME_MOST = 200
REASON_MOST = 2_000

Chain = Annotated[str, Parameter(help="The trading gate's chain of records.")]
_COLUMNS = (
    Column(title="STRATEGY", field="name"),
    Column(title="RUNG", field="rung"),
    Column(title="SHARE", field="share"),
    Column(title="BECAUSE", field="cause"),
)


@app.command
def show(
    *,
    chain: Chain = "trading",
    limits: Annotated[str, Parameter(help="The name of the limit set.")] = "firm",
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Show rungs, capital shares, limits, latches, kills and breaks, and what is left to do.

    Reads the records of the trading gate without taking them over: trading goes on. Absent limits
    are said, because without them every order is refused.

    Exit status: 0; 1 the records do not hold; 2 wrong use; 5 no installation.

    Example: swarmctl capital show
    """
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.runtime.regime.promotion import overview  # noqa: PLC0415

    found = ask(home, lambda database: overview(database, name_of(chain), name_of(limits)))
    if not output.for_people:
        show_one("Capital", found, output)
        return
    if found["strategies"]:
        table(found["strategies"], _COLUMNS)
    else:
        say("No strategy stands on the ladder yet; `swarmctl capital step NAME --to 1` begins.")
    for one in found["limits"]:
        emit(
            f"limits {line(one['name'])} version {one['version']},"
            f" signed by {line(one['signer'])}, {one['hash'][:12]}"
        )
    for sentence in found["left_to_do"] or ["nothing is switched off"]:
        emit(f"  {line(sentence)}")


@app.command
def step(
    strategy: Annotated[str, Parameter(help="Which strategy.")],
    /,
    *,
    to: Annotated[str, Parameter(help="The rung: shadow, 1, 5, 20 or full.")],
    reason: Reason,
    stream: Annotated[
        str, Parameter(help="The stored stream whose regime counts.", completer=streams)
    ] = "",
    objective: Annotated[str, Parameter(help="The ledger of trials; default: the strategy.")] = "",
    chain: Chain = "trading",
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Move a strategy one rung up, if its gate passed, or down, at once.

    Up needs enough observations at this rung in the active regime, a fresh word that every limit
    holds, a registered look that counts all trials, and nothing frozen or switched off. What is
    unmet is printed, and nothing is changed. A rung is never skipped upwards.

    Exit status: 0 moved; 2 wrong use; 5 no installation; 6 refused; 7 somebody moved it meanwhile.

    Example: swarmctl capital step momentum --to 5 --stream spx --reason "look 2 passed"
    """
    import time  # noqa: PLC0415

    from swarm.cli.desk import ask, me  # noqa: PLC0415
    from swarm.runtime.regime.promotion import Asked  # noqa: PLC0415
    from swarm.runtime.regime.promotion import step as make  # noqa: PLC0415

    if not reason.strip() or len(reason) > REASON_MOST:
        raise Usage(f"--reason has {len(reason)} characters; 1 to {REASON_MOST} are wanted")
    asked = Asked(
        strategy=name_of(strategy),
        to=_rung(to),
        reason=reason,
        by=me(),
        stream=stream or strategy,
        objective=objective or strategy,
        chain=name_of(chain),
        lasts_ns=_lasts(home, strategy) // timedelta(microseconds=1) * 1_000,
        now=time.time_ns(),
    )

    async def work(database: Database) -> dict[str, Any]:
        change = await make(database, asked)
        return {
            "name": change.strategy,
            "rung": change.rung.label,
            "share": change.rung.capital_share,
            "seq": change.seq,
            "evidence": dict(change.evidence),
        }

    found = ask(home, work)
    if output.for_people:
        emit(f"{line(strategy)} stands on {found['rung']} now, by {asked.by}")
    else:
        show_one("CapitalStep", found, output)


def _lasts(home: Home, strategy: str) -> timedelta:
    """How old a word on the limits of a strategy may be, as the targets that trade say."""
    from swarm.cli.desk import home_of  # noqa: PLC0415
    from swarm.runtime.regime.settings import word_lasts  # noqa: PLC0415
    from swarm.runtime.settings import load  # noqa: PLC0415

    return word_lasts(load(home_of(home).file).regimes, strategy)


def _rung(text: str) -> Rung:
    from swarm.regime.nouns import LADDER  # noqa: PLC0415

    names = {rung.label.rstrip("%"): rung for rung in LADDER}
    word = text.strip().rstrip("%").strip().lower()
    if word not in names:
        raise Usage(f"--to is {line(text[:40])!r}; {', '.join(names)} are the rungs")
    return names[word]


def name_of(text: str) -> str:
    """A strategy's, an objective's or a chain's name as it was typed. Raises `Usage`."""
    if not text.strip() or len(text) > NAME_MOST or not text.isprintable():
        raise Usage(f"{line(text[:40])!r} is no name; 1 to {NAME_MOST} visible characters are")
    return text
