"""`swarmctl drill`: break something on purpose and compare what happens with the contract."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.columns import columns
from swarm.cli.desk import home_of
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, complain, emit, say, show, show_one

if TYPE_CHECKING:
    from swarm.runtime.drills.drill import Drill, Protocol

app = App(name="drill", help="Break something on purpose, in a sandbox, and check the reaction.")
_COLUMNS = columns(("NAME", "name"), ("PROVES", "proves"), ("BREAKS", "breaks"))


def _names(_asked: object = None) -> list[str]:
    from swarm.runtime.drills.catalogue import DRILLS  # noqa: PLC0415

    return [*DRILLS, "all"]


@app.command(name="list")
def list_(*, output: Output = Form.TABLE) -> None:
    """List the drills, what each breaks, and the requirements that say what must happen.

    Exit status: 0.

    Example: swarmctl drill list
    """
    from swarm.runtime.drills.catalogue import DRILLS  # noqa: PLC0415

    rows = [
        {"name": one.name, "proves": ", ".join(one.proves), "breaks": one.breaks}
        for one in DRILLS.values()
    ]
    show(rows, _COLUMNS, output, kind="Drill")


@app.command
def run(
    name: Annotated[str, Parameter(help="Which drill; `all` runs one after the other.")],
    /,
    *,
    yes: Annotated[
        bool, Parameter(name=["--yes", "-y"], help="Do not ask for confirmation.")
    ] = False,
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Inject one fault into a sandbox of this installation, and compare with the contract.

    The sandbox has a repository, a service and a controller of its own, and a database of its own
    on this installation's server. The limits are this installation's; long pauses are shortened.
    Your repositories, targets, missions and data are not touched, and everything is removed again.

    Exit status: 0 as the contract says, 2 wrong use, 3 it deviated, 5 no such drill or no
    installation here, 7 another drill runs.

    Example: swarmctl drill run canary-fail
    """
    from swarm.adapters.postgres.store.desk.reference import bare  # noqa: PLC0415
    from swarm.runtime.drills.catalogue import DRILLS, drill_named  # noqa: PLC0415

    name = bare(name)
    drills = list(DRILLS.values()) if name == "all" else [drill_named(name)]
    place = home_of(home)
    for one in drills:
        say(f"{one.name}: {one.breaks}")
    say(f"Where: a sandbox below {place.state}, and a database of its own on the same server.")
    if not yes and not _agreed():
        return EXIT_DONE
    from swarm.runtime.drills.catalogue import run as carry_out  # noqa: PLC0415

    results = []
    for one in drills:
        say(f"\n{one.name} begins")
        results.append((one, carry_out(one, place, lambda text: say(f"  {text}"))))
    _tell(results, output)
    passed = all(protocol.passed for _, protocol in results)
    return EXIT_DONE if passed else EXIT_BAD_OUTCOME


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise Usage("nobody is there to ask", remedy="Add --yes to run it without being asked.")
    complain("Run it? [y/N]")
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    say("nothing was done")
    return False


def _tell(results: Sequence[tuple[Drill, Protocol]], output: Form) -> None:
    bodies = [_body(drill, protocol) for drill, protocol in results]
    if not output.for_people:
        show_one("DrillReport", {"drills": bodies}, output)
        return
    for body in bodies:
        emit("")
        emit(f"{body['name']}: {'as the contract says' if body['passed'] else 'DEVIATED'}")
        for finding in body["findings"]:
            when = "" if finding["seconds"] is None else f"  ({finding['seconds']:.1f} s)"
            emit(f"  {'ok  ' if finding['good'] else 'NOT '}{finding['expected']}{when}")
            emit(f"        observed: {finding['observed']}")
        emit(f"  time to detect {_seconds(body['detected'])}, to recover "
             f"{_seconds(body['recovered'])}")  # fmt: skip


def _body(drill: Drill, protocol: Protocol) -> dict[str, Any]:
    return {
        "name": drill.name,
        "proves": list(drill.proves),
        "passed": protocol.passed,
        "detected": protocol.detected,
        "recovered": protocol.recovered,
        "findings": [
            {
                "expected": one.expected,
                "observed": one.observed,
                "good": one.good,
                "seconds": one.seconds,
            }
            for one in protocol.findings
        ],
    }


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
