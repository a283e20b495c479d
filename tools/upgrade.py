"""What another release would decide, and whether it can read what this one stores.

    python3 dev.py upgrade --from REV

Takes the tree of REV out of git. Its `decide` and this one's look at the snapshots that either
release stored in its tests/upgrade/data, and where they differ is printed. Each one's readers read
the shapes that the other stored, as they must while both run, and as this one must for good. A
difference is not wrong: it is what an upgrade changes, shown before it happens. Exit status: 0
everything can be read; 3 something cannot; 2 wrong use.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from swarm.adapters.postgres.store import shapes
from swarm.contract.profiles import profile_of
from swarm.contract.status_object import SwarmStatus
from swarm.core.decide import decide
from swarm.core.decision import Plan
from swarm.core.snapshot import Snapshot

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "upgrade" / "data"
UNREADABLE, USAGE = 3, 2
#: What each stored shape is read with. An absent fact makes a gate wait, and an order of an unknown
#: kind is never claimed: those two alone may be unknown to another release.
READERS: Mapping[str, Callable[[str], Any]] = {
    "fact": lambda text: shapes.fact_adapter().validate_json(text),
    "order": lambda text: shapes.order_adapter().validate_json(text),
    "standing": lambda text: shapes.standing_adapter().validate_json(text),
    "verdicts": lambda text: shapes.verdicts_adapter().validate_json(text),
    "approvals": lambda text: shapes.approvals_adapter().validate_json(text),
    "contract": lambda text: shapes.contract_adapter().validate_json(text),
    "open-orders": lambda text: shapes.open_orders_adapter().validate_json(text),
    "signal": lambda text: shapes.signal_adapter().validate_json(text),
    "status": SwarmStatus.model_validate_json,
}
MAY_BE_UNKNOWN = {"fact", "order"}


def snapshots(data: Path = DATA) -> list[str]:
    """The stored snapshots, each as its JSON text."""
    return gzip.decompress((data / "snapshots.jsonl.gz").read_bytes()).decode().splitlines()


def stored_shapes(data: Path = DATA) -> dict[str, str]:
    """The stored shapes by name, such as `fact/landed`, each as its JSON text."""
    listed = json.loads((data / "shapes.json").read_text(encoding="utf-8"))
    return {name: json.dumps(value) for name, value in listed.items()}


@functools.cache
def _snapshot_adapter() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot)  # takes longer to make than to read a snapshot and decide it


def read_snapshot(text: str) -> Snapshot:
    """One stored snapshot. Raises ValidationError.

    Releases before the profiles' thresholds held nobody to them: theirs are those of the spec's
    domains, as the store makes them.
    """
    told: dict[str, Any] = json.loads(text)
    if "held_to" in {field.name for field in dataclasses.fields(Snapshot)} - told.keys():
        held_to = profile_of(told["spec"].get("domains", []), {}).thresholds
        told["held_to"] = dataclasses.asdict(held_to)
    return _snapshot_adapter().validate_json(json.dumps(told))


def read_shape(name: str, text: str) -> Any:
    """One stored shape, by the reader of its kind. Raises ValidationError."""
    return READERS[name.partition("/")[0]](text)


def told(plan: Plan) -> list[str]:
    """What a plan does, in lines that two releases can be compared by."""
    lines = [
        f"order {order.key}{_share(order)}{'' if order.forward else ' (protection)'}"
        for order in plan.orders
    ]
    lines += [
        f"record {type(record).__name__} {_about(record)}{_said(record)}" for record in plan.records
    ]
    lines += [f"standing {id_}: {at.room}, {at.reason}" for id_, at in plan.standings]
    lines.append(f"idle: {plan.idle_reason.partition(':')[0]}")
    lines.append(f"looks again: {plan.look_again}")
    return lines


def _about(record: object) -> str:
    names = ("id", "mission", "need", "freeze", "gate", "subject")
    found = (getattr(record, name, None) for name in names)
    told_of = (getattr(one, "id", one) for one in found)
    return " ".join(str(one) for one in told_of if one is not None)


def _share(order: object) -> str:
    percent = getattr(order, "percent", None)
    return "" if percent is None else f" at {percent} %"


def _said(record: object) -> str:
    """What it says of that: how a mission ended, what a gate answered, what is reserved, why."""
    said: list[str] = []
    if (outcome := getattr(record, "outcome", None)) is not None:
        said += [str(outcome.kind), outcome.reason]
        said += ["counts as a failure"] if outcome.counts_as_failure else []
        said += ["need done"] if getattr(record, "need_done", False) else []
    if (verdict := getattr(record, "verdict", None)) is not None:
        said += [verdict.answer.name, verdict.reason]
    if (reserve := getattr(record, "reserve", None)) is not None:
        said += [f"R{getattr(record, 'risk', 0):d}", f"{reserve} reserved"]
    freeze = getattr(record, "freeze", None)
    said += [str(one) for of in (record, freeze) if (one := getattr(of, "reason", None))]
    return f": {', '.join(said)}" if said else ""


def look(data: Path = DATA) -> dict[str, Any]:
    """What the release that is imported decides and reads, of everything that is stored there."""
    decided: list[list[str] | str] = []
    for text in snapshots(data):
        try:
            decided.append(told(decide(read_snapshot(text))))
        except ValidationError as error:
            decided.append(f"unreadable: {_first(error)}")
    unread = {}
    for name, text in stored_shapes(data).items():
        try:
            read_shape(name, text)
        except ValidationError as error:
            unread[name] = _first(error)
    kinds = [f"fact/{kind}" for kind in shapes.known_facts()]
    kinds += [f"order/{kind}" for kind in shapes.known_kinds()]
    return {"decided": decided, "unread": unread, "kinds": kinds}


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


@contextmanager
def taken_out(revision: str) -> Iterator[Path]:
    """The tree of a git revision, as far as it is asked here. Raises LookupError."""
    with tempfile.TemporaryDirectory(prefix="swarm-release-") as place:
        for part in ("src", "tests/upgrade/data"):
            command = ["git", "archive", "--format=tar", revision, part]
            archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            if archive.returncode == 0:
                with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
                    tree.extractall(place, filter="data")
            elif part == "src":  # releases before this comparison stored nothing
                raise LookupError(f"{revision}: {archive.stderr.decode().strip()}")
        yield Path(place)


def look_with(tree: Path, data: Path) -> dict[str, Any]:
    """The same by the release of that tree, in a process of its own. Raises LookupError."""
    ran = subprocess.run(
        [sys.executable, str(Path(__file__)), "--look", str(data)],
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise LookupError(f"that release cannot look at what is stored: {ran.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Where two releases differ, and what the first cannot read although it must."""
    differences, unreadable = [], []
    for number, (was, now) in enumerate(zip(old["decided"], new["decided"], strict=True)):
        if isinstance(was, str):
            unreadable.append(f"snapshot {number}: {was}")
        elif isinstance(now, list):
            lines = [f"  - {line}" for line in was if line not in now]
            lines += [f"  + {line}" for line in now if line not in was]
            differences += [f"snapshot {number}:", *lines] if lines else []
    for name, why in old["unread"].items():
        if name.partition("/")[0] in MAY_BE_UNKNOWN and name not in old["kinds"]:
            differences.append(f"{name} is unknown there: left out")
        else:
            unreadable.append(f"{name}: {why}")
    return differences, unreadable


