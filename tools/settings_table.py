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

from swarm.contract.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_settings import BaseSettings

ISO_DURATION = re.compile(r"-?P(?=[\dT])(\d+D)?(T[\d.HMS]+)?")
DURATION_RULE = re.compile(r"must be a (duration from \S+ to \S+), such as .*")
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
SINGULAR = {"characters": "character", "entries": "entry"}


def lines(kind: type[BaseSettings]) -> Iterator[str]:
    """The body of the page: how the file is read, then one section for each of its tables."""
    yield from inspect.cleandoc(sys.modules[kind.__module__].__doc__ or "").splitlines()
    prefix = kind.model_config["env_prefix"]
    between = kind.model_config["env_nested_delimiter"]
    yield (
        f"A variable of the environment wins over the file: `{prefix}`, the table, `{between}`,"
        f" the setting, such as `{prefix}LOOP{between}MAX_MISSIONS`."
    )
    yield "A path begins at the folder of swarm.toml, whoever reads it; `~` is your home."
    yield "A controller reads both when it begins: after a change, `swarmctl down && swarmctl up`."
    schema = kind.model_json_schema()
    for name, field in schema["properties"].items():
        yield from section(name, field, schema["$defs"])


def section(name: str, field: dict[str, Any], types: dict[str, Any]) -> Iterator[str]:
    """One table of the file. Where it has kinds, what they share stands first, once."""
    blocks = list(inner_blocks(field, types))
    # Both stand in a heading: `name` is filled in from the table's, `kind` tells the table's kind.
    headings = ("| `name` |", "| `kind` |")
    tables = [
        [row for row in rows(block, types, "") if not row.startswith(headings)]
        for _, block in blocks
    ]
    shared = [row for row in tables[0] if all(row in table for table in tables)]
    yield from ("", f"## `[{name}{blocks[0][0]}]`", "", described(field, types))
    yield from table(shared)
    for (_, block), own in zip(blocks, tables, strict=True):
        if rest := [row for row in own if row not in shared]:
            which = block["properties"]["kind"]
            yield from ("", f'### `kind = "{which["const"]}"`', "", which["description"])
            yield from table(rest)


def table(found: Sequence[str]) -> Iterator[str]:
    """Rows below their headings."""
    yield from ("", "| setting | type | default | meaning |", "| --- | --- | --- | --- |", *found)


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
        item = kind_of(field.get("items", {}), types)
        word = f"list of ({item})" if ", " in item else f"list of {item}"
    if word == "object":
        word = "block" if "properties" in field else "blocks by name"
    for rule in field.get("x-kubernetes-validations", ()):
        if told := DURATION_RULE.fullmatch(rule["message"]):
            return told[1]
    return ", ".join([word, *(bound(key, field[key]) for key in BOUNDS if key in field)])


def bound(key: str, value: float) -> str:
    """One bound in words."""
    before, number, unit = BOUNDS[key].partition("{}")
    unit = unit.strip()
    one = SINGULAR.get(unit, unit) if value == 1 else unit
    return f"{before}{number.format(value)} {one}".rstrip()


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
