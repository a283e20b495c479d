"""What another release would decide, and whether it can read what this one stores.

    python3 dev.py upgrade --from REV

Takes the tree of REV out of git, lets its `decide` and this one's look at the stored snapshots of
tests/upgrade/data, and prints where they differ; and lets its readers read this release's stored
shapes, as they must while both run. A difference is not wrong: it is what an upgrade changes, shown
before it happens. Exit status: 0 everything can be read; 3 something cannot; 2 wrong use.
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
from collections.abc import Callable, Mapping, Sequence
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


def snapshots() -> list[str]:
    """The stored snapshots, each as its JSON text."""
    return gzip.decompress((DATA / "snapshots.jsonl.gz").read_bytes()).decode().splitlines()


def stored_shapes() -> dict[str, str]:
    """The stored shapes by name, such as `fact/landed`, each as its JSON text."""
    listed = json.loads((DATA / "shapes.json").read_text(encoding="utf-8"))
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
        f"order {order.key}{'' if order.forward else ' (protection)'}" for order in plan.orders
    ]
    lines += [f"record {type(record).__name__} {_about(record)}" for record in plan.records]
    lines += [f"standing {id_}: {at.room}, {at.reason}" for id_, at in plan.standings]
    lines.append(f"idle: {plan.idle_reason.partition(':')[0]}")
    lines.append(f"looks again: {plan.look_again}")
    return lines


def _about(record: object) -> str:
    names = ("id", "mission", "need", "freeze", "gate", "subject")
    found = (getattr(record, name, None) for name in names)
    told_of = (getattr(one, "id", one) for one in found)
    return " ".join(str(one) for one in told_of if one is not None)


def look() -> dict[str, Any]:
    """What the release that is imported decides and reads, of everything that is stored."""
    decided: list[list[str] | str] = []
    for text in snapshots():
        try:
            decided.append(told(decide(read_snapshot(text))))
        except ValidationError as error:
            decided.append(f"unreadable: {_first(error)}")
    unread = {}
    for name, text in stored_shapes().items():
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


def look_with(revision: str) -> dict[str, Any]:
    """The same by the release at a git revision, in a process of its own. Raises LookupError."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", revision, "src"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archive.returncode != 0:
        raise LookupError(f"{revision}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="swarm-release-") as place:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
            tree.extractall(place, filter="data")
        ran = subprocess.run(
            [sys.executable, str(Path(__file__)), "--look"],
            env={**os.environ, "PYTHONPATH": str(Path(place) / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode != 0:
        raise LookupError(f"{revision} cannot look at what is stored: {ran.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Where two releases differ, and what the old one cannot read although it must."""
    differences, unreadable = [], []
    for number, (was, now) in enumerate(zip(old["decided"], new["decided"], strict=True)):
        if isinstance(was, str):
            unreadable.append(f"snapshot {number}: {was}")
            continue
        lines = [f"  - {line}" for line in was if line not in now]
        lines += [f"  + {line}" for line in now if line not in was]
        if lines:
            differences += [f"snapshot {number}:", *lines]
    for name, why in old["unread"].items():
        if name.partition("/")[0] in MAY_BE_UNKNOWN and name not in old["kinds"]:
            differences.append(f"{name} is unknown there: left out")
        else:
            unreadable.append(f"{name}: {why}")
    return differences, unreadable


def main(arguments: Sequence[str]) -> int:
    """Parse, look with both, print."""
    top = argparse.ArgumentParser(
        prog="dev.py upgrade",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = top.add_mutually_exclusive_group(required=True)
    which.add_argument("--from", dest="revision", metavar="REV", help="a git revision or tag")
    which.add_argument("--look", action="store_true", help=argparse.SUPPRESS)
    options = top.parse_args(arguments)
    if options.look:
        print(json.dumps(look()))
        return 0
    try:
        old = look_with(options.revision)
    except LookupError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    new = look()
    differences, unreadable = compare(old, new)
    print("\n".join(differences) if differences else "both decide the same everywhere.")
    print(f"{len(new['decided'])} snapshots decided, {len(stored_shapes())} shapes read")
    for line in unreadable:
        print(f"unreadable at {options.revision}: {line}")
    return UNREADABLE if unreadable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
