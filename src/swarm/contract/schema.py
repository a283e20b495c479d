"""The JSON schema of the Swarm object: one tree, without references, as the API server needs it.

pydantic's own schema is not structural in Kubernetes' sense. What it emits and what the server
refuses is known case by case, and each case is turned into its structural form or refused here:
`$ref` (inlined), `X or null` (absent instead of null), `const` (an enum of one), `exclusiveMinimum`
as a number, `additionalProperties: false` (pruning does it), `uniqueItems` (list type `set`),
a default below an absent parent (every parent gets `default: {}`), `title`, `propertyNames`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from swarm.contract.errors import UnknownField, UnrenderableSchema
from swarm.contract.rules import LIST_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED = frozenset({"title", "propertyNames", "$defs"})
_KEPT = frozenset(
    {"type", "description", "default", "enum", "format", "pattern", "examples", "required"}
    | {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
    | {"minimum", "maximum"}
)
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_DATE_LENGTH = 64
_ORDER = ("type", "description", "default", "enum", "format", "pattern", "required")


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, `examples` still in it.

    errors: UnrenderableSchema, for a type that has no structural form (Any, recursion, unions).
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _structural(raw, raw.get("$defs", {}), ())


@cache
def object_schema() -> Schema:
    """The whole Swarm object: apiVersion, kind, metadata, spec, status. Do not change it."""
    from swarm.contract.status_object import SwarmStatus  # noqa: PLC0415  (needed here only)
    from swarm.contract.swarm import SwarmObject  # noqa: PLC0415

    schema = structural(SwarmObject)
    schema["properties"]["status"] = {
        **_without_defaults(structural(SwarmStatus)),
        "description": "What the controller reports. Never read from a manifest.",
    }
    return schema


def field_schema(path: tuple[str, ...]) -> Schema:
    """The schema at a path of field names, through lists.

    errors: UnknownField, naming the first part that is not there.
    """
    here = object_schema()
    for depth, part in enumerate(path):
        below = _properties(here)
        if part not in below:
            if "additionalProperties" in here:
                here = here["additionalProperties"]
                continue
            where = ".".join(path[:depth]) or "the Swarm object"
            raise UnknownField(f"{where} has no field {part!r}")
        here = below[part]
    return here


def children_of(schema: Schema) -> list[str]:
    """Names of the fields below, through a list."""
    return list(_properties(schema))


def paths_ending_in(name: str) -> list[str]:
    """Every path of spec and metadata whose last part is `name`."""
    spec_and_metadata = object_schema()["properties"]
    found: list[str] = []
    for part in ("metadata", "spec"):
        found += [path for path in _paths(part, spec_and_metadata[part]) if _last(path) == name]
    return found


def _last(path: str) -> str:
    return path.rpartition(".")[2].removesuffix("[]")


def _paths(prefix: str, schema: Schema) -> Iterator[str]:
    for name, below in _properties(schema).items():
        path = f"{prefix}.{name}"
        yield path
        yield from _paths(f"{path}[]" if below.get("type") == "array" else path, below)


def _properties(schema: Schema) -> dict[str, Schema]:
    if schema.get("type") == "array":
        schema = schema["items"]
    properties: dict[str, Schema] = schema.get("properties", {})
    return properties


def _structural(node: Schema, defs: Mapping[str, Schema], trail: tuple[str, ...]) -> Schema:
    node, trail = _resolve(node, defs, trail)
    made: Schema = {}
    for key, value in node.items():
        if key == "properties":
            made[key] = {name: _structural(sub, defs, trail) for name, sub in value.items()}
        elif key == "items":
            made[key] = _structural(value, defs, trail)
        elif key == "additionalProperties":
            made |= _map_values(value, defs, trail)
        else:
            made |= _keyword(key, value, trail)
    if "type" not in made:
        raise UnrenderableSchema(f"{_where(trail)}: a value of any type cannot be checked")
    return _finished(made)


def _keyword(key: str, value: Any, trail: tuple[str, ...]) -> Schema:
    """The structural form of one keyword that holds no schema."""
    if key == "description":
        return {key: " ".join(value.split())}  # a docstring's line breaks mean nothing here
    if key in _KEPT or key.startswith("x-kubernetes-"):
        return {key: value}
    if key == "const":
        return {"enum": [value]}
    if key in _EXCLUSIVE:
        return {_EXCLUSIVE[key]: value, key: True}
    if key == "uniqueItems":
        return {LIST_TYPE: "set"}
    if key in _DROPPED:
        return {}
    raise UnrenderableSchema(f"{_where(trail)}: {key} has no structural form")


def _map_values(value: Any, defs: Mapping[str, Schema], trail: tuple[str, ...]) -> Schema:
    if value is False:
        return {}  # the server prunes what it does not know; both keywords together are refused
    if value is True:
        return {"x-kubernetes-preserve-unknown-fields": True}
    return {"additionalProperties": _structural(value, defs, trail)}


def _resolve(
    node: Schema, defs: Mapping[str, Schema], trail: tuple[str, ...]
) -> tuple[Schema, tuple[str, ...]]:
    """The node with its reference followed and its null branch taken away."""
    if "anyOf" in node:
        branches = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
        if len(branches) != 1:
            raise UnrenderableSchema(f"{_where(trail)}: a choice of types has no structural form")
        node = branches[0] | {key: value for key, value in node.items() if key != "anyOf"}
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name in trail:
            raise UnrenderableSchema(f"{_where((*trail, name))}: the type contains itself")
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _resolve(defs[name] | own, defs, (*trail, name))
    return node, trail


def _finished(made: Schema) -> Schema:
    """Defaults at every level, no null default, a width for integers, a length for dates."""
    required = made.get("required", [])
    for name, below in made.get("properties", {}).items():
        if "default" in below and below["default"] is None:
            del below["default"]
        elif below["type"] == "object" and name not in required:
            below.setdefault("default", {})
    if made["type"] == "integer":
        made["format"] = "int64"
    if made.get("format") == "date-time":
        made["maxLength"] = _DATE_LENGTH
    return {key: made[key] for key in sorted(made, key=_rank)}


def _rank(key: str) -> tuple[int, str]:
    """Place of a keyword among others: what a reader asks first stands first."""
    if key in {"properties", "items", "additionalProperties"}:
        return len(_ORDER) + 1, key
    return (_ORDER.index(key) if key in _ORDER else len(_ORDER)), key


def _without_defaults(schema: Schema) -> Schema:
    """The same schema with no default in it: a status is written, never filled in."""
    return {
        key: {name: _without_defaults(sub) for name, sub in value.items()}
        if key == "properties"
        else _without_defaults(value)
        if key == "items"
        else value
        for key, value in schema.items()
        if key != "default"
    }


def _where(trail: tuple[str, ...]) -> str:
    return " > ".join(trail) or "the root"
