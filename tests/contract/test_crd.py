"""The rendered CRD: fresh, structural, bounded, and complete."""

import re
from pathlib import Path
from typing import Annotated, Any

import cel
import pytest
import yaml
from pydantic import Field

from swarm.contract.block import Block
from swarm.contract.crd import check_renderable, crd_yaml, render_crd
from swarm.contract.errors import UnrenderableSchema
from swarm.contract.schema import structural

ROOT = Path(__file__).parents[2]
CRD = render_crd()
(VERSION,) = CRD["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
SPEC, STATUS = SCHEMA["properties"]["spec"], SCHEMA["properties"]["status"]

# JSONSchemaProps of apiextensions/v1, less those that a structural schema may not use here.
KEYWORDS = {
    *("type", "description", "default", "enum", "format", "pattern", "required", "properties"),
    *("minLength", "maxLength", "minItems", "maxItems", "maxProperties", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum", "items", "additionalProperties"),
    *("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
}


def nodes(schema, path="$"):
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if key in schema:
            yield from nodes(schema[key], f"{path}{mark}")


NODES = [*nodes(SPEC, "spec"), *nodes(STATUS, "status")]
EVERY_NODE = pytest.mark.parametrize(("path", "node"), NODES, ids=[path for path, _ in NODES])


@pytest.mark.req("API-1")
def test_the_file_in_the_repository_is_what_the_types_render():
    checked_in = (ROOT / "deploy" / "crd" / "swarms.yaml").read_text("utf-8")
    assert checked_in == crd_yaml(), "stale: run `swarmctl crd > deploy/crd/swarms.yaml`"
    assert yaml.safe_load(checked_in) == CRD


@pytest.mark.req("API-1")
def test_the_names_are_those_of_the_document():
    assert CRD["metadata"]["name"] == "swarms.swarm.proompteng.ai"
    assert CRD["spec"]["group"] == "swarm.proompteng.ai"
    assert CRD["spec"]["scope"] == "Namespaced"
    assert CRD["spec"]["names"] == {
        "kind": "Swarm",
        "listKind": "SwarmList",
        "plural": "swarms",
        "singular": "swarm",
        "shortNames": ["sw"],
        "categories": ["all", "swarm"],
    }
    assert VERSION["name"] == "v1alpha1"
    assert VERSION["subresources"] == {"status": {}}
    assert VERSION["selectableFields"] == [{"jsonPath": ".spec.mode"}]


@pytest.mark.req("API-8")
def test_the_columns_are_those_of_the_requirement():
    columns = VERSION["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if "priority" not in column]
    assert shown == [
        *("Phase", "Mode", "Ready", "Active", "Queued", "Success24h", "Frozen-until", "Age")
    ]
    frozen = columns[6]
    assert frozen["jsonPath"] == ".status.freeze.until"
    assert frozen["type"] == "string", "a date in the future prints <invalid>"


@pytest.mark.req("API-8")
def test_every_column_shows_a_field_that_exists():
    for column in VERSION["additionalPrinterColumns"]:
        path = re.sub(r"\[\?.*?\]", "", column["jsonPath"]).split(".")[1:]
        if path[0] == "metadata":
            continue
        node = SCHEMA
        for part in path:
            node = node.get("items", node)["properties"][part]
        assert {"string": "string", "integer": "integer", "number": "number"}[
            column["type"]
        ] == node["type"]


@EVERY_NODE
def test_only_keywords_that_a_structural_schema_knows(path, node):
    """No $ref, anyOf, const, title, examples, uniqueItems, propertyNames: each is refused."""
    assert set(node) <= KEYWORDS
    assert node["type"] in {"object", "array", "string", "integer", "number", "boolean"}
    assert not {"properties", "additionalProperties"} <= set(node)
    assert node.get("additionalProperties") is not False
    assert isinstance(node.get("exclusiveMinimum", True), bool)
    assert "default" not in node or node["default"] is not None


@EVERY_NODE
def test_every_value_has_a_largest_size(path, node):
    """The server prices CEL rules by these bounds, and refuses a CRD that may cost too much."""
    if node["type"] == "string":
        assert "maxLength" in node or "enum" in node
    if node["type"] == "array":
        assert node["maxItems"] <= 256
    if "additionalProperties" in node:
        assert "maxProperties" in node
    if node["type"] in {"integer", "number"}:
        assert {"minimum", "maximum"} <= set(node)


@EVERY_NODE
def test_every_field_says_what_it_is(path, node):
    """`kubectl explain` prints nothing else."""
    if not path.endswith("[]") or node["type"] == "object":
        assert len(node["description"]) > 8
        assert "\n" not in node["description"]
        assert node["description"].endswith(".")


@EVERY_NODE
def test_every_list_says_how_it_is_merged_where_entries_are_unique(path, node):
    kind = node.get("x-kubernetes-list-type")
    assert kind in {None, "set", "map"}
    if kind == "set":
        assert node["items"]["type"] == "string"
    if kind == "map":
        assert set(node["x-kubernetes-list-map-keys"]) <= set(node["items"]["required"])


@pytest.mark.req("API-3")
def test_a_default_below_a_block_needs_the_block_to_have_one():
    """The server fills in defaults only below parents that exist."""
    always = [path for path, node in NODES if node["type"] == "object" and "default" in node]
    assert always == ["spec.cadence", "spec.discovery", "spec.delivery", *always[3:]]
    assert always[3:] == ["spec.delivery.rollout", "spec.risk"]
    optional = ("spec.execution", "spec.integrations", "spec.mission")
    for path, node in NODES:
        if "default" in node and path not in always:
            assert path.rpartition(".")[0] in always or path.startswith(optional)


def test_a_status_is_written_and_never_filled_in():
    assert [path for path, node in nodes(STATUS) if "default" in node] == []


def test_every_rule_has_a_message_and_is_core_cel():
    """Kubernetes' own functions would make the rules unknown to every other evaluator."""
    rules = [
        rule
        for _, node in [("$", SCHEMA), *NODES]
        for rule in node.get("x-kubernetes-validations", ())
    ]
    assert len(rules) == 13
    for rule in rules:
        assert rule["message"]
        cel.compile(rule["rule"])
        assert not re.search(r"isSorted|\.sum\(|indexOf|\burl\(|quantity\(", rule["rule"])


@pytest.mark.req("API-2")
def test_the_field_names_are_frozen():
    """A name is a promise to every object that was ever written. `...24h` keeps its small h."""
    golden = (Path(__file__).parent / "data" / "field-names.txt").read_text("utf-8")
    assert [path for path, _ in NODES] == golden.splitlines()


@pytest.mark.req("API-6")
def test_the_status_has_the_fields_of_the_document_and_no_other():
    assert list(STATUS["properties"]) == [
        *("phase", "conditions", "observedGeneration", "updatedAt"),
        *("lastDiscoverAt", "lastPlanAt", "lastImplementAt", "lastVerifyAt"),
        *("activeMissions", "queuedNeeds"),
        *("discoveries24h", "missions24h", "autonomousSuccessRate24h"),
        *("lastProductionChangeRef", "freeze"),
    ]
    assert list(STATUS["properties"]["freeze"]["properties"]) == ["reason", "until"]
    assert STATUS["properties"]["phase"]["enum"] == [
        *("Idle", "Discovering", "Planning", "Implementing", "Verifying", "Frozen", "Degraded")
    ]
    condition = STATUS["properties"]["conditions"]["items"]["properties"]
    assert "observedGeneration" in condition
    assert condition["type"]["enum"] == [
        *("Ready", "Progressing", "Stalled", "DiscoveryHealthy", "BudgetAvailable"),
        *("Frozen", "Degraded", "DependenciesReady", "PolicyComplete"),
    ]


def test_the_whole_crd_fits_well_into_one_object():
    assert len(crd_yaml()) < 100_000


class Bounded(Block):
    word: Annotated[str, Field(max_length=5)] = "hello"


class Anything(Block):
    free: Any = None


class Nested(Block):
    inner: "Nested | None" = None


class Either(Block):
    value: Annotated[str, Field(max_length=5)] | int = 1


class FreeMap(Block):
    notes: dict[str, Any] = Field(default_factory=dict)


class Endless(Block):
    word: str = "x"


class EndlessList(Block):
    words: tuple[Annotated[str, Field(max_length=5)], ...] = ()


class WrongDefault(Block):
    word: Annotated[str, Field(max_length=5, pattern="^[a-z]+$")] = "ABC"


class WrongNumber(Block):
    number: Annotated[int, Field(ge=1, le=5)] = 9


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Anything, "any type"),
        (Nested, "contains itself"),
        (Either, "choice of types"),
        (FreeMap, "maxProperties|anything"),
        (Endless, "maxLength"),
        (EndlessList, "maxItems"),
        (WrongDefault, "default 'ABC' breaks"),
        (WrongNumber, "default 9 breaks"),
    ],
)
def test_a_type_without_a_structural_form_cannot_be_rendered(model, reason):
    with pytest.raises(UnrenderableSchema, match=reason):
        check_renderable(structural(model), "x")


def test_a_bounded_type_can_be_rendered():
    check_renderable(structural(Bounded), "x")


@pytest.mark.req("OWN-2")
def test_there_is_exactly_one_custom_resource_of_our_own():
    """Backlog, missions, gates, approvals and freezes are rows; only the intent is an object."""
    made = [
        document
        for path in sorted((ROOT / "deploy").rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition"
    ]
    assert [one["metadata"]["name"] for one in made] == ["swarms.swarm.proompteng.ai"]
