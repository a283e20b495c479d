"""`swarmctl logs`: agent and check output of a mission."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import SHORT_COMMIT, SHORT_ID, stamp
from swarm.cli.desk import ask, home_of
from swarm.cli.follow import pause
from swarm.cli.options import WHOLE, Home, Mission, Output
from swarm.cli.outage import Outage
from swarm.cli.output import Form, as_json, document, emit, say, show, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.runtime.job_output import JobStart, Tail

    Wanted = Callable[[str], bool]

POLL_SECONDS = 0.3


def logs(
    mission: Mission,
    /,
    *,
    run: Annotated[
        int | None, WHOLE, Parameter(help="Only this run: 0 implements, 1-3 fix.")
    ] = None,
    check: Annotated[str, Parameter(help="Only this check.")] = "",
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], help="Keep printing as it arrives.")
    ] = False,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Print what the agent and the checks of a mission printed, oldest first.

    The machine that ran them keeps the output for two weeks; after that, only the end of it is
    shown, from the evidence. Control characters are made visible, and secrets of known forms are
    masked. While a command runs, only the first third of what will be kept can be shown.

    Exit status: 0; 2 wrong use; 5 no such mission; 130 following was ended.

    Example: swarmctl logs m-41c0 --run 0 -f
    """
    place = home_of(home)
    wanted = _wanted(run, check)

    async def work(database: Database) -> None:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
        from swarm.runtime.job_output import starts  # noqa: PLC0415

        look = Look(database)
        id_ = await look.find_mission(mission)
        printed = _Printed(output, follow=follow)
        outage = Outage()
        (row,) = await look.rows("missions", like=id_, limit=1)
        while True:
            ended = row["outcome"] != "open"
            for start in starts(place.jobs, id_):
                if wanted(start.what):
                    printed.go_on(start, to_the_end=start.result is not None or not follow)
            if ended or not follow:
                break
            await pause(POLL_SECONDS)
            (row,) = await outage.asked(look.rows("missions", like=id_, limit=1)) or [row]
        if not printed.anything:
            _from_evidence(await look.rows("evidence", like=id_, limit=500), wanted, printed)
        printed.close()
        if not printed.anything:
            because = f"{row['reason'] or 'it has just opened'}: {row['detail'] or ''}"
            say(f"{id_[:SHORT_ID]} has printed nothing here yet. {visible(because)}")
            say("Runs and checks print on the machine of the controller that starts them.")

    ask(home, work)


def _wanted(run: int | None, check: str) -> Wanted:
    if run is None and not check:
        return lambda _what: True
    names = {f"run {run}"} if run is not None else set()
    if check:
        names.add(f"check {check}")
    return names.__contains__


def _from_evidence(rows: list[dict[str, Any]], wanted: Wanted, printed: _Printed) -> None:
    """What the facts kept of it, for jobs that are gone or ran elsewhere."""
    for row in reversed(rows):
        body = row["body"] if isinstance(row["body"], dict) else json.loads(row["body"])
        what = {
            "run-ended": f"run {body.get('attempt')}",
            "check-ended": f"check {body.get('check')}",
        }.get(row["kind"])
        if what and wanted(what) and body.get("detail"):
            at = str(body.get("commit") or body.get("run") or "")[:SHORT_COMMIT]
            head = f"{what}: {body['result']} at {at} (the end of it, from the evidence)"
            printed.section(head)
            printed.lines(what, "detail", visible(body["detail"]).splitlines())


class _Printed:
    """Prints lines as they come, with a head wherever the stream changes."""

    def __init__(self, output: Form, *, follow: bool) -> None:
        self._output = output
        self._whole = output in {Form.JSON, Form.YAML} and not follow
        self._kept: list[dict[str, Any]] = []
        self._tails: dict[tuple[str, int, str], Tail] = {}
        self._over: set[tuple[str, int]] = set()
        self._head = ""
        self.anything = False

    def go_on(self, start: JobStart, *, to_the_end: bool) -> None:
        """Print what a start has printed since the last time."""
        from swarm.runtime.job_output import STREAMS, Tail  # noqa: PLC0415

        name = (start.key, start.number)
        if name in self._over:
            return
        for stream in STREAMS:
            key = (*name, stream)
            tail = self._tails.setdefault(key, Tail(start.folder / stream))
            found = tail.lines(to_the_end=to_the_end)
            if found:
                self.section(f"{start.what}, {stream}, began {stamp(start.began)}")
                self.lines(start.what, stream, found)
        if to_the_end:
            self._over.add(name)
            self.section(f"{start.what}: {start.sentence}")

    def section(self, head: str) -> None:
        """Say where the next lines come from."""
        self.anything = True
        if head != self._head and self._output.for_people:
            emit(f"==> {visible(head)} <==")
        self._head = head

    def lines(self, what: str, stream: str, texts: list[str]) -> None:
        """Print lines of one stream."""
        for text in texts:
            if self._output.for_people:
                emit(visible(text))
            elif self._whole:
                self._kept.append({"name": what, "stream": stream, "text": text})
            else:
                body = {"name": what, "stream": stream, "text": text}
                emit(as_json(document("LogLine", body), indent=None))

    def close(self) -> None:
        """Print the document that was asked for as a whole."""
        if self._whole:
            show(self._kept, (), self._output, kind="LogLine")
