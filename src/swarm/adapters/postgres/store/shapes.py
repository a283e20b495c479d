"""How nouns, facts and orders look in storage: JSON with a `kind`, read tolerantly.

A reader ignores fields that it does not know, and drops facts of kinds that it does not know: an
absent fact makes a gate wait, never pass. Orders of unknown kinds are never claimed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from swarm.contract.verdict import Verdict
from swarm.core import evidence
from swarm.core.decision import Order, Standing
from swarm.core.evidence import Fact
from swarm.core.nouns import Approval, Cited, Signal, ValidationContract
from swarm.core.snapshot import OpenOrder
from swarm.core.trail import canonical

from .texts import NUL, storable


@cache
def facts_adapter() -> TypeAdapter[list[Fact]]:
    """Many facts. Built on first use: building costs milliseconds that a plain read saves."""
    return TypeAdapter(list[Annotated[Fact, Field(discriminator="kind")]])


@cache
def fact_adapter() -> TypeAdapter[Fact]:
    """One fact."""
    return TypeAdapter(Annotated[Fact, Field(discriminator="kind")])


@cache
def order_adapter() -> TypeAdapter[Order]:
    """One order."""
    return TypeAdapter(Annotated[Order, Field(discriminator="kind")])


@cache
def contract_adapter() -> TypeAdapter[ValidationContract]:
    """What a mission promised."""
    return TypeAdapter(ValidationContract)


@cache
def standing_adapter() -> TypeAdapter[Standing]:
    """Where a mission stands."""
    return TypeAdapter(Standing)


@cache
def approvals_adapter() -> TypeAdapter[tuple[Approval, ...]]:
    """Answers of people."""
    return TypeAdapter(tuple[Approval, ...])


@cache
def cited_adapter() -> TypeAdapter[tuple[Cited, ...]]:
    """What a need counts."""
    return TypeAdapter(tuple[Cited, ...])


@cache
def open_orders_adapter() -> TypeAdapter[tuple[OpenOrder, ...]]:
    """Orders sent and not seen yet."""
    return TypeAdapter(tuple[OpenOrder, ...])


@cache
def verdicts_adapter() -> TypeAdapter[tuple[tuple[str, str, Verdict], ...]]:
    """(gate, subject, verdict) triples."""
    return TypeAdapter(tuple[tuple[str, str, Verdict], ...])


@cache
def signal_adapter() -> TypeAdapter[Signal]:
    """One signal."""
    return TypeAdapter(Signal)


@cache
def asked_adapter() -> TypeAdapter[frozenset[tuple[str, str]]]:
    """(commit, policy hash) pairs that were asked."""
    return TypeAdapter(frozenset[tuple[str, str]])


@cache
def known_kinds() -> tuple[str, ...]:
    """The kinds of orders that this program can carry out."""
    return tuple(_kind_of(member) for member in get_args(Order))


def kinds_text(kinds: Sequence[str] | None = None) -> str:
    """Kinds of orders as the statements take them; None is all that this program knows."""
    return _ALL_KINDS if kinds is None else f",{','.join(kinds)},"


def read_facts(text: str | None) -> tuple[Fact, ...]:
    """Facts from a JSON array; those of unknown kinds or broken shape are left out."""
    if not text:
        return ()
    try:
        return tuple(facts_adapter().validate_json(text))
    except ValidationError:
        return tuple(_readable_facts(json.loads(text)))


def dump(adapter: TypeAdapter[Any], value: Any) -> str:
    """The JSON text of a value, storable: no NUL, no lone surrogate."""
    try:
        text = adapter.dump_json(value).decode()
    except PydanticSerializationError:
        # A lone surrogate somewhere: the long way keeps the rest.
        return storable(canonical(adapter.dump_python(value, mode="json")))
    return storable(text) if NUL in text else text


def pairs(text: str | None) -> tuple[tuple[str, float], ...]:
    """(name, number) pairs from a JSON array of arrays."""
    return tuple((str(name), float(number)) for name, number in json.loads(text or "[]"))


def _kind_of(member: Any) -> str:
    return (
        str(member.kind)
        if hasattr(member, "kind") and isinstance(member.kind, str)
        else str(member.__dataclass_fields__["kind"].default)
    )


def _readable_facts(items: Sequence[Any]) -> Iterable[Fact]:
    for item in items:
        try:
            yield fact_adapter().validate_python(item, strict=False)
        except ValidationError:
            continue


@cache
def known_facts() -> tuple[str, ...]:
    """The kinds of facts that this program can read."""
    return tuple(_kind_of(member) for member in get_args(evidence.Fact))


_ALL_KINDS = f",{','.join(known_kinds())},"
