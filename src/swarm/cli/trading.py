"""`swarmctl trading`: send, stop, switch on again, set aside, watch and answer for the controls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, EXIT_REFUSED, Usage
from swarm.cli.options import Home, Output, Reason, span_of
from swarm.cli.output import Form, emit, line, say, show_one
from swarm.cli.trading_home import configured_alone, content

app = App(name="trading", help="The trading controls: limits, orders, kill, tokens, assessment.")
app.command("swarm.cli.trading_limits:app", name="limits")
app.command("swarm.cli.trading_records:app", name="records")
app.command("swarm.cli.trading_people:token", name="token")
app.command("swarm.cli.trading_people:override", name="override")
app.command("swarm.cli.trading_assess:assess", name="assess")
app.command("swarm.cli.trading_watch:watch", name="watch")
app.command("swarm.cli.trading_paper:paper", name="paper")
SCOPES = ("account", "strategy", "venue", "trader")
LOOK = 0.1  #: seconds between two looks
REASON_MOST = 500
NAME_MOST = 128


@app.command
def status(
    *,
    wait: Annotated[str, Parameter(help="How long to wait until nothing is held back.")] = "0",
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Show whether orders are let to the gate, and everything that keeps one from growing.

    Asks the running order path; needs no database.

    Exit status: 0 open; 1 nobody trades; 3 closed, or something is switched off or breached.

    Example: swarmctl trading status --wait 10s
    """
    import time  # noqa: PLC0415

    from swarm.runtime.trading.asking import ask  # noqa: PLC0415
    from swarm.runtime.trading.place import TradingPlace  # noqa: PLC0415

    place, _ = configured_alone(home)
    until = time.monotonic() + (span_of("--wait", wait).total_seconds() if wait != "0" else 0)
    while True:
        found = ask(TradingPlace(place.trading).door, "status")
        held = held_back(found)
        if (found["open"] and not held) or time.monotonic() >= until:
            break
        time.sleep(LOOK)
    if not output.for_people:
        show_one("TradingStatus", {**found, "held_back": held}, output)
    else:
        emit("open" if found["open"] else f"closed: {line(found['why'])}")
        if found["open"]:
            limits = found["limits"]
            emit(f"  limits {line(limits['name'])} version {limits['version']}, regime"
                 f" {found['regime']}, {found['working']} orders work")  # fmt: skip
            for one in found["positions"]:
                emit(f"  {line(one['account'])} holds {one['lots']} of {line(one['symbol'])}")
        for sentence in held:
            emit(f"  {line(sentence)}")
    return EXIT_BAD_OUTCOME if held or not found["open"] else EXIT_DONE


