"""The settings of an installation as tables, read from the JSON schema of the settings types.

The schema is what pydantic itself enforces, so that type, default and bounds cannot differ from
what is accepted.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic_settings import BaseSettings

from swarm.contract.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ISO_DURATION = re.compile(r"-?P(?=[\dT])(\d+D)?(T[\d.HMS]+)?")
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
}


def lines(module: ModuleType) -> list[str]:
    """The body of the page: one section for each settings class, its blocks below it."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, BaseSettings) and kind.__module__.startswith(module.__name__)
    ]
    if not kinds:
        sys.exit(f"{module.__name__} holds no settings class; its page would be empty.")
    found: list[str] = [*inspect.cleandoc(module.__doc__ or "").splitlines()]
    for kind in kinds:
        schema = kind.model_json_schema()
        found += ["", f"## {kind.__name__}", "", *inspect.cleandoc(kind.__doc__ or "").splitlines()]
        prefix = kind.model_config.get("env_prefix", "")
        if prefix:
            nested = kind.model_config.get("env_nested_delimiter") or "__"
            found += ["", f"In the environment: `{prefix}` and the name, `{nested}` for each dot."]
        found += ["", "| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
        found += rows(schema, schema.get("$defs", {}), "")
    return found


def rows(block: dict[str, Any], types: dict[str, Any], path: str) -> Iterator[str]:
    """One row for each setting of a block, then those of the blocks inside it."""
    required = block.get("required", [])
    for name, field in block.get("properties", {}).items():
        where = f"{path}{name}"
        text = described(field, types)
        if not text:
            sys.exit(f"the setting `{where}` has no description; its page would have a gap.")
        default = "required" if name in required else shown(field.get("default"))
        yield f"| `{where}` | {kind_of(field, types)} | {default} | {escape(text)} |"
        for suffix, inner in inner_blocks(field, types):
            yield from rows(inner, types, f"{where}{suffix}.")


def described(field: dict[str, Any], types: dict[str, Any]) -> str:
    """A field's sentence; pydantic drops it where the block's own docstring says the same."""
    text = field.get("description")
    if text is None and "$ref" in field:
        text = types[field["$ref"].rpartition("/")[2]].get("description")
    return " ".join(str(text or "").split())


def inner_blocks(
    field: dict[str, Any], types: dict[str, Any], suffix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The blocks that a field holds, each with how its keys are reached: `[]` or `.NAME`."""
    if "$ref" in field:
        block = types[field["$ref"].rpartition("/")[2]]
        if "properties" in block:
            yield suffix, block
        else:
            yield from inner_blocks(block, types, suffix)
    for choice in [*field.get("anyOf", []), *field.get("oneOf", []), *field.get("allOf", [])]:
        yield from inner_blocks(choice, types, suffix)
    if isinstance(field.get("items"), dict):
        yield from inner_blocks(field["items"], types, suffix + "[]")
    if isinstance(field.get("additionalProperties"), dict):
        yield from inner_blocks(field["additionalProperties"], types, suffix + ".NAME")


def kind_of(field: dict[str, Any], types: dict[str, Any]) -> str:
    """The type of a field in words, with its bounds."""
    if "$ref" in field:
        return kind_of(types[field["$ref"].rpartition("/")[2]], types)
    choices = [*field.get("anyOf", []), *field.get("oneOf", []), *field.get("allOf", [])]
    if choices:
        return " or ".join(dict.fromkeys(kind_of(choice, types) for choice in choices))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    word = str(field.get("format", field.get("type", "any")))
    if word == "null":
        return "nothing"
    if word == "array":
        word = f"list of {kind_of(field.get('items', {}), types)}"
    if word == "object":
        word = "block" if "properties" in field else "blocks by name"
    bounds = [text.format(field[key]) for key, text in BOUNDS.items() if key in field]
    return ", ".join([word, *bounds])


def shown(default: object) -> str:
    """A default as it would be written in the file; a block's own defaults stand below it."""
    if default is None:
        return "none"
    if isinstance(default, dict) and default:
        return "as below"
    if isinstance(default, str) and ISO_DURATION.fullmatch(default):
        # pydantic tells durations in the ISO form; the file takes the form of the spec.
        default = format_duration(TypeAdapter(timedelta).validate_python(default))
    return f"`{escape(json.dumps(default))}`"


def escape(text: str) -> str:
    """Text that keeps a table row in one piece."""
    return text.replace("|", "\\|").replace("\n", " ")
