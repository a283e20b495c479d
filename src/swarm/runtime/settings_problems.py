"""What is wrong in an installation file, each with the field and with what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from swarm.contract.problems import unknown_word

_Schema = Mapping[str, Any]
_Path = tuple[int | str, ...]


def problems(error: ValidationError, model: type[BaseModel]) -> str:
    """One line a problem. model: what was read, whose fields are the known ones."""
    schema = model.model_json_schema()
    lines = []
    for problem in error.errors(include_url=False):
        path = problem["loc"]
        where = ".".join(str(part) for part in path) or "(the whole file)"
        lines.append(f"  {where}: {_told(problem, path, schema)}")
    return "\n".join(lines)


def _told(problem: ErrorDetails, path: _Path, schema: _Schema) -> str:
    if problem["type"] == "extra_forbidden":
        return _no_such(path, schema)
    if problem["type"] == "missing":
        return "it is missing; write it"
    if problem["type"] == "union_tag_invalid":
        tags = problem["ctx"]
        known = [tag.strip("' ") for tag in tags["expected_tags"].split(",")]
        right = unknown_word(tags["tag"], known)
        kind = tags["discriminator"].strip("'")
        return f"there is no {kind} {tags['tag']!r}; {right}"
    return problem["msg"]


def _no_such(path: _Path, schema: _Schema) -> str:
    known = {name for at in _at(path[:-1], schema) for name in at.get("properties", {})}
    right = unknown_word(str(path[-1]), known) if known else "drop it"
    return f"there is no such field; {right}"


def _at(path: _Path, schema: _Schema) -> list[_Schema]:
    """Every schema that a path may mean; a union means several."""
    here = list(_resolved(schema, schema))
    for part in path:
        below = [one for at in here for one in _below(at, part)]
        here = [found for one in below for found in _resolved(one, schema)]
    return here


def _below(at: _Schema, part: int | str) -> Iterator[_Schema]:
    """What lies one step down."""
    tags = at.get("discriminator", {}).get("mapping", {})
    if part in tags:
        yield {"$ref": tags[part]}
    elif part in (properties := at.get("properties", {})):
        yield properties[part]
    elif isinstance(more := at.get("additionalProperties"), dict):
        yield more
    elif isinstance(items := at.get("items"), dict):
        yield items


def _resolved(at: _Schema, schema: _Schema) -> Iterator[_Schema]:
    """Without references, and each choice by itself where no tag says which it is."""
    if "$ref" in at:
        name = at["$ref"].rpartition("/")[2]
        yield from _resolved(schema["$defs"][name], schema)
    elif "anyOf" in at:
        for choice in at["anyOf"]:
            yield from _resolved(choice, schema)
    else:
        yield at
