"""`swarmctl audit`: verify the trail, or export decisions."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.complete import missions
from swarm.cli.desk import ask, home_of, swarm_named
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage
from swarm.cli.options import Home, Output, Swarm
from swarm.cli.output import Form, as_json, complain, emit, line, say, show_one
from swarm.contract.counted import counted
from swarm.core.trail import FaultKind

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.core.history.finding import Judgement
    from swarm.core.ids import SwarmId
    from swarm.core.trail import Fault
    from swarm.runtime.outside import Audit

app = App(name="audit", help="Verify the trail, or export decisions.")
CHAINS_A_WORD = 1_000  #: a few seconds
When = Annotated[
    datetime | None,
    Parameter(help="A time such as 2026-03-01T00:00:00+00:00; without a zone it is one in UTC."),
]


@app.command
def verify(*, swarm: Swarm = "", output: Output = Form.TABLE, home: Home = None) -> int:
    """Prove that a trail was not changed, and that what happened outside kept its promises.

    Every hash chain is computed again and checked against what was sealed and published. The
    first event that was edited, cut, removed, moved or rolled back is named. What happened since
    the last seal is only held by its own chain. Repairs nothing: what was there before an edit is
    not known here. A seal under a key that this installation does not know proves nothing: the
    key is named, with the way to make it known.

    Then nine promises are held against what this machine recorded without us: the history of main
    in the private clones, what targets carried out, agent runs that are not swept yet, the
    owner's channel. A promise about which nothing was found reads "not examined", never "kept";
    what was found and could not be judged, because the trail does not tell its policy, is counted.

    Reads everything that ever happened: some minutes, and 300 MB of memory, for ten thousand
    missions.

    Exit status: 0 proven and kept; 3 broken, or a seal or a journal cannot be judged; 5 no such
    Swarm.

    Example: swarmctl audit verify
    """
    place = home_of(home)

    async def work(database: Database) -> Any:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415
        from swarm.adapters.postgres.store.seals import PostgresSeals  # noqa: PLC0415
        from swarm.runtime.outside import audit  # noqa: PLC0415 - reads every adapter's files
        from swarm.runtime.settings import load  # noqa: PLC0415
        from swarm.runtime.wiring import notary  # noqa: PLC0415 - imports the whole runtime

        id_ = await _swarm_or_deleted(database, swarm)
        found = await Trails(database).verify_all(id_, _progress)
        seals, broken = await PostgresSeals(database, notary(place, load(place.file))).verify(id_)
        known = {fault.chain for fault in found.faults}  # a broken chain is told once
        faults = [*found.faults, *(fault for fault in broken if fault.chain not in known)]
        return found, seals, faults, await audit(database, place, id_)

    found, seals, faults, held = ask(home, work)
    unread = [journal for journal in held.journals if journal.unread]
    if not output.for_people:
        body = {
            "chains": found.chains,
            "events": found.events,
            "seals": seals,
            "faults": [{**asdict(fault), "kind": str(fault.kind)} for fault in faults],
            **_held(held),
        }
        show_one("AuditVerdict", body, output)
    else:
        for fault in faults:
            _tell_fault(fault)
        _tell(held)
        sizes = (found.chains, "chain"), (found.events, "event"), (seals, "seal")
        emit(", ".join(counted(*one) for one in (*sizes, (len(faults), "fault"))))
    return EXIT_BAD_OUTCOME if faults or held.judgement.violations or unread else EXIT_DONE


async def _swarm_or_deleted(database: Database, name: str) -> SwarmId:
    """A Swarm by its name, a deleted one too: its history is kept to be shown."""
    from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
    from swarm.adapters.postgres.store.errors import NotFound  # noqa: PLC0415
    from swarm.core.ids import SwarmId  # noqa: PLC0415

    try:
        return await swarm_named(database, name)
    except NotFound:
        namespace, _, short = name.rpartition("/")
        with suppress(NotFound):
            return SwarmId(await Look(database).swarm_id(namespace or "default", short))
        raise


def _aware(when: datetime | None) -> datetime | None:
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def _progress(done: int, chains: int) -> None:
    """A word now and then, so that a long proof does not look like one that hangs."""
    if done % CHAINS_A_WORD == 0:
        say(f"{done:,} of {chains:,} chains are computed again")
    if done == chains >= CHAINS_A_WORD:
        say("now all of them are held against the seals, and against what happened outside")


def _tell_fault(fault: Fault) -> None:
    """For people: what does not hold, or what could not be asked and how it can be."""
    unknown = fault.kind is FaultKind.UNKNOWN_KEY
    where = f"{fault.chain} at seq {fault.seq}: {fault.kind}: {fault.detail}"
    emit(f"{'unproven' if unknown else 'broken'}: {line(where)}")
    if unknown:
        complain("fix:  If another of yours made them, name its .swarm/seals/seal.key.pub under")
        complain("      `keys` of [seals] in swarm.toml. If none did, somebody else wrote them.")


def _held(held: Audit) -> dict[str, Any]:
    """What the outside says, for programs."""
    violations = held.judgement.violations
    return {
        "promises": _promises(held.judgement),
        "violations": [{**asdict(one), "rule": str(one.rule)} for one in violations],
        "journals": [
            {"name": one.name, "entries": len(one.deposits), "unread": one.unread}
            for one in held.journals
        ],
    }


def _tell(held: Audit) -> None:
    """What the outside says, for people."""
    for violation in held.judgement.violations:
        emit(f"broken: {line(str(violation))}")
    for journal in held.journals:
        seen = f"unread: {journal.unread}" if journal.unread else f"{len(journal.deposits)} entries"
        emit(f"outside: {line(f'{journal.name}: {seen}')}")
    for rule, state in _promises(held.judgement).items():
        emit(f"promise: {rule}: {state}")


def _promises(judgement: Judgement) -> dict[str, str]:
    """What became of each promise, by its name."""
    told = {}
    for rule, count in judgement.counts():
        broken = sum(one.rule is rule for one in judgement.violations)
        kept = "kept" if count else "not examined"
        state = f"broken {counted(broken, 'time')}" if broken else kept
        state = f"{state}, {count} looked at" if count else state
        unjudged = judgement.unjudged.get(rule, 0)
        told[str(rule)] = f"{state}, {unjudged} could not be judged" if unjudged else state
    return told


@app.command
def citations(
    mission: Annotated[
        str,
        Parameter(help="A mission, a run or a commit, by any unique prefix.", completer=missions),
    ],
    /,
    *,
    signed: Annotated[
        bool, Parameter(help="Put each into a DSSE envelope, signed with the key of the seals.")
    ] = False,
    home: Home = None,
) -> None:
    """Write what was read again of a mission's citations, one in-toto statement on each line.

    Reads the database alone: no page is fetched. A mission below R2 has no such readings.

    Exit status: 0 written; 5 no such mission.

    Example: swarmctl audit citations m-41c0 --signed > citations.jsonl
    """

    async def work(database: Database) -> list[dict[str, Any]]:
        from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415
        from swarm.runtime.citation_record import statement  # noqa: PLC0415

        facts = (await Stories(database).trace(mission))["evidence"]
        return [statement(fact["body"]) for fact in facts if fact["kind"] == "citation-read"]

    found = ask(home, work)
    if signed and found:
        from swarm.runtime.settings import load  # noqa: PLC0415
        from swarm.runtime.wiring import notary  # noqa: PLC0415 - imports the whole runtime

        place = home_of(home)
        sign = notary(place, load(place.file))
        for one in found:
            emit(sign.envelope(one).decode().rstrip())
        return
    for one in found:
        emit(as_json(one, indent=None))


@app.default
def span(
    *,
    begin: Annotated[When, Parameter(name="--from")] = None,
    end: Annotated[When, Parameter(name="--to")] = None,
    swarm: Swarm = "",
    home: Home = None,
) -> None:
    """Write every event of a span, as `audit export` does. Without a span: show the verbs."""
    if begin is None and end is None:
        from swarm.cli.app import run  # noqa: PLC0415 - the tree imports this verb lazily

        run(["audit", "--help"])
    else:
        export(begin=begin, end=end, swarm=swarm, home=home)


@app.command
def export(
    *,
    begin: Annotated[When, Parameter(name="--from")] = None,
    end: Annotated[When, Parameter(name="--to")] = None,
    swarm: Swarm = "",
    home: Home = None,
) -> None:
    """Write every event of a span as JSON lines, with the hashes that prove them.

    Reads only. The end of a span is exclusive, so that spans join without a gap.

    Exit status: 0 written; 2 wrong use; 5 no such Swarm.

    Example: swarmctl audit export --from 2026-03-01T00:00:00+00:00 > march.jsonl
    """
    since, until = _aware(begin), _aware(end)
    if since is not None and until is not None and until <= since:
        raise Usage(f"--to {until} is not after --from {since}")

    async def work(database: Database) -> None:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        id_ = await _swarm_or_deleted(database, swarm)
        async for row in Trails(database).every(id_, since, until):
            emit(as_json({**row, "body": json.loads(row["body"])}, indent=None))

    ask(home, work)
