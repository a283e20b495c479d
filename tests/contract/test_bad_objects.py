"""Objects that are refused: each with the field, what is wrong, and what would be right."""

import json
from pathlib import Path

import pytest
import yaml

from swarm.contract.errors import InvalidSwarm
from swarm.contract.validate import check_swarm, load_swarms

pytestmark = [pytest.mark.req("API-5"), pytest.mark.req("API-10")]

ROWS = yaml.safe_load((Path(__file__).parent / "data" / "bad-objects.yaml").read_text("utf-8"))

# Rows whose values are too long to be written out.
ROWS |= {
    "name-of-53": {
        "at": "metadata/name",
        "write": "a" * 53,
        "path": "metadata.name",
        "wrong": "53 characters",
        "right": "at most 52",
    },
    "label-of-64": {
        "at": "metadata/labels",
        "write": {"team": "x" * 64},
        "path": "metadata.labels.team",
        "wrong": "64 characters",
        "right": "at most 63",
    },
    "objective-of-1025": {
        "at": "spec/objectives",
        "write": ["x" * 1025],
        "path": "spec.objectives[0]",
        "wrong": "1025 characters",
        "right": "at most 1024",
    },
    "65-domains": {
        "at": "spec/domains",
        "write": [f"d{n}" for n in range(65)],
        "path": "spec.domains",
        "wrong": "65 entries",
        "right": "at most 64",
    },
    "21-steps": {
        "at": "spec/delivery/rollout/steps",
        "write": [{"setWeight": weight, "pause": "1m"} for weight in range(80, 101)],
        "path": "spec.delivery.rollout.steps",
        "wrong": "21 entries",
        "right": "at most 20",
    },
}


def change(tree, row):
    *parents, last = row["at"].split("/")
    for part in parents:
        tree = tree.setdefault(part, {})
    if "write" in row:
        tree[last] = row["write"]
    else:
        del tree[last]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_bad_object_is_refused_by_field_fault_and_remedy(good, row):
    change(good, row)
    with pytest.raises(InvalidSwarm) as refusal:
        check_swarm(good)
    (problem,) = refusal.value.problems
    assert problem.path == row["path"]
    assert row["wrong"] in problem.wrong
    assert row["right"] in problem.right


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_bad_object_is_refused_the_same_way_when_it_comes_as_text(good, row):
    change(good, row)
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(json.dumps(good), source="bad.json")
    (problem,) = refusal.value.problems
    assert problem.path == row["path"]
    assert row["wrong"] in problem.wrong
    assert row["right"] in problem.right


def test_every_problem_of_an_object_is_listed_at_once_by_line():
    text = """\
apiVersion: swarm.proompteng.ai/v1alpha1
kind: Swarm
metadata:
  name: Orders
spec:
  owner:
    id: 7
    channel: swarm://owner/platform
  domains: [docs]
  objectives: [write docs]
  mode: light-out
  discovery:
    sources:
      - name: a
      - {name: a}
  delivery:
    rollout:
      steps:
        - {setWeight: 50, pause: 1m}
        - setWeight: 10
          pause: 1m
"""
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(text, source="orders.yaml")
    found = [(problem.line, problem.path) for problem in refusal.value.problems]
    assert found == [
        (4, "metadata.name"),
        (7, "spec.owner.id"),
        (11, "spec.mode"),
        (15, "spec.discovery.sources[1].name"),
        (20, "spec.delivery.rollout.steps[1].setWeight"),
    ]
    assert "orders.yaml: 5 problems" in str(refusal.value)
    assert "spec.mode (line 11): 'light-out' is not one of its values" in str(refusal.value)
    assert refusal.value.code == "SWM101"


def test_what_is_missing_points_at_the_block_that_lacks_it():
    text = """\
apiVersion: swarm.proompteng.ai/v1alpha1
kind: Swarm
metadata: {name: a}
spec:
  owner:
    id: x
"""
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(text, source="x")
    lines = {problem.path: problem.line for problem in refusal.value.problems}
    assert lines["spec.owner.channel"] == 5
    assert lines["spec.mode"] == 4


def test_problems_of_several_documents_say_which(manifest):
    bad = manifest("torghut-quant").replace("mode: lights-out", "mode: loud")
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(manifest("generic-template") + "---\n" + bad, source="two.yaml")
    (problem,) = refusal.value.problems
    assert problem.path == "documents[1].spec.mode"
    assert problem.line > 60


def test_one_name_in_one_namespace_is_one_swarm(manifest):
    text = manifest("torghut-quant")
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(f"{text}---\n{text}", source="two.yaml")
    (problem,) = refusal.value.problems
    assert problem.path == "documents[1].metadata.name"
    assert "agents/torghut-quant is also the name of documents[0]" in problem.wrong


def test_a_list_as_kubectl_prints_it_is_opened(good):
    other = json.loads(json.dumps(good))
    other["metadata"]["name"] = "other"
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [good, other]})
    assert [swarm.name for swarm in load_swarms(text, source="list")] == ["orders", "other"]
    other["spec"]["mode"] = "loud"
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [good, other]})
    with pytest.raises(InvalidSwarm, match=r"items\[1\]\.spec\.mode: 'loud' is not one"):
        load_swarms(text, source="list")


def test_a_list_of_nothing_is_refused_and_not_taken_for_success():
    with pytest.raises(InvalidSwarm, match="holds no Swarm"):
        load_swarms('{"apiVersion": "v1", "kind": "List", "items": []}', source="list")
