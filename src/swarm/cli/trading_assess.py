"""`swarmctl trading assess`: the yearly self-assessment, from stored evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage
from swarm.cli.options import WHOLE, Home, Output
from swarm.cli.output import Form, emit, line, say, show_one
from swarm.cli.trading_home import configured, key_of

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.regime.controls.assessment import Assessment

FIRST, LAST = 2020, 2200  #: years that can be asked for


def assess(
    *,
    year: Annotated[int, WHOLE, Parameter(help="Calendar year, UTC; 0 is the present one.")] = 0,
    key: Annotated[
        Path | None, Parameter(help="Sign what the year holds now, with this key.")
    ] = None,
    certify: Annotated[
        bool, Parameter(help="Sign as the chief executive, not as compliance.")
    ] = False,
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Make the annual self-assessment (RTS 6 Article 9, 15c3-5(e)) and list what is missing.

    Only stored evidence of the year counts, the newest of each kind and subject. With --key it is
    signed first; evidence that comes later asks for a new signature. Every result is kept.

    Exit status: 0 complete; 3 something is missing; 2 wrong use; 4 you may not sign.

    Example: swarmctl trading assess --year 2026
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.regime.limits.people import Act  # noqa: PLC0415
    from swarm.runtime.trading import assessing  # noqa: PLC0415

    _, trading = configured(home)
    when = year or datetime.now(UTC).year
    if not FIRST <= when <= LAST:
        raise Usage(f"--year is {year}; {FIRST} to {LAST} can be assessed")
    if certify and key is None:
        raise Usage("--certify signs, and needs --key")
    mine = key_of(key) if key is not None else None
    act = Act.CERTIFY if certify else Act.SIGN_ASSESSMENT
    roster = trading.roster()

    async def work(database: Database) -> Assessment:
        if mine is not None:
            by = await assessing.sign(database, when, mine, act, roster)
            say(f"{by} signed: {act}")
        return await assessing.assess(database, when, roster)

    found = ask(home, work)
    if not output.for_people:
        body = {
            "id": found.id, "year": when, "evidence": [one.id for one in found.evidence],
            "signers": list(found.signers), "missing": list(found.missing),
        }  # fmt: skip
        show_one("Assessment", body, output)
    else:
        emit(
            f"assessment of {when}: {len(found.evidence)} pieces of evidence,"
            f" signed by {line(', '.join(found.signers)) or 'nobody'}, {found.id[:12]}"
        )
        for sentence in found.missing:
            emit(f"  missing: {line(sentence)}")
    return EXIT_BAD_OUTCOME if found.missing else EXIT_DONE
