"""The defaulted object and where each value came from; and the help text of a single field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from swarm.contract.duration import PATTERN
from swarm.contract.errors import UnknownField
from swarm.contract.metadata import PROFILE_ANNOTATION
from swarm.contract.problems import nearest, unknown_word
from swarm.contract.profiles import profile, profile_names
from swarm.contract.rules import CEL
from swarm.contract.schema import Schema, children_of, field_schema
from swarm.contract.tree import Path, spell
from swarm.contract.validate import merge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swarm.contract.swarm import SwarmObject

Explained = tuple[str, Any, "Origin"]


class Origin(StrEnum):
    """Where a value of the defaulted object came from."""

    WRITTEN = "written"  #: by the author of the manifest
    PROFILE = "profile"  #: by the profile that the manifest's annotation names
    DEFAULT = "default"  #: by the schema, for everyone who wrote nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldHelp:
    """All there is to say about one field.

    path:     the field's path, lists marked `[]`.
    type:     in words, such as `duration` or `list of blocks`.
    required: whether it must be written wherever its parent is.
    default:  what holds when it is left out, in the manifest's form; None when nothing does.
    bounds:   each limit as one clause.
    choices:  the values of a closed choice, else empty.
    children: name, type and first sentence of each field below.
    """

    path: str
    type: str
    required: bool
    default: Any
    bounds: tuple[str, ...]
    choices: tuple[str, ...]
    description: str
    example: Any
    children: tuple[tuple[str, str, str], ...]


def defaulted_spec(swarm: SwarmObject) -> dict[str, Any]:
    """The spec that the controller works with, in the manifest's form and spelling (`60m`)."""
    filled: dict[str, Any] = _fill(field_schema(("spec",)), _with_profile(swarm))
    return filled


def explained(swarm: SwarmObject) -> list[Explained]:
    """Every value of the defaulted spec as (path, value, origin), in the schema's order."""
    written = _written(swarm)
    with_profile = _with_profile(swarm)
    rows: list[Explained] = []
    for path, value in _leaves(("spec",), defaulted_spec(swarm)):
        if _holds(written, path[1:]):
            origin = Origin.WRITTEN
        else:
            origin = Origin.PROFILE if _holds(with_profile, path[1:]) else Origin.DEFAULT
        rows.append((spell(path), value, origin))
    return rows


def field_help(path: str) -> FieldHelp:
    """Help on the field at a path such as `spec.cadence` or `spec.delivery.rollout.steps[0].pause`.

    errors: UnknownField, with the nearest field that exists.
    """
    parts = tuple(part for part in re.sub(r"\[[0-9]*\]", "", path).split(".") if part)
    if not parts:
        raise UnknownField("no field is named; begin with spec, metadata or status")
    schema, parent = _find(parts, path)
    return FieldHelp(
        path=_listed(parts),
        type=_type_of(schema),
        required=parts[-1] in parent.get("required", []),
        default=schema.get("default"),
        bounds=tuple(_bounds(schema)),
        choices=tuple(str(choice) for choice in schema.get("enum", ())),
        description=schema.get("description", ""),
        example=next(iter(schema.get("examples", ())), None),
        children=tuple(_child(schema, name) for name in children_of(schema)),
    )


def _find(parts: tuple[str, ...], asked: str) -> tuple[Schema, Schema]:
    """The schema at the path and the schema of its parent, seen through lists."""
    for depth in range(len(parts)):
        parent = field_schema(parts[:depth])
        known = children_of(parent)
        if parts[depth] not in known:
            where = ".".join(parts[:depth]) or "the Swarm object"
            meant = nearest(parts[depth], known)
            hint = f"did you mean {'.'.join((*parts[:depth], meant))}?" if meant else ""
            right = hint or unknown_word(parts[depth], known) if known else "it has no fields"
            raise UnknownField(f"{asked}: {where} has no field {parts[depth]!r}; {right}")
    return field_schema(parts), parent.get("items", parent)


def _child(schema: Schema, name: str) -> tuple[str, str, str]:
    below = schema.get("items", schema)["properties"][name]
    first, _, _ = below.get("description", "").partition(". ")
    return name, _type_of(below), first.removesuffix(".")


def _listed(parts: tuple[str, ...]) -> str:
    spelled = []
    for depth, part in enumerate(parts, start=1):
        inside = depth < len(parts) and field_schema(parts[:depth])["type"] == "array"
        spelled.append(f"{part}[]" if inside else part)
    return ".".join(spelled)


def _type_of(schema: Schema) -> str:
    kind = schema["type"]
    if kind == "array":
        return f"list of {_type_of(schema['items'])}s"
    if kind == "string" and schema.get("pattern") == PATTERN:
        return "duration"
    if kind == "object" and "additionalProperties" in schema:
        return "map of texts"
    if "enum" in schema:
        return "choice"
    if schema.get("format") == "date-time":
        return "date-time"
    return {"string": "text", "object": "block", "boolean": "true or false"}.get(kind, str(kind))


def _bounds(schema: Schema) -> Iterator[str]:
    words = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "maxLength": "at most {} characters",
        "minItems": "entries, at least: {}",
        "maxItems": "entries, at most: {}",
        "maxProperties": "entries, at most: {}",
    }
    for key, sentence in words.items():
        if key in schema:
            yield sentence.format(schema[key])
    if "x-kubernetes-list-type" in schema:
        yield "no entry twice"
    for rule in schema.get(CEL, ()):
        yield rule["message"]
    if "items" in schema:
        yield from (f"each entry: {bound}" for bound in _bounds(schema["items"]))


def _written(swarm: SwarmObject) -> dict[str, Any]:
    if swarm.written_spec is not None:
        return dict(swarm.written_spec)
    plain: dict[str, Any] = swarm.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return plain


def _with_profile(swarm: SwarmObject) -> dict[str, Any]:
    asked = swarm.metadata.annotations.get(PROFILE_ANNOTATION)
    written = _written(swarm)
    # A Swarm built in Python was never overlaid; only what was loaded from text is.
    if asked not in profile_names() or swarm.written_spec is None:
        return written
    return merge(profile(str(asked)).spec, written)


def _fill(schema: Schema, value: Any) -> Any:
    """The value with the schema's defaults in every gap, as the API server fills it."""
    if schema["type"] == "array":
        return [_fill(schema["items"], item) for item in value]
    if "properties" not in schema:
        return value
    filled = {}
    for name, below in schema["properties"].items():
        part = value.get(name)
        if part is None and "default" in below:
            part = below["default"]
        if part is not None:
            filled[name] = _fill(below, part)
    return filled


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from _leaves((*path, name), below)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for position, item in enumerate(value):
            yield from _leaves((*path, position), item)
    else:
        yield path, value


def _holds(tree: Any, path: Path) -> bool:
    for part in path:
        if isinstance(part, int):
            if not isinstance(tree, list) or part >= len(tree):
                return False
        elif not isinstance(tree, dict) or tree.get(part) is None:
            return False
        tree = tree[part]
    return tree is not None