@app.command
def send(
    order: Annotated[Path, Parameter(help="One order as JSON; docs/CONTROLS.md lists its fields.")],
    /,
    *,
    override: Annotated[
        Path | None, Parameter(help="What `trading override` wrote, signed by both people.")
    ] = None,
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Send one order through the gate. Every control that refuses it is listed.

    The decision is written before anything is sent. An id is sent once, however often it is asked.

    Exit status: 0 accepted, or sent before; 1 unreadable, or nobody trades; 6 refused.

    Example: swarmctl trading send order.json
    """
    import json  # noqa: PLC0415

    from swarm.regime.controls.order import TradeOrder  # noqa: PLC0415
    from swarm.runtime.trading import statements  # noqa: PLC0415
    from swarm.runtime.trading.asking import ask  # noqa: PLC0415
    from swarm.runtime.trading.place import TradingPlace  # noqa: PLC0415

    place, _ = configured_alone(home)
    asked: dict[str, Any] = {"order": _json(statements.read(TradeOrder, content(order)))}
    if override is not None:
        signed = statements.read(statements.SignedOverride, content(override))
        asked["override"] = json.loads(statements.write(signed))
    found = ask(TradingPlace(place.trading).door, "submit", asked)
    if not output.for_people:
        show_one("GateDecision", found, output)
    else:
        emit(f"{line(found['order'] or 'the order')}: {found['ruling']}")
        for one in found["refusals"]:
            emit(f"  control {one['control']}, {one['reason']}: {line(one['detail'])}")
        for flag in found["flags"]:
            emit(f"  look at it: {line(flag)}")
    return EXIT_REFUSED if found["ruling"] == "reject" else EXIT_DONE


@app.command
def kill(
    *,
    reason: Reason,
    scope: Annotated[
        str, Parameter(help="`*`, or account:, strategy:, venue: or trader: with a name.")
    ] = "*",
    wait: Annotated[str, Parameter(help="How long to wait until no order works.")] = "10s",
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Stop trading now: halt first, then cancel everything in the scope. Sells nothing.

    Works with the database down and with the controller down: the halt is a line on this disk,
    which the order path reads before each order. Only a signed token lifts it.

    Exit status: 0 halted, nothing works; 3 halted, but a venue is silent or orders still work;
    2 wrong use; 4 you may not.

    Example: swarmctl trading kill --scope strategy:drift --reason "odd fills"
    """
    import asyncio  # noqa: PLC0415
    import time  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from swarm.cli.desk import me  # noqa: PLC0415
    from swarm.regime.limits.people import Act  # noqa: PLC0415
    from swarm.runtime.trading.errors import SignerUnlisted  # noqa: PLC0415
    from swarm.runtime.trading.kill import killed  # noqa: PLC0415
    from swarm.runtime.trading.place import TradingPlace  # noqa: PLC0415
    from swarm.runtime.trading.stop import stop  # noqa: PLC0415
    from swarm.runtime.trading.venues import bound  # noqa: PLC0415

    place, trading = configured_alone(home)
    if not reason.strip() or len(reason) > REASON_MOST:
        raise Usage(f"--reason has {len(reason)} characters; 1 to {REASON_MOST} are wanted")
    _scope(scope, set(trading.venues))
    seconds = span_of("--wait", wait).total_seconds()
    by = trading.person_of(me())
    if not trading.roster().may(by, Act.KILL):
        raise SignerUnlisted(f"{by} is nobody who may stop trading")
    event = killed(scope, by, reason, time.time_ns())
    venues = bound(trading)
    found = asyncio.run(stop(event, TradingPlace(place.trading), venues, seconds))
    if not output.for_people:
        show_one("Kill", {**asdict(found), "clean": found.clean}, output)
    else:
        emit(f"{found.kill} holds: {line(scope)} is stopped, by {line(by)}")
        for name, why in found.silent.items():
            emit(f"  {line(name)} does not answer, telephone it: {line(why)}")
        for id_ in found.working:
            emit(f"  {line(id_)} still works")
        if found.unseen:
            emit(f"  what works is not known: {line(found.unseen)}")
        say(f"next: `swarmctl trading token {found.kill} --key KEY --out token.json` lifts it")
    return EXIT_DONE if found.clean else EXIT_BAD_OUTCOME


@app.command
def undo(
    subject: Annotated[str, Parameter(help="The id of the kill, latch or break.")],
    /,
    *,
    token: Annotated[Path, Parameter(help="What `trading token` wrote, signed.")],
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Lift a kill, switch a strategy on again, or clear a break, with a person's signed token.

    The order path verifies it: one act, one subject, at most an hour, used once, by a listed
    person with the role. It holds once it is written to the records, and not before.

    Exit status: 0 undone; 1 refused, or nobody trades; 2 wrong use.

    Example: swarmctl trading undo k-41c0 --token token.json
    """
    from swarm.regime.controls.errors import TokenRefused  # noqa: PLC0415
    from swarm.runtime.trading import statements  # noqa: PLC0415
    from swarm.runtime.trading.asking import ask  # noqa: PLC0415
    from swarm.runtime.trading.place import TradingPlace  # noqa: PLC0415

    place, _ = configured_alone(home)
    signed = statements.read(statements.SignedToken, content(token))
    if signed.token.subject != subject:
        raise TokenRefused(
            f"the token is for {line(signed.token.subject)}, not for {line(subject)}"
        )
    found = ask(TradingPlace(place.trading).door, "undo", _json(signed))
    if output.for_people:
        emit(f"{line(subject)} is undone, by {line(found['by'])}")
    else:
        show_one("Undone", {"id": subject, **found}, output)


def held_back(found: dict[str, Any]) -> list[str]:
    """One sentence for each thing that keeps orders from growing."""
    if not found["open"]:
        return []
    said = [] if found["monitored"] else ["nobody watches: the monitor is not alive"]
    said += [f"kill {one['kill']} of {one['scope']}: {one['reason']}" for one in found["kills"]]
    said += [f"latch {one['latch']} of {one['strategy']}: {one['cause']}"
             for one in found["latches"]]  # fmt: skip
    said += [f"break {one['broken']} at {one['venue']}: {one['detail']}"
             for one in found["breaks"]]  # fmt: skip
    said += [f"{name} may have {len(orders)} orders or not" for name, orders in
             found["doubts"].items()]  # fmt: skip
    said += [f"breach: {sentence}" for sentence in found["breaches"]]
    if found["unwritten"]:
        said.append(f"{found['unwritten']} records wait for the database")
    return said


def _scope(scope: str, venues: set[str]) -> None:
    if scope == "*":
        return
    kind, _, name = scope.partition(":")
    if kind not in SCOPES or not name.strip() or len(name) > NAME_MOST or not name.isprintable():
        kinds = ", ".join(f"{one}:NAME" for one in SCOPES)
        raise Usage(f"--scope is {line(scope[:60])!r}; * or {kinds} is wanted")
    if kind == "venue" and name not in venues:
        raise Usage(f"there is no venue {line(name)!r}; there are: {', '.join(sorted(venues))}")


def _json(value: Any) -> Any:
    import json  # noqa: PLC0415

    from swarm.runtime.trading import statements  # noqa: PLC0415

    return json.loads(statements.write(value))