def unread_of(seen: Mapping[str, Any]) -> Iterator[str]:
    """All that a release could not read: of what it once stored itself, nothing may be unknown."""
    for number, decided in enumerate(seen["decided"]):
        if isinstance(decided, str):
            yield f"snapshot {number}: {decided}"
    yield from (f"{name}: {why}" for name, why in seen["unread"].items())


def stored_alike(data: Path, other: Path) -> bool:
    """Whether both releases stored the same shapes and snapshots."""
    names = ("shapes.json", "snapshots.jsonl.gz")
    return all((data / name).read_bytes() == (other / name).read_bytes() for name in names)


def told_of(revision: str) -> tuple[list[str], list[str]]:
    """What to print of an upgrade from that release, and what one of the two cannot read.

    Raises LookupError.
    """
    with taken_out(revision) as tree:
        lines, unreadable = _told_of(DATA, "this release", revision, tree)
        theirs = tree / "tests" / "upgrade" / "data"
        if not theirs.is_dir():
            lines.append(f"{revision} stored nothing to look at")
        elif stored_alike(DATA, theirs):
            lines.append(f"{revision} stored the same")
        else:
            more, unread = _told_of(theirs, revision, revision, tree)
            lines, unreadable = lines + more, unreadable + unread
    return lines, unreadable


def _told_of(data: Path, whose: str, revision: str, tree: Path) -> tuple[list[str], list[str]]:
    """The same of what one of them stored."""
    old, new = look_with(tree, data), look(data)
    differences, unread = compare(old, new)
    count = f"{len(new['decided'])} snapshots decided, {len(stored_shapes(data))} shapes read"
    return (
        [f"stored by {whose}: {count}", *(differences or ["both decide the same everywhere."])],
        [f"{revision} cannot read of {whose}: {line}" for line in unread]
        + [f"this release cannot read of {whose}: {line}" for line in unread_of(new)],
    )


def main(arguments: Sequence[str]) -> int:
    """Parse, look with both, print."""
    top = argparse.ArgumentParser(
        prog="dev.py upgrade",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = top.add_mutually_exclusive_group(required=True)
    which.add_argument("--from", dest="revision", metavar="REV", help="a git revision or tag")
    which.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    options = top.parse_args(arguments)
    if options.look:
        print(json.dumps(look(options.look)))
        return 0
    try:
        lines, unreadable = told_of(options.revision)
    except LookupError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    print("\n".join([*lines, *unreadable]))
    return UNREADABLE if unreadable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
