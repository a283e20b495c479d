"""`swarmctl doctor`: check machine, settings and policies; every finding has a fix."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import columns
from swarm.cli.desk import home_of
from swarm.cli.errors import EXIT_DONE, EXIT_FAILED, NothingHere
from swarm.cli.finding import Finding, Level, fault, ok
from swarm.cli.health_machine import machine
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, line, say, show, show_one
from swarm.contract.counted import counted
from swarm.contract.errors import SwarmError

if TYPE_CHECKING:
    from swarm.cli.health_store import Stored
    from swarm.contract.swarm import SwarmObject
    from swarm.runtime.home import Home as Place
    from swarm.runtime.settings import Settings

_COLUMNS = columns(("CHECK", "name"), ("LEVEL", "level"), ("MESSAGE", "message"), ("FIX", "fix"))


def doctor(
    *,
    main: Annotated[
        bool, Parameter(help="Also run every required check on main, now; it may take a while.")
    ] = False,
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Check machine, settings, names, repositories, database and loop; every finding has a fix.

    Repairs nothing, starts no controller and changes no repository. A fault is something that
    does not work until somebody fixes it; a note is worth knowing and stops nothing.

    Exit status: 0 no fault; 1 faults were found; 2 wrong use.

    Example: swarmctl doctor -o json
    """
    found = []
    for one in examine(home, main=main):
        found.append(one)
        if output.for_people and (one.level is not Level.OK or output is Form.WIDE):
            _tell(one)
    faults = [one for one in found if one.level is Level.FAULT]
    if output.for_people:
        _sum(found)
    else:
        rows = [{"name": one.check, **dataclasses.asdict(one)} for one in found]
        if output in {Form.JSON, Form.YAML}:
            show_one("DoctorReport", {"faults": len(faults), "findings": rows}, output)
        else:
            show(rows, _COLUMNS, output, kind="Finding")
    return EXIT_FAILED if faults else EXIT_DONE


def examine(home: Path | None, *, main: bool) -> Iterator[Finding]:
    """Every finding, in the order in which they should be mended."""
    from swarm.contract.defaults import defaulted_spec  # noqa: PLC0415

    try:
        place = home_of(home)
    except NothingHere as error:
        yield from machine(home or Path.cwd(), needs_signing=False)
        yield fault("installation", error.message, error.fix)
        return
    settings, found = _settings(place)
    signing = settings is not None and bool(settings.attestations)
    yield from machine(place.folder, needs_signing=signing)
    yield from found
    swarms, found = _manifest(place)
    yield from found
    manifests = {swarm.name: defaulted_spec(swarm) for swarm in swarms}
    known, reached = _stored(place)
    specs = {**{row["name"]: row["spec"] for row in (known or {}).get("swarms", ())}, **manifests}
    if settings is not None:
        yield from _settled(settings, place, specs, main=main)
    yield from reached
    from swarm.cli.health_store import applied, controller, loop, resuming  # noqa: PLC0415

    yield controller(place, known)
    if known is not None:
        yield from applied(swarms, known)
        yield from loop(known)
        if settings is not None:
            yield from resuming(known, settings)
    if settings is not None and settings.trading is not None:
        from swarm.cli import health_trading  # noqa: PLC0415

        yield from health_trading.people(settings.trading, settings.channels)
        if known is not None:
            yield from health_trading.path(settings.trading, place)


def _settings(place: Place) -> tuple[Settings | None, list[Finding]]:
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    try:
        settings = load(place.file)
    except SwarmError as error:
        return None, [fault("settings", error.message, error.fix)]
    return settings, [ok("settings", str(place.file))]


def _manifest(place: Place) -> tuple[list[SwarmObject], list[Finding]]:
    from swarm.cli.manifest import read_swarms  # noqa: PLC0415

    if not place.manifest.exists():
        return [], []
    try:
        swarms = read_swarms(str(place.manifest))
    except SwarmError as error:
        return [], [fault("manifest", error.message, error.fix)]
    names = ", ".join(swarm.name for swarm in swarms)
    return swarms, [ok("manifest", f"{place.manifest}: {names}")]


def _settled(
    settings: Settings, place: Place, specs: dict[str, Any], *, main: bool
) -> Iterator[Finding]:
    """Findings that need settings which could be read."""
    from swarm.cli.health_bindings import bindings, commands  # noqa: PLC0415
    from swarm.cli.health_repositories import mains, repositories  # noqa: PLC0415

    yield from bindings(settings, specs)
    yield from commands(settings)
    yield from repositories(settings, place)
    if main:
        delivery = {name: spec.get("delivery", {}) for name, spec in specs.items()}
        wanted = {
            name: {
                "repositories": list(one.get("repoAllowlist", ())),
                "checks": list(one.get("requiredChecks", ())),
            }
            for name, one in delivery.items()
        }
        yield from mains(settings, place, wanted)


def _stored(place: Place) -> tuple[Stored | None, list[Finding]]:
    from swarm.cli.health_store import stored  # noqa: PLC0415 - brings the driver along

    return stored(place)


def _tell(found: Finding) -> None:
    word = {Level.OK: "ok   ", Level.NOTE: "note ", Level.FAULT: "FAULT"}[found.level]
    emit(f"{word}  {found.check:<12} {_told(found.message)}")
    if found.fix:
        emit(f"       {'fix:':<12} {line(found.fix)}")
    sys.stdout.flush()


def _told(message: str) -> str:
    """A message of several lines under its own first one."""
    first, *rest = [line(part) for part in message.splitlines()] or [""]
    return "\n".join([first, *(f"{'':<20}{part}" for part in rest)])


def _sum(found: list[Finding]) -> None:
    counts = {level: sum(one.level is level for one in found) for level in Level}
    notes, faults = counted(counts[Level.NOTE], "note"), counted(counts[Level.FAULT], "fault")
    emit(f"{counts[Level.OK]} ok, {notes}, {faults}")
    if not counts[Level.FAULT]:
        say("nothing stands in the way; `-o wide` lists what was looked at")
