"""Renders the CustomResourceDefinition from the types. Nobody writes it by hand.

It needs Kubernetes 1.30 or newer (CEL rules are final since 1.29; servers before 1.31
ignore the selectable field).
"""

from __future__ import annotations

import re
from typing import Any

from swarm.contract.errors import UnrenderableSchema
from swarm.contract.metadata import NAME_MAX
from swarm.contract.rules import CEL
from swarm.contract.schema import Schema, object_schema
from swarm.contract.swarm import GROUP, KIND, VERSION

NAME = f"swarms.{GROUP}"

HEADER = "# Rendered by `swarmctl crd` from the types in swarm.contract. Do not edit.\n"

_READY = '.status.conditions[?(@.type=="Ready")]'
_COLUMNS: tuple[tuple[str, str, str, int], ...] = (
    ("Phase", "string", ".status.phase", 0),
    ("Mode", "string", ".spec.mode", 0),
    ("Ready", "string", f"{_READY}.status", 0),
    ("Active", "integer", ".status.activeMissions", 0),
    ("Queued", "integer", ".status.queuedNeeds", 0),
    ("Success24h", "number", ".status.autonomousSuccessRate24h", 0),
    # A text, because a column of type date shows ages and prints <invalid> for the future.
    ("Frozen-until", "string", ".status.freeze.until", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Reason", "string", f"{_READY}.reason", 1),
    ("Last-change", "string", ".status.lastProductionChangeRef", 1),
)

# Root rules see metadata.name only. The server itself demands a DNS subdomain; we demand one label
# of it, because names of children and values of labels are made from the name.
_NAME_RULE = {
    "rule": f"self.metadata.name.size() <= {NAME_MAX} && !self.metadata.name.contains('.')",
    "message": f"metadata.name must have at most {NAME_MAX} characters and no dot",
}


def render_crd() -> dict[str, Any]:
    """The CustomResourceDefinition as plain data.

    errors: UnrenderableSchema, when a type has no structural form, a value has no bound, or a
            default breaks its own schema.
    """
    schema = _for_server(object_schema())
    for half in ("spec", "status"):
        check_renderable(schema["properties"][half], half)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": "swarms",
                "singular": "swarm",
                "shortNames": ["sw"],
                "categories": ["all", "swarm"],
            },
            "versions": [_version(schema)],
        },
    }


def crd_yaml() -> str:
    """The CRD as the YAML text of `deploy/crd/swarms.yaml`, byte for byte."""
    import yaml  # noqa: PLC0415  (only the verb that prints the CRD pays for it)

    class Plain(yaml.SafeDumper):
        """Writes shared parts out again: anchors are noise to whoever reads the file."""

        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
            return True

    body: str = yaml.dump(
        render_crd(), Dumper=Plain, sort_keys=False, width=100, allow_unicode=True
    )
    return HEADER + body


def _version(schema: Schema) -> dict[str, Any]:
    columns = [
        {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if priority else {})
        for name, kind, path, priority in _COLUMNS
    ]
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "selectableFields": [{"jsonPath": ".spec.mode"}],
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }


def _for_server(whole: Schema) -> Schema:
    """The root as the server wants it: metadata bare, apiVersion and kind without enum."""
    described = whole["properties"]
    texts = {
        name: {"type": "string", "description": described[name]["description"]}
        for name in ("apiVersion", "kind")
    }
    return {
        "description": whole["description"],
        "type": "object",
        "required": ["spec"],
        CEL: [_NAME_RULE],
        "properties": {
            **texts,
            "metadata": {"type": "object"},
            "spec": _without_examples(described["spec"]),
            "status": _without_examples(described["status"]),
        },
    }


def _without_examples(schema: Schema) -> Schema:
    made = {key: value for key, value in schema.items() if key != "examples"}
    if "properties" in made:
        below = made["properties"].items()
        made["properties"] = {name: _without_examples(sub) for name, sub in below}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = _without_examples(made[key])
    return made


def check_renderable(schema: Schema, path: str) -> None:
    """Refuse a structural schema that an API server would refuse, or could not price.

    errors: UnrenderableSchema, naming the value without a bound or the default that does not fit.
    """
    _check_bounds(schema, path)
    _check_defaults(schema, path)


def _check_bounds(schema: Schema, path: str) -> None:
    """Refuse values without a largest size: the server prices CEL rules by these bounds."""
    kind = schema["type"]
    if kind == "string" and "maxLength" not in schema and "enum" not in schema:
        raise UnrenderableSchema(f"{path}: a text needs maxLength")
    if kind == "array":
        if "maxItems" not in schema:
            raise UnrenderableSchema(f"{path}: a list needs maxItems")
        _check_bounds(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        if "maxProperties" not in schema:
            raise UnrenderableSchema(f"{path}: a map needs maxProperties")
        _check_bounds(schema["additionalProperties"], f"{path}.*")
    if "x-kubernetes-preserve-unknown-fields" in schema:
        raise UnrenderableSchema(f"{path}: a map of anything cannot be checked")
    for name, below in schema.get("properties", {}).items():
        _check_bounds(below, f"{path}.{name}")


def _check_defaults(schema: Schema, path: str) -> None:
    """Refuse a default that its own schema refuses; the server would refuse the whole CRD."""
    if "default" in schema and not _fits(schema["default"], schema):
        raise UnrenderableSchema(f"{path}: the default {schema['default']!r} breaks its own schema")
    for name, below in schema.get("properties", {}).items():
        _check_defaults(below, f"{path}.{name}")
    if "items" in schema:
        _check_defaults(schema["items"], f"{path}[]")


def _fits(value: Any, schema: Schema) -> bool:
    """Whether the value fits type, enum, pattern and bounds; CEL rules are tested elsewhere."""
    kind = schema["type"]
    if kind == "object":
        fields = schema.get("properties", {})
        missing = [name for name in schema.get("required", []) if name not in value]
        known = (name in fields and _fits(part, fields[name]) for name, part in value.items())
        return not missing and all(known)
    if kind == "array":
        size = schema.get("minItems", 0) <= len(value) <= schema["maxItems"]
        return size and all(_fits(item, schema["items"]) for item in value)
    if kind == "string":
        size = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        pattern = schema.get("pattern", "").removesuffix("$")
        shaped = re.search(pattern + (r"\Z" if pattern else ""), value) is not None
        return size and shaped and value in schema.get("enum", [value])
    if kind == "boolean":
        return isinstance(value, bool)
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
