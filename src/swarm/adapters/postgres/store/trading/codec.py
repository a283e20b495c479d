"""Records of the gate as kind and canonical text.

Unlike facts, an unknown one is never skipped: a ledger with a hole would allow what was forbidden.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from swarm.adapters.postgres.store.errors import RecordUnreadable
from swarm.core.trail import canonical
from swarm.ports.gate_records import Decided, GateRecord
from swarm.regime.controls.events import LedgerEvent

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def kind_of(record: type) -> str:
    """`RungSet` is stored as `rung-set`."""
    return _WORD.sub("-", record.__name__).lower()


@cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    return {kind_of(one): TypeAdapter(one) for one in (Decided, *get_args(LedgerEvent))}


def encode(record: GateRecord) -> tuple[str, str]:
    """(kind, canonical JSON)."""
    kind = kind_of(type(record))
    return kind, canonical(_adapters()[kind].dump_python(record, mode="json"))


def decode(kind: str, body: str) -> GateRecord:
    """The record. Raises RecordUnreadable for a kind or a shape that this release has not."""
    adapter = _adapters().get(kind)
    if adapter is None:
        raise RecordUnreadable(f"there is no record of kind {kind!r:.60} in this release")
    try:
        record: GateRecord = adapter.validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordUnreadable(f"{kind}: {where}: {first['msg']}") from error
    return record
